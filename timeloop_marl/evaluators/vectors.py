"""The cost model over vectors of mappings, made for one machine and problem: when it is used, how it is kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from threading import Lock

import numpy as np
from numpy import ndarray

from ..cost.evaluate import evaluate_batch
from ..cost.lanes import CHUNK, RUN_ARGUMENTS, fits, module_text
from ..cost.outcome import Outcome
from ..cost.rates import Rates
from ..kernels.compiling import cache_folder, sources
from ..kernels.record import boxed
from ..kernels.vectors.build import Code, available, compiled, machine_name
from ..kernels.vectors.interpret import NotStraightError
from ..specs.mapping import MappingBatch
from ..traffic.geometry import Geometry

LEAST_ROWS = 64
"""Fewest rows of a batch that are handed to vectors."""

PAYS_AFTER = 1_500_000
"""Valid rows whose evaluation the code makes up for. Tiling levels times dims times data spaces measure the size of a
design; by it, making takes 15 ms and saves 10 ns a valid row, 0.2 ns an invalid one: rows do not depend on the size."""

INVALID = 0.02
"""What an invalid row counts, in valid ones."""

LOOK = 8192
"""Rows of a batch after which the share of valid ones is taken to be known."""


class VectorModel:
    """Machine code of the cost model for one machine and problem.

    Args:
        geometry, rates: of the machine and problem.
        keep: look for the code in the cache, and put it there.

    Raises:
        NotStraightError: some part of it has no form over vectors.
    """

    def __init__(self, geometry: Geometry, rates: Rates, keep: bool = True) -> None:
        path = kept_at(geometry, rates) if keep else None
        code = None if path is None else _kept(path)
        if code is None:
            code = compiled(module_text(geometry, rates))
            if path is not None:
                _keep(path, code)
        self._code = Code(code)
        self._run = self._code.function("run")

    def __call__(self, mappings: MappingBatch, outcome: Outcome) -> ndarray:
        """Fill the outcome of a batch in the kernels' layout; returns the rows that it left out."""
        count = len(mappings)
        whole = max(0, (count - 4) // 8 * 8)  # reading may go beyond the last row
        left = np.empty(count + 8, np.int64)
        arrays = {
            "factors": mappings.factors, "residuals": mappings.residuals, "order": mappings.order,
            "split": mappings.split, "keep": mappings.keep, "cycles": outcome.cycles,
            "energy": outcome.energy_pj, "share": outcome.utilization, "failure": outcome.failure,
            "level": outcome.failed_level, "rows": np.empty(CHUNK + 8, np.int64),
            "irregular": np.empty(CHUNK + 8, np.int8), "left": left,
        }  # fmt: skip
        pointers = np.array([arrays[name].ctypes.data for name in RUN_ARGUMENTS], np.int64)
        found = self._run(pointers.ctypes.data, whole) if whole else 0
        return np.concatenate([left[:found], np.arange(whole, count)])


class VectorChoice:
    """Whether vectors are used for a batch.

    Args:
        geometry, rates: of the machine and problem.
        wanted: make the code at once (true), never (false), or when it is there or pays (``None``): as soon as the rows
            that the general model served, and those of the batch at hand, make up for making it.
    """

    def __init__(self, geometry: Geometry, rates: Rates, wanted: bool | None) -> None:
        self._design, self._wanted = (geometry, rates), wanted
        self._model: VectorModel | None = None
        self._asked = False
        self._rows, self._worth = 0, 0.0  # rows that the general model served, and what they count
        self._lock = Lock()

    def model(self, rows: int) -> VectorModel | None:
        """The model for a batch of so many rows, or ``None`` if the general one serves it."""
        if self._wanted is False or rows < LEAST_ROWS:
            return None
        with self._lock:
            if self._model is None:
                kept = not self._asked and self._wanted is None and is_kept(*self._design)
                self._asked = True
                if self._wanted or kept or self._worth + rows * self._share() >= PAYS_AFTER:
                    self._model = made(*self._design)
                    self._wanted = self._model is not None
            return self._model

    def served(self, rows: int, valid: int) -> None:
        """The general model served so many rows of a batch that vectors could have had."""
        with self._lock:
            self._rows += rows
            self._worth += valid + INVALID * (rows - valid)

    def _share(self) -> float:
        """What a row counts, by those seen so far."""
        return self._worth / self._rows if self._rows else 0.0


def is_kept(geometry: Geometry, rates: Rates) -> bool:
    """Whether the code for them lies in the cache."""
    path = kept_at(geometry, rates)
    return path is not None and path.exists()


def kept_at(geometry: Geometry, rates: Rates) -> Path | None:
    """Where the code for them lies; ``None`` without a folder that can be written to."""
    folder = cache_folder(evaluate_batch)
    if folder is None:
        return None
    digest = hashlib.sha256(np.asarray(boxed(geometry)).tobytes() + np.asarray(boxed(rates)).tobytes())
    digest.update(repr((sources("vectors"), machine_name())).encode())
    return folder / f"vectors-{digest.hexdigest()[:32]}.o"


def _kept(path: Path) -> bytes | None:
    """Code in a file; ``None`` if there is none, or not the whole of it."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(path: Path, code: bytes) -> None:
    """Write whole or not at all; a full disk is no reason to stop."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(hashlib.sha256(code).digest() + code)
        part.replace(path)


def made(geometry: Geometry, rates: Rates, keep: bool = True) -> VectorModel | None:
    """The model over vectors, or ``None`` if there is none for them."""
    if not available() or not fits(geometry, rates):
        return None
    try:
        return VectorModel(geometry, rates, keep)
    except NotStraightError:
        return None
