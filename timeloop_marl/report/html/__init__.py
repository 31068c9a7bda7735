"""The report: one HTML page per run, network, sweep, front or comparison, with everything it needs inside."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ...networks.result import FILE as NETWORK
from ...networks.sweep_result import FILE as SWEEP
from ...networks.sweep_result import read_sweep
from ...run.folder import SUMMARY
from ..records import read_network_record, read_run
from .compare_page import COMPARISON, compare_page, read_comparison
from .front_page import FRONT, front_page, read_front
from .network_page import network_page
from .page import Page, all_pictures, pictures_png, render
from .run_page import run_page
from .sweep_page import sweep_page

REPORT = "report.html"  # in the folder of a run

__all__ = ["REPORT", "all_pictures", "network_page", "page_of", "pictures_png", "render", "run_page"]


def page_of(folder: str | Path) -> Page:
    """The page of a finished run.

    Raises:
        UsageError: nothing that a report could be made of is in the folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder; give the -o folder of search, network or compare")
    if (path / SWEEP).exists():
        return sweep_page(read_sweep(path))
    if (path / FRONT).exists():
        return front_page(*read_front(path))
    if (path / NETWORK).exists():
        return network_page(read_network_record(path))
    if (path / COMPARISON).exists():
        return compare_page(*read_comparison(path))
    if (path / SUMMARY).exists():
        return run_page(read_run(path))
    raise UsageError(
        f"{path}: no finished search, network, sweep or comparison in this folder ({SUMMARY} is missing); "
        "an interrupted one goes on with --resume"
    )
