"""The native cost model on a CUDA GPU; outcomes equal the CPU's to the last bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...cost.outcome import Outcome
from ...kernels.cuda.target import chosen_device, device_name
from ...specs.constraints import Switches
from ...specs.mapping import MappingBatch
from ...specs.spec import Spec
from ..native import NativeEvaluator


class CudaEvaluator(NativeEvaluator):
    """As ``NativeEvaluator``, batches on the GPU; rows that need what the GPU lacks are evaluated on the CPU.

    Attributes:
        left: how many rows these were (imperfect factors, spatial blocks without a formula), of
        seen: how many rows.

    Args:
        spec, switches, accesses, threads, precheck: as for ``NativeEvaluator``; ``threads`` of the CPU.

    Raises:
        UsageError: there is no CUDA GPU, or the extra ``gpu`` is not installed.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        switches: Switches | None = None,
        accesses: bool = False,
        threads: int = 1,
        precheck: bool = False,
    ) -> None:
        chosen_device("cuda")
        super().__init__(spec, switches=switches, accesses=accesses, threads=threads, precheck=precheck)
        from .evaluation import DeviceModel  # only now: it imports the CUDA target

        self.left = self.seen = 0
        self._device = DeviceModel(self.geometry, self.rates, precheck)

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order.

        Raises:
            MappingError: the arrays do not fit the problem and the machine.
        """
        mappings = self._check(mappings)
        outcome = self._empty(len(mappings))
        rows = self._device.evaluate(mappings, outcome)
        self.seen += len(mappings)
        self.left += len(rows)
        if len(rows):
            _scatter(super().__call__(mappings.take(rows)), outcome, rows)
        return outcome

    def warm_up(self, progress: Callable[[str], None] | None = None) -> None:
        """Compile now what the first evaluation would; for the GPU that is done anew in every process."""
        if progress is not None:
            progress(f"compiling the cost model for the {device_name()}")
        super().warm_up()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled as its arguments: workers build their own records and scratch."""
        return _rebuilt, (self.spec, self.switches, self.accesses, self.threads, self.precheck)


def _rebuilt(spec: Spec, switches: Switches, accesses: bool, threads: int, precheck: bool) -> CudaEvaluator:
    return CudaEvaluator(spec, switches=switches, accesses=accesses, threads=threads, precheck=precheck)


def _scatter(part: Outcome, whole: Outcome, rows: np.ndarray) -> None:
    """Write the outcomes of some rows to their places."""
    for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses"):
        array = getattr(whole, name)
        if array is not None:
            array[rows] = getattr(part, name)
