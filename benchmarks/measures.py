"""What runs say: samples to a tolerance, costs at equal samples, ratios with bootstrap intervals.

A run that never came within a tolerance has no number of samples. Quartiles count it as infinitely many ("–"). In
ratios it counts against us: as its budget for the searcher that we are compared with (it would have needed more), as
twice its budget for ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pairs import lowest
from running import Run, Task, cost_after, first_within

TOLERANCES = (1.10, 1.02, 1.005)
BUDGETS = (100, 300, 1000, 3000, 10_000, 100_000)
DRAWS = 2000
Values = np.ndarray


@dataclass(frozen=True)
class Results:
    """Runs of one objective by pair and searcher, and the best costs known."""

    objective: str
    runs: Mapping[tuple[str, str], list[Run]]
    best: Mapping[str, float]

    @classmethod
    def of(
        cls, objective: str, tasks: Sequence[Task], runs: Sequence[Run], known: Mapping[str, float]
    ) -> Results:
        """``runs`` are those of ``tasks``, in their order; of a seed in several parts of a plan the longest counts."""
        longest: dict[tuple[str, str], dict[int, Run]] = {}
        for task, entry in zip(tasks, runs):
            if task.objective != objective:
                continue
            seeds = longest.setdefault((task.pair, task.searcher), {})
            cut = shortened(entry, task.samples)
            if task.seed not in seeds or seeds[task.seed]["budget"] < cut["budget"]:
                seeds[task.seed] = cut
        table = {key: [seeds[seed] for seed in sorted(seeds)] for key, seeds in longest.items()}
        ends = [
            (pair, e["trajectory"][-1][1]) for (pair, _), es in table.items() for e in es if e["trajectory"]
        ]
        return cls(objective, table, lowest(ends, known))

    def pairs(self, *searchers: str) -> list[str]:
        """Pairs on which all of these searchers were run."""
        every = dict.fromkeys(pair for pair, _ in self.runs)
        return [pair for pair in every if all((pair, name) in self.runs for name in searchers)]

    def searchers(self) -> list[str]:
        """In the order of the plan."""
        return list(dict.fromkeys(name for _, name in self.runs))

    def of_searcher(self, name: str) -> list[Run]:
        """All runs of a searcher."""
        return [entry for (_, mine), entries in self.runs.items() for entry in entries if mine == name]

    def budget(self, name: str) -> int:
        """Samples of the searcher's longest run."""
        return max(entry["budget"] for entry in self.of_searcher(name))

    def longest(self, pair: str, name: str) -> int:
        """Samples of the searcher's longest run on the pair."""
        return max(entry["budget"] for entry in self.runs[pair, name])

    def reach(self, *names: str) -> int:
        """Samples that all of these searchers were run for, by at least one seed on every pair that they share."""
        return min((self.longest(p, n) for n in names for p in self.pairs(*names)), default=0)

    def samples_to(self, pair: str, name: str, tolerance: float, unsolved: float = np.inf) -> Values:
        """Per seed the samples to within the tolerance; ``unsolved`` budgets where it was never reached."""
        entries = self.runs[pair, name]
        reached = [first_within(entry, self.best[pair] * tolerance) for entry in entries]
        return np.array([unsolved * e["budget"] if np.isinf(r) else r for r, e in zip(reached, entries)])

    def costs(self, pair: str, name: str, samples: int) -> Values:
        """Cost after so many samples over the best known, of the seeds that were run so long."""
        long_enough = [entry for entry in self.runs[pair, name] if entry["budget"] >= samples]
        return np.array([cost_after(entry, samples) for entry in long_enough]) / self.best[pair]


def shortened(entry: Run, samples: int) -> Run:
    """The run as it would have been with a smaller budget; counts and times in proportion."""
    if entry["samples"] <= samples:
        return entry
    share = samples / entry["samples"]
    scaled = {
        k: entry[k] * share for k in ("valid", "repeated", "seconds", "searcher_seconds", "wall_seconds")
    }
    steps = [step for step in entry["trajectory"] if step[0] <= samples]
    return {**entry, **scaled, "budget": samples, "samples": samples, "trajectory": steps}


def geometric(values: Iterable[float] | Values) -> float:
    """Geometric mean."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(np.asarray(values, float)))))


@dataclass(frozen=True)
class Ratio:
    """How many times more the other needs: by pair, and over the pairs with 95 % intervals."""

    by_pair: Mapping[str, float]
    median: tuple[float, float, float]  # value, low, high
    mean: tuple[float, float, float]  # geometric


def ratio_of(pairs: Sequence[str], ours: Callable[[str], Values], theirs: Callable[[str], Values]) -> Ratio:
    """Ratios theirs / ours of the medians over seeds; intervals by drawing the seeds of both anew."""
    rng = np.random.default_rng(0)
    mine, other = ([f(pair) for pair in pairs] for f in (ours, theirs))
    logs = np.array([_drawn(b, rng) - _drawn(a, rng) for a, b in zip(mine, other)])
    central = np.array([np.log(np.median(b)) - np.log(np.median(a)) for a, b in zip(mine, other)])
    return Ratio(
        dict(zip(pairs, np.exp(central).tolist())),
        _interval(np.median(central), np.median(logs, axis=0)),
        _interval(central.mean(), logs.mean(axis=0)),
    )


def _drawn(values: Values, rng: np.random.Generator) -> Values:
    return np.log(np.median(values[rng.integers(0, len(values), (DRAWS, len(values)))], axis=1))


def _interval(central: float, drawn: Values) -> tuple[float, float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.exp(central)), float(np.exp(low)), float(np.exp(high))


def sample_ratio(results: Results, ours: str, theirs: str, tolerance: float) -> Ratio:
    """Samples to within a tolerance, theirs / ours: above 1 = we need fewer. Only pairs that one of them solves."""
    pairs = [
        pair
        for pair in results.pairs(ours, theirs)
        if np.isfinite(results.samples_to(pair, ours, tolerance)).any()
        or np.isfinite(results.samples_to(pair, theirs, tolerance)).any()
    ]
    return ratio_of(
        pairs,
        lambda pair: results.samples_to(pair, ours, tolerance, unsolved=2.0),
        lambda pair: results.samples_to(pair, theirs, tolerance, unsolved=1.0),
    )


def cost_ratio(results: Results, ours: str, theirs: str, samples: int, largest: float = 1e6) -> Ratio:
    """Cost after equal samples, theirs / ours; a run without a valid mapping counts as ``largest``."""
    return ratio_of(
        results.pairs(ours, theirs),
        lambda pair: np.minimum(results.costs(pair, ours, samples), largest),
        lambda pair: np.minimum(results.costs(pair, theirs, samples), largest),
    )
