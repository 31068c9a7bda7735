"""timeloop-X.stats.txt, byte for byte (formats section 10)."""

from __future__ import annotations

from ..cost.outcome import Statistics
from ..specs.spec import Spec
from .numbers import OutputStyle, field, float32, float32_ratio, percent
from .stats_levels import compute_block, level_hidden, storage_block
from .stats_networks import network_block


def stats_text(spec: Spec, statistics: Statistics, style: OutputStyle | None = None) -> str:
    """The text of timeloop-model.stats.txt or timeloop-mapper.stats.txt for one evaluated mapping.

    Args:
        spec: machine, problem and energies the statistics belong to.
        statistics: every figure of the mapping.
        style: number format and hiding; the default is that of a program without ``TIMELOOP_*`` variables.
    """
    style = style or OutputStyle()
    text = "Buffer and Arithmetic Levels\n----------------------------\n"
    text += _levels(spec, statistics, style)
    text += "Networks\n--------\n" + _networks(spec, statistics, style)
    text += "\nOperational Intensity Stats\n---------------------------\n"
    text += _intensity(spec, statistics, style)
    text += "\n\nSummary Stats\n-------------\n" + _summary(spec, statistics, style)
    return text + "\n"


def _levels(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    text = ""
    if not (style.hide_inconsequential and statistics.compute.energy == 0):
        text += "Level 0\n-------\n" + compute_block(spec, statistics, style)
    for index, level in enumerate(statistics.levels):
        if not (style.hide_inconsequential and level_hidden(level)):
            text += f"Level {index + 1}\n-------\n" + storage_block(spec, level, index, style)
    return text


def _networks(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    text, number = "", 0
    for network in statistics.networks:
        if not (style.hide_inconsequential and network.energy == 0):
            text += f"Network {number}\n---------\n" + network_block(spec, statistics, network, style)
            number += 1
    return text


def _intensity(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    def line(label: str, value: object) -> str:
        return field(label, 40, value, indent=4)

    storage = spec.architecture.storage
    required_bytes = storage[-1].word_bits * statistics.required_accesses // 8
    text = line("Total elementwise ops", statistics.computes)
    text += line("Total reduction ops", statistics.reduction_operations)
    text += line("Total ops", statistics.operations)
    text += line("Total memory accesses required", statistics.required_accesses)
    text += (
        line("Optimal Op per Byte", style.real(float32_ratio(statistics.operations, required_bytes))) + "\n"
    )
    for hardware, level in zip(storage, statistics.levels, strict=True):
        text += f"=== {level.name} ===\n"
        if level.accesses:
            moved_bytes = hardware.word_bits * level.accesses // 8
            text += line("Total scalar accesses", level.accesses)
            text += line("Op per Byte", style.real(float32_ratio(statistics.operations, moved_bytes)))
    return text


def _summary(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    energy = statistics.energy_pj
    edp = float(float32(statistics.cycles)) * energy / 1e12
    text = f"GFLOPs (@1GHz): {style.real(float32_ratio(statistics.operations, statistics.cycles))}\n"
    text += f"Utilization: {percent(statistics.utilization)}\n"
    text += f"Cycles: {statistics.cycles}\n"
    text += f"Energy: {style.real(energy / 1e6)} uJ\n"
    text += f"EDP(J*cycle): {edp:.2e}\n"
    # Timeloop clears the grand total of the areas at each evaluation, so it always prints 0 (cost-model section 15)
    text += f"Area: {style.real(0.0)} mm^2\n\n"
    return text + f"Computes = {statistics.computes}\n" + _energy_table(spec, statistics, style)


def _energy_table(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    """Energy per compute of every component, in fJ; hidden ones still widen the column of names."""
    rows = [(spec.architecture.compute.name, statistics.compute.energy)]
    rows += [(level.name, level.energy) for level in statistics.levels]
    rows += [(network.name, network.energy) for network in statistics.networks]
    width = 1 + max(len(name) for name, _ in rows)
    shown = [row for row in rows if row[1] != 0 or not style.hide_inconsequential]
    text = "fJ/Compute\n"
    for name, energy in [*shown, ("Total", statistics.energy_pj)]:
        text += f"    {name:<{width}}= {style.real(energy * 1000 / statistics.computes)}\n"
    return text
