"""Evaluate a file of rows with the native model and compare with what the real Timeloop gave for them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ...errors import MappingError, SpecError, UsageError
from ...evaluators.native import NativeEvaluator
from ...specs import load, read_spec
from ...specs.document import Map, to_document, tree
from ...specs.loading import load_document
from ...specs.spec import ModelOptions, Spec
from .encoding import row_mapping
from .figures import TWO_DECIMALS, Difference, compare, computed, figures

FIRST_DIFFERENCES = 20
EVALUATORS = 32  # kept at a time, the latest used: each holds megabytes of scratch
SPARSE_EVALUATORS = 8
MACHINE_FILES = ("arch_v03.yaml", "arch.yaml")  # the first that exists; the second in the v0.4 form
TABLE_FILES = ("ERT.yaml", "ART.yaml")

Key = tuple[str, ...]  # machine, problem, environment; of sparse rows all that makes the design


@dataclass(frozen=True)
class RowsReport:
    """Result of a comparison. ``figures`` counts the figures compared; ``compared`` the rows that had any.

    ``first_differences``: (row id, difference) of at most the first 20.
    """

    rows: int
    compared: int
    figures: int
    differing_rows: int
    differing_figures: int
    first_differences: tuple[tuple[str, Difference], ...]

    def summary(self) -> str:
        """One line: ``0 differences in N rows, F figures``."""
        text = f"{self.differing_figures} differences in {self.compared} rows, {self.figures} figures"
        if self.differing_rows:
            text += f" ({self.differing_rows} rows differ)"
        if self.compared < self.rows:
            text += f"; {self.rows - self.compared} rows without recorded results"
        return text


def evaluate_rows(
    rows_file: str | Path, inputs_dir: str | Path, out_file: str | Path | None = None, rules: str = "2025"
) -> RowsReport:
    """Evaluate every row of a JSON-lines file (gzipped if it ends in ``.gz``).

    Rows of sparse designs name what is optimised, too (``sparse``: a file of ``sparse/``, or the section itself, as
    ``arch`` and ``ert`` may be), and give densities (``dens``). Where the real program crashed, only that is compared.

    Args:
        rows_file: one row a line; rows with ``exp`` are compared with it, field by field.
        inputs_dir: holds ``arch/<machine>/`` (``arch_v03.yaml`` or ``arch.yaml``, ``ERT.yaml``, ``ART.yaml``) and
            ``problems/<name>.yaml``.
        out_file: where to write the rows with the computed figures added as ``got``; gzipped by the same rule.
        rules: rule set of the cost model, ``"2025"`` or ``"2022"``.

    Raises:
        UsageError: a file or folder is missing.
        SpecError: a row or an input file is malformed; says which file and line.
    """
    tally = _Tally()
    inputs = _Inputs(Path(inputs_dir), rules)
    with ExitStack() as stack:
        out = stack.enter_context(_writer(Path(out_file), Path(rows_file))) if out_file is not None else None
        for where, row in _rows(Path(rows_file)):
            spec, evaluator = inputs.evaluator(row, where)
            try:
                mapping = row_mapping(row, spec)
            except MappingError as error:
                raise _located(error, where) from error
            got = computed(evaluator.statistics(mapping), spec)
            tally.add(row, got)
            if out is not None:
                out.write(json.dumps({**row, "got": got}, separators=(",", ":")) + "\n")
    return tally.report()


class _Tally:
    """Running counts."""

    def __init__(self) -> None:
        self.rows = self.compared = self.figures = self.differing_rows = self.differing_figures = 0
        self.first: list[tuple[str, Difference]] = []

    def add(self, row: dict[str, Any], got: dict[str, Any]) -> None:
        """Count one row."""
        self.rows += 1
        if "exp" not in row or row.get("undefined"):
            return
        expected = row["exp"]
        if expected.get("class") == "abort":  # its signal and text are the program's own
            expected = {"ok": False, "class": "abort"}
            got = {key: got.get(key) for key in expected}
        elif "sparse" in row and "nets" in got:  # nothing is optimised, so it was evaluated as a dense design
            expected = {key: expected.get(key) for key in ("ok", "cycles", "energy", "util", "computes")}
            got = {key: got.get(key) for key in expected}
        self.compared += 1
        self.figures += figures(expected)
        differences = compare(expected, got, frozenset() if "sparse" in row else TWO_DECIMALS)
        self.differing_figures += len(differences)
        self.differing_rows += bool(differences)
        room = FIRST_DIFFERENCES - len(self.first)
        self.first += [(str(row.get("id", "")), difference) for difference in differences[:room]]

    def report(self) -> RowsReport:
        """The counts so far."""
        return RowsReport(
            self.rows,
            self.compared,
            self.figures,
            self.differing_rows,
            self.differing_figures,
            tuple(self.first),
        )


class _Inputs:
    """Specs and evaluators by machine, problem and environment; every input file is read once."""

    def __init__(self, folder: Path, rules: str) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; expected one with arch/ and problems/")
        self.folder, self.rules = folder, rules
        self._specs: dict[Key, Spec] = {}
        self._evaluators: dict[Key, NativeEvaluator] = {}

    def evaluator(self, row: dict[str, Any], where: str) -> tuple[Spec, NativeEvaluator]:
        """The spec and its evaluator that a row asks for."""
        if "sparse" in row:
            return self._sparse(row, where)
        machine, problem, environ = (
            _field(row, "arch", where),
            _field(row, "problem", where),
            _environ(row, where),
        )
        key = machine, problem, json.dumps(environ, sort_keys=True)
        if key not in self._specs:
            options = ModelOptions.from_environment(environ, self.rules)
            files = self._files(machine, problem, where)
            self._specs[key] = load(files, options=options, mapspace_constraints=False)
        return self._specs[key], self._kept(key)

    def _kept(self, key: Key) -> NativeEvaluator:
        evaluator = self._evaluators.pop(key, None) or NativeEvaluator(self._specs[key])
        if len(self._evaluators) == EVALUATORS:
            del self._evaluators[next(iter(self._evaluators))]
        self._evaluators[key] = evaluator
        return evaluator

    def _sparse(self, row: dict[str, Any], where: str) -> tuple[Spec, NativeEvaluator]:
        """The same for a sparse row, whose parts are names of files or the sections themselves."""
        named = {name: row.get(name) for name in ("arch", "ert", "sparse", "problem", "dens")}
        key = (json.dumps(named, sort_keys=True),)
        if key not in self._specs:
            if len(self._specs) >= SPARSE_EVALUATORS:  # their rows have densities of their own
                self._specs.clear()
                self._evaluators.clear()
            data = Map()
            for name, folder in (
                ("arch", "arch"),
                ("ert", "arch"),
                ("sparse", "sparse"),
                ("problem", "problems"),
            ):
                for section, node in self._part(row, name, folder, where).nodes():
                    data.put_node(section, node)
            problem = data.node("problem").as_map("problem")
            instance = problem.node("instance").as_map("instance")
            instance.put("densities", tree(row.get("dens", {})))
            self._specs[key] = read_spec(to_document(data), mapspace_constraints=False)
        return self._specs[key], self._kept(key)

    def _part(self, row: dict[str, Any], name: str, folder: str, where: str) -> Map:
        """One part of a sparse design; the table of energies lies with its machine."""
        given = row.get(name)
        if isinstance(given, dict):
            found = tree(given)
            assert isinstance(found, Map)
            return found
        own = _field(row, "arch" if name == "ert" else name, where)
        file = {"arch": f"{own}/arch.yaml", "ert": f"{own}/ERT.yaml"}.get(name, f"{own}.yaml")
        path = self.folder / folder / file
        if not path.is_file():
            raise UsageError(f"{where}: no file {path} for {name} {own!r}")
        return load_document([path]).root().as_map("a section")

    def _files(self, machine: str, problem: str, where: str) -> list[Path]:
        folder = self.folder / "arch" / machine
        architecture = next((folder / name for name in MACHINE_FILES if (folder / name).is_file()), None)
        if architecture is None:
            raise UsageError(f"{where}: no {' or '.join(MACHINE_FILES)} in {folder} for arch {machine!r}")
        workload = self.folder / "problems" / f"{problem}.yaml"
        if not workload.is_file():
            raise UsageError(f"{where}: no file {workload} for problem {problem!r}")
        tables = [folder / name for name in TABLE_FILES if (folder / name).is_file()]
        return [architecture, *tables, workload]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """``file:line`` and row of every line that is not blank."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    number = 0
    try:
        with _reader(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{path}:{number}", _row(line, f"{path}:{number}")
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
        raise SpecError(
            f"cannot be read after line {number}: {error}", file=path, expected="JSON lines in UTF-8"
        ) from error


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SpecError(f"not JSON: {error}", file=where, expected="one JSON object a line") from error
    if not isinstance(row, dict) or not isinstance(row.get("exp", {}), dict):
        raise SpecError(
            "not a row", file=where, value=row, expected="a JSON object with arch, problem and map"
        )
    return row


def _field(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    # A name is one path component: a row must not reach outside the inputs folder.
    if not isinstance(value, str) or not value or value.startswith(".") or set(value) & set("/\\\0"):
        raise SpecError(
            "not a name", file=where, path=key, value=value, expected="the name of a machine or problem"
        )
    return value


def _environ(row: dict[str, Any], where: str) -> dict[str, str]:
    environ = row.get("env", {})
    if not isinstance(environ, dict):
        raise SpecError("not a map", file=where, path="env", value=environ, expected="variable: value")
    # A variable recorded as null was unset in that run.
    return {name: str(value) for name, value in environ.items() if value is not None}


def _located(error: MappingError, where: str) -> MappingError:
    return MappingError(
        error.problem,
        file=where,
        path=error.path,
        value=error.value,
        expected=error.expected,
        remedy=error.remedy,
    )


def _reader(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open("r", encoding="utf-8")


def _writer(path: Path, rows_file: Path) -> TextIO:
    if path.exists() and path.samefile(rows_file):
        raise UsageError(f"{path}: the output would overwrite the rows that are read")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: its folder does not exist")
    if path.suffix == ".gz":
        # No time stamp inside: equal results give equal files.
        return io.TextIOWrapper(gzip.GzipFile(path, "wb", mtime=0), encoding="utf-8")
    return path.open("w", encoding="utf-8")
