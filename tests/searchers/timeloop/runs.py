"""Run a Timeloop mapper on YAML text and look at it the way the recorded runs do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.searchers.timeloop import (
    BestMapping,
    Event,
    ThreadEnd,
    TimeloopSearcher,
    ValidMapping,
    run_mapper,
)
from timeloop_marl.specs.mapping import Mapping
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass(frozen=True)
class Run:
    spec: Spec
    space: TimeloopMapspace
    searcher: TimeloopSearcher
    evaluator: NativeEvaluator
    events: list[Event]
    best: BestMapping | None

    @property
    def valid(self) -> list[ValidMapping]:
        return [event for event in self.events if isinstance(event, ValidMapping)]

    @property
    def ends(self) -> list[ThreadEnd]:
        return [event for event in self.events if isinstance(event, ThreadEnd)]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        sizes = self.space.sizes
        return sizes.index_factorization, sizes.loop_permutation, sizes.spatial, sizes.datatype_bypass

    def energy_per_compute(self, mapping: Mapping, energy_pj: float) -> str:
        statistics = self.evaluator.statistics(mapping)
        return f"{energy_pj / statistics.computes:.3f}"


def run(files: list[Path], batch: int = 1 << 13) -> Run:
    spec = load(files)
    space = TimeloopMapspace(spec)
    searcher = TimeloopSearcher(space)
    evaluator = NativeEvaluator(spec, accesses=searcher.needs_accesses, precheck=True)
    events: list[Event] = []
    best = run_mapper(searcher, evaluator, events.append, batch)
    return Run(spec, space, searcher, evaluator, events, best)


def one_line(spec: Spec, mapping: Mapping) -> str:
    """As timeloop-mapper prints a mapping (mapspace section 7); written apart from the product's own."""
    parts = []
    tiles = spec.architecture.tiling_levels
    for s in reversed(range(len(spec.architecture.storage))):
        kept = "".join(
            space.name[0] for p, space in enumerate(spec.problem.data_spaces) if mapping.keep[s][p]
        )
        loops = []
        for t in reversed([t for t, tile in enumerate(tiles) if tile.storage == s]):
            level = mapping.loops[t]
            shown = []
            for position in reversed(range(len(level.order))):
                d = level.order[position]
                n, r = level.factors[d], level.residuals[d]
                if n > 1:
                    axis = ("X" if position < level.split else "Y") if tiles[t].spatial else ""
                    shown.append(f"{spec.problem.dims[d]}{n}{'' if r == n else f';{r}'}{axis}")
            loops += shown if shown or tiles[t].spatial else [f"{spec.problem.dims[-1]}1"]
        parts.append(f"L{s}[{kept}] {' '.join(loops)}")
    return " - ".join(parts)
