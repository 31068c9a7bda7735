"""What each ingredient of the default searcher is worth: switched off, or in a single agent alone.

    python benchmarks/ablation.py                                  # four pairs, some minutes
    python benchmarks/ablation.py --set reported --seeds 5 --jobs 2 --write

The team with one thing changed; then one joint agent with the same ingredients, again with one thing changed; then
single-agent learning without any of them. Ratios are to the default, runs paired by seed; below 1 = fewer samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from document import RESULTS, replace_part
from pairs import SETS
from records import WORKING, Records, write_recorded
from variants import results_of, table

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


if __name__ == "__main__":
    main()
