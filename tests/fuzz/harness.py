"""Loads one mutant and judges what happened: a Spec, one of our errors, or a defect."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from timeloop_marl.errors import TimeloopMarlError
from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.mapping_yaml import directives, read_mapping
from timeloop_marl.specs.reading import load_flat
from timeloop_marl.specs.spec import Spec

from .corpus import Case, pick
from .mutate import mutate

TIME_LIMIT_S = 20.0
MAX_MESSAGE = 4000
_FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "socket.connect",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.symlink",
    "os.link",
    "os.truncate",
    "shutil.rmtree",
    "ctypes.dlopen",
)


class HangError(BaseException):
    """The mutant took longer than allowed."""


@dataclass
class Watch:
    """Remembers forbidden actions of the process while it is on."""

    on: bool = False
    seen: list[str] = field(default_factory=list)
    process: int = field(default_factory=os.getpid)
    children: int = field(
        default_factory=lambda: os.memfd_create("fuzz")
    )  # what the children were seen to do

    def see(self, what: str) -> None:
        """Remember; templates are rendered in a child of this process."""
        if os.getpid() == self.process:
            self.seen.append(what)
        else:
            os.write(self.children, what.encode() + b"\n")

    def all(self) -> list[str]:
        """What was seen here and in the children since ``clear``."""
        text = os.pread(self.children, os.fstat(self.children).st_size, 0).decode()
        return [*self.seen, *text.splitlines()]

    def clear(self) -> None:
        """Forget."""
        self.seen.clear()
        os.ftruncate(self.children, 0)
        os.lseek(self.children, 0, os.SEEK_SET)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Audit hook."""
        if not self.on:
            return
        if event in _FORBIDDEN:
            self.see(f"{event} {arguments!r:.200}")
        elif event == "open" and len(arguments) > 1:
            mode, flags = arguments[1], arguments[2] if len(arguments) > 2 else 0
            writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
            if writes or (isinstance(flags, int) and flags & 3):
                self.see(f"open for writing {arguments!r:.200}")


_WATCH = Watch()
sys.addaudithook(_WATCH.hook)


@dataclass
class Verdict:
    """What became of one mutant. ``defect`` is empty if all is well."""

    outcome: str
    defect: str = ""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``HangError`` in the main thread after ``seconds``."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def judge(
    files: list[Path], jinja_data: dict[str, Any], program: str, seconds: float = TIME_LIMIT_S
) -> Verdict:
    """Load the files and say what happened."""
    _WATCH.clear()
    _WATCH.on = True
    try:
        with time_limit(seconds):
            spec = _read(files, jinja_data, program)
            verdict = Verdict(f"Spec with {len(spec.architecture.storage)} levels")
    except TimeloopMarlError as error:
        text = str(error)
        defect = "" if len(text) < MAX_MESSAGE else f"message of {len(text)} characters"
        verdict = Verdict(f"{type(error).__name__}: {text.splitlines()[0][-120:]}", defect)
    except HangError:
        verdict = Verdict("hang", f"no end after {seconds} s")
    except Exception as error:
        last = "".join(traceback.format_exception(error)[-4:])
        verdict = Verdict(type(error).__name__, f"{type(error).__name__}: {last}")
    finally:
        _WATCH.on = False
    if seen := _WATCH.all():
        verdict.defect += f" forbidden: {seen[:3]}"
    return verdict


def _read(files: list[Path], jinja_data: dict[str, Any], program: str) -> Spec:
    """The Spec, and for the model the mapping as well."""
    if program == "mapper":
        return load(files, jinja_data=jinja_data)
    document = load_flat(files, jinja_data=jinja_data, program=program)
    spec = read_spec(document, mapspace_constraints=False)
    mapping, _, _ = read_mapping(document.root().child("mapping"), spec)
    directives(mapping, spec)
    return spec


class Playground:
    """A temporary copy of the inputs, in which one file at a time is replaced by a mutant."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.copies: dict[Path, Path] = {}

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.folder)

    def copy_of(self, base: Path) -> Path:
        """Where the copy of a folder of inputs lies."""
        if base not in self.copies:
            target = self.folder / str(len(self.copies)) / base.name
            ignore = shutil.ignore_patterns("ref*output*", "*.xml", "data", "mapper__*")
            shutil.copytree(base, target, ignore=ignore)
            self.copies[base] = target
        return self.copies[base]

    def run(self, seed: int) -> tuple[Case, Path, bytes, Verdict]:
        """The mutant of a seed and its verdict."""
        rng = random.Random(seed)
        case, touched = pick(self.cases, rng)
        home = self.copy_of(case.base)
        file = home / touched
        original = file.read_bytes()
        mutant = mutate(original.decode(), rng)
        file.write_bytes(mutant)
        before = self._listing(home)
        try:
            verdict = judge([home / path for path in case.files], case.jinja_data, case.program)
        finally:
            file.write_bytes(original)
        if self._listing(home) != before:
            verdict.defect += " files appeared or vanished"
        return case, touched, mutant, verdict

    def _listing(self, home: Path) -> int:
        return sum(1 for _ in home.rglob("*")) if len(self.copies) < 4 else sum(1 for _ in home.iterdir())


def summary(outcomes: Counter[str], width: int = 100) -> str:
    """The outcomes, most frequent first."""
    return "\n".join(f"{count:7d}  {text[:width]}" for text, count in outcomes.most_common(25))
