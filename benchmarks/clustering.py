"""Does clustering pay? One agent per axis, one joint agent, random groups, groups by meaning, and every signal.

    python benchmarks/clustering.py                                   # four pairs, some minutes
    python benchmarks/clustering.py --set reported --seeds 20 --jobs 2 --write

Three regimes: with the critic (as the searcher is used), agents alone, and as published (``marl-paper``: nothing
repaired, invalid mappings penalised). For every grouping: the geometric mean over all runs of the samples to within 10,
2 and 0.5 % of the best known cost (unsolved runs count as twice the budget), its ratio to one agent per axis, and that
of the final costs, with a 95 % bootstrap interval over runs paired by seed. Below 1 = fewer samples, lower cost.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from document import RESULTS, replace_part
from pairs import SETS
from records import WORKING, Records, write_recorded
from variants import results_of, table

from timeloop_marl.searchers.marl.clustering import SIGNALS

GROUPINGS = (
    "each",
    "joint",
    "random",
    "dimension",
    "level",
    "pearson",
    "spearman",
    "mutual",
    "interaction",
    "critic",
)
PAIRS = (
    "eyeriss_like/resnet18/conv3_down",
    "simba_like/vgg16/conv3_2",
    "three_level/resnet18/conv2_3x3",
    "eyeriss_unconstrained/resnet18/conv4_proj",
)
REGIMES = ("with the critic", "agents alone", "as published")
WARMUP = 256  # samples before the correlation analysis of marl-paper


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS))
    parser.add_argument("--set", choices=SETS, help="instead of --pairs")
    parser.add_argument("--groupings", nargs="+", default=list(GROUPINGS))
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=REGIMES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WORKING, help="runs, one JSON line each")
    parser.add_argument("--any-code", action="store_true", help="use runs of older code unseen")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results.md")
    return parser.parse_args()


def variants_of(regime: str, groupings: Sequence[str]) -> dict[str, str]:
    """Grouping to searcher; those left out that the regime does not have."""
    if regime == "as published":
        learnt = {g: f"marl-paper:signal={g},warmup={WARMUP}" for g in groupings if g in SIGNALS}
        return {"each": "marl-paper:warmup=0", **learnt}
    if regime == "agents alone":
        # The critic's interactions need a critic.
        return {g: f"marl:clusters={g},critic=false" for g in groupings if g != "critic"}
    return {g: f"marl:clusters={g}" for g in groupings}


def main() -> None:
    given = arguments()
    records = Records(given.out, any_code=given.any_code)
    pairs = SETS[given.set] if given.set else given.pairs
    for regime in given.regimes:
        variants = variants_of(regime, given.groupings)
        results = results_of(variants, pairs, given.seeds, given.samples, records, given.jobs)
        about = f"{len(pairs)} pairs, {given.seeds} seeds, {given.samples:,} samples, {regime}:"
        lines = [about, "", *table(results, variants, next(iter(variants)))]
        print("\n".join([*lines, ""]), flush=True)
        if given.write:
            replace_part(RESULTS, f"clustering, {regime}", lines)
            write_recorded(entry for runs in results.runs.values() for entry in runs)


if __name__ == "__main__":
    main()
