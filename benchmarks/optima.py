"""Proven optima, or best mappings with the gap still open, of pairs of a machine and a layer.

    python benchmarks/optima.py                                   # table of what is recorded
    python benchmarks/optima.py --check                           # mappings, costs, inputs of all records
    python benchmarks/optima.py --check --prove --pairs eyeriss_like/resnet18/conv2_3x3     # ... and the proof
    python benchmarks/optima.py --solve --jobs 2 --seconds 300    # records that are missing or open
    python benchmarks/optima.py --solve --pairs three_level/resnet18/conv2_3x3 --objective energy
    python benchmarks/optima.py --write                           # section 9 of docs/results.md and its picture

One file a pair in ``benchmarks/optima/``: ``<objective>.<machine>.<network>.<layer>.json``, a certificate as
``timeloop-marl optimum`` writes it and the gap curve. ``read_optima`` gives them to other benchmarks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeloop_marl.api.optimum import Start, check, mapping_of, optimum
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.optimal.leaves import Incumbent
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "optima"
RESNET = (
    "conv1", "conv2_3x3", "conv3_down", "conv3_proj", "conv3_3x3", "conv4_down", "conv4_proj", "conv4_3x3",
    "conv5_down", "conv5_proj", "conv5_3x3", "fc",
)  # fmt: skip
PAIRS = (
    *(f"eyeriss_like/resnet18/{layer}" for layer in RESNET),
    "eyeriss_like/vgg16/conv4_2",
    "three_level/resnet18/conv2_3x3",
    "three_level/resnet18/conv3_3x3",
    "three_level/resnet18/conv4_proj",
    "three_level/resnet18/fc",
    "three_level/vgg16/conv4_2",
    "gemmini_like/resnet18/conv4_down",
    "gemmini_like/bert_base_seq512/scores",
    "gemmini_like/bert_base_seq128/ffn1",
    "tpu_like/resnet18/conv3_3x3",
    "tpu_like/bert_base_seq512/projection",
    "eyeriss_unconstrained/resnet18/conv4_proj",
    "eyeriss_unconstrained/mobilenetv2/block05_depthwise",
    "eyeriss_unconstrained/resnet18/conv2_3x3",
    "eyeriss_unconstrained/vgg16/conv2_2",
    "output_stationary/resnet18/conv2_3x3",
    "output_stationary/resnet18/conv5_3x3",
    "diannao_like/resnet18/conv2_3x3",
    "diannao_like/resnet18/conv4_3x3",
    "nvdla_small_like/resnet18/conv2_3x3",
    "nvdla_small_like/resnet18/conv4_3x3",
    "nvdla_large_like/resnet18/conv2_3x3",
    "nvdla_large_like/resnet18/conv4_3x3",
    "tpu_v1_like/bert_base_seq128/ffn1",
    "bandwidth_bound/resnet18/conv4_proj",
    "banked_wide/resnet18/conv4_proj",
    "bypass_free/resnet18/conv4_proj",
    "simba_like/resnet18/conv2_3x3",
    "simba_like/vgg16/conv3_2",
    "simba_like/bert_base_seq128/ffn2",
    "deep_hierarchy/resnet18/conv5_3x3",
    "deep_hierarchy/resnet18/conv4_3x3",
    "deep_hierarchy/bert_base_seq128/projection",
)
Record = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """The best known cost of a pair and what no mapping undercuts; equal if ``proven``."""

    cost: float
    bound: float
    proven: bool


def read_optima(objective: str = "edp", folder: Path = FOLDER) -> dict[str, Known]:
    """Best known costs by pair (``machine/network/layer``)."""
    found = {}
    for file in sorted(folder.glob(f"{objective}.*.json")):
        record = json.loads(file.read_text())
        if "cost" in record:
            proven = record["status"] == "optimal"
            found[record["pair"]] = Known(record["cost"], record["bound"], proven)
    return found


def spec_of(pair: str) -> Spec:
    machine, network, layer = pair.split("/")
    return load(
        [*sorted((ROOT / "arch" / machine).glob("*.yaml")), ROOT / "problems" / network / f"{layer}.yaml"]
    )


def file_of(pair: str, objective: str) -> Path:
    return FOLDER / f"{objective}.{pair.replace('/', '.')}.json"


def read_record(pair: str, objective: str) -> Record | None:
    file = file_of(pair, objective)
    return json.loads(file.read_text()) if file.exists() else None


def known_best(spec: Spec, record: Mapping[str, Any]) -> Incumbent:
    """The recorded mapping, evaluated anew."""
    mapping = mapping_of(record["mapping"])
    outcome = NativeEvaluator(spec)(MappingBatch.of([mapping]))
    return Incumbent(record["cost"], mapping, int(outcome.cycles[0]), float(outcome.energy_pj[0]))


def better_start(spec: Spec, given: argparse.Namespace, known: Incumbent | None) -> Incumbent | None:
    """A short search by the default searcher, if it finds more than is recorded."""
    searched = Start("marl", given.samples, 1)
    found = optimum(spec, objective=given.objective, seconds=1e-9, start=searched).frontier.best
    if found is None or (known is not None and known.cost <= found.cost):
        return known
    return found


def solve(pair: str, given: argparse.Namespace) -> Record:
    """Prove the optimum of a pair, or get as near as the time allows; the better of the old and new record stays."""
    spec, old = spec_of(pair), read_record(pair, given.objective)
    known = known_best(spec, old) if old is not None and "mapping" in old else None
    if given.samples:
        known = better_start(spec, given, known)
    proof = optimum(spec, objective=given.objective, seconds=given.seconds, jobs=given.jobs, known=known)
    record = {"pair": pair, **proof.certificate()}
    course = proof.frontier.course
    record["course"] = [[round(m.seconds, 2), m.cost, m.bound] for m in thinned(course)]
    if old is not None and old["status"] == "open" and record["status"] == "open":
        record["bound"] = max(record["bound"], old["bound"])
        record["gap"] = 1 - record["bound"] / record["cost"]
    FOLDER.mkdir(exist_ok=True)
    file_of(pair, given.objective).write_text(written(record))
    return record


def written(record: Record) -> str:
    """JSON with one key a line and one line a key."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def thinned(course: Sequence[Any], most: int = 60) -> list[Any]:
    """At most so many points of a curve, the last one among them."""
    step = max(1, -(-len(course) // most))
    return [*course[:-1][::step], *course[-1:]]


def line(record: Record) -> str:
    counts = record["counts"]
    return (
        f"| {record['pair']} | {record['objective']} | {record.get('cost', float('nan')):.6g} | {record['status']} "
        f"| {record['gap']:.2%} | {record['seconds']:,.1f} | {counts['visits']:,} | {counts['nodes']:,} "
        f"| {counts['evaluated']:,} |"
    )


HEAD = (
    "| pair | objective | cost | status | gap | seconds | tiles looked at | bounds | mappings evaluated |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def checked(pair: str, given: argparse.Namespace) -> list[str]:
    """What is wrong with the record of a pair."""
    record = read_record(pair, given.objective)
    if record is None:
        return ["there is no record"]
    spec = spec_of(pair)
    wrong = check(spec, record)
    if given.prove and not wrong and record["status"] == "optimal":
        # The recorded mapping prunes, so only what could be better is looked at again.
        best = known_best(spec, record)
        again = optimum(spec, objective=given.objective, jobs=given.jobs, known=best)
        if not again.proven or again.frontier.cost != record["cost"]:
            wrong.append(f"a new proof ends at {again.frontier.cost!r}")
    return wrong


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", nargs="+", help="machine/network/layer; default: all recorded, with --solve all"
    )
    parser.add_argument("--objective", default="edp")
    parser.add_argument("--solve", action="store_true", help="prove pairs without a proof")
    parser.add_argument("--check", action="store_true", help="check records; exit 1 if one is wrong")
    parser.add_argument("--prove", action="store_true", help="with --check: prove them again")
    parser.add_argument("--seconds", type=float, default=300.0, help="for a pair (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--samples", type=int, default=2000, help="of a search before the proof (%(default)s)"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the table and the picture of the documents"
    )
    return parser.parse_args()


def main() -> int:
    given = arguments()
    recorded = [pair for pair in PAIRS if file_of(pair, given.objective).exists()]
    if given.solve:
        return _solve_all(given.pairs or PAIRS, given)
    pairs = given.pairs or recorded
    if not given.check:
        records = [record for pair in pairs if (record := read_record(pair, given.objective)) is not None]
        if given.write:
            write_pages(records)
        print("\n".join([HEAD, *map(line, records)]))
        return 0
    failed = 0
    for pair in pairs:
        wrong = checked(pair, given)
        failed += bool(wrong)
        print(f"{pair}: {'; '.join(wrong) or 'as recorded'}", flush=True)
    return 1 if failed else 0


def _solve_all(pairs: Iterable[str], given: argparse.Namespace) -> int:
    print(HEAD, flush=True)
    for pair in pairs:
        old = read_record(pair, given.objective)
        if old is None or old["status"] == "open":
            print(line(solve(pair, given)), flush=True)
    return 0


PICTURE = DOCS / "images" / "optima-gaps.png"


def write_pages(records: Sequence[Record]) -> None:
    """The part "optima" of docs/results.md and the gap curves of the pairs that are open."""
    replace_part(RESULTS, "optima", lines(records))
    draw([record for record in records if record["status"] == "open"])


def lines(records: Sequence[Record]) -> Iterator[str]:
    """Proven pairs first, the quickest proof first; then the open ones, the smallest gap first."""
    proven = sum(record["status"] == "optimal" for record in records)
    yield f"{proven} of {len(records)} pairs proven."
    yield ""
    yield "| pair | EDP, pJ·cycles | status | gap | seconds | bounds computed | mappings evaluated |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for record in sorted(records, key=lambda r: (r["status"] != "optimal", r["gap"], r["seconds"])):
        counts = record["counts"]
        status = "optimal" if record["status"] == "optimal" else "open"
        yield (
            f"| {record['pair']} | {record['cost']:.5g} | {status} | {record['gap']:.1%} "
            f"| {record['seconds']:,.1f} | {counts['nodes']:,} | {counts['evaluated']:,} |"
        )


def draw(records: Sequence[Record]) -> None:
    """Gap against time, one line a pair."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for place, record in enumerate(sorted(records, key=lambda r: -r["gap"])):
        seconds, cost, bound = zip(*record["course"], strict=True)
        gaps = [(c - b) / c for c, b in zip(cost, bound, strict=True)]
        colour, _ = STYLES[place % len(STYLES)]
        dashes = ("-", "--", "-.", ":")[place // len(STYLES) % 4]
        axes.plot(
            [max(s, 0.1) for s in (*seconds, record["seconds"])], [*gaps, gaps[-1]],
            color=colour, linestyle=dashes, drawstyle="steps-post", label=record["pair"],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("seconds, one or two threads")
    axes.set_ylabel("EDP that may still be saved")
    axes.set_title("Gap still open, pairs without a proof", loc="left")
    axes.grid(True, color="#E5E5E5")
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    figure.savefig(PICTURE, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
