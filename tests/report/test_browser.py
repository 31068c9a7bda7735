"""The report in a real browser: nothing clipped, nothing fetched, sorting, filtering, saving, dark mode, paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page_cases
import pytest
from page_cases import HOSTILE, LONG

from timeloop_marl.report.html import render

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path: apt-get install chromium"),
]
FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = {
    "run": lambda: page_cases.run(page_cases.evaluated("model_eyeriss_like_resnet18_layer3")),
    "hostile run": lambda: page_cases.run(page_cases.extreme(6, HOSTILE, LONG), best=2, name=HOSTILE),
    "team": lambda: page_cases.run(page_cases.evaluated("model_eyeriss_like_resnet18_layer3"), team=True),
    "hostile team": lambda: page_cases.run(page_cases.extreme(6, HOSTILE, LONG), name=HOSTILE, team=True),
    "ten levels": lambda: page_cases.run(page_cases.extreme(10, LONG), name=LONG),
    "nothing": page_cases.nothing_found,
    "network": lambda: page_cases.network(5, lacking=1),
    "one layer": lambda: page_cases.network(1),
    "400 layers": lambda: page_cases.network(400),
    "hostile network": lambda: page_cases.network(3, name=HOSTILE),
    "front": lambda: page_cases.front(9, "cycles", "energy", "buffer"),
    "empty front": lambda: page_cases.front(0, "cycles", "energy"),
    "sweep": lambda: page_cases.sweep(12),
    "hostile sweep": lambda: page_cases.sweep(4, name=HOSTILE),
    "comparison": page_cases.comparison,
    "comparison in vain": lambda: page_cases.comparison(found=False, name=LONG),
}
# Everything that sticks out of the window, SVG texts that stick out of their picture or lie on each other, and boxes
# whose content does not fit. Boxes that scroll may.
FAULTS = """() => {
  const faults = [];
  const name = (node) => `${node.tagName} ${node.className.baseVal ?? node.className} ${node.textContent.slice(0, 60)}`;
  const seen = (node) => { const box = node.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");
  for (const node of document.body.querySelectorAll("*")) {
    if (!seen(node) || node.closest("pre, thead, svg, .skip")) continue;
    const box = node.getBoundingClientRect();
    if (box.right > width + 0.5 || box.left < -0.5) faults.push("outside: " + name(node));
    const style = getComputedStyle(node);
    if (style.display !== "inline" && node.scrollWidth > node.clientWidth + 1 && node.tagName !== "INPUT")
      faults.push("too narrow: " + name(node));
  }
  for (const svg of document.querySelectorAll("figure svg")) {
    if (!seen(svg)) continue;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((node) => [node, node.getBoundingClientRect()]);
    for (const [node, box] of texts)
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 2)
        faults.push("clipped: " + node.textContent);
    for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
      const [a, b] = [texts[i][1], texts[j][1]];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1.5 && down > 0.35 * Math.min(a.height, b.height))
        faults.push(`on each other: ${texts[i][0].textContent} | ${texts[j][0].textContent}`);
    }
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS, chromium_sandbox=False)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages, written once."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, make in PAGES.items():
        found[name] = folder / f"{name.replace(' ', '-')}.html"
        found[name].write_text(render(make()), encoding="utf-8")
    return found


class Tab:
    """A page with everything it said and asked for."""

    def __init__(self, browser: Any, file: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def column(self, number: int) -> list[str]:
        """Texts of one column of the table of layers, hidden rows left out."""
        rows = "[...document.querySelectorAll('#layers tbody tr:not([hidden])')]"
        return self.page.evaluate(f"{rows}.map((row) => row.children[{number}].innerText.trim())")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_clipped_fetched_or_run(
    browser: Any, files: dict[str, Path], name: str, width: int
) -> None:
    with Tab(browser, files[name], width) as tab:
        if name != "400 layers":
            tab.page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        assert tab.page.evaluate(FAULTS) == []
        assert tab.said == [] and len(tab.asked) == 1


@pytest.mark.parametrize("width", [320, 640, 760, 900, 1000, 1700])
def test_widths_between(browser: Any, files: dict[str, Path], width: int) -> None:
    for name in ("run", "network", "comparison"):
        with Tab(browser, files[name], width) as tab:
            assert tab.page.evaluate(FAULTS) == [], name


def test_rows_are_sorted_by_any_column(browser: Any, files: dict[str, Path]) -> None:
    with Tab(browser, files["network"]) as tab:
        given = tab.column(0)
        heading = tab.page.locator("#layers thead th").nth(3)
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "descending"
        cycles = [int(text.replace(",", "")) for text in tab.column(3) if text != "no valid mapping"]
        assert cycles == sorted(cycles, reverse=True) and len(cycles) == len(given) - 1
        assert tab.column(3)[-1] == "no valid mapping"
        heading.get_by_role("button").press("Enter")  # by keyboard
        assert heading.get_attribute("aria-sort") == "ascending"
        assert [text for text in tab.column(3) if text[0].isdigit()] == [
            f"{value:,}" for value in sorted(cycles)
        ]
        tab.page.locator("#layers thead th").nth(0).get_by_role("button").click()
        assert tab.column(0) == sorted(given) and heading.get_attribute("aria-sort") == "none"


def test_rows_are_filtered(browser: Any, files: dict[str, Path]) -> None:
    with Tab(browser, files["400 layers"]) as tab:
        field = tab.page.get_by_label("Filter")
        field.fill("layer39")
        assert tab.column(0) == ["layer39", *(f"layer{n}" for n in range(390, 400))]
        assert tab.page.locator("#layers output").inner_text() == "11 of 400 rows"
        field.fill("layer39 nothing")
        assert tab.column(0) == []
        field.fill("")
        assert len(tab.column(0)) == 400


def test_a_row_leads_to_its_mapping(browser: Any, files: dict[str, Path]) -> None:
    with Tab(browser, files["network"]) as tab:
        assert not tab.page.locator("#layer-2").get_attribute("open")
        tab.page.get_by_role("link", name="layer2", exact=True).click()
        tab.page.wait_for_selector("#layer-2[open]")
        assert tab.page.locator("#nest-2 svg").first.is_visible()


def test_everything_is_reached_by_keyboard(browser: Any, files: dict[str, Path]) -> None:
    with Tab(browser, files["run"]) as tab:
        reached = set()
        for _ in range(60):
            tab.page.keyboard.press("Tab")
            reached.add(tab.page.evaluate("document.activeElement.innerText?.trim() ?? ''"))
        assert {"Skip to the results", "Roofline", "SVG", "PNG", "reads", "The same as figures"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_saved(browser: Any, files: dict[str, Path], tmp_path: Path, scheme: str) -> None:
    """In light colours whatever the theme: they go into papers."""
    with Tab(browser, files["run"], scheme=scheme) as tab:
        saved = {}
        for kind in ("SVG", "PNG"):
            with tab.page.expect_download() as download:
                tab.page.get_by_role("button", name=f"Save picture nest as {kind}").click()
            assert download.value.suggested_filename == f"nest.{kind.lower()}"
            saved[kind] = tmp_path / kind
            download.value.save_as(saved[kind])
        assert tab.said == []
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG") and saved["PNG"].stat().st_size > 20_000
    svg = saved["SVG"].read_text(encoding="utf-8")
    assert "<style" in svg and "#ffffff" in svg and svg.count("<text") > 20
    alone = tmp_path / "alone.svg"
    alone.write_text(svg, encoding="utf-8")
    with Tab(browser, alone) as tab:
        assert tab.page.evaluate("document.documentElement.tagName") == "svg" and tab.said == []


def test_dark_mode(browser: Any, files: dict[str, Path]) -> None:
    papers = {}
    for scheme in ("light", "dark"):
        with Tab(browser, files["run"], scheme=scheme) as tab:
            colour = "getComputedStyle(document.querySelector('section')).backgroundColor"
            papers[scheme] = tab.page.evaluate(colour)
            ink = tab.page.evaluate("getComputedStyle(document.querySelector('svg text.f-ink')).fill")
            assert ink != papers[scheme]
    assert papers == {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 27, 32)"}


def test_paper(browser: Any, files: dict[str, Path], tmp_path: Path) -> None:
    """On paper folded parts are open, controls are gone, and nothing is wider than the page."""
    with Tab(browser, files["network"], width=703, scheme="dark") as tab:
        data = tab.page.pdf(format="A4")
        assert data.startswith(b"%PDF") and len(data) > 30_000
        tab.page.emulate_media(media="print")
        tab.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert tab.page.evaluate(FAULTS) == []
        assert not tab.page.get_by_label("Filter").is_visible()
        assert not tab.page.locator("button", has_text="SVG").first.is_visible()
        assert tab.page.locator("#nest-2 svg").first.is_visible()
        paper = tab.page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
        assert paper == "rgb(255, 255, 255)"


def test_paper_keeps_numbers_whole_and_repeats_the_heads_of_tables(
    browser: Any, files: dict[str, Path]
) -> None:
    with Tab(browser, files["400 layers"], width=703) as tab:
        tab.page.emulate_media(media="print")
        lines = """[...document.querySelectorAll('.tiles .value')].map((node) =>
            Math.round(node.getBoundingClientRect().height / parseFloat(getComputedStyle(node).lineHeight)))"""
        assert set(tab.page.evaluate(lines)) == {1}
        # A head with buttons as boxes of their own is printed on the first page only.
        button = "getComputedStyle(document.querySelector('thead button')).display"
        assert tab.page.evaluate(button) == "contents"
