"""The report as text: self-contained, escaped, complete; what a browser makes of it is in test_browser.py."""

from __future__ import annotations

import html.parser
import itertools
import re
from pathlib import Path

import page_cases
import pytest
from page_cases import HOSTILE, LONG

from timeloop_marl.cli import main
from timeloop_marl.report.charts.axes import spanning, steps
from timeloop_marl.report.drawing import (
    Drawing,
    Line,
    Marker,
    Rect,
    Text,
    beside,
    palette,
    png,
    standalone_svg,
)
from timeloop_marl.report.drawing.shapes import shortened, text_width, wrapped
from timeloop_marl.report.html import page_of, render
from timeloop_marl.report.html.page import all_pictures
from timeloop_marl.report.html.run_page import run_page
from timeloop_marl.report.html.sections import choice_words
from timeloop_marl.report.records import RunRecord
from timeloop_marl.report.views import roofline
from timeloop_marl.run.units import plain_number

PAGES = {
    "run": lambda: page_cases.run(page_cases.evaluated("model_eyeriss_like_resnet18_layer3")),
    "ranks": lambda: page_cases.run(page_cases.evaluated("model_imperfect_spatial"), best=3),
    "hostile run": lambda: page_cases.run(page_cases.extreme(6, HOSTILE, LONG), best=2, name=HOSTILE),
    "nothing": page_cases.nothing_found,
    "network": lambda: page_cases.network(5),
    "one layer": lambda: page_cases.network(1),
    "hostile network": lambda: page_cases.network(3, name=HOSTILE, lacking=1),
    "network outside the native model": lambda: page_cases.network(2, outside=True),
    "front": lambda: page_cases.front(9, "cycles", "energy", "buffer"),
    "empty front": lambda: page_cases.front(0, "cycles", "energy"),
    "sweep": lambda: page_cases.sweep(12),
    "hostile sweep": lambda: page_cases.sweep(4, name=HOSTILE),
    "comparison": page_cases.comparison,
    "hostile comparison": lambda: page_cases.comparison(name=HOSTILE),
    "comparison in vain": lambda: page_cases.comparison(found=False),
}


class Parser(html.parser.HTMLParser):
    """Collects tags, ids, links and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "data", "poster", "xlink:href") and value != "data:,":
                self.fetched.append(f"{tag} {name}={value}")
            if name.startswith("on"):
                self.handlers.append(name)


def parsed(text: str) -> Parser:
    parser = Parser()
    parser.feed(text)
    return parser


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return render(PAGES[request.param]())


def test_a_page_is_one_file(page: str) -> None:
    found = parsed(page)
    assert found.fetched == [] and found.handlers == []
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert found.tags.count("script") == 1 and found.tags.count("style") == 1 and "img" not in found.tags


def test_links_lead_somewhere_and_names_are_unique(page: str) -> None:
    found = parsed(page)
    assert len(found.ids) == len(set(found.ids))
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids)


def test_headings_are_in_order(page: str) -> None:
    levels = [int(tag[1]) for tag in parsed(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_names_are_shown_and_never_run() -> None:
    text = render(PAGES["hostile network"]())
    assert HOSTILE not in text and "&lt;script&gt;console.error(&#39;run&#39;)" in text
    for picture in all_pictures(PAGES["hostile run"]()):
        svg = standalone_svg(picture.draw(520.0))
        assert "<script" not in svg and "<img" not in svg and svg.count("</svg>") == 1


def test_what_the_searcher_knows_stands_beside_the_samples() -> None:
    told = render(PAGES["run"]())
    assert (
        "judged on traffic" in told
        and "123,456" in told
        and "counts the words that a candidate moves" in told
    )
    machine = page_cases.evaluated("model_small_toy_scientific")[0]
    summary = {"samples": 50, "valid": 0, "seconds": 1.0, "stopped": "", "objective": "edp", "searcher": "random",
               "seed": 1, "evaluator": "native", "trajectory": []}  # fmt: skip
    old = render(run_page(RunRecord(machine, summary)))
    assert "judged" not in old and "knowledge" not in old
    plain = render(run_page(RunRecord(machine, {**summary, "knowledge": "none", "judged": 0})))
    assert "of costs it knows only those of its samples" in plain and "judged" not in plain


def test_every_layer_has_a_row_and_a_mapping() -> None:
    text = render(page_cases.network(40))
    assert text.count('<th scope="row"') == 40 and text.count('<details id="layer-') == 40
    assert "12 others" not in text and "13 others" in text  # the picture of shares is not drawn 40 bars high


def test_without_a_mapping_the_page_says_so() -> None:
    assert "No valid mapping was found." in render(PAGES["nothing"]())
    text = render(page_cases.network(3, lacking=1))
    assert "No totals: no valid mapping was found for layer0." in text
    assert "only ours" not in text


def test_pictures_as_files() -> None:
    for picture in all_pictures(PAGES["run"]()):
        drawing = picture.draw(picture.widths[-1])
        assert drawing.title and drawing.description
        data = png(drawing, scale=1.0)
        assert data.startswith(b"\x89PNG") and int.from_bytes(data[16:20], "big") == round(drawing.width)
        svg = standalone_svg(drawing)
        assert svg.startswith("<?xml") and "var(" not in svg


@pytest.mark.parametrize("name", ["run", "hostile run", "network", "front", "sweep", "comparison"])
@pytest.mark.parametrize("place", [0, -1])
def test_nothing_is_drawn_outside_a_picture(name: str, place: int) -> None:
    """Texts measured in a wide font, so that they fit in any."""
    for picture in all_pictures(PAGES[name]()):
        drawing = picture.draw(picture.widths[place])
        for shape in drawing.shapes:
            left, right, low = _extent(shape)
            assert left >= -0.6 and right <= drawing.width + 0.6, (picture.name, shape)
            assert low <= drawing.height + 0.6, (picture.name, shape)


def _extent(shape: object) -> tuple[float, float, float]:
    """Left and right end, and the lowest point."""
    if isinstance(shape, Text):
        width = text_width(shape.text, shape.size, bold=shape.bold, mono=shape.mono)
        left = shape.x - {"start": 0.0, "middle": width / 2, "end": width}[shape.anchor]
        return left, left + width, shape.y
    if isinstance(shape, Rect):
        return shape.x, shape.x + max(shape.width, 0), shape.y + shape.height
    if isinstance(shape, Line):
        across = [x for x, _ in shape.points]
        return min(across), max(across), max(y for _, y in shape.points)
    return shape.x - shape.radius, shape.x + shape.radius, shape.y + shape.radius


def test_colours_can_be_read() -> None:
    """Contrasts of WCAG 2: 4.5 for texts, 3 for lines and areas, in both themes."""
    for dark in (0, 1):
        colour = {role: both[dark] for role, both in palette.ROLES.items()}
        for paper in ("surface", "raised"):
            for ink in ("ink", "muted", "accent", "warning"):
                assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper, dark)
        assert contrast(colour["accent"], colour["accent-soft"]) >= 4.5
        assert contrast(colour["ink"], colour["accent-soft"]) >= 4.5
        for number in range(palette.SERIES_ROLES):
            assert contrast(colour[f"series-{number}"], colour["surface"]) >= 3
        for role in (role for role in colour if role.startswith("tensor-")):
            assert contrast(colour["on-tensor"], colour[role]) >= 4.4, role


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_texts_are_folded_where_names_can_be_folded() -> None:
    rows = wrapped(LONG, 150, 12, lines=3)
    assert len(rows) == 3 and "…" in rows[-1] and all(text_width(row, 12) <= 150 for row in rows)
    assert "".join(wrapped(LONG, 150, 12, lines=99)) == LONG
    assert wrapped("short", 150, 12) == ["short"] and wrapped("", 10, 12) == [""]
    short = shortened(LONG, 80, 12)
    assert short.startswith("a_") and short.endswith("d") and "…" in short


def test_axes() -> None:
    scale = spanning([3.0, 4e5], 0, 100, log=True)
    assert scale(3.0) < scale(50.0) < scale(4e5) and scale.ticks()[0] == 10.0
    assert len(spanning([5.0], 0, 100, log=True).ticks()) >= 3
    assert len(spanning([0.0, 0.0], 0, 100, log=False).ticks()) >= 3
    assert steps([(0, 5), (2, 3)]) == [(0, 5), (2, 5), (2, 3)]
    assert [plain_number(v) for v in (0, 123.456, 144800.0, 5.28e14, 2e-9)] == [
        "0", "123.5", "144,800", "5.28×10¹⁴", "2×10⁻⁹",
    ]  # fmt: skip


def test_drawings_beside_each_other() -> None:
    one = Drawing(100, 50, "one", shapes=[Rect(0, 0, 100, 50), Text(5, 20, "x")])
    both = beside([one, one], "both")
    assert both.width > 200 and {"one", "both", "x"} == {s.text for s in both.shapes if isinstance(s, Text)}
    assert max(s.x + s.width for s in both.shapes if isinstance(s, Rect)) <= both.width


def test_roofline_says_what_sets_the_pace() -> None:
    spec, _, statistics = page_cases.evaluated("model_eyeriss_like_resnet18_layer3")
    data = roofline(spec, statistics)
    assert 0 < data.achieved <= data.peak
    assert data.achieved == pytest.approx(statistics.computes / statistics.cycles)
    for level in data.levels:
        assert 0 <= level.share <= 1 + 1e-9 and level.used <= level.instances
        assert level.computes_per_word == pytest.approx(data.computes / level.moved)
        assert level.achieved <= level.limit * (1 + 1e-9)
    slowest = min(level.throttle for level in statistics.levels)
    assert (data.binding is not None) == (slowest < 1)


def test_layers_of_a_network_are_named_beside_their_points() -> None:
    page = PAGES["network"]()
    (picture,) = (picture for picture in all_pictures(page) if picture.name == "roofline")
    for width in picture.widths:
        drawing = picture.draw(width)
        points = [shape for shape in drawing.shapes if isinstance(shape, Marker) and shape.tip]
        names = {marker.tip.split(":")[0] for marker in points}
        written = [shape.text for shape in drawing.shapes if isinstance(shape, Text)]
        assert len(names) == 5
        assert any(text.split(" +")[0] in names for text in written)


def test_what_choices_are_called_is_said_where_they_stand() -> None:
    words = choice_words(["C:2", "C:2#2", "GLB:rank(C)", "GLB:keep(Inputs)"])
    assert words.startswith("Choices: C:2: the level of that factor")
    assert "GLB:rank(C): how far inside" in words and "GLB:keep(Inputs): whether" in words
    assert choice_words(["GLB:rank(C)"]).count(":") == 3
    assert choice_words([]) == ""


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "no finished search, network, sweep or comparison" in capsys.readouterr().err
    (tmp_path / "summary.json").write_text("[]")
    assert main(["report", str(tmp_path)]) == 2
    assert "not a JSON object" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["report", "a", "b", "-o", str(tmp_path / "x.html")]) == 2
    assert "leave it out" in capsys.readouterr().err


def test_the_report_of_a_finished_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What search writes is what report makes of the folder."""
    golden = Path(__file__).resolve().parents[1] / "golden" / "inputs"
    machine = golden / "arch" / "small_toy"
    files = [str(machine / f"{name}.yaml") for name in ("arch_v03", "ERT", "ART")]
    run = tmp_path / "run"
    budget = ["--samples", "60", "--searcher", "random", "--top", "2", "--quiet"]
    assert main(["search", *files, str(golden / "problems" / "toy_conv.yaml"), "-o", str(run), *budget]) == 0
    written = (run / "report.html").read_text()
    out = tmp_path / "again.html"
    assert main(["report", str(run), "-o", str(out), "--pictures", str(tmp_path / "pictures")]) == 0
    assert out.read_text() == written
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"nest.svg", "nest.png", "energy.svg", "roofline.png", "convergence.svg", "mapping-2.png"} <= names
    assert render(page_of(run)) == written
