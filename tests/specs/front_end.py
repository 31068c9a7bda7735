"""Helpers of the tests of the v0.4 front end: short inputs, and comparison with recorded results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from timeloop_marl.specs.document import Document
from timeloop_marl.specs.flatten import flatten
from timeloop_marl.specs.loading import load_document

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "inputs"
STANDARD = Path(os.environ.get("TIMELOOP_STANDARD_INPUTS", ROOT.parent / "shared" / "standard"))

PROBLEM = """
problem:
  shape:
    dimensions: [C, M, P, N]
    data_spaces:
    - {name: Weights, projection: [[[C]], [[M]]]}
    - {name: Inputs, projection: [[[N]], [[C]], [[P]]]}
    - {name: Outputs, projection: [[[N]], [[M]], [[P]]], read_write: true}
  instance: {C: 12, M: 8, P: 5, N: 1}
"""
MACHINE = """
architecture:
  nodes:
  - !Container {name: sys, attributes: {technology: "45nm"}}
  - !Component {name: DRAM, class: DRAM, attributes: {width: 64, datawidth: 8}}
  - !Component
    name: BUF
    class: SRAM
    attributes: {width: 64, depth: 1024, datawidth: 8}
%s
  - !Container
    name: PE
    spatial: {meshX: 4, meshY: 2}
%s
  - !Component {name: RF, class: regfile, attributes: {width: 8, depth: 16, datawidth: 8}}
  - !Component {name: mac, class: intmac}
"""


def flat(folder: Path, text: str, program: str = "mapper", problem: str = PROBLEM) -> Document:
    """The flat form of an input given as text."""
    path = folder / "input.yaml"
    path.write_text(text + problem)
    return flatten(load_document([path]), program=program)


def machine(
    folder: Path, buffer: str = "", pe: str = "", more: str = "", program: str = "mapper"
) -> Document:
    """The flat form of a small machine with constraints at BUF and at the fan-out of PE."""

    def indented(text: str) -> str:
        return "".join(f"    {line}\n" for line in text.splitlines())

    return flat(folder, MACHINE % (indented(buffer), indented(pe)) + more, program)


def entries(document: Document) -> list[dict[str, Any]]:
    """The constraint targets, or the mapping, with lists as tuples."""
    section = document.data.get("architecture_constraints")
    found = document.data["mapping"] if section is None else section["targets"]
    return [{key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()} for entry in found]


def at(document: Document, target: str, kind: str) -> dict[str, Any]:
    """The one entry of a target and type, without these two keys; empty if there is none."""
    found = [entry for entry in entries(document) if entry["target"] == target and entry["type"] == kind]
    assert len(found) <= 1
    return {key: value for key, value in found[0].items() if key not in ("type", "target")} if found else {}


def components(document: Document) -> dict[str, Mapping[str, Any]]:
    """Name -> component of the flat list."""
    return {entry["name"]: entry for entry in document.data["architecture"]["subtree"][0]["local"]}


def canonical_architecture(section: Mapping[str, Any], ignored: frozenset[str] = frozenset()) -> list[Any]:
    """Name of the tree, then name, class, subclass and attributes of every component; nulls count as absent."""
    tree = section["subtree"][0]
    return [
        tree["name"],
        *(
            (
                entry["name"],
                entry["class"],
                entry.get("subclass"),
                {k: _number(v) for k, v in entry["attributes"].items() if v is not None and k not in ignored},
            )
            for entry in tree["local"]
        ),
    ]


def canonical_targets(targets: list[Mapping[str, Any]]) -> set[frozenset[Any]]:
    """The constraints as a set, their lists of data spaces as sets."""
    return {
        frozenset(
            (key, frozenset(value) if isinstance(value, list) else value) for key, value in entry.items()
        )
        for entry in targets
    }


def _number(value: Any) -> Any:
    """YAML 1.1 readers, such as the one used for the recorded files here, take 1e-9 as text."""
    return float(value) if value == "1e-9" else value


def recorded(path: Path) -> Any:
    """A recorded YAML file."""
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
