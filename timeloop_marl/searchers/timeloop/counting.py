"""Counters, termination, comparison: the account that Timeloop keeps of a thread (mapspace section 3)."""

from __future__ import annotations

from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...kernels.compiling import inlined, kernel
from .cursor import Block, Count, Last, Ledger, Rule

TOLERANCE = 0.001


@inlined
def is_over(rules: Int64[ndarray, "10"], counts: Int64[ndarray, "8"]) -> bool:
    """Whether a termination condition holds before the next sample (exhaustion of nested orders apart)."""
    if counts[Count.VALID] >= rules[Rule.SEARCH_SIZE] or counts[Count.SUBOPTIMAL] >= rules[Rule.VICTORY]:
        return True
    invalid = counts[Count.FANOUT] + counts[Count.CAPACITY]
    if invalid > 0 and invalid >= rules[Rule.TIMEOUT]:
        return True
    return counts[Count.VALID] >= rules[Rule.VALID_LIMIT]


@inlined
def count_sample(
    counts: Int64[ndarray, "8"], rules: Int64[ndarray, "10"], same: bool, kind: int, improved: bool
) -> None:
    """Count one sample. ``kind``: 0 valid, 1 construction failure, 2 failed in pre-check or evaluation."""
    exempt = same and counts[Count.TOTAL] > 1 and rules[Rule.PENALIZE] == 0
    counts[Count.TOTAL] += 1
    if kind == 1:
        counts[Count.FANOUT] += 1
        counts[Count.ALL_FANOUT] += 1
    elif kind == 2:
        counts[Count.ALL_CAPACITY] += 1
        if not exempt:
            counts[Count.CAPACITY] += 1
    else:
        counts[Count.VALID] += 1
        counts[Count.FANOUT] = 0
        counts[Count.CAPACITY] = 0
        if improved:
            counts[Count.SUBOPTIMAL] = 0
            counts[Count.HAS_BEST] = 1
        elif not exempt:
            counts[Count.SUBOPTIMAL] += 1


@inlined
def relative_gain(candidate: float, incumbent: float) -> float:
    """How much lower the candidate is, relative to the incumbent."""
    if incumbent == 0.0:
        return 0.0 if candidate == 0.0 else (incumbent - candidate) / candidate
    return (incumbent - candidate) / incumbent


@kernel
def is_better(candidate: Float64[ndarray, "K"], incumbent: Float64[ndarray, "K"]) -> bool:
    """Timeloop's comparison of costs: the first metric beyond the tolerance decides, else the sign of the first."""
    for k in range(candidate.shape[0]):
        gain = relative_gain(candidate[k], incumbent[k])
        if abs(gain) > TOLERANCE:
            return gain > 0.0
    return relative_gain(candidate[0], incumbent[0]) > 0.0


@kernel
def account(
    rules: Int64[ndarray, "10"],
    counts: Int64[ndarray, "8"],
    group_failures: Int64[ndarray, "1"],
    block: Block,
    samples: int,
    failed: Bool[ndarray, "R"],
    costs: Float64[ndarray, "R K"],
    ledger: Ledger,
) -> tuple[int, int, int, bool]:
    """Count a block with its true outcomes; returns (samples, rows and valid ones counted, prediction held).

    Ends early before a sample at which the thread terminates, and after a group that was skipped, or not, against the
    prediction. ``group_failures``: failed bypass ids of the group that is under way.
    """
    row, valid = 0, 0
    for n in range(samples):
        if is_over(rules, counts):
            return n, row, valid, True
        kind = 1
        improved = False
        if block.construction[n] < 0:
            kind = 2 if failed[row] else 0
            if kind == 0:
                invalid = counts[Count.FANOUT] + counts[Count.CAPACITY]
                improved = counts[Count.HAS_BEST] == 0 or is_better(costs[row], ledger.best)
                if improved:
                    for metric in range(costs.shape[1]):
                        ledger.best[metric] = costs[row, metric]
                ledger.row[valid] = row
                ledger.total[valid] = counts[Count.TOTAL] + 1
                ledger.invalid_since[valid] = invalid
                ledger.suboptimal_since[valid] = counts[Count.SUBOPTIMAL]
                ledger.improved[valid] = improved
                valid += 1
            else:
                group_failures[0] += 1
            row += 1
        count_sample(counts, rules, block.same[n], kind, improved)
        if block.last[n] != Last.NO:
            skipped = group_failures[0] == rules[Rule.BYPASS_SIZE]
            group_failures[0] = 0
            if skipped != (block.last[n] == Last.SKIP):
                return n + 1, row, valid, False
    return samples, row, valid, True
