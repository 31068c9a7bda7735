"""A recorded stats.txt against computed ones: which rule set it follows, and which figures differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import SpecError
from ..evaluators.timeloop.figures import Block, StatsError, StatsText, TensorBlock, read_stats
from .rows.figures import Difference


@dataclass(frozen=True)
class Expectation:
    """What a recorded stats.txt says about the mapping that was evaluated.

    Attributes:
        figures: how many recorded figures have a counterpart, by rule set.
        differences: those that differ, by rule set.
        unknown: recorded labels without a counterpart, e.g. of another version of Timeloop.
    """

    figures: Mapping[str, int]
    differences: Mapping[str, tuple[Difference, ...]]
    unknown: tuple[str, ...]

    @property
    def fitting(self) -> tuple[str, ...]:
        """The rule sets that give every figure."""
        return tuple(rules for rules, found in self.differences.items() if not found)

    @property
    def nearest(self) -> str:
        """The rule set with the fewest differences; of several the first."""
        return min(self.differences, key=lambda rules: len(self.differences[rules]))

    def sentence(self, name: str) -> str:
        """What was found, for people."""
        count = f"{self.figures[self.nearest]:,} figures compared"
        if len(self.fitting) == len(self.differences):
            return f"{name} fits every rule set ({', '.join(self.fitting)}): {count}, none differs"
        if self.fitting:
            others = ", ".join(
                f"{len(found):,} with {rules}" for rules, found in self.differences.items() if found
            )
            return f"{name} follows the rules of {self.fitting[0]}: {count}, none differs ({others})"
        counts = ", ".join(
            f"{len(found):,} with those of {rules}" for rules, found in self.differences.items()
        )
        return f"{name} follows no rule set: {count}, {counts} differ"


def read_recorded(text: str, file: str) -> StatsText:
    """Parse a recorded stats.txt.

    Raises:
        SpecError: it is none, or cut off.
    """
    try:
        return read_stats(text)
    except StatsError as error:
        raise SpecError(
            f"not a whole stats.txt: {error}",
            file=file,
            expected="what timeloop-model or timeloop-mapper writes",
        ) from None


def compare_stats(recorded: StatsText, own: Mapping[str, StatsText]) -> Expectation:
    """Compare every recorded figure with those computed, by rule set.

    Figures are equal if they agree in the decimals that both print. Energies per compute follow from the total
    and are left out: their unit is not the same in every version.
    """
    expected = dict(_figures(recorded))
    computed = {rules: dict(_figures(stats)) for rules, stats in own.items()}
    known = set(itertools.chain.from_iterable(computed.values()))
    return Expectation(
        {rules: len(expected.keys() & got.keys()) for rules, got in computed.items()},
        {
            rules: tuple(
                Difference(path, value, got[path])
                for path, value in expected.items()
                if path in got and not _equal(value, got[path])
            )
            for rules, got in computed.items()
        },
        tuple(dict.fromkeys(path for path in expected if path not in known)),
    )


def _figures(stats: StatsText) -> Iterator[tuple[str, str]]:
    """Key path and printed value of every number."""
    for name, block in (*stats.levels.items(), *stats.networks.items()):
        yield from _block(name, block)
    for name, count in stats.accesses.items():
        yield f"{name}.Total scalar accesses", str(count)
    yield from _block("intensity", stats.intensity)
    yield from _block("summary", stats.summary)


def _block(name: str, block: TensorBlock) -> Iterator[tuple[str, str]]:
    for label, value in block.values.items():
        if value and _number(word := value.split()[0]) is not None:
            yield f"{name}.{label}", word
    for place, entries in (("entries", block.entries), ("distributed", block.distributed)):
        for multicast, scatter, accesses in entries:
            yield f"{name}.{place} @multicast {multicast} @scatter {scatter}", f"{accesses:.2f}"
    if isinstance(block, Block):
        for space, tensor in block.tensors.items():
            yield from _block(f"{name}.{space}", tensor)


def _number(word: str) -> float | None:
    try:
        return float(word.removesuffix("%"))
    except ValueError:
        return None


def _equal(recorded: str, computed: str) -> bool:
    """Whether two printed numbers agree in the decimals that both have."""
    if recorded == computed:
        return True
    a, b = _number(recorded), _number(computed)
    if a is None or b is None:
        return False
    unit = max(_last_place(recorded), _last_place(computed))
    return a == b or (unit < 1 and abs(a - b) <= unit / 2 * (1 + 1e-9))


def _last_place(word: str) -> float:
    """What one step of the last digit is worth."""
    mantissa, _, exponent = word.removesuffix("%").lower().partition("e")
    decimals: int = len(mantissa.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals))
