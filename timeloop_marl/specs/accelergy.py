"""Runs Accelergy as Timeloop does when no ERT is given (formats section 4), and reads what it wrote."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import SpecError
from .document import Document, Map, Quoted, merged, overridden
from .loading import load_document

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
