"""Where the energies come from: tables given, else Accelergy, else Timeloop's own PAT rules, said loudly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpecError, UsageError
from . import accelergy
from .architecture import Architecture
from .document import Node
from .energies import resolve
from .energy import Energies
from .scalars import Reading
from .tables import LEAK, Table, component_name, read_art, read_ert
from .tree import architecture_node

SOURCES = ("auto", "tables", "accelergy", "pat")
_DUMMY_PJ = 1.0
_SHOWN = 6  # level names listed in one notice


@dataclass(frozen=True)
class EnergyChoice:
    """How to come by energies.

    Args:
        source: ``auto``: ERT if given, else Accelergy if on the PATH and the architecture is a tree, else PAT;
            ``tables``, ``accelergy``, ``pat``: this one or an error.
        inputs: original files for Accelergy; without them the document is written out for it.
        prefix: what the names of Accelergy's tables begin with.
        timeout_s: longest run of Accelergy in seconds.
    """

    source: str = "auto"
    inputs: tuple[Path, ...] = ()
    prefix: str = "timeloop-mapper"
    timeout_s: float = accelergy.TIMEOUT_S


def read_energies(reading: Reading, architecture: Architecture, choice: EnergyChoice) -> Energies:
    """The energies of a machine, from the source chosen.

    Raises:
        SpecError: malformed tables, a failing Accelergy, estimates that are only dummies.
        UsageError: an unknown source.
    """
    if choice.source not in SOURCES:
        raise UsageError(
            f"unknown source of energies {choice.source!r}: expected one of {', '.join(SOURCES)}"
        )
    root = reading.document.root()
    ert, art = reading.find(root, "ERT"), reading.find(root, "ART")
    if not ert.absent and choice.source in ("auto", "tables"):
        reading.tables = {"ERT": ert.value} | ({} if art.absent else {"ART": art.value})
        return _from_tables(reading, architecture, ert, art)
    if not art.absent and ert.absent:
        reading.notice("ART without ERT: Timeloop reads areas only together with energies; ignored", art)
    if choice.source == "tables":
        root.fail("no ERT given", expected="an ERT section", remedy="add the ERT file")
    program = accelergy.find_program()
    tree = _is_tree(reading)
    if choice.source == "accelergy" and (program is None or not tree):
        problem = "accelergy is not on the PATH" if program is None else "Accelergy needs the tree form"
        raise SpecError(problem, remedy=accelergy.REMEDY)
    if choice.source != "pat" and program is not None and tree:
        return _from_accelergy(reading, architecture, program, choice)
    return _from_pat(reading, architecture, choice)


def _is_tree(reading: Reading) -> bool:
    """Timeloop calls Accelergy only for an architecture with ``subtree`` or ``local``."""
    node = architecture_node(reading)
    return not node.child("subtree").absent or not node.child("local").absent


def _from_tables(reading: Reading, architecture: Architecture, ert: Node, art: Node) -> Energies:
    tables = read_ert(reading, ert)
    areas = {} if art.absent else read_art(reading, art)
    files = dict.fromkeys(node.origin.file for node in (ert, art) if not node.absent)
    named = ", ".join(file for file in files if file)
    origin = ("ERT" if art.absent else "ERT and ART") + (f" of {named}" if named else " given")
    if _all_dummy(architecture, tables):
        reading.notice(
            f"every energy in the ERT is {_DUMMY_PJ:g} pJ: these look like Accelergy's dummy energies", ert
        )
    return _resolved(reading, architecture, tables, areas, origin)


def _resolved(
    reading: Reading,
    architecture: Architecture,
    tables: Sequence[Table],
    areas: Mapping[str, float],
    origin: str,
) -> Energies:
    unpriced = _unpriced(architecture, tables)
    if unpriced:
        names = ", ".join(unpriced[:_SHOWN]) + (", ..." if len(unpriced) > _SHOWN else "")
        reading.notice(f"no energy table for {names}: Timeloop's PAT rules price them, as in Timeloop")
        origin += f"; PAT for {names}"
    return resolve(architecture, tables, areas, origin)


def _unpriced(architecture: Architecture, tables: Sequence[Table]) -> list[str]:
    """Real levels (dummies hold nothing) that neither a table nor an attribute prices."""
    priced = {table.component for table in tables}
    names = [
        level.name
        for level in architecture.storage
        if level.vector_access_energy is None and "dummy" not in level.class_name
    ]
    if architecture.compute.energy is None:
        names.append(architecture.compute.name)
    return [name for name in names if name not in priced]


def _from_pat(reading: Reading, architecture: Architecture, choice: EnergyChoice) -> Energies:
    why = "chosen" if choice.source == "pat" else "no ERT given, accelergy not on the PATH"
    if choice.source != "pat" and not _is_tree(reading):
        why = "no ERT given; Timeloop never asks Accelergy for this form of architecture"
    reading.notice(
        f"energies are those of Timeloop without Accelergy, its PAT rules ({why}): rough per-access energies, "
        "no leakage, all areas 0; give an ERT and an ART for real ones"
    )
    return resolve(architecture, [], {}, f"Timeloop's PAT rules ({why})")


def _from_accelergy(
    reading: Reading, architecture: Architecture, program: str, choice: EnergyChoice
) -> Energies:
    estimates = accelergy.estimate(
        program, reading.document, choice.inputs, prefix=choice.prefix, timeout_s=choice.timeout_s
    )
    own = Reading(estimates.document, strict=False, notices=reading.notices)
    root = estimates.document.root()
    reading.tables = {
        key: estimates.document.data[key] for key in ("ERT", "ART") if key in estimates.document.data
    }
    tables = read_ert(own, root.child("ERT"))
    areas = {} if root.child("ART").absent else read_art(own, root.child("ART"))
    _refuse_dummies(reading, architecture, tables, estimates, program)
    return _resolved(reading, architecture, tables, areas, f"Accelergy ({program})")


def _refuse_dummies(
    reading: Reading,
    architecture: Architecture,
    tables: Sequence[Table],
    estimates: accelergy.Estimates,
    program: str,
) -> None:
    """Stop if Accelergy priced everything by its dummy table, as 0.4 does silently with v0.3 files."""
    estimators = {component_name(name): used for name, used in estimates.estimators.items()}
    names = _real_components(architecture)
    dummies = [
        table.component for table in tables if table.component in names and _is_dummy(table, estimators)
    ]
    if dummies and len(dummies) == len({table.component for table in tables} & names):
        raise SpecError(
            "Accelergy knew none of the components and gave them dummy energies of 1 pJ",
            file=program,
            value=", ".join(dummies[:_SHOWN]),
            expected="classes that its plug-ins know (v0.3 files given to Accelergy 0.4 end this way)",
            remedy="port the architecture to v0.4 and install the plug-ins, or " + accelergy.REMEDY,
        )
    if dummies:
        reading.notice("Accelergy gave dummy energies of 1 pJ to " + ", ".join(dummies))


def _is_dummy(table: Table, estimators: Mapping[str, tuple[str, ...]]) -> bool:
    used = estimators.get(table.component)
    if used:
        return all("dummy" in name.lower() for name in used)
    return _only_dummy_energies(table)


def _only_dummy_energies(table: Table) -> bool:
    energies = [table.maximum(name) for name in table.actions if name not in LEAK]
    return bool(energies) and all(energy == _DUMMY_PJ for energy in energies)


def _real_components(architecture: Architecture) -> set[str]:
    names = {level.name for level in architecture.storage if "dummy" not in level.class_name}
    return names | {architecture.compute.name}


def _all_dummy(architecture: Architecture, tables: Sequence[Table]) -> bool:
    """Whether the tables of all real components hold 1 pJ only (one component proves nothing)."""
    real = [table for table in tables if table.component in _real_components(architecture)]
    return len(real) > 1 and all(_only_dummy_energies(table) for table in real)
