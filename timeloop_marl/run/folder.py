"""The folder of one run: manifest, inputs as understood, trace, results. Nothing is written outside it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from ..errors import UsageError
from ..parallel.versions import versions
from .schema import Schema, fitted, read_map

MANIFEST = "run.json"
INPUTS = "inputs.yaml"
TRACE = "trace.bin"
AGENTS = "agents.json"
SUMMARY = "summary.json"
LOCK = ".lock"
MANIFEST_VERSION = 1
_REMAINS = (
    MANIFEST, TRACE, AGENTS, SUMMARY, "log.jsonl", "knowledge.npz", "taught.npz", "learnt.npz", "frontier.npz",
    "network.json", "sweep.json", "front.json", "layers", "points", "front",
)  # fmt: skip


def opened(path: Path, flags: int) -> BinaryIO:
    """A file opened where it lies: a link in its place, which may lead anywhere, is an error."""
    return os.fdopen(os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "rb", buffering=0)


class Arguments(TypedDict, total=False):
    """What a command was given, as ``--resume`` takes it: those of all commands."""

    files: list[str]
    values: list[str]
    rules: str
    searcher: str | None
    objective: str | None
    samples: int | None
    valid_samples: int | None
    seconds: float | None
    target: float | None
    stagnation: int | None
    seed: int | None
    option: list[str]
    top: int
    pareto: bool
    figures: str | None
    knowledge: str | None
    transfer: bool
    share: bool
    paired: bool


class Manifest(TypedDict, total=False):
    """``run.json``. ``layers`` of a network and ``points`` of a sweep: by name, with their fingerprints."""

    kind: str
    arguments: Arguments
    created: str
    versions: dict[str, str]
    network: str
    layers: dict[str, str]
    points: dict[str, str]
    teachers: dict[str, list[str]]


class RunFolder:
    """A directory that holds everything about one search. Files appear whole or not at all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def trace(self) -> Path:
        """Every evaluated sample, in order (``timeloop_marl.run.trace``)."""
        return self.path / TRACE

    @property
    def inputs(self) -> Path:
        """The input as understood: one flat document that timeloop-model and timeloop-mapper accept, too."""
        return self.path / INPUTS

    @property
    def started(self) -> bool:
        """Whether a run has been recorded here."""
        return (self.path / MANIFEST).exists()

    def create(self) -> None:
        """Make the folder, with one clear error if that is not possible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(
                f"{self.path}: cannot make the output folder: a file is in its place; choose another with -o"
            ) from None
        except OSError as error:
            raise UsageError(f"{self.path}: cannot make the output folder: {error.strerror}") from error

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file atomically; a reader never sees half of it, also after kill -9 or on a full disk."""
        target = self.path / name
        data = content.encode() if isinstance(content, str) else content
        try:
            handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fchmod(handle, 0o644)
                    os.fsync(
                        handle
                    )  # before the name is: else a power cut may leave an empty file of that name
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UsageError(f"{target}: cannot write: {error.strerror}") from error
        return target

    def clear(self) -> None:
        """Remove what a new run here would go on from, or would leave beside its own results; nothing else."""
        try:
            for path in (*(self.path / name for name in _REMAINS), *self.path.glob("timeloop-mapper.*")):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot remove: {error.strerror}") from error

    @property
    def busy(self) -> bool:
        """Whether some process holds the folder now."""
        import fcntl

        try:
            with opened(self.path / LOCK, os.O_RDONLY | os.O_NONBLOCK) as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError as error:
            return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
        return False

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Record what is run: kind, arguments, versions, and when that was first done."""
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        if self.started:
            created = str(self.read_manifest().get("created", created))
        record = {"manifest_version": MANIFEST_VERSION, **content, "created": created, "versions": versions()}
        self.write(MANIFEST, json.dumps(record, indent=2) + "\n")

    def read_manifest(self) -> dict[str, Any]:
        """What was recorded; ``UsageError`` if there is no run here or the file is damaged."""
        file = self.path / MANIFEST
        record = read_map(file, "missing: there is no run in this folder")
        if record.get("manifest_version") != MANIFEST_VERSION:
            raise UsageError(f"{file}: not a manifest of this version of timeloop-marl")
        return dict(fitted(file, record, Manifest))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: a second process that wants to write here gets a clear error instead of a mixed trace."""
        import fcntl

        try:
            stream = opened(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot write into this folder: {error.strerror}") from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"{self.path}: another run is writing here; choose another -o folder"
                ) from None
            yield


def read_result(path: str | Path, file: str, command: str, version: int, schema: type[Schema]) -> Schema:
    """What a command has written as JSON, without ``schema`` and ``version``.

    Args:
        path: the file, or its folder, where it is called ``file``.
        command: whose result it is.
        schema: what is in it.

    Raises:
        UsageError: there is none, it is damaged, or of another version.
    """
    found = Path(path) / file if Path(path).is_dir() else Path(path)
    data = read_map(found, f"no such file: not a finished run of 'timeloop-marl {command}'")
    if data.pop("schema", None) != f"timeloop-marl/{command}":
        raise UsageError(f"{found}: not the result of 'timeloop-marl {command}'")
    if (form := data.pop("version", None)) != version:
        raise UsageError(f"{found}: written in form {form}, this version of timeloop-marl reads {version}")
    return fitted(found, data, schema)
