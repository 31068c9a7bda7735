"""Which evaluator a command uses: the native model, or the real timeloop-model with its workers and its cache."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cost.outcome import Rejection, Statistics
from ..errors import UsageError
from ..kernels.cuda.target import DEVICES
from ..kernels.cuda.target import chosen_device as chosen_device
from ..parallel.engine import Engine
from ..parallel.workers import Workers, number
from ..specs.constraints import Constraints
from ..specs.fingerprint import spec_fingerprint
from ..specs.mapper import MapperOptions
from ..specs.mapping import Mapping as LoopNest
from ..specs.spec import Spec
from .base import Evaluator
from .cache import CachedEvaluator, OutcomeCache
from .counting import counting
from .native import NativeEvaluator
from .timeloop import MODEL, OnCrash, TimeloopEvaluator, find_route
from .timeloop.figures import Measured
from .wrappers import AheadEvaluator, ParallelEvaluator

KINDS = ("native", "timeloop")
LARGEST_BATCH = 64
"""Mappings evaluated between two looks at the clock and the trace when each takes a program run."""


@dataclass(frozen=True)
class EvaluatorChoice:
    """How mappings are evaluated.

    Attributes:
        kind: ``native`` or ``timeloop``.
        jobs: evaluations at the same time; below 0 as in joblib. The result does not depend on it.
        backend: where calls of the program run: ``threading`` here, or ``loky``, ``dask``, ``ray``.
        scheduler: address of a running cluster, for the last two.
        program: name or file of timeloop-model.
        seconds: time limit of one call of it.
        on_crash: ``stop`` or ``skip`` when a call crashes or hangs.
        cache: file of evaluated mappings, shared by all runs; ``None`` = none.
        device: where the native model runs: ``cpu``, ``cuda`` (a GPU), ``auto``. The result does not depend on it.
    """

    kind: str = "native"
    jobs: int = 1
    backend: str = "threading"
    scheduler: str | None = None
    program: str = MODEL
    seconds: float | None = 60.0
    on_crash: str = OnCrash.STOP.value
    cache: Path | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown evaluator {self.kind!r}: expected {' or '.join(KINDS)}")
        if self.on_crash not in [entry.value for entry in OnCrash]:
            raise UsageError(f"on_crash: expected stop or skip, got {self.on_crash!r}")
        if self.device not in DEVICES:
            raise UsageError(f"unknown device {self.device!r}: expected {', '.join(DEVICES)}")
        if self.device == "cuda" and self.kind == "timeloop":
            raise UsageError("device cuda: only the native model runs there, timeloop-model does not")
        _ = self.engine

    @property
    def engine(self) -> Engine:
        """Where calls of the program run."""
        return Engine(self.jobs, self.backend, self.scheduler)

    @property
    def largest_batch(self) -> int | None:
        """Most mappings to ask for at once; the same for any number of jobs, so that they change nothing."""
        return LARGEST_BATCH if self.kind == "timeloop" else None


def default_cache() -> Path:
    """The file of evaluated mappings: ``TIMELOOP_MARL_CACHE``, or one in the user's cache folder."""
    given = os.environ.get("TIMELOOP_MARL_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "timeloop-marl" / "outcomes.sqlite"


def fitting_choice(spec: Spec, choice: EvaluatorChoice) -> EvaluatorChoice:
    """The choice itself, or the real Timeloop where the native model does not cover the design.

    Raises:
        UnsupportedFeatureError: it does not, and there is neither timeloop-model nor pytimeloop.
    """
    if spec.beyond is None or choice.kind == "timeloop":
        return choice
    try:
        find_route(choice.program)
    except UsageError as error:
        raise spec.beyond.error(
            "are outside the native model, and there is no real Timeloop to evaluate them",
            expected=f"{MODEL} on the path (or named by --timeloop-model), or pytimeloop installed",
            remedy="run the same command in the Docker image, which has them: docker run --rm "
            '--user "$(id -u):$(id -g)" -v "$PWD:/data" timeloop-marl search /data/FILES -o /data/out (docs/docker.md)',
        ) from error
    return dataclasses.replace(choice, kind="timeloop")


def make_evaluator(
    spec: Spec,
    choice: EvaluatorChoice,
    *,
    accesses: bool = False,
    precheck: bool = False,
    threads: int = 1,
    workers: Workers | None = None,
    on_compile: Callable[[str], None] | None = None,
) -> Evaluator:
    """The evaluator, ready to run: the real Timeloop for a design outside the native model, whatever was chosen.

    Args:
        accesses: also fill ``Outcome.accesses``.
        precheck: as the mapper does (``NativeEvaluator``).
        threads: threads of the native model.
        workers: where the program is called; none = ``choice.jobs`` threads.
        on_compile: told in one line when the native model is compiled first.

    Raises:
        UsageError: there is no timeloop-model, no GPU where ``cuda`` was chosen, or the cache cannot be used.
        UnsupportedFeatureError: there is none, and the native model does not cover the design.
    """
    choice = fitting_choice(spec, choice)
    if choice.kind == "native":
        native = native_evaluator(
            spec,
            choice.device,
            accesses=accesses,
            threads=max(threads, number(choice.jobs)),
            precheck=precheck,
        )
        native.warm_up(on_compile)
        return counting(native, spec)
    real: Evaluator = timeloop_evaluator(spec, choice, accesses=accesses)
    if choice.cache is not None:
        identity = timeloop_identity(spec, real.name if accesses else f"{real.name} lean", real)
        real = CachedEvaluator(real, OutcomeCache(choice.cache), identity)
    real = counting(real, spec)
    workers = workers or Workers(choice.jobs, "threading")
    if workers.here:
        return real
    if workers.backend == "threading":
        return AheadEvaluator(real, workers.jobs)
    return ParallelEvaluator(real, workers)


def predictor(
    spec: Spec, *, accesses: bool = False, on_compile: Callable[[str], None] | None = None
) -> Callable[[], Evaluator] | None:
    """Makes the native model, which says what the real Timeloop will say; ``None`` for a design it does not cover."""
    if spec.beyond is not None:
        return None

    def make() -> Evaluator:
        native = NativeEvaluator(spec, accesses=accesses)
        native.warm_up(on_compile)
        return counting(native, spec)

    return make


def native_evaluator(
    spec: Spec, device: str = "cpu", *, accesses: bool = False, threads: int = 1, precheck: bool = False
) -> NativeEvaluator:
    """The native model on the CPU or a GPU; arguments and errors as for ``make_evaluator``."""
    if device == "cuda":
        spec.require_dense("evaluations on a GPU")
    if spec.sparsity is not None or chosen_device(device) == "cpu":
        return NativeEvaluator(spec, accesses=accesses, threads=threads, precheck=precheck)
    from .gpu.evaluator import CudaEvaluator  # it imports the CUDA target

    return CudaEvaluator(spec, accesses=accesses, threads=threads, precheck=precheck)


@dataclass(frozen=True)
class Judged:
    """All figures of mappings that were found.

    Attributes:
        name: of the evaluator, with the precision of its energies.
        statistics: one entry per mapping.
        texts: the real program's own output files, by the end of their names, where only it covers the design.
    """

    name: str
    statistics: tuple[Statistics, ...]
    texts: tuple[Mapping[str, str], ...] = ()


def judged(spec: Spec, choice: EvaluatorChoice, evaluator: Evaluator, mappings: Sequence[LoopNest]) -> Judged:
    """Every figure of mappings that ``evaluator``, made by ``choice``, has found valid."""
    if fitting_choice(spec, choice).kind == "native":
        found = [evaluator.statistics(mapping) for mapping in mappings]
        return Judged(evaluator.name, tuple(valid(one) for one in found))
    program = timeloop_evaluator(spec, choice)
    measured = [_valid_measure(program.measure(mapping)) for mapping in mappings]
    digits = (
        "doubles in full"
        if all(one.full for one in measured)
        else "doubles of its parts as printed, two decimals"
    )
    texts = tuple(one.texts for one in measured) if spec.beyond else ()
    return Judged(f"{evaluator.name}, {digits}", tuple(one.statistics for one in measured), texts)


def valid(statistics: Statistics | Rejection) -> Statistics:
    """Figures of a mapping that an evaluator has counted as valid."""
    if isinstance(statistics, Rejection):
        raise AssertionError(f"a mapping counted as valid is rejected: {statistics.message}")
    return statistics


def _valid_measure(found: Measured | Rejection) -> Measured:
    if isinstance(found, Rejection):
        raise AssertionError(f"a mapping counted as valid is rejected: {found.message}")
    return found


def timeloop_evaluator(spec: Spec, choice: EvaluatorChoice, *, accesses: bool = False) -> TimeloopEvaluator:
    """The bare program as an evaluator, whatever ``choice.kind`` says."""
    return TimeloopEvaluator(
        spec,
        program=choice.program,
        accesses=accesses,
        seconds=choice.seconds,
        on_crash=OnCrash(choice.on_crash),
    )


def timeloop_identity(spec: Spec, what: str, evaluator: object) -> str:
    """What the outcomes of the real program depend on beside the mapping: all of the input, and the program itself."""
    switches = Constraints(switches=spec.constraints.switches)
    costs = dataclasses.replace(spec, constraints=switches, mapper=MapperOptions())
    program = evaluator.program.fingerprint if isinstance(evaluator, TimeloopEvaluator) else ""
    return hashlib.sha256(f"{spec_fingerprint(costs)} {what} {program}".encode()).hexdigest()
