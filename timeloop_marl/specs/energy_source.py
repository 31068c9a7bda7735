"""Where the energies come from: tables given, else Accelergy, else Timeloop's own PAT rules, said loudly."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ..errors import SpecError, UsageError
from .architecture import Architecture
from .document import Document, Map, Node, Quoted, merged, overridden
from .energy import (
    COMPUTE,
    FILL,
    LEAK,
    READ,
    UPDATE,
    Energies,
    Table,
    component_name,
    read_art,
    read_ert,
    resolve,
)
from .loading import load_document
from .machine import architecture_node
from .scalars import Reading

PROGRAM = "accelergy"
TIMEOUT_S = 600.0
REMEDY = "give ERT and ART files, or choose the energies of Timeloop without Accelergy (energies: pat)"
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ +[A-Z]+ +")
_RAISED = re.compile(r"^\w+(Error|Exception|Exit): ")
_OWN_KEYS = ("ERT", "ART", "mapping", "mapper", "mapspace", "problem")


@dataclass(frozen=True)
class Estimates:
    """What Accelergy wrote: a document with ERT and ART, and the estimators per component where it names them."""

    document: Document
    estimators: Mapping[str, tuple[str, ...]]  # full component name -> estimators


def find_program() -> str | None:
    """Path of Accelergy, if it is on the PATH."""
    return shutil.which(PROGRAM)


def estimate(
    program: str,
    document: Document,
    inputs: Sequence[Path] = (),
    *,
    prefix: str = "timeloop-mapper",
    timeout_s: float = TIMEOUT_S,
) -> Estimates:
    """Run Accelergy in a private folder and read its tables.

    Args:
        program: path of the program.
        document: what to estimate; written to one file unless ``inputs`` are given.
        inputs: the original files, where they reach Accelergy as they are.
        prefix: what the names of the tables begin with.
        timeout_s: seconds after which the program and its children are stopped.

    Raises:
        SpecError: the program fails, takes too long or leaves no tables.
    """
    with tempfile.TemporaryDirectory(prefix="timeloop-marl-accelergy-") as name:
        folder = Path(name)
        files = [str(path.absolute()) for path in inputs] or [str(_write(document, folder))]
        command = [program, *files, "--oprefix", f"{prefix}.", "-o", f"{folder}/"]
        code, output = _run(command, folder, timeout_s)
        ert, art = folder / f"{prefix}.ERT.yaml", folder / f"{prefix}.ART.yaml"
        if code != 0 or not ert.is_file():
            ending = f"Accelergy ended with exit status {code}" if code else "Accelergy wrote no ERT"
            raise SpecError(f"{ending}: {_said(output)}", file=program, remedy=REMEDY)
        return Estimates(_tables(ert, art), _estimators(folder / f"{prefix}.ERT_summary.yaml"))


def _tables(*paths: Path) -> Document:
    """One document of the tables, which need not be in a form that concatenates."""
    data = Map()
    for path in reversed([path for path in paths if path.is_file()]):
        part = load_document([path], style="timeloop").data
        assert isinstance(part, Map)
        data = merged(data, part, overridden)
    return Document(data)


def _write(document: Document, folder: Path) -> Path:
    path = folder / "parsed-processed-input.yaml"
    data = {
        str(key): _plain(value, evaluated=key in ("architecture", "arch"))
        for key, value in document.data.items()
        if key not in _OWN_KEYS
    }
    for section in data.values():
        if isinstance(section, dict) and "version" in section:
            section["version"] = _version(section["version"])
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=1 << 16)
    path.write_text(text, encoding="utf-8")
    return path


def _version(given: Any) -> Any:
    """A number: Accelergy compares the versions of all sections and stops where some are text."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return given


class _Dumper(yaml.SafeDumper):
    """Writes plain values, and strings that are no expressions in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Literal(str):
    """A string that Accelergy must not take for an expression."""

    __slots__ = ()


_Dumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')
)


def _plain(value: Any, *, evaluated: bool, attributes: bool = False) -> Any:
    """The value made of plain maps, lists and scalars.

    Strings that stood in quotes stay so. In an architecture, whose expressions are ``evaluated`` by now, all
    strings among the attributes are final: unquoted, Accelergy 0.4 would try to evaluate ``45nm``.
    """
    if isinstance(value, Mapping):
        return {
            str(key): _plain(
                item, evaluated=evaluated, attributes=attributes or (evaluated and key == "attributes")
            )
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, evaluated=evaluated, attributes=attributes) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _Literal(value) if attributes or isinstance(value, Quoted) else str(value)


def _run(command: list[str], folder: Path, timeout_s: float) -> tuple[int, str]:
    """Exit status and output (both streams together) of a command, stopped with its children after the timeout."""
    output = folder / "output.txt"
    try:
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise SpecError(
                    f"Accelergy took longer than {timeout_s:g} s", file=command[0], remedy=REMEDY
                ) from None
            finally:
                _stop(process)
    except OSError as error:
        raise SpecError(
            f"Accelergy cannot be run: {error.strerror or error}", file=command[0], remedy=REMEDY
        ) from None
    return code, output.read_text(encoding="utf-8", errors="replace")


def _said(output: str) -> str:
    """The line that names the error: Accelergy frames it with estimators' logs, source text or a traceback."""
    lines = [_STAMP.sub("", line).strip(" |=") for line in output.splitlines()]
    for line, following in itertools.pairwise(lines):
        if line.endswith("Error below"):
            return following
    raised = [line for line in lines if _RAISED.match(line)]
    return raised[-1] if raised else " ".join(line for line in lines[-5:] if line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process group; estimators may have left children behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _estimators(path: Path) -> dict[str, tuple[str, ...]]:
    """Component -> estimators, from the summary of an ERT; empty if there is none in the known form."""
    if not path.is_file():
        return {}
    summary = load_document([path], style="timeloop").data.get("ERT_summary")
    tables = summary.get("table_summary") if isinstance(summary, Mapping) else None
    result: dict[str, tuple[str, ...]] = {}
    for table in tables if isinstance(tables, list) else []:
        used = table.get("primitive_estimation(s)") if isinstance(table, Mapping) else None
        if isinstance(used, list):
            names = (entry.get("estimator") for entry in used if isinstance(entry, Mapping))
            result[str(table.get("name"))] = tuple(str(name) for name in names if name)
    return result


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
    timeout_s: float = TIMEOUT_S


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
    program = find_program()
    tree = _is_tree(reading)
    if choice.source == "accelergy" and (program is None or not tree):
        problem = "accelergy is not on the PATH" if program is None else "Accelergy needs the tree form"
        raise SpecError(problem, remedy=REMEDY)
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
    energies = resolve(architecture, tables, areas, origin)
    silent = _silent_tables(reading, architecture, {table.component: table for table in tables}, energies)
    return replace(energies, origin="; ".join([origin, *silent]))


_STORAGE = (("read", "read", READ), ("write", "fill", FILL), ("update", "update", UPDATE))


def _silent_tables(
    reading: Reading, architecture: Architecture, tables: Mapping[str, Table], energies: Energies
) -> list[str]:
    """Tables without an action that Timeloop looks for, each with a notice; what prices them, for the origin."""
    said = []
    for level, energy in zip(architecture.storage, energies.storage, strict=True):
        table = tables.get(level.name)
        if table is None or level.vector_access_energy is not None or "dummy" in level.class_name:
            continue
        missing = [
            (role, names, float(getattr(energy, key)))
            for role, key, names in _STORAGE
            if not _has(table, names)
        ]
        if missing:
            roles, wanted, prices = zip(*missing, strict=True)
            reading.notice(
                f"ERT table of {level.name} has no {_or(roles)} (found: {_names(table.actions)}; Timeloop looks for "
                f"{_names(dict.fromkeys(itertools.chain(*wanted)))}): PAT rules price it, {prices[0]:.4g} pJ"
            )
            said.append(f"PAT for {level.name}" + ("" if len(roles) == len(_STORAGE) else f" ({_or(roles)})"))
        still = [name for name in table.actions if "leak" in name.lower() or name == "idle"]
        if still and not _has(table, LEAK) and any(table.maximum(name) > 0 for name in still):
            reading.notice(
                f"ERT table of {level.name} has no leak (found: {_names(still)}): its leakage is 0 pJ, as in Timeloop"
            )
    compute = architecture.compute
    mac = tables.get(compute.name)
    if mac is not None and not _has(mac, COMPUTE):
        source = "PAT" if compute.energy is None else "attribute"
        reading.notice(
            f"ERT table of {compute.name} has no compute (found: {_names(mac.actions)}; Timeloop looks for "
            f"{_names(COMPUTE)}): priced by {source}, {energies.compute:.4g} pJ"
        )
        said.append(f"{source} for {compute.name}")
    return said


def _has(table: Table, names: Sequence[str]) -> bool:
    return any(table.actions.get(name) for name in names)


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


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
    estimates = estimate(
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
    estimates: Estimates,
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
            remedy="port the architecture to v0.4 and install the plug-ins, or " + REMEDY,
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
