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
_OF_AVERAGE_COST = tuple(name for name in OTHERS if name != "optuna-tpe@tuned")
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


_OF_BASELINES = (
    Part((*TIMELOOP,), 1, 100_000),
    Part(("single-agent@tuned", COMMON, COMMON_TUNED, *PAPER, *_OF_AVERAGE_COST, "genetic"), 10, 10_000),
    Part((*(n for n in SINGLE if n.startswith("sb3-")), COMMON_LIBRARY), 3, 2000),
    Part(("optuna-tpe@tuned",), 3, 1000),
    *(
        Part(tuple(n for n in _COMPARED if n != OURS), 3, 3000, objective)
        for objective in ("energy", "delay")
    ),
)
_OF_OURS = (
    Part((OURS, "marl:critic=false"), 10, 10_000),
    *(Part((OURS,), 3, 3000, objective) for objective in ("energy", "delay")),
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
