"""Small inputs in the v0.3 form, as dicts that tests alter."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from timeloop_marl.specs import read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.energy_source import EnergyChoice
from timeloop_marl.specs.spec import Spec

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
PAT = EnergyChoice(source="pat")

MATMUL: dict[str, Any] = {
    "shape": {
        "name": "matmul",
        "dimensions": ["M", "N", "K"],
        "data_spaces": [
            {"name": "A", "projection": [[["M"]], [["K"]]]},
            {"name": "B", "projection": [[["K"]], [["N"]]]},
            {"name": "Z", "projection": [[["M"]], [["N"]]], "read_write": True},
        ],
    },
    "instance": {"M": 4, "N": 2, "K": 6},
}

CONV: dict[str, Any] = {
    "shape": {
        "dimensions": ["R", "P", "C", "K"],
        "coefficients": [{"name": "stride", "default": 1}],
        "data_spaces": [
            {"name": "W", "projection": ["K", "C", "R"]},
            {"name": "I", "projection": [[["C"]], [["R"], ["P", "stride"]]]},
            {"name": "O", "projection": [[["K"]], [["P"]]], "read_write": True},
        ],
    },
    "instance": {"R": 3, "P": 8, "C": 1, "K": 1},
}


def component(name: str, class_name: str, **attributes: Any) -> dict[str, Any]:
    """One entry of a ``local`` list."""
    return {"name": name, "class": class_name, "attributes": attributes}


def tree(*local: dict[str, Any], version: Any = 0.3) -> dict[str, Any]:
    """A flat architecture."""
    return {"version": version, "subtree": [{"name": "sys", "local": list(local)}]}


def machine(
    *,
    dram: dict[str, Any] | None = None,
    buffer: dict[str, Any] | None = None,
    registers: dict[str, Any] | None = None,
    mac: dict[str, Any] | None = None,
    extra: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """DRAM, BUF, four RF with four mac in X; further attributes per component."""
    return tree(
        component("DRAM", "DRAM", word_bits=8, instances=1, **(dram or {})),
        component("BUF", "SRAM", **{"word_bits": 8, "instances": 1, "entries": 60, **(buffer or {})}),
        component("RF", "regfile", **{"word_bits": 8, "instances": 4, "entries": 20, **(registers or {})}),
        component("mac", "intmac", **{"word_bits": 8, "instances": 4, **(mac or {})}),
        *extra,
    )


def document(
    architecture: dict[str, Any] | None = None, problem: dict[str, Any] | None = None, **sections: Any
) -> Document:
    """A document of a machine, a problem and other sections."""
    data = {"architecture": architecture or machine(), "problem": problem or MATMUL, **sections}
    return Document(copy.deepcopy(data))


def spec(
    architecture: dict[str, Any] | None = None,
    problem: dict[str, Any] | None = None,
    *,
    strict: bool = True,
    **sections: Any,
) -> Spec:
    """The Spec of such a document, with PAT energies unless it holds an ERT."""
    energies = EnergyChoice() if "ERT" in sections else PAT
    source = document(architecture, problem, **sections)
    return read_spec(source, strict=strict, energies=energies)


def altered(base: dict[str, Any], **instance: Any) -> dict[str, Any]:
    """A problem with some instance values changed; ``None`` removes one."""
    problem = copy.deepcopy(base)
    for key, value in instance.items():
        problem["instance"][key] = value
        if value is None:
            del problem["instance"][key]
    return problem
