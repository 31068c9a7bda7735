"""What each ingredient of the default searcher is worth: switched off, or in a single agent alone.

    python benchmarks/ablation.py                                  # four pairs, some minutes
    python benchmarks/ablation.py --set reported --seeds 5 --jobs 2 --write

The team with one thing changed; then one joint agent with the same ingredients, again with one thing changed; then
single-agent learning without any of them. Ratios are to the default, runs paired by seed; below 1 = fewer samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from document import RESULTS, Lines, head, number, percent, replace_part, row
from measures import DRAWS, TOLERANCES, Results, Values, geometric
from pairs import SETS, best_known
from running import WORKING, Records, Task, write_recorded

BASE = "marl"
TEAM = {
    "encoding and masks: raw rows, penalised": "marl-paper:conditioning=pairs",
    "nothing learnt: critic and local moves alone": "marl:learn=false,full=0,moves=0",
    "no critic": "marl:critic=false",
    "no block moves": "marl:moves=0",
    "no epochs": "marl:restart=0",
    "rehearsals on one island": "marl:away=0",
    "few rehearsals": "marl:pool=4",
    "agents in the rehearsals": "marl:exchange=0.5",
    "one agent per choice": "marl:clusters=each",
    "groups by dimension": "marl:clusters=dimension",
    "random groups": "marl:clusters=random",
}
JOINT = {
    "one joint agent, all ingredients": "marl:clusters=joint",
    "one joint agent, no critic": "marl:clusters=joint,critic=false",
    "one joint agent, no block moves": "marl:clusters=joint,moves=0",
    "single-agent policy gradient, repaired": "single-agent",
    "single-agent policy gradient, penalised": "single-agent:form=penalised",
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="tuning")
    parser.add_argument("--pairs", nargs="+", help="instead of --set")
    parser.add_argument("--variants", nargs="+", metavar="NAME", choices=[*TEAM, *JOINT], help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WORKING, help="runs, one JSON line each")
    parser.add_argument("--any-code", action="store_true", help="use runs of older code unseen")
    parser.add_argument("--write", action="store_true", help="write the table into docs/results.md")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    records = Records(given.out, any_code=given.any_code)
    pairs = given.pairs or SETS[given.set]
    everything = {**TEAM, **JOINT}
    variants = {BASE: BASE, **{name: everything[name] for name in given.variants or everything}}
    results = results_of(variants, pairs, given.seeds, given.samples, records, given.jobs)
    lines = [
        f"{len(pairs)} pairs, {given.seeds} seeds, {given.samples:,} samples:", "", *table(results, variants, BASE)
    ]  # fmt: skip
    print("\n".join(lines))
    if given.write:
        replace_part(RESULTS, "ablation", lines)
        write_recorded(entry for runs in results.runs.values() for entry in runs)


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


if __name__ == "__main__":
    main()
