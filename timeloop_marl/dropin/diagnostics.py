"""The block that option ``diagnostics`` of timeloop-mapper adds to its stdout (mapspace section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ..report.maps import nest_text, nominal_contents
from ..searchers.timeloop.events import FailClass, FailureStatistic
from ..specs.spec import Spec

_DOUBLE, _SINGLE = "=" * 47 + "\n", "-" * 47 + "\n"
_BEGIN, _END = f"{'':15}BEGIN DIAGNOSTICS{'':15}", f"{'':17}END DIAGNOSTICS{'':15}"
_TITLES = {FailClass.FANOUT: "Fanout", FailClass.CAPACITY: "Capacity"}


def diagnostics_block(spec: Spec, failures: Sequence[FailureStatistic]) -> str:
    """Failures by class and level, each with a mapping that failed so and the reason."""
    text = f"\n{_DOUBLE}{_BEGIN}\n{_SINGLE}"
    for fail_class, group in groupby(failures, key=lambda failure: failure.fail_class):
        text += f"Fail class: {_TITLES[fail_class]}\n\n"
        text += "".join(_level(spec, failure) for failure in group)
    return text + f"{_SINGLE}{_END}\n{_DOUBLE}"


def _level(spec: Spec, failure: FailureStatistic) -> str:
    nest = nest_text(spec, failure.sample, nominal_contents(spec, failure.sample), indent=" " * 6)
    return (
        f"  Level: {failure.level_name}\n"
        f"    Fail count: {failure.count}\n"
        "    Sample mapping that experienced this fail class:\n"
        f"{nest}"
        f"    Fail reason: {failure.reason}\n\n"
    )
