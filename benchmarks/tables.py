"""Markdown tables of the search results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from measures import BUDGETS, TOLERANCES, Ratio, Results, Values, cost_ratio, geometric, sample_ratio
from pairs import proven

Lines = Iterator[str]


def percent(tolerance: float) -> str:
    return f"{100 * (tolerance - 1):g} %"


def number(value: float) -> str:
    """Samples, or "–" for never."""
    return "–" if np.isinf(value) else f"{value:,.0f}"


def over(value: float) -> str:
    """A cost over the best known, or "–" for none."""
    if np.isinf(value):
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def quartiles(values: Sequence[float] | Values, form: str = "number") -> str:
    """First quartile, median and third quartile."""
    three = np.percentile(values, [25, 50, 75], method="nearest")
    return " / ".join((number if form == "number" else over)(float(value)) for value in three)


def interval(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} – {values[2]:.2f})"


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def head(names: Sequence[str]) -> Lines:
    yield row(names)
    yield "|" + "---|" * len(names)


def everything(results: Results) -> Lines:
    """Per pair and searcher: samples to each tolerance, unsolved runs, costs, valid and repeated shares, times."""
    to = [f"to {percent(t)}" for t in TOLERANCES]
    yield from head(
        ["pair", "searcher", *to, "unsolved at 10 / 2 / 0.5 %", "budget", "cost / best", "valid", "repeated",
         "µs/sample", "searcher alone"]
    )  # fmt: skip
    for (pair, name), entries in results.runs.items():
        reached = [results.samples_to(pair, name, t) for t in TOLERANCES]
        unsolved = " / ".join(str(int(np.isinf(values).sum())) for values in reached)
        budget = results.longest(pair, name)
        total = sum(e["samples"] for e in entries)
        yield row(
            [
                pair, name, *(quartiles(values) for values in reached), f"{unsolved} of {len(entries)}",
                f"{budget:,}", quartiles(results.costs(pair, name, budget), "over"),
                f"{sum(e['valid'] for e in entries) / total:.0%}",
                f"{sum(e['repeated'] for e in entries) / total:.0%}",
                *(f"{np.median([e[k] / e['samples'] for e in entries]) * 1e6:.0f}" for k in
                  ("seconds", "searcher_seconds")),
            ]
        )  # fmt: skip


def summary(results: Results, searchers: Sequence[str] | None = None) -> Lines:
    """Per searcher over all pairs: geometric means of medians; unsolved medians count as twice the budget."""
    names = [name for name in searchers or results.searchers() if results.pairs(name)]
    longest = max(results.budget(name) for name in names)
    budgets = [n for n in BUDGETS if n <= longest]
    yield from head(
        ["searcher", "seeds", "budget", *(f"to {percent(t)}" for t in TOLERANCES), "runs unsolved at 10 / 2 / 0.5 %",
         *(f"cost at {n:,}" for n in budgets)]
    )  # fmt: skip
    for name in names:
        pairs, budget = results.pairs(name), results.budget(name)
        runs = results.of_searcher(name)
        to = [geometric([np.median(results.samples_to(p, name, t, 2.0)) for p in pairs]) for t in TOLERANCES]
        misses = [sum(int(np.isinf(results.samples_to(p, name, t)).sum()) for p in pairs) for t in TOLERANCES]
        costs = [
            over(geometric([np.median(results.costs(p, name, n)) for p in pairs]))
            if n <= results.reach(name)
            else ""
            for n in budgets
        ]
        yield row(
            [
                name, max(1, round(len(runs) / len(pairs))), f"{budget:,}", *(number(value) for value in to),
                f"{' / '.join(str(m) for m in misses)} of {len(runs)}", *costs,
            ]
        )  # fmt: skip


def ratios(results: Results, ours: str, others: Sequence[str], samples: Sequence[int]) -> Lines:
    """Per baseline the ratio of samples to 10 %, 2 %, and of costs at equal samples, with intervals."""
    yield from head(
        ["baseline", "samples to 10 %: median of pairs", "geometric mean", "best pair", "to 2 %: geometric mean",
         *(f"cost at {n:,}: geometric mean" for n in samples)]
    )  # fmt: skip
    for name in others:
        if not results.pairs(ours, name):
            continue
        ten, two = (sample_ratio(results, ours, name, t) for t in TOLERANCES[:2])
        costs = [
            interval(cost_ratio(results, ours, name, n).mean) if n <= results.reach(ours, name) else ""
            for n in samples
        ]
        yield row([name, interval(ten.median), interval(ten.mean), best_of(ten), interval(two.mean), *costs])


def best_of(ratio: Ratio) -> str:
    pair = max(ratio.by_pair, key=lambda p: ratio.by_pair[p])
    return f"{ratio.by_pair[pair]:.1f} ({pair})"


def by_pair(
    results: Results, searchers: Sequence[str], tolerances: Sequence[float] = TOLERANCES[:2]
) -> Lines:
    """Median samples of each searcher on each pair, and what the best known cost is."""
    optimal = proven(results.objective)
    yield from head(["pair", "best known", *searchers])
    for pair in results.pairs():
        cells = [
            " / ".join(number(float(np.median(results.samples_to(pair, name, t)))) for t in tolerances)
            if (pair, name) in results.runs
            else ""
            for name in searchers
        ]
        yield row([pair, f"{results.best[pair]:.4g} {'(proven)' if pair in optimal else ''}".strip(), *cells])
