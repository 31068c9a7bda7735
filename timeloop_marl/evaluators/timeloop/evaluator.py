"""timeloop-model as an Evaluator: one call of the program per mapping."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping as Map
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np

from ...cost.outcome import Failure, Outcome, Rejection, Statistics
from ...errors import BackendError, UsageError
from ...specs.mapping import Mapping, MappingBatch
from ...specs.mapping_yaml import machine_sections, mapping_section
from ...specs.spec import Spec
from ...specs.yaml_text import yaml_text
from . import bindings
from .archive import Archive, ArchiveError, read_archive
from .bindings import Bindings
from .figures import Measured, StatsError, measured, read_stats
from .keeper import KEEPER
from .program import INPUT, MODEL, Program, Run, find_program, read_failure, timeloop_environment
from .worker import RESULT

KEPT = 10
"""Folders of crashed calls that are kept with ``OnCrash.SKIP``; later ones are removed."""


class OnCrash(Enum):
    """What to do when the program crashes, hangs or writes what cannot be understood."""

    STOP = "stop"  # a BackendError ends the search; every sample before it is in the trace
    SKIP = "skip"  # the sample counts as failed (Failure.OTHER)


class TimeloopEvaluator:
    """Evaluates mappings of one Spec by running timeloop-model, each call in a private temporary folder.

    The ERT and ART of the Spec go with every call, so that Accelergy never runs here. Architecture constraints are
    left out: whether a mapping keeps to them is the mapspace's business, and timeloop-model refuses mappings of
    timeloop-mapper under the same constraints. Calls may run at the same time, from several threads or processes.

    Args:
        spec: machine, problem, energies and options.
        program: name or file of timeloop-model; pytimeloop stands in where it is not on the path.
        accesses: also fill ``Outcome.accesses``.
        seconds: time limit of a call; ``None`` = none.
        on_crash: stop or skip.
        scratch: where the temporary folders are made; default: the system's place for them.

    Raises:
        UsageError: there is no such program.
        SpecError: a name that the program's input cannot carry.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        program: str | Path | Program | Bindings = MODEL,
        accesses: bool = False,
        seconds: float | None = 60.0,
        on_crash: OnCrash = OnCrash.STOP,
        scratch: str | Path | None = None,
    ) -> None:
        self.spec, self.accesses, self.seconds = spec, accesses, seconds
        self.program = find_route(program) if isinstance(program, str | Path) else program
        self.on_crash, self.scratch = on_crash, scratch
        self.name = self.program.name
        self._machine = yaml_text(machine_sections(spec))  # here, not by every thread at its first call
        self.crashes: list[BackendError] = []  # with SKIP, those of this process

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order.

        Raises:
            BackendError: a call failed, and crashes are not to be skipped.
        """
        return outcome_of(
            [self._outcome(mappings[i]) for i in range(len(mappings))], self.spec, self.accesses
        )

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid.

        Raises:
            BackendError: the call failed.
        """
        result = self.measure(mapping)
        return result.statistics if isinstance(result, Measured) else result

    def measure(self, mapping: Mapping) -> Measured | Rejection:
        """Every figure of one mapping with its precision, or why it is invalid.

        Raises:
            BackendError: the call failed; its folder is kept and the message says how to repeat it by hand.
        """
        folder = self._folder()
        try:
            with KEEPER.holding(folder=folder):
                (folder / INPUT).write_text(self._input(mapping), encoding="utf-8")
                run = self.program.run(folder, self._environment(), self.seconds)
                result = self._result(run)
        except OSError as error:
            self._remove(folder)
            raise BackendError(f"{folder}: cannot be used: {error.strerror or error}") from error
        except BackendError:
            if len(self.crashes) >= KEPT:
                self._remove(folder)
            raise
        except BaseException:
            self._remove(folder)
            raise
        self._remove(folder)
        return result

    def _outcome(self, mapping: Mapping) -> Statistics | Rejection:
        try:
            return self.statistics(mapping)
        except BackendError as error:
            if self.on_crash is OnCrash.STOP:
                raise
            self.crashes.append(error)
            return Rejection(Failure.OTHER, 0, self.spec.architecture.compute.name, str(error))

    def _input(self, mapping: Mapping) -> str:
        """The document for one mapping; all but the mapping is put into words once."""
        return f"{yaml_text(mapping_section(self.spec, mapping))}\n{self._machine}"

    def _result(self, run: Run) -> Measured | Rejection:
        if run.exit == 0:
            return self._read(run)
        rejection = read_failure(run, self.spec)
        if rejection is None:
            raise _crash(run, run.ending)
        return rejection

    def _read(self, run: Run) -> Measured:
        stats, xml = (run.folder / f"{MODEL}.{kind}" for kind in ("stats.txt", "map+stats.xml"))
        try:
            printed = stats.read_text(encoding="utf-8")
            found = measured(read_stats(printed), self._archive(xml), self.spec)
            return _with_total(replace(found, texts=_texts(run.folder, printed)), run.folder / RESULT)
        except FileNotFoundError as error:
            raise _crash(run, f"ended without writing {stats.name}") from error
        except (StatsError, ArchiveError, ValueError, KeyError) as error:
            raise _crash(
                run, f"wrote what cannot be read ({error}); is the disk full, or is it another Timeloop?"
            ) from error

    def _archive(self, path: Path) -> Archive | None:
        if not path.exists():
            return None
        return read_archive(path.read_text(encoding="utf-8"), len(self.spec.problem.data_spaces))

    def _folder(self) -> Path:
        try:
            return Path(tempfile.mkdtemp(prefix="timeloop-marl-", dir=self.scratch))
        except OSError as error:
            place = self.scratch or tempfile.gettempdir()
            raise UsageError(f"{place}: cannot make a temporary folder: {error.strerror}") from error

    def _environment(self) -> Map[str, str]:
        options = self.spec.options
        return timeloop_environment(
            os.environ,
            link_transfers=options.link_transfers,
            first_read_elision=options.first_read_elision,
        )

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


def find_route(name: str | Path) -> Program | Bindings:
    """The program; where it was not named and is not on the path, pytimeloop if that is installed.

    The program comes first because it writes all figures in full; the bindings give the total energy only.

    Raises:
        UsageError: there is neither.
    """
    if name == MODEL and shutil.which(MODEL) is None and bindings.importable():
        return Bindings()
    return find_program(name)


def _texts(folder: Path, stats: str) -> dict[str, str]:
    """The program's own output files that people read; the bindings give statistics only."""
    mapped = folder / f"{MODEL}.map.txt"
    return {"stats.txt": stats} | ({"map.txt": mapped.read_text(encoding="utf-8")} if mapped.exists() else {})


def _with_total(found: Measured, result: Path) -> Measured:
    """The total energy in full, where the bindings have given it."""
    if not result.exists():
        return found
    energy = float.fromhex(json.loads(result.read_text(encoding="utf-8"))["energy"])
    return replace(found, statistics=replace(found.statistics, energy_pj=energy))


def outcome_of(results: list[Statistics | Rejection], spec: Spec, accesses: bool) -> Outcome:
    """Results of single mappings as the arrays of a batch."""
    m = len(results)
    outcome = Outcome(
        cycles=np.zeros(m, np.int64),
        energy_pj=np.zeros(m, np.float64),
        utilization=np.zeros(m, np.float64),
        failure=np.zeros(m, np.int8),
        failed_level=np.full(m, -1, np.int8),
        accesses=np.zeros((m, len(spec.architecture.storage)), np.int64) if accesses else None,
    )
    for i, result in enumerate(results):
        if isinstance(result, Rejection):
            outcome.failure[i], outcome.failed_level[i] = int(result.failure), result.level
            continue
        outcome.cycles[i], outcome.energy_pj[i] = result.cycles, result.energy_pj
        outcome.utilization[i] = result.utilization
        if outcome.accesses is not None:
            outcome.accesses[i] = [level.accesses for level in result.levels]
    return outcome


def _crash(run: Run, what: str) -> BackendError:
    said = "\n".join(line for line in run.stderr.splitlines() if not line.startswith("WARNING"))[
        -600:
    ].strip()
    return BackendError(
        f"{Path(run.command[0]).name} {what}"
        + (f"\n  it said: {said}" if said else "")
        + f"\n  run it again by hand: {run.by_hand}"
    )
