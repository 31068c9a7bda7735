"""Calls of timeloop-model and timeloop-mapper, and why a mapping is invalid from what they say."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...cost.outcome import Failure, Rejection
from ...errors import BackendError, UsageError
from ...specs.spec import Spec
from .keeper import KEEPER

MODEL, MAPPER = "timeloop-model", "timeloop-mapper"
INPUT = "input.yaml"


@dataclass(frozen=True)
class Program:
    """An installed program. ``fingerprint``: SHA-256 over it and the Timeloop libraries beside it."""

    path: Path
    fingerprint: str

    @property
    def name(self) -> str:
        """What outputs call it: Timeloop's programs know no --version."""
        return f"{self.path.name} (sha256 {self.fingerprint[:12]})"

    def run(self, folder: Path, environ: Mapping[str, str], seconds: float | None) -> Run:
        """Evaluate the ``input.yaml`` of a folder; ``BackendError`` if the program cannot be started."""
        return run_program([str(self.path), INPUT], folder, environ, seconds)


@dataclass(frozen=True)
class Run:
    """A finished call. ``exit``: the exit status, below 0 for a signal, ``None`` after the time limit."""

    command: tuple[str, ...]
    folder: Path
    exit: int | None
    stdout: str
    stderr: str

    @property
    def by_hand(self) -> str:
        """The command line that does the same in a shell."""
        return f"cd {shlex.quote(str(self.folder))} && {shlex.join(self.command)}"

    @property
    def ending(self) -> str:
        """How the program ended, in words."""
        if self.exit is None:
            return "did not end within its time limit and was killed"
        if self.exit < 0:
            return f"was killed by {_signal_name(-self.exit)}"
        return f"ended with exit status {self.exit}"


def find_program(name: str | Path = MODEL) -> Program:
    """A program by name (on the path) or by file name.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    found = shutil.which(str(name))
    if found is None:
        raise UsageError(
            f"{name}: not found on the path (or not executable): install Timeloop, use its Docker image "
            "(docs/docker.md), or give the program's file name with --timeloop-model"
        )
    path = Path(found).resolve()
    try:
        states = [(file, file.stat()) for file in (path, *_libraries(path))]
        fingerprint = _fingerprint(tuple((file, state.st_size, state.st_mtime_ns) for file, state in states))
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot read: {error.strerror}") from error
    return Program(Path(found).absolute(), fingerprint)


@lru_cache(maxsize=8)
def _fingerprint(files: tuple[tuple[Path, int, int], ...]) -> str:
    """SHA-256 over files given with size and time of change: a hundred megabytes, not to be read for each evaluator."""
    digest = hashlib.sha256()
    for file, _, _ in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def run_program(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float | None
) -> Run:
    """Run a command in a folder, standard input closed; after ``seconds`` it and all its children are killed.

    Raises:
        BackendError: it could not be started.
    """
    try:
        # A session of its own: Ctrl-C at the terminal ends our search in order, not the evaluation under way.
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BackendError(f"{command[0]}: cannot be started: {error.strerror or error}") from error
    with KEEPER.holding(group=process.pid):
        status, stdout, stderr = _finished(process, seconds)
    return Run(tuple(command), folder, status, _text(stdout), _text(stderr))


def _finished(process: subprocess.Popen[bytes], seconds: float | None) -> tuple[int | None, bytes, bytes]:
    """Exit status (``None`` after the time limit), standard output and standard error."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        return None, *process.communicate()
    except BaseException:
        _kill(process)
        process.communicate()
        raise
    return process.returncode, stdout, stderr


def timeloop_environment(
    environ: Mapping[str, str], *, link_transfers: bool, first_read_elision: bool
) -> dict[str, str]:
    """The variables a Timeloop program is started with: every figure printed, in the usual format, same cost model.

    Other ``TIMELOOP_*`` variables are dropped: they would change results behind the native model's back.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith("TIMELOOP_")}
    kept["TIMELOOP_HIDE_INCONSEQUENTIAL_STATS"] = "0"
    if not link_transfers:
        kept["TIMELOOP_DISABLE_LINK_TRANSFERS"] = "1"
    if not first_read_elision:
        kept["TIMELOOP_ENABLE_FIRST_READ_ELISION"] = "0"
    return kept


def _libraries(program: Path) -> list[Path]:
    """Shared libraries of Timeloop in the usual places: a thin program may stay the same while they change."""
    folders = [program.parent, program.parent.parent / "lib"]
    folders += [Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry]
    found = {
        file.resolve() for folder in folders for file in folder.glob("libtimeloop*.so*") if file.is_file()
    }
    return sorted(found)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


_UNMAPPED = re.compile(r"^ERROR: couldn't map level (.*)$", re.MULTILINE)
# In the order of the program's own checks: a message may carry several reasons, the first is the class. Reasons of
# sparse designs (ranks, formats, confidence, sources) have no class of their own.
_CLASSES = (
    ("bypassed in all storage levels", Failure.BYPASS),
    ("exceeds buffer capacity", Failure.CAPACITY),
    ("exceeds metadata buffer capacity", Failure.MD_CAPACITY),
    ("more compression ranks needed", Failure.RANKS),
    ("required but level compression format does not align", Failure.RANKS),
    ("needed but not supported", Failure.FORMAT),
    ("does not have a source storage", Failure.SOURCE),
    ("constrained minimum tile confidence", Failure.CONFIDENCE),
    ("does not meet hardware constraint", Failure.FANOUT),
    ("less than constrained minimum utilization", Failure.UTILIZATION),
    ("exceeds hardware instances", Failure.FANOUT),
    ("exceeds available hardware instances", Failure.FANOUT),
)
_ABORTED = -6  # SIGABRT


def read_failure(run: Run, spec: Spec) -> Rejection | None:
    """Why the mapping is invalid; ``None`` if the program failed for another reason.

    A failed assertion of the program is a verdict on the mapping, too (``Failure.OTHER``): it always comes again.
    """
    found = _UNMAPPED.search(run.stderr)
    if found and run.exit == 1:
        return _unmapped(found[1], spec)
    assertion = re.search(r"^.*Assertion `.*$", run.stderr, re.MULTILINE)
    if run.exit == _ABORTED and assertion:
        return Rejection(Failure.OTHER, 0, spec.architecture.compute.name, assertion[0].strip())
    return None


def _unmapped(text: str, spec: Spec) -> Rejection | None:
    names = [spec.architecture.compute.name, *(level.name for level in spec.architecture.storage)]
    # The longest name that fits: names may hold a colon.
    fitting = [index for index, name in enumerate(names) if text.startswith(f"{name}: ")]
    if not fitting:
        return None
    level = max(fitting, key=lambda index: len(names[index]))
    message = text.removeprefix(f"{names[level]}: ").rstrip()
    failure = next((kind for words, kind in _CLASSES if words in message), Failure.OTHER)
    return Rejection(failure, level, names[level], message)
