#!/usr/bin/env python3
"""Draw the pictures of docs/gallery.md anew, from real runs: tools/make_gallery.py [FOLDER OF RUNS].

Needs the extra 'browser' and chromium. Takes some minutes; runs that are in the folder already are not run again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

import timeloop_marl as tm
from timeloop_marl.api.networks import network
from timeloop_marl.networks.rounds import NetworkProgress
from timeloop_marl.networks.watching import network_snapshot
from timeloop_marl.report.drawing import png
from timeloop_marl.report.html import all_pictures, page_of
from timeloop_marl.report.terminal import network_view
from timeloop_marl.run.view import Snapshot, snapshot_html, snapshot_view

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
MACHINE, LAYER, LAYERS = "arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml", "problems/resnet18"
FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = {
    "search": ("nest", "energy", "convergence", "dependencies", "entropy"),
    "network": ("layer-shares", "roofline"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs, then pictures."""
    runs = Path(arguments[0]) if arguments else ROOT / "out" / "gallery"
    run(runs / "search", "search", MACHINE, LAYER, "--samples", "1500")
    run(runs / "compare", "compare", MACHINE, LAYER, "--samples", "1000", "--seconds", "5", "--seeds", "5")
    shown, result = watched_network(runs / "network")
    for kind, names in PICTURES.items():
        for picture in all_pictures(page_of(runs / kind)):
            if picture.name in names:
                (IMAGES / f"gallery-{picture.name}.png").write_bytes(png(picture.draw(520.0)))
    shutil.copy(runs / "compare" / "compare.png", IMAGES / "gallery-compare.png")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, chromium_sandbox=False)
        pages(browser, runs)
        terminal(browser, "gallery-terminal", [snapshot_view(shown, 30, 110)])
        terminal(browser, "gallery-terminal-result", [network_view(result)])
        notebook(browser, shown)
        browser.close()
    return 0


def run(folder: Path, command: str, *arguments: str) -> None:
    """Run a command of the command line, unless its report is there."""
    if not (folder / "report.html").exists():
        program = [sys.executable, "-m", "timeloop_marl", command, *arguments, "-o", str(folder)]
        subprocess.run(program, cwd=ROOT, check=False)


def watched_network(folder: Path) -> tuple[Snapshot, tm.NetworkResult]:
    """A network, and how it looked in the middle."""
    seen: list[NetworkProgress] = []
    shutil.rmtree(folder, ignore_errors=True)
    result = network([MACHINE, LAYERS], output=folder, samples=4000, on_progress=seen.append)
    counts = tuple(layer.count for layer in result.layers)
    return network_snapshot(seen[int(0.6 * len(seen))], counts, "edp"), result


def pages(browser: Browser, runs: Path) -> None:
    """The reports as they look on a desk, in the dark and on a phone."""
    for kind, name, width, height, scheme in (
        ("search", "report", 1200, 1500, "light"),
        ("network", "report-network", 1200, 1350, "dark"),
        ("search", "report-phone", 390, 844, "light"),
    ):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto((runs / kind / "report.html").resolve().as_uri())
        if width < 500:
            page.locator("#mapping").scroll_into_view_if_needed()
        page.screenshot(path=str(IMAGES / f"gallery-{name}.png"))
        page.close()


def terminal(browser: Browser, name: str, items: Sequence[object]) -> None:
    """What a terminal of 110 columns shows."""
    console = Console(record=True, width=110, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115, PTH123
    for item in items:
        console.print(item)
    console.print()  # the last line would lose what hangs below it
    content(browser, name, console.export_svg(title="timeloop-marl network"), "svg")


def notebook(browser: Browser, shown: Snapshot) -> None:
    """The output cell of a notebook."""
    content(
        browser,
        "gallery-notebook",
        f"<div style='padding:14px;width:760px'>{snapshot_html(shown)}</div>",
        "div",
    )


def content(browser: Browser, name: str, text: str, selector: str) -> None:
    """HTML as a browser shows it."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.set_content(f"<body style='margin:0;background:#fff'>{text}</body>")
    page.locator(selector).first.screenshot(path=str(IMAGES / f"{name}.png"))
    page.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
