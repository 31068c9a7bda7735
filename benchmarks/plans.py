"""Which searches make up a benchmark: searchers, pairs, seeds, samples, objectives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pairs import SETS
from running import Task

OURS = "marl"
COMMON = "single-agent:form=penalised"  # single-agent RL as commonly set up, with our tables
COMMON_TUNED = "single-agent:form=penalised@tuned"
COMMON_LIBRARY = "sb3-ppo:form=one-step,infeasible=penalise,memory=false"  # the same by Stable-Baselines3
PENALISED = (COMMON, COMMON_TUNED, COMMON_LIBRARY)
SINGLE = ("single-agent@tuned", "sb3-maskable-ppo@tuned", "sb3-ppo@tuned", "sb3-a2c@tuned")
OTHERS = (
    "genetic@tuned",
    "cma-es@tuned",
    "optuna-tpe@tuned",
    "cross-entropy@tuned",
    "annealing@tuned",
    "random",
)
PAPER = ("marl-paper", "marl-paper@tuned")
TIMELOOP = ("timeloop-random", "timeloop-random-pruned", "timeloop-linear-pruned", "timeloop-hybrid")
_COMPARED = (OURS, COMMON_TUNED, "single-agent@tuned", "genetic@tuned", "cross-entropy@tuned")


@dataclass(frozen=True)
class Part:
    """Some searchers on some pairs."""

    searchers: Sequence[str]
    seeds: int
    samples: int
    objective: str = "edp"
    pairs: Sequence[str] = SETS["reported"]

    def tasks(self) -> Iterator[Task]:
        """Seed by seed, so that an interrupted run has all pairs; Timeloop's mappers know no seeds."""
        for seed in range(self.seeds):
            for pair in self.pairs:
                for searcher in self.searchers:
                    if seed == 0 or not searcher.startswith("timeloop-"):
                        yield Task(pair, searcher, seed, self.samples, self.objective)


_LENGTHY = ("genetic", "cma-es@tuned", "annealing@tuned", COMMON, *PAPER)
# Fewer seeds and samples for what takes milliseconds a sample.
_OF_BASELINES = (
    Part(TIMELOOP, 1, 100_000),
    Part((*_COMPARED[1:], "random"), 10, 10_000),
    Part((*_COMPARED[1:], "random", "annealing@tuned"), 1, 100_000),
    Part(_LENGTHY, 3, 10_000),
    Part(("sb3-maskable-ppo@tuned", "sb3-ppo@tuned", "sb3-a2c@tuned", "optuna-tpe@tuned"), 3, 1000),
    Part((COMMON_LIBRARY,), 2, 1000),
    *(Part(_COMPARED[1:], 3, 3000, objective) for objective in ("energy", "delay")),
)
_OF_OURS = (
    Part((OURS,), 10, 1000),
    Part((OURS,), 3, 10_000),
    Part(("marl:critic=false",), 3, 3000),
    *(Part((OURS,), 5, 1000, objective) for objective in ("energy", "delay")),
)
_LONG = ("timeloop-random-pruned", "cross-entropy@tuned", "genetic@tuned")
_BEST_KNOWN = tuple(
    Part(_LONG, 1, 10_000_000, objective, (*SETS["reported"], *SETS["tuning"]))
    for objective in ("edp", "energy", "delay")
)
PLANS = {
    "quick": (Part((OURS, "single-agent", "genetic", "cross-entropy", "random"), 3, 1000),),
    "baselines": _OF_BASELINES,
    "ours": _OF_OURS,
    "best-known": _BEST_KNOWN,  # with --update-best
    "results": (*_OF_BASELINES, *_OF_OURS),
}
