"""Runs on disk, one JSON line each: nothing is run twice, and an interrupted benchmark goes on where it was.

A record serves every shorter budget as well, because a searcher does not know its budget. A record whose searcher's
code has changed since is not used, unless ``verify`` finds that one run of the searcher begins as it did.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from pairs import ROOT
from running import Run, Task, code_of, identity, options_of, run

RECORDED = Path(__file__).parent / "recorded.jsonl.gz"  # the runs behind docs/results.md
WORKING = ROOT / "out" / "benchmarks" / "runs.jsonl"
_BEGINNING = 1000  # samples that a run has to share with its record
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Records:
    """All runs of a file and of the recorded ones; ``missing`` says what is to be run, ``do`` runs it."""

    def __init__(self, path: Path = WORKING, *, any_code: bool = False) -> None:
        self.path, self.any_code = path, any_code
        self._known: dict[str, list[Run]] = {}
        self._codes: dict[str, str] = {}
        for entry in _read(RECORDED, path):
            self._known.setdefault(entry["identity"], []).append(entry)

    def find(self, task: Task) -> Run | None:
        """A run of the task, or of the same search with a larger budget."""
        fits = [entry for entry in self._known.get(identity(task), []) if self._fits(entry, task)]
        return fits[-1] if fits else None

    def _fits(self, entry: Run, task: Task) -> bool:
        long_enough = entry["budget"] >= task.samples or entry["samples"] < entry["budget"]
        return long_enough and (self.any_code or entry["code"] == self.code(task))

    def code(self, task: Task) -> str:
        """The fingerprint of the searcher's code of today."""
        name, _ = options_of(task.searcher)
        if name not in self._codes:
            self._codes[name] = code_of(task)
        return self._codes[name]

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Those that have to be run, each once."""
        wanted = {identity(task): task.seeded for task in tasks if self.find(task) is None}
        return list(wanted.values())

    def add(self, entry: Run) -> None:
        """Remember a run, on disk first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self._known.setdefault(entry["identity"], []).append(entry)

    def do(self, tasks: Sequence[Task], jobs: int = 1) -> list[Run]:
        """The runs of the tasks, in their order; what is missing is run in ``jobs`` processes of one thread each."""
        todo = self.missing(tasks)
        for done, entry in enumerate(_run_all(todo, jobs), 1):
            self.add(entry)
            if done % 20 == 0 or done == len(todo):
                print(f"{done} of {len(todo)} runs", flush=True)
        return [found for task in tasks if (found := self.find(task)) is not None]

    def verify(self, tasks: Sequence[Task]) -> None:
        """Adopt records of older code, searcher by searcher, if the beginning of one of them runs as recorded."""
        for name in {task.searcher: task for task in tasks}:
            stale = [(task, e) for task in tasks if task.searcher == name for e in self._stale(task)]
            if not stale:
                continue
            task, recorded = stale[0]
            now = run(replace(task.seeded, samples=min(task.samples, _BEGINNING)))
            before = [tuple(step) for step in recorded["trajectory"] if step[0] <= now["samples"]]
            same = before == now["trajectory"]
            print(f"{name}: {f'{len(stale)} runs as recorded' if same else 'CHANGED'}", flush=True)
            for entry in (entry for _, entry in stale if same):
                self.add({**entry, "code": now["code"]})

    def _stale(self, task: Task) -> list[Run]:
        if self.find(task) is not None:
            return []
        return [e for e in self._known.get(identity(task), []) if e["budget"] >= task.samples][-1:]


def _read(*paths: Path) -> Iterator[Run]:
    for path in paths:
        if path.exists():
            whole = path.read_bytes()
            text = gzip.decompress(whole) if path.suffix == ".gz" else whole
            # A line without its end was cut off by a kill.
            yield from (json.loads(line) for line in text.decode().splitlines(True) if line.endswith("\n"))


def write_recorded(entries: Iterable[Run], path: Path = RECORDED) -> None:
    """Keep these runs for good, beside those of other searches that are kept already."""
    kept = {entry["identity"]: entry for entry in [*_read(path), *entries]}
    text = "".join(json.dumps(kept[name]) + "\n" for name in sorted(kept))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _run_all(tasks: Sequence[Task], jobs: int) -> Iterator[Run]:
    if not tasks:
        return
    # Before the workers import numpy: times are those of one core.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(run, task) for task in tasks]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()
