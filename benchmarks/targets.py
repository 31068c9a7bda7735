"""The targets that were set for the default searcher, beside what was measured; misses included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from measures import TOLERANCES, Results, cost_ratio, geometric, sample_ratio
from pairs import levels
from plans import COMMON_TUNED, OTHERS, OURS, PENALISED, SINGLE, TIMELOOP
from running import first_within
from tables import Lines, best_of, head, interval, number, row

SHALLOW, SHALLOW_LIMITS, DEEP_LIMITS = 4, (150, 500, 5000), (500, 2000, 10_000)
PUBLISHED = {"edp": "16.45x lower EDP", "delay": "32.61x lower latency"}
EQUAL_SAMPLES = (100, 300, 1000, 3000, 10_000)


def met(value: bool) -> str:
    return "met" if value else "**missed**"


def lines(by_objective: Mapping[str, Results]) -> Lines:
    """One row a target."""
    results = by_objective["edp"]
    yield from head(["target", "measured", ""])
    for target, measured, reached in (
        *_against_penalised(by_objective),
        *_against_single(results),
        *_against_others(results),
        *_against_timeloop(results),
        *_to_best_known(results),
        *_overhead(results),
    ):
        yield row([target, measured, reached])


Target = tuple[str, str, str]


def _against_penalised(by_objective: Mapping[str, Results]) -> Iterator[Target]:
    results = by_objective["edp"]
    for name in PENALISED:
        if not results.pairs(OURS, name):
            continue
        found = sample_ratio(results, OURS, name, TOLERANCES[0])
        best = max(found.by_pair.values())
        yield (
            f"`{name}`: samples to 10 %, ≥ 30x in the median, ≥ 100x at best",
            f"{interval(found.median)} in the median, {best_of(found)} at best{_unsolved(results, name)}",
            _decided(results, name, found.median[0] >= 30 and best >= 100),
        )
    for objective, published in PUBLISHED.items():
        mine = by_objective.get(objective)
        if mine is None or not mine.pairs(OURS, COMMON_TUNED):
            continue
        parts = []
        for samples in (n for n in EQUAL_SAMPLES if n <= mine.reach(OURS, COMMON_TUNED)):
            found = cost_ratio(mine, OURS, COMMON_TUNED, samples)
            parts.append(
                f"{_finite(found.median[0])} / {_finite(max(found.by_pair.values()))} at {samples:,}"
            )
        yield (
            f"{objective} at equal samples, `{COMMON_TUNED}` (published: up to {published})",
            f"ratio, median / best pair: {'; '.join(parts)}",
            "",
        )


def _unsolved(results: Results, name: str) -> str:
    """How many runs of a baseline never came within 10 %: its ratios are too small by what these would have needed."""
    pairs, runs = results.pairs(name), len(results.of_searcher(name))
    unsolved = sum(int(np.isinf(results.samples_to(p, name, TOLERANCES[0])).sum()) for p in pairs)
    return (
        f"; at least: {unsolved} of its {runs} runs end unsolved at {results.budget(name):,}"
        if unsolved
        else ""
    )


def _decided(results: Results, name: str, value: bool) -> str:
    """A ratio that is too small because the baseline was stopped early decides nothing."""
    unsolved = [
        np.isinf(results.samples_to(pair, name, TOLERANCES[0])).mean() for pair in results.pairs(name)
    ]
    return met(value) if value or np.mean(unsolved) < 0.5 else "open: too few samples of the baseline"


def _finite(value: float) -> str:
    return "nothing valid" if value > 1e5 else f"{value:.2f}x"


def _against_single(results: Results) -> Iterator[Target]:
    found = {n: sample_ratio(results, OURS, n, TOLERANCES[0]) for n in SINGLE if results.pairs(OURS, n)}
    for name, ratio in found.items():
        yield (
            f"`{name}`, same masks: samples to 10 %, ≥ 5x in the median",
            f"{interval(ratio.median)}; geometric mean {interval(ratio.mean)}{_unsolved(results, name)}",
            _decided(results, name, ratio.median[0] >= 5),
        )


def _against_others(results: Results) -> Iterator[Target]:
    for name in OTHERS:
        if not results.pairs(OURS, name):
            continue
        ratio = sample_ratio(results, OURS, name, TOLERANCES[0])
        yield (
            f"`{name}`: samples to 10 %, ≥ 2.5x in the median",
            f"{interval(ratio.median)}; geometric mean {interval(ratio.mean)}{_unsolved(results, name)}",
            _decided(results, name, ratio.median[0] >= 2.5),
        )
        samples = min(10_000, results.reach(OURS, name))
        end = cost_ratio(results, OURS, name, samples)
        worst = min(end.by_pair, key=lambda p: end.by_pair[p])
        yield (
            f"`{name}`: cost at 10,000 samples, never worse than 1.0x (geometric mean)",
            f"at {samples:,}: "
            f"{end.mean[0]:.4f} ({end.mean[1]:.4f} – {end.mean[2]:.4f}); worst pair "
            f"{end.by_pair[worst]:.3f} ({worst})",
            met(end.mean[0] >= 1.0) + (" so far" if samples < 10_000 else ""),
        )


def _against_timeloop(results: Results) -> Iterator[Target]:
    for name in TIMELOOP:
        pairs = results.pairs(OURS, name)
        if not pairs:
            continue
        needed, behind, every, nothing = [], [], 0, 0
        for pair in pairs:
            theirs = results.runs[pair, name][0]
            goal = theirs["trajectory"][-1][1] if theirs["trajectory"] else np.inf
            nothing += bool(np.isinf(goal))
            if np.isfinite(goal):
                reached = [first_within(entry, goal) for entry in results.runs[pair, OURS]]
                needed.append(theirs["budget"] / float(np.median(reached)))
            mine = results.costs(pair, OURS, 1000) * results.best[pair]
            behind += [pair] * bool(np.median(mine) >= goal)
            every += bool((mine < goal).all())
        yield (
            f"`{name}`, 100,000 samples: ≥ 100x fewer samples to its cost",
            f"{min(needed):,.0f}x on the worst pair, {np.median(needed):,.0f}x in the median of {len(needed)}"
            + (f"; it found nothing valid on {nothing} others" if nothing else ""),
            met(min(needed) >= 100),
        )
        yield (
            f"`{name}`: best after 1,000 samples better than its after 100,000, on every pair",
            f"median of the seeds: {len(pairs) - len(behind)} of {len(pairs)} pairs{_named(behind)}; every seed: "
            f"{every} of {len(pairs)}",
            met(not behind),
        )


def _named(pairs: list[str]) -> str:
    return f" (not {', '.join(pairs)})" if pairs else ""


def _to_best_known(results: Results) -> Iterator[Target]:
    for deep, limits in ((False, SHALLOW_LIMITS), (True, DEEP_LIMITS)):
        pairs = [pair for pair in results.pairs(OURS) if (levels(pair) > SHALLOW) == deep]
        for tolerance, limit in zip(TOLERANCES, limits):
            medians = {p: float(np.median(results.samples_to(p, OURS, tolerance))) for p in pairs}
            late = [f"{p} {number(m)}" for p, m in medians.items() if m > limit]
            yield (
                f"within {100 * (tolerance - 1):g} % of the best known in ≤ {limit:,} samples on every pair with "
                f"{'more than' if deep else 'up to'} {SHALLOW} levels",
                f"{len(pairs) - len(late)} of {len(pairs)} pairs{_named(late)}",
                met(not late),
            )


def _overhead(results: Results) -> Iterator[Target]:
    for name, limit in ((f"{OURS}:critic=false", 200), (OURS, 500)):
        if results.pairs(name):
            each = [
                float(np.median([e["searcher_seconds"] / e["samples"] for e in results.runs[p, name]])) * 1e6
                for p in results.pairs(name)
            ]
            yield (
                f"`{name}` alone: ≤ {limit} µs a sample",
                f"{geometric(each):.0f} µs (worst pair {max(each):.0f}), median of the seeds, "
                "on a busy machine",
                met(max(each) <= limit),
            )
