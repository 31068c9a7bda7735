"""What ``optima.py`` found as a table and a picture in the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from document import DOCS, RESULTS, replace_part
from figures import STYLES
from matplotlib.ticker import PercentFormatter

PICTURE = DOCS / "images" / "optima-gaps.png"
Record = Mapping[str, Any]


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
