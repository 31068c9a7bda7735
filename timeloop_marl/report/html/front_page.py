"""The page of a search for several figures at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from ...errors import TimeloopMarlError
from ...run.schema import fitted, read_json
from ...run.units import edp_text, energy_text, plain_number, short_count
from ...specs.spec import Spec
from ..charts.scatter import ScatterLabels, ScatterPoint, scatter_plot
from ..records import MISSING, RULES, Ranked, files_text, read_evaluated, read_manifest, title_of
from .page import (
    HALF,
    LONG,
    Block,
    Cell,
    Facts,
    Fold,
    Page,
    Paragraph,
    Picture,
    Scroll,
    Section,
    Table,
    Tile,
    Tiles,
)
from .sections import NEST_CAPTION, judged_tiles, knowledge_facts, nest_picture

FRONT = "front.json"
_NARROW = (334.0,)
Members = Sequence[tuple[Spec, Ranked] | None]


class _Member(TypedDict):
    files: str
    sample: int
    edp: float
    utilization: float


class _Front(TypedDict):
    problem: str
    figures: dict[str, str]
    searcher: str
    seed: int
    evaluator: str
    samples: int
    valid: int
    stopped: str
    hypervolume: float
    members: list[_Member]


class Front(_Front, total=False):
    """``front.json``; every member has each of the figures, too."""

    knowledge: str
    judged: int


def read_front_file(folder: Path) -> dict[str, Any]:
    """``front.json``. Errors as ``read_run``."""
    data: dict[str, Any] = dict(read_json(folder / FRONT, Front, MISSING))
    for member in data["members"]:
        fitted(folder / FRONT, {figure: member.get(figure) for figure in data["figures"]}, dict[str, float])
    return data


def read_front(folder: Path) -> tuple[dict[str, Any], dict[str, Any], Members]:
    """``front.json``, the manifest, and every member evaluated anew (``None``: only the real program can)."""
    data = read_front_file(folder)
    manifest = read_manifest(folder)
    rules = str(manifest.get("arguments", {}).get("rules") or RULES)
    return (
        data,
        manifest,
        [_member(folder / f"{entry['files']}.model.yaml", rules) for entry in data["members"]],
    )


def _member(file: Path, rules: str) -> tuple[Spec, Ranked] | None:
    try:
        return read_evaluated(file, rules)
    except TimeloopMarlError:
        return None


def front_page(data: Mapping[str, Any], manifest: Mapping[str, Any], members: Members) -> Page:
    """The front as pictures and as a table, and the mapping of every member."""
    files = [str(name) for name in manifest.get("arguments", {}).get("files", [])]
    sections = [Section("totals", "Totals", [_tiles(data)])]
    entries = list(data["members"])
    for x, y in itertools.combinations(data["figures"], 2):
        picture = Picture(f"front-{x}-{y}", _plot(entries, x, y), "Numbered as in the table.", HALF)
        sections.append(
            Section(f"front-{x}-{y}-section", f"{x.capitalize()} against {y}", [picture], half=True)
        )
    sections.append(_table(data, members))
    folds = [
        Fold(
            f"Mapping {number}",
            [nest_picture(*found, f"nest-{number}", _NARROW, caption="")],
            f"member-{number}",
        )
        for number, found in enumerate(members, 1)
        if found is not None
    ]
    if folds:
        inside: Sequence[Block] = [Scroll("Mappings", folds)] if len(folds) > LONG else folds
        sections.append(Section("mappings", "Their mappings", [Paragraph(NEST_CAPTION), *inside]))
    facts = [
        ("inputs", files_text(files) or "see inputs.yaml"),
        ("energies", str(data.get("energies") or "none")),
    ]
    facts.append(("evaluator", str(data["evaluator"])))
    facts += knowledge_facts(data.get("knowledge"))
    facts += [(name, str(version)) for name, version in manifest.get("versions", {}).items()]
    sections.append(Section("origin", "Where this comes from", [Facts(facts)]))
    marks = [
        f"searcher {data['searcher']}",
        f"seed {data['seed']}",
        str(data["stopped"]),
        str(data["evaluator"]),
    ]
    return Page(
        title_of(files, data["problem"] or "front"),
        "Mappings that no other beats in every figure",
        marks,
        sections,
    )


def _tiles(data: Mapping[str, Any]) -> Block:
    members = list(data["members"])
    tiles = [
        Tile("mappings on the front", str(len(members))),
        Tile("samples", f"{data['samples']:,}", f"{data['valid']:,} valid"),
        *judged_tiles(int(data.get("judged", 0))),
    ]
    for name in data["figures"] if members else ():
        tiles.append(Tile(f"least {name}", _text(name, min(member[name] for member in members))))
    return Tiles(tiles)


def _corner(data: Mapping[str, Any]) -> str:
    """The reference point in words."""
    named = zip(data["figures"], data["reference"])
    return (
        ", ".join(f"{name} {_text(name, float(value))}" for name, value in named)
        + " (a mapping without reuse)"
    )


def _text(figure: str, value: float) -> str:
    return energy_text(value) if figure == "energy" else f"{value:,.0f}"


def _short(figure: str) -> Callable[[float], str]:
    return energy_text if figure == "energy" else short_count


def _plot(entries: Sequence[Mapping[str, Any]], x: str, y: str) -> Callable[[float], Any]:
    """Members that others beat in these two figures are there for the third."""
    pairs = [(float(entry[x]), float(entry[y])) for entry in entries]
    points = [
        ScatterPoint(n, f"mapping {n}", a, b, not any(_beats(other, (a, b)) for other in pairs))
        for n, (a, b) in enumerate(pairs, 1)
    ]
    labels = ScatterLabels(f"{x.capitalize()} against {y}", x, y, _short(x), _short(y))
    return lambda width: scatter_plot(points, labels, width)


def _beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a != b and a[0] <= b[0] and a[1] <= b[1]


def _table(data: Mapping[str, Any], members: Members) -> Section:
    names = list(data["figures"])
    rows = [
        [
            Cell(str(number), number),
            *(Cell(_text(name, entry[name]), entry[name]) for name in names),
            Cell(edp_text(entry["edp"]), entry["edp"]),
            Cell(f"{entry['utilization']:.1%}", entry["utilization"]),
            Cell(f"{entry['sample']:,}", entry["sample"]),
        ]
        for number, entry in enumerate(data["members"], 1)
    ]
    table = Table(
        "members",
        f"Hypervolume {plain_number(float(data['hypervolume']))} decades^{len(names)}, up to {_corner(data)}",
        ("mapping", *names, "EDP [J·cycle]", "utilised", "found at sample"),
        rows,
        numeric=frozenset(range(1, len(names) + 4)),
        sortable=True,
        targets=[f"member-{n}" if found is not None else "members" for n, found in enumerate(members, 1)],
    )
    return Section("members-section", "The front", [table])
