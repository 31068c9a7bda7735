"""Searches of a benchmark: what is asked for, which code proposed it, what is recorded, and which make up a plan.

Runs are kept on disk, one JSON line each: nothing is run twice, and an interrupted benchmark goes on where it was. A
record serves every shorter budget as well, because a searcher does not know its budget. A record whose searcher's code
has changed since is not used, unless ``verify`` finds that one run of the searcher begins as it did.
"""

from __future__ import annotations

import ast
import dataclasses
import gzip
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from pairs import ROOT, SETS, read

import timeloop_marl
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.searchers.base import Searcher, Space
from timeloop_marl.searchers.registry import all_searchers, make_searcher
from timeloop_marl.validation.comparison.runs import Limit, run_timeloop

PACKAGE = Path(timeloop_marl.__file__).parent
ROOMS = ("searchers", "mapspace", "envs")  # the cost model is exact, so it cannot change


@cache
def fingerprint(module: str) -> str:
    """Hash of the module and of all that it imports within ``ROOMS``.

    Args:
        module: dotted name, as in ``type(searcher).__module__``.
    """
    waiting, found = [_file(module.split(".")[1:])], set[Path]()
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found:
            found.add(path)
            waiting += list(_imports(path))
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(_code(path).encode())
    return digest.hexdigest()[:16]


def _file(parts: list[str]) -> Path | None:
    if not parts or parts[0] not in ROOMS or parts[-1] == "registry":
        return None
    stem = PACKAGE.joinpath(*parts)
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.exists():
            return path
    return None


def _imports(path: Path) -> Iterator[Path | None]:
    package = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".") * bool(
                node.module
            )
            yield _file(base)
            for name in node.names:
                yield _file([*base, name.name])


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


TUNED = Path(__file__).parent / "tuned.json"
PREFIX = "timeloop-"
_WARM = 32
_REMEMBERED = 2_000_000  # rows; beyond, repetitions are undercounted
Run = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """A search to be done. ``searcher``: ``name``, ``name:option=value,…``, with ``@tuned`` at the end or not."""

    pair: str
    searcher: str
    seed: int
    samples: int
    objective: str = "edp"

    @property
    def seeded(self) -> Task:
        """The same, with seed 0 where seeds change nothing."""
        return dataclasses.replace(self, seed=0) if self.searcher.startswith(PREFIX) else self


def options_of(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of ``name:option=value,…``; ``…@tuned`` adds those that the tuning protocol chose."""
    head = text.removesuffix("@tuned")
    name, _, rest = head.partition(":")
    options = dict(part.split("=", 1) for part in rest.split(",") if part)
    if head != text:
        options |= json.loads(TUNED.read_text())["chosen"][head]["options"]
    return name, options


def identity(task: Task) -> str:
    """Equal for tasks whose searches are equal but for their length: pair, objective, seed, all options."""
    name, options = options_of(task.searcher)
    chosen = {key: str(value) for key, value in {**all_searchers()[name].options, **options}.items()}
    return json.dumps([task.pair, task.objective, task.seeded.seed, name, dict(sorted(chosen.items()))])


class Watched(Searcher):
    """A searcher, its processor time, and how many of its rows it had proposed before."""

    def __init__(self, searcher: Searcher) -> None:
        self.inner, self.space, self.batch = searcher, searcher.space, searcher.batch
        self.repeated, self.seconds = 0, 0.0
        self._seen: set[bytes] = set()

    def _propose(self, n: int) -> Int64[ndarray, "m axes"]:
        start = time.process_time()
        rows = self.inner.ask(n)
        self.seconds += time.process_time() - start
        for key in _keys(self.space, rows):
            self.repeated += key in self._seen
            if len(self._seen) < _REMEMBERED:
                self._seen.add(key)
        return rows

    def _observe(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        start = time.process_time()
        self.inner.tell(candidates, outcome)
        self.seconds += time.process_time() - start


def _keys(space: Space, rows: Int64[ndarray, "m axes"]) -> list[bytes]:
    keys = getattr(space, "keys", None)
    return list(keys(rows)) if keys is not None else [row.tobytes() for row in np.ascontiguousarray(rows)]


def run(task: Task) -> Run:
    """The record of one search: trajectory of improvements (samples, cost), counts, processor time of one core."""
    name, _ = options_of(task.searcher)
    found = _timeloop(task, name) if name.startswith(PREFIX) else _ours(task)
    return {"identity": identity(task), "code": code_of(task), "budget": task.samples, **found}


def code_of(task: Task) -> str:
    """The fingerprint of the code of the task's searcher."""
    name, options = options_of(task.searcher)
    spec = read(task.pair)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    return fingerprint(type(make_searcher(name, spec, 0, objective, options)).__module__)


def _ours(task: Task) -> Run:
    spec, (name, options) = read(task.pair), options_of(task.searcher)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    # The first samples compile or load kernels: on a searcher that is thrown away.
    warm = make_searcher(name, spec, task.seed, objective, options)
    search(warm.space, warm, evaluator, objective, Budget(samples=_WARM))
    searcher = make_searcher(name, spec, task.seed, objective, options)
    watched = Watched(searcher)
    start, begun = time.process_time(), time.perf_counter()
    result = search(searcher.space, watched, evaluator, objective, Budget(samples=task.samples))
    spent, wall = time.process_time() - start, time.perf_counter() - begun
    return {
        "samples": result.samples,
        "valid": result.valid,
        "repeated": watched.repeated,
        "ended": result.reason.value,
        "seconds": round(spent, 4),
        "searcher_seconds": round(watched.seconds, 4),
        "wall_seconds": round(wall, 4),
        "trajectory": [(step.samples, step.cost) for step in result.trajectory],
    }


def _timeloop(task: Task, name: str) -> Run:
    """Timeloop's mappers draw most mappings in vain before anything is evaluated; they count all of them."""
    spec = read(task.pair)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    algorithm = name.removeprefix(PREFIX).replace("-", "_")
    start = time.process_time()
    course = run_timeloop(spec, algorithm, objective, Limit(samples=task.samples))
    spent = time.process_time() - start
    return {
        "samples": course.samples,
        "valid": course.valid,
        "repeated": 0,
        "ended": course.ended,
        "seconds": round(spent, 4),
        "searcher_seconds": 0.0,
        "wall_seconds": round(course.seconds, 4),
        "trajectory": [(point.samples, point.cost) for point in course.points],
    }


def first_within(entry: Mapping[str, Any], cost: float) -> float:
    """The first sample that costs no more; infinite if there is none."""
    return next((float(n) for n, reached in entry["trajectory"] if reached <= cost), np.inf)


def cost_after(entry: Mapping[str, Any], samples: int) -> float:
    """The best cost after so many samples; infinite if nothing was valid."""
    return min((cost for n, cost in entry["trajectory"] if n <= samples), default=np.inf)


OURS = "marl"
COMMON = "single-agent:form=penalised"  # single-agent RL as commonly set up, with our tables
COMMON_TUNED = "single-agent:form=penalised@tuned"
COMMON_LIBRARY = "sb3-ppo:form=one-step,infeasible=penalise,memory=false"  # the same by Stable-Baselines3
PENALISED = (COMMON, COMMON_TUNED, COMMON_LIBRARY)
SINGLE = ("single-agent@tuned", "sb3-maskable-ppo@tuned", "sb3-ppo@tuned", "sb3-a2c@tuned")
OTHERS = (
    "genetic@tuned",
    "cma-es@tuned",
    "optuna-tpe@tuned",
    "cross-entropy@tuned",
    "annealing@tuned",
    "random",
)
PAPER = ("marl-paper", "marl-paper@tuned")
TIMELOOP = ("timeloop-random", "timeloop-random-pruned", "timeloop-linear-pruned", "timeloop-hybrid")
_COMPARED = (OURS, COMMON_TUNED, "single-agent@tuned", "genetic@tuned", "cross-entropy@tuned")


@dataclass(frozen=True)
class Part:
    """Some searchers on some pairs."""

    searchers: Sequence[str]
    seeds: int
    samples: int
    objective: str = "edp"
    pairs: Sequence[str] = SETS["reported"]

    def tasks(self) -> Iterator[Task]:
        """Seed by seed, so that an interrupted run has all pairs; Timeloop's mappers know no seeds."""
        for seed in range(self.seeds):
            for pair in self.pairs:
                for searcher in self.searchers:
                    if seed == 0 or not searcher.startswith("timeloop-"):
                        yield Task(pair, searcher, seed, self.samples, self.objective)


_LENGTHY = ("genetic", "cma-es@tuned", "annealing@tuned", COMMON, *PAPER)
# Fewer seeds and samples for what takes milliseconds a sample.
_OF_BASELINES = (
    Part(TIMELOOP, 1, 100_000),
    Part((*_COMPARED[1:], "random"), 10, 10_000),
    Part((*_COMPARED[1:], "random", "annealing@tuned"), 1, 100_000),
    Part(_LENGTHY, 3, 10_000),
    Part(("sb3-maskable-ppo@tuned", "sb3-ppo@tuned", "sb3-a2c@tuned", "optuna-tpe@tuned"), 3, 1000),
    Part((COMMON_LIBRARY,), 2, 1000),
    *(Part(_COMPARED[1:], 3, 3000, objective) for objective in ("energy", "delay")),
)
_OF_OURS = (
    Part((OURS,), 10, 1000),
    Part((OURS,), 3, 10_000),
    Part(("marl:critic=false",), 3, 3000),
    *(Part((OURS,), 5, 1000, objective) for objective in ("energy", "delay")),
)
_LONG = ("timeloop-random-pruned", "cross-entropy@tuned", "genetic@tuned")
_BEST_KNOWN = tuple(
    Part(_LONG, 1, 10_000_000, objective, (*SETS["reported"], *SETS["tuning"]))
    for objective in ("edp", "energy", "delay")
)
PLANS = {
    "quick": (Part((OURS, "single-agent", "genetic", "cross-entropy", "random"), 3, 1000),),
    "baselines": _OF_BASELINES,
    "ours": _OF_OURS,
    "best-known": _BEST_KNOWN,  # with --update-best
    "results": (*_OF_BASELINES, *_OF_OURS),
}


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
