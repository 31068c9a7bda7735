"""Does clustering pay? One agent per axis, one joint agent, random groups, groups by meaning, and every signal.

    python benchmarks/clustering.py                                   # four pairs, some minutes
    python benchmarks/clustering.py --set confirming --seeds 20 --jobs 2 --write

Four regimes: with the critic (as the searcher is used); agents alone (no critic, half of the proposals are local
moves); policies alone (no local moves either: all comes from the agents' own decisions); as published (``marl-paper``:
nothing repaired, invalid mappings penalised). Large groups have more tables that learn at once, so in the published
regime every grouping has its own step size, the best of several on the tuning pairs.

For every grouping: the geometric mean over all runs of the samples to within 10, 2 and 0.5 % of the best known cost
(unsolved runs count as twice the budget), its ratio to one agent per axis, and that of the final costs, with a
bootstrap interval over runs paired by seed: 95 % for all groupings of a column together (Bonferroni). Below 1 = fewer
samples, lower cost.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ablation import results_of, table
from document import RESULTS, replace_part
from pairs import SETS
from running import WORKING, Records, write_recorded

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
REGIMES = ("with the critic", "agents alone", "policies alone", "as published")
# One reported pair of every machine: forms of clustering were chosen on the tuning pairs alone.
CONFIRMING = (
    "eyeriss_like/vgg16/conv4_2",
    "simba_like/resnet18/conv2_3x3",
    "gemmini_like/bert_base_seq512/scores",
    "three_level/vgg16/conv4_2",
    "tpu_like/resnet18/conv3_3x3",
    "eyeriss_unconstrained/vgg16/conv2_2",
    "deep_hierarchy/bert_base_seq128/projection",
)
AS_MANY = "each, as many choices"  # one agent per choice, as many of them acting as a group has choices
_ALONE = "critic=false,full=0.15,moves=0.85"
_WARMUP = 512  # samples before the correlation analysis of marl-paper; groups by meaning need none
_GIVEN = 32
_RATES = {"each": 0.4, "dimension": 0.1, "level": 0.1, "joint": 0.1, "interaction": 0.6}  # others 0.4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS))
    parser.add_argument("--set", choices=(*SETS, "confirming"), help="instead of --pairs")
    parser.add_argument("--groupings", nargs="+", default=list(GROUPINGS), choices=(*GROUPINGS, AS_MANY))
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
        return {g: _published(g) for g in groupings if g in GROUPINGS}
    # Of the learnt clusters, marl has those by interaction.
    own = [g for g in groupings if g in GROUPINGS and g not in SIGNALS[1:]]
    if regime == "with the critic":
        return {g: f"marl:clusters={g}" for g in own}
    if regime == "agents alone":
        return {g: f"marl:clusters={g},critic=false" for g in own}
    found = {g: f"marl:clusters={g},{_ALONE}" for g in own}
    return found | ({AS_MANY: f"marl:clusters=each,{_ALONE},acting=4"} if AS_MANY in groupings else {})


def _published(grouping: str) -> str:
    if grouping == "each":
        return f"marl-paper:warmup=0,rate={_RATES['each']}"
    warmup = _WARMUP if grouping in SIGNALS else _GIVEN
    return f"marl-paper:signal={grouping},warmup={warmup},rate={_RATES.get(grouping, 0.4)}"


def main() -> None:
    given = arguments()
    records = Records(given.out, any_code=given.any_code)
    pairs = {**SETS, "confirming": CONFIRMING}[given.set] if given.set else given.pairs
    for regime in given.regimes:
        variants = variants_of(regime, given.groupings)
        results = results_of(variants, pairs, given.seeds, given.samples, records, given.jobs)
        about = f"{len(pairs)} pairs, {given.seeds} seeds, {given.samples:,} samples, {regime}:"
        lines = [about, "", *table(results, variants, next(iter(variants)), len(variants) - 1)]
        print("\n".join([*lines, ""]), flush=True)
        if given.write:
            replace_part(RESULTS, f"clustering, {regime}", lines)
            write_recorded(entry for runs in results.runs.values() for entry in runs)


if __name__ == "__main__":
    main()
