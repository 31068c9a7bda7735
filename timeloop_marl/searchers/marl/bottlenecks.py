"""What limits the cycles: widths of the paths into and out of storage levels, inferred from samples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_SLOWER = 1.001  # beyond this factor of the temporal iterations something else must have set the pace
_CLOSE = 0.02  # relative error within which a path explains a sample


class Bottlenecks:
    """Cycles = the largest of the temporal iterations and, for some paths, the words per instance over a width.

    A path that carried q words in a run of c cycles is at least q / c words a cycle wide. The width of each path is
    taken as the largest of these bounds; which paths limit at all is found by explaining the samples that took longer
    than their iterations: the path that explains most of them first.
    """

    def __init__(self) -> None:
        self.paths: list[int] = []
        self.delay: Float64[ndarray, "paths"] = np.zeros(0)  # cycles per word

    def fit(
        self, flows: Float64[ndarray, "n paths"], steps: Float64[ndarray, "n"], cycles: Float64[ndarray, "n"]
    ) -> None:
        """Infer from n samples; ``steps`` are natural logarithms, ``cycles`` are not."""
        self.paths, self.delay = [], np.zeros(0)
        slow = cycles > np.exp(steps) * _SLOWER
        if not slow.any():
            return
        ratio = np.divide(cycles[:, None], flows, out=np.full(flows.shape, np.inf), where=flows > 0)
        delay = ratio.min(axis=0)
        explained = np.isfinite(delay) & (ratio[slow] <= delay * (1.0 + _CLOSE))
        while explained.size and explained.any():
            best = int(np.argmax(explained.sum(axis=0)))
            self.paths.append(best)
            explained = explained[~explained[:, best]]
        self.delay = delay[self.paths]

    def log_cycles(
        self, flows: Float64[ndarray, "m paths"], steps: Float64[ndarray, "m"]
    ) -> Float64[ndarray, "m"]:
        """Natural logarithms of the cycles of m mappings."""
        longest = steps
        for path, delay in zip(self.paths, self.delay):
            with np.errstate(divide="ignore"):
                longest = np.maximum(longest, np.log(flows[:, path] * delay))
        return longest
