"""Resolves the energy and area of every action of one machine (cost-model section 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import SpecError
from . import pat
from .architecture import Architecture, StorageLevel, UserNetwork
from .energy import Energies, LevelEnergy
from .tables import COMPUTE, FILL, LEAK, READ, UPDATE, Table


def resolve(
    architecture: Architecture, tables: Sequence[Table], areas: Mapping[str, float], origin: str
) -> Energies:
    """Energies from tables, attributes and, where those are silent, PAT.

    Args:
        architecture: the machine.
        tables: ERT tables in file order; of several for one component the last counts.
        areas: ART areas in um^2 by component name (only given together with an ERT).
        origin: one line naming the source.

    Raises:
        SpecError: PAT cannot price a level, or a multicast network has no usable table.
    """
    by_name = {table.component: table for table in tables}
    for network in architecture.networks:
        if network.kind == "SimpleMulticast":
            _check_multicast(network, by_name.get(network.name))
    compute = architecture.compute
    start = pat.compute(compute) if compute.energy is None else float(compute.energy)
    mac = by_name.get(compute.name)
    area = areas.get(compute.name, 0.0 if compute.area is None else float(compute.area))
    return Energies(
        storage=tuple(
            _level(level, by_name.get(level.name), float32(areas.get(level.name, 0.0)))
            for level in architecture.storage
        ),
        compute=start if mac is None else mac.first(COMPUTE, start),
        compute_area=float32(area),
        wire=_wire(tables),
        network_actions={
            network.name: by_name[network.name].actions
            for network in architecture.networks
            if network.name in by_name
        },
        origin=origin,
    )


def _check_multicast(network: UserNetwork, table: Table | None) -> None:
    """What Timeloop asserts about the table of a SimpleMulticast network (cost-model section 14)."""
    where = f"ERT: {network.name}"
    if table is None:
        raise SpecError(
            f"network {network.name} has no energy table",
            path=where,
            expected=f"a table with action {network.action_name}",
            remedy="give an ERT that prices the network",
        )
    for name, entries in table.actions.items():
        used = (
            name.startswith(f"{network.action_name}_")
            if network.per_datatype_ert
            else name == network.action_name
        )
        if not used or len(entries) < 2:
            continue
        if network.multicast_factor_argument is None:
            raise SpecError(
                f"action {name} has several entries, but the network names no multicast_factor_argument",
                path=where,
                expected="attribute multicast_factor_argument: the argument that tells the entries apart",
            )
        if not all(entry.arguments for entry in entries):
            raise SpecError(
                f"an entry of action {name} has no arguments", path=where, expected="arguments: {...}"
            )


def float32(value: float) -> float:
    """The value after a pass through a 32-bit float."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _level(level: StorageLevel, table: Table | None, area: float) -> LevelEnergy:
    if level.vector_access_energy is not None:  # the attribute wins completely, leak included
        energy = level.vector_access_energy
        return LevelEnergy(energy, energy, energy, 0.0, area, energy, "user")
    try:
        start = pat.vector_access(level)
    except ValueError as error:
        # the assertion concerns only levels that no table prices
        if table is None:
            raise SpecError(str(error), path=f"architecture: {level.name}", remedy="give an ERT") from None
        start = 0.0
    if table is None:
        return LevelEnergy(start, start, start, 0.0, area, start, "PAT")
    return LevelEnergy(
        read=table.first(READ, start),
        fill=table.first(FILL, start),
        update=table.first(UPDATE, start),
        leak=table.first(LEAK, 0.0),
        area=area,
        vector_access=table.largest / level.cluster_size,
        source="ERT",
    )


def _wire(tables: Sequence[Table]) -> float | None:
    """pJ/bit/mm of a component called wire, through a 32-bit float."""
    for table in reversed(tables):
        if table.component in ("wire", "Wire") and table.actions.get("transfer_random"):
            return float32(table.maximum("transfer_random"))
    return None
