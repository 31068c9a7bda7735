"""Sections about how a search went: convergence, samples."""

from __future__ import annotations

from ..charts.convergence import convergence
from ..run_record import RunRecord
from ..units import share_text
from .blocks import FULL, HALF, Cell, Fold, Picture, Section, Table


def convergence_section(record: RunRecord, *, half: bool = True) -> Section:
    """The best cost against samples, and every failure by kind."""
    course = record.course
    picture = Picture(
        "convergence",
        lambda width: convergence([course], width),
        "Every sample counts, valid or not.",
        HALF if half else FULL,
    )
    blocks: list[Picture | Fold] = [picture] if record.best else []
    failures = record.summary.get("failures") or {}
    if failures:
        total = int(record.summary["samples"])
        rows = [
            [Cell(name), Cell(f"{count:,}", count), Cell(share_text(count, total), count)]
            for name, count in sorted(failures.items(), key=lambda item: -item[1])
        ]
        table = Table(
            "failures", "Invalid samples by reason", ("reason", "samples", "share"), rows, frozenset((1, 2))
        )
        blocks.append(Fold("Why samples were invalid", [table], is_open=not record.best))
    return Section("course", "Convergence" if record.best else "Samples", blocks, half)
