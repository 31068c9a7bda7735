"""Variants of a searcher against one of them: samples to the tolerances, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from measures import DRAWS, TOLERANCES, Results, Values, geometric
from pairs import best_known
from records import Records
from running import Task
from tables import Lines, head, number, percent, row

LARGEST = 1e4


def results_of(
    variants: Mapping[str, str], pairs: Sequence[str], seeds: int, samples: int, records: Records, jobs: int
) -> Results:
    """Every variant (name to searcher) on every pair and seed, as ``Results`` by the variant's searcher text."""
    tasks = [Task(p, text, s, samples) for p in pairs for s in range(seeds) for text in variants.values()]
    return Results.of("edp", tasks, records.do(tasks, jobs), best_known("edp"))


def table(results: Results, variants: Mapping[str, str], base: str, comparisons: int = 1) -> Lines:
    """Per variant: geometric mean samples (unsolved = twice the budget), unsolved runs, ratios to ``base``.

    A ratio below 1 = fewer samples, or a lower cost at the end, than the base. Runs are paired by pair and seed; the
    intervals are over runs, at 95 % for so many ``comparisons`` together.
    """
    misses = 5.0 / comparisons
    to = [percent(t) for t in TOLERANCES]
    yield from head(
        [
            "variant",
            *(f"to {n} (unsolved)" for n in to),
            *(f"ratio to {base}, {n}" for n in to),
            "ratio of final cost",
        ]
    )
    bases = [samples(results, variants[base], t) for t in TOLERANCES]
    for name, text in variants.items():
        mine = [samples(results, text, t) for t in TOLERANCES]
        unsolved = [int(np.isinf(samples(results, text, t, np.inf)).sum()) for t in TOLERANCES]
        counts = [f"{number(geometric(v))} ({u} of {len(v)})" for v, u in zip(mine, unsolved)]
        ratios = [paired(m, b, misses) for m, b in zip(mine, bases)]
        ends = paired(final_costs(results, text), final_costs(results, variants[base]), misses)
        yield row([name, *counts, *(["1"] * (len(ratios) + 1) if name == base else [*ratios, ends])])


def final_costs(results: Results, name: str) -> Values:
    """Over the best known, at the end of the budget; at most ``LARGEST``, which is also "nothing valid"."""
    budget = results.budget(name)
    costs = [results.costs(pair, name, budget) for pair in results.pairs(name)]
    return np.minimum(np.concatenate(costs), LARGEST)


def samples(results: Results, name: str, tolerance: float, unsolved: float = 2.0) -> Values:
    """Of all pairs and seeds, in one order for all variants."""
    return np.concatenate([results.samples_to(p, name, tolerance, unsolved) for p in results.pairs(name)])


def paired(mine: Values, base: Values, misses: float = 5.0) -> str:
    """Geometric mean ratio and the interval that the truth misses in ``misses`` % of all cases."""
    logs = np.log(mine / base)
    drawn = np.random.default_rng(0).integers(0, len(logs), (5 * DRAWS, len(logs)))
    low, high = np.percentile(np.exp(logs[drawn].mean(axis=1)), [misses / 2, 100 - misses / 2])
    return f"{np.exp(logs.mean()):.2f} ({low:.2f} – {high:.2f})"
