"""``timeloop-marl report``: the HTML page of finished runs, networks and comparisons."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError
from ..report.drawing import png, standalone_svg
from ..report.html import REPORT, all_pictures, page_of, render
from ..report.html.page import Page
from ..run_folder import RunFolder


def run(options: argparse.Namespace) -> int:
    """Write a page for every folder; 0 if all were written."""
    if options.output is not None and len(options.folders) > 1:
        raise UsageError(f"-o names one file, but there are {len(options.folders)} folders; leave it out")
    for folder in options.folders:
        target = Path(options.output) if options.output else Path(folder) / REPORT
        page = page_of(folder)
        print(RunFolder(target.parent).write(target.name, render(page)))
        if options.pictures is not None:
            _write_pictures(page, RunFolder(options.pictures))
    return 0


def _write_pictures(page: Page, folder: RunFolder) -> None:
    folder.create()
    for picture in all_pictures(page):
        drawing = picture.draw(picture.widths[-1])
        print(folder.write(f"{picture.name}.svg", standalone_svg(drawing)))
        print(folder.write(f"{picture.name}.png", png(drawing)))
