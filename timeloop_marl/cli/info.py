"""``timeloop-marl info``: what was understood of the input, and how hard the search will be."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.padding import Padding
from rich.table import Table

from ..api.clusters import Clusters, find_clusters
from ..api.inputs import expand, load
from ..api.optimum import with_proof
from ..cost.objective import parse_objective
from ..cost.outcome import Failure
from ..evaluators.native import NativeEvaluator
from ..mapspace.awkward import factors_notice, limited
from ..mapspace.axes import LearnersMapspace
from ..mapspace.diagnosis import Severity, diagnose
from ..mapspace.patterns import level_label
from ..mapspace.timeloop import TimeloopMapspace
from ..report.charts.agents import Dependencies, cluster_tree
from ..report.drawing import beside, png
from ..run.folder import RunFolder
from ..run.options import Settings
from ..searchers.base import warm_up
from ..searchers.registry import all_searchers, make_searcher
from ..specs.architecture import StorageLevel
from ..specs.constraints import LoopConstraint
from ..specs.front_end import check_flattening
from ..specs.shipped import NAMES, contents, copy_shipped
from ..specs.spec import Spec
from .screen import Screen, console, parse_values, print_notices, read_inputs, say

_PROBES = 2000

_NAMES, _CELL = 420.0, 17.0  # px: names and tree of the picture, and each choice in it


def info_command(options: argparse.Namespace) -> int:
    """Print it all.

    Raises:
        InfeasibleError: the constraints leave no mapping; what else was found about them is printed before.
    """
    if options.flattening:
        return _flattening(options)
    _, spec = read_inputs(options)
    print_notices(spec)
    screen = console()
    _print_problem(screen, spec)
    screen.print("\nlevels, outermost first", _levels(spec))
    screen.print("\nbandwidth and energy, per instance", _rates(spec))
    if spec.constraints.loops:
        screen.print("\nloop constraints (orders from the inside out)", _constraints(spec))
    screen.print()
    findings = diagnose(spec)
    fatal = next((finding for finding in findings if finding.severity is Severity.ERROR), None)
    for finding in findings:
        if finding is not fatal:
            screen.print(f"{finding.severity.value}: {finding}")
    if fatal is not None:
        raise fatal.as_error()
    about = factors_notice(spec)
    if about:
        screen.print(f"notice: {about}")
    _print_mapspace(screen, spec)
    return 0


def _flattening(options: argparse.Namespace) -> int:
    """Ours against that of the installed front end; 0 if both are alike."""
    values = parse_values(options.values, "--set")
    check = check_flattening(expand(options.files), values)
    print(check.summary())
    for difference in check.differences:
        print(f"  {difference}")
    return 0 if check.agree else 1


def _print_problem(screen: Screen, spec: Spec) -> None:
    problem = spec.problem
    bounds = " ".join(f"{name}={bound}" for name, bound in zip(problem.dims, problem.bounds))
    screen.print(f"problem {problem.name}: {bounds}; {problem.operations:,} computes")
    for space in problem.data_spaces:
        ranks = "][".join(
            "+".join(
                (f"{term.coefficient}*" if term.coefficient != 1 else "") + problem.dims[term.dim]
                for term in rank
            )
            for rank in space.ranks
        )
        screen.print(f"  {space.name}[{ranks}]{' (read-write)' if space.read_write else ''}")
    screen.print(f"energies: {spec.energies.origin}")


def _table(titles: Sequence[str], folding: Sequence[str]) -> Table:
    """A table in which only these columns are folded when the terminal is narrow."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title not in folding)
    return table


def _levels(spec: Spec) -> Table:
    table = _table(
        ("level", "words", "bits", "instances", "mesh", "fan-out", "keeps (?: free)"), ("keeps (?: free)",)
    )
    architecture = spec.architecture
    for s in reversed(range(len(architecture.storage))):
        level = architecture.storage[s]
        size = "unlimited" if level.effective_size is None else f"{level.effective_size:,}"
        fanout = f"{architecture.fanout_x(s)}x{architecture.fanout_y(s)}"
        table.add_row(
            level.name, size, str(level.word_bits), str(level.instances), f"{level.mesh_x}x{level.mesh_y}",
            "" if fanout == "1x1" else fanout, _keeps(spec, s),
        )  # fmt: skip
    compute = architecture.compute
    mesh = f"{compute.mesh_x}x{compute.mesh_y}"
    table.add_row(compute.name, "", str(compute.word_bits), str(compute.instances), mesh, "", "")
    return table


def _rates(spec: Spec) -> Table:
    """Bandwidths in words per cycle and instance, energies in pJ per access."""
    table = _table(("level", "words/cycle read/write/shared", "pJ read/fill/update"), ())
    for s in reversed(range(len(spec.architecture.storage))):
        level, energy = spec.architecture.storage[s], spec.energies.storage[s]
        energies = f"{energy.read:.4g}/{energy.fill:.4g}/{energy.update:.4g}"
        table.add_row(level.name, _bandwidth(level), energies)
    table.add_row(spec.architecture.compute.name, "", f"{spec.energies.compute:.4g}")
    return table


def _bandwidth(level: StorageLevel) -> str:
    given = (level.read_bandwidth, level.write_bandwidth, level.shared_bandwidth)
    if all(value is None for value in given):
        return ""
    return "/".join("-" if value is None else f"{value:g}" for value in given)


def _keeps(spec: Spec, s: int) -> str:
    marks = {"0": "", "1": "{}", "X": "{}?"}
    bypass = spec.constraints.bypass
    names = [
        marks[bypass[p][s] if bypass else "X"].format(space.name)
        for p, space in enumerate(spec.problem.data_spaces)
    ]
    return " ".join(name for name in names if name)


def _constraints(spec: Spec) -> Table:
    table = _table(("tiling level", "factors", "order", "split", "from"), ("tiling level", "factors"))
    for tiling, rule in sorted(
        spec.constraints.loops.items(), key=lambda item: (-item[0].storage, item[0].spatial)
    ):
        table.add_row(
            level_label(spec.architecture, tiling), _factors(spec, rule), _permutation(spec, rule),
            "" if rule.split is None else str(rule.split), _place(rule.source),
        )  # fmt: skip
    return table


def _place(source: str) -> str:
    """``arch.yaml:17`` of ``arch/eyeriss_like/arch.yaml:17: architecture.nodes[3]``."""
    lines = [re.sub(r"^(?:.*[/\\])?(.+?:\d+): .*$", r"\1", part) for part in source.split("; ")]
    return " ".join(dict.fromkeys(lines))


def _factors(spec: Spec, rule: LoopConstraint) -> str:
    dims = spec.problem.dims
    kinds = (("=", rule.fixed), (">=", rule.minimum), ("<=", rule.maximum))
    return " ".join(
        f"{dims[d]}{sign}{value}" for sign, values in kinds for d, value in sorted(values.items())
    )


def _permutation(spec: Spec, rule: LoopConstraint) -> str:
    if rule.prefix is None:
        return ""
    dims = spec.problem.dims
    inner = "".join(dims[d] for d in rule.prefix)
    outer = "".join(dims[d] for d in rule.suffix)
    return f"{inner} … {outer}" if len(inner) + len(outer) < len(dims) else inner + outer


def _print_mapspace(screen: Screen, spec: Spec) -> None:
    space = TimeloopMapspace(spec)
    sizes = space.sizes
    screen.print(
        f"Timeloop's mapspace: {space.size:.4g} mappings (factors {sizes.index_factorization:,} x orders "
        f"{sizes.loop_permutation:,} x splits {sizes.spatial:,} x bypasses {sizes.datatype_bypass:,})"
    )
    # 'remainders' belong to Timeloop's own enumeration of imperfect factors
    learners = LearnersMapspace(spec if limited(spec) is None else spec.with_factors("perfect"))
    screen.print(f"learners' view: {learners.axes} axes, 10^{learners.log10_size:.1f} rows")
    if spec.beyond is not None:
        screen.print("validity and spread: not estimated, only the real Timeloop evaluates this design")
        return
    evaluator = NativeEvaluator(spec)
    evaluator.warm_up(lambda text: print(text, file=sys.stderr, flush=True))
    rng = np.random.default_rng(0)
    blind = _valid_share(space, evaluator, rng)
    outcome = evaluator(learners.decode(learners.sample(_PROBES, rng)))
    ok = outcome.failure == Failure.OK
    screen.print(
        f"valid: {blind:.2%} of Timeloop's random mappings, {ok.mean():.2%} of our random draws ({_PROBES} each)"
    )
    if ok.any():
        edp = outcome.energy_pj[ok] * outcome.cycles[ok]
        spread = float(np.median(edp) / edp.min())
        screen.print(
            f"spread: the median random mapping has {spread:.3g} times the EDP of the best of {_PROBES}"
        )
        screen.print(f"expected difficulty: {_difficulty(learners.log10_size, spread)}")


def _valid_share(space: TimeloopMapspace, evaluator: NativeEvaluator, rng: np.random.Generator) -> float:
    batch = space.decode(space.sample(rng, _PROBES))
    built = space.construction_failures(batch) < 0
    outcome = evaluator(batch)
    return float((built & (outcome.failure == Failure.OK)).mean())


def _difficulty(log10_size: float, spread: float) -> str:
    """In words; the thresholds separate the machines of arch/ on ResNet-18 (docs/searchers.md)."""
    if log10_size < 6:
        return "small enough to be searched completely"
    if log10_size < 25 and spread < 10:
        return "easy: a few hundred samples"
    if log10_size < 45:
        return "medium: a few thousand samples"
    return "hard: ten thousand samples and more"


JSON, PICTURE = "cluster.json", "cluster.png"
_CLUSTER_PAIRS = 5


def cluster_command(options: argparse.Namespace) -> int:
    """Print the groups and the strongest pairs; with ``--output``, write them and the picture."""
    _, spec = read_inputs(options)
    print_notices(spec)
    found = find_clusters(
        spec,
        signal=options.signal,
        samples=options.samples,
        agents=options.agents or 0,
        objective=options.objective,
        seed=options.seed,
    )
    screen = console()
    screen.print(
        f"{len(found.names)} choices in {len(found.groups)} groups, by {found.signal} over {found.valid} mappings"
    )
    screen.print("", _cluster_groups(found), "", _cluster_pairs(found))
    if options.output is not None:
        folder = RunFolder(Path(options.output))
        folder.create()
        folder.write(JSON, json.dumps(found.as_json()) + "\n")
        data = Dependencies(found.names, found.groups, found.strength.tolist())
        drawing = cluster_tree(data, found.merges, found.signal, _NAMES + _CELL * len(found.names))
        folder.write(PICTURE, png(beside([drawing])))
        screen.print("", f"written: {folder.path / JSON}, {folder.path / PICTURE}")
    return 0


def _cluster_groups(found: Clusters) -> Table:
    """The largest groups first; choices alone in their group in one line."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("agent", justify="right")
    table.add_column("choices")
    ordered = sorted((group for group in found.groups if len(group) > 1), key=lambda group: -len(group))
    for number, group in enumerate(ordered, 1):
        table.add_row(str(number), ", ".join(found.names[a] for a in group))
    alone = [found.names[group[0]] for group in found.groups if len(group) == 1]
    if alone:
        table.add_row("each", ", ".join(alone))
    return table


def _cluster_pairs(found: Clusters) -> Table:
    """The strongest pairs."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("strongest pairs", "", "strength"):
        table.add_column(title, justify="right" if title == "strength" else "left")
    upper = np.triu(found.strength, 1)
    for place in np.argsort(-upper, axis=None, kind="stable")[:_CLUSTER_PAIRS]:
        a, b = (int(k) for k in np.unravel_index(place, upper.shape))
        if upper[a, b] > 0:
            table.add_row(found.names[a], found.names[b], f"{upper[a, b]:.3g}")
    return table


def searchers_command(options: argparse.Namespace) -> int:
    """Print the registry; searchers with the same options share a line of them."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("searcher", "knows", "what it is"):
        table.add_column(title, overflow="fold")
    groups: dict[tuple[str, ...], list[str]] = {}
    for entry in all_searchers().values():
        table.add_row(entry.name, entry.knowledge, entry.description)
        known = tuple(f"{name}={default}" for name, default in entry.options.items())
        groups.setdefault(known, []).append(entry.name)
    screen = console()
    screen.print(table)
    screen.print(
        "\nknows: traffic = counts by itself the words that a mapping moves; none = only what it is told"
    )
    screen.print("\noptions and their defaults, for --option NAME=VALUE")
    for known, names in groups.items():
        screen.print(Padding(f"{', '.join(names)}: {' '.join(known) or 'none'}", (0, 0, 0, 2)))
    return 0


def examples_command(options: argparse.Namespace) -> int:
    """List what came with the package, or copy it."""
    if options.copy:
        written = copy_shipped(options.copy)
        print(f"wrote {', '.join(folder.name for folder in written)} into {options.copy}")
        return 0
    for name in NAMES:
        print(f"{name}:")
        for entry in contents(name):
            print(f"  {entry}")
    print("\nfor instance: timeloop-marl search arch/eyeriss_like problems/resnet18/conv4_3x3.yaml")
    return 0


def warmup_command(options: argparse.Namespace) -> int:
    """Compile what any search needs, with a design that came with the package."""
    begun = time.monotonic()
    spec = load(["arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml"])
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher(options.searcher, spec, 1, objective, {})
    if options.searcher == Settings().searcher:
        searcher = with_proof(spec, searcher, objective, samples=None, ends=True)
    NativeEvaluator(spec, vectors=False).warm_up(say)
    warm_up(searcher, say)
    find_clusters(spec, samples=16)
    print(f"ready after {time.monotonic() - begun:.1f} s: later runs start at once")
    return 0
