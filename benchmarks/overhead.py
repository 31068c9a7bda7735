"""What a searcher costs per sample, on one core: the processor time of ``ask`` and ``tell``, evaluation left out.

    python benchmarks/overhead.py                       # marl with and without its critic, a minute
    python benchmarks/overhead.py --searchers marl genetic --samples 3000

Targets: at most 200 us without the critic, 500 with. Rehearsals are longest at the start, so that the first samples
cost most: figures are given for the first 300, 1,000 and all samples.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.reading import load

ROOT = Path(__file__).parent.parent
PAIRS = (
    "eyeriss_like/resnet18/conv3_down",
    "simba_like/vgg16/conv3_2",
    "deep_hierarchy/resnet18/conv5_3x3",
)
MARKS = (300, 1000)


def seconds(pair: str, searcher: str, samples: int) -> list[tuple[int, float]]:
    """Samples and processor seconds of the searcher alone up to there, at every mark and at the end."""
    machine, network, layer = pair.split("/")
    spec = load(
        [*sorted((ROOT / "arch" / machine).glob("*.yaml")), ROOT / "problems" / network / f"{layer}.yaml"]
    )
    name, _, rest = searcher.partition(":")
    options = dict(part.split("=", 1) for part in rest.split(",") if part)
    objective = parse_objective("edp", len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    searching = make_searcher(name, spec, 1, objective, options)
    searching.warm_up()
    told, spent, found = 0, 0.0, []
    marks = [*(mark for mark in MARKS if mark < samples), samples]
    while told < samples:
        begun = time.process_time()
        rows = searching.ask(min(searching.batch, samples - told))
        spent += time.process_time() - begun
        if not len(rows):
            break
        outcome = evaluator(searching.space.decode(rows))
        begun = time.process_time()
        searching.tell(rows, outcome)
        spent += time.process_time() - begun
        told += len(rows)
        if told >= marks[len(found)]:
            found.append((told, spent))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searchers", nargs="+", default=["marl", "marl:critic=false"])
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), help="machine/network/layer")
    parser.add_argument("--samples", type=int, default=3000)
    given = parser.parse_args()
    print("| searcher | pair | us a sample, searcher alone |\n|---|---|---|")
    for searcher in given.searchers:
        for pair in given.pairs:
            found = seconds(pair, searcher, given.samples)
            cells = " / ".join(f"{spent / told * 1e6:.0f} (first {told:,})" for told, spent in found)
            print(f"| {searcher} | {pair} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
