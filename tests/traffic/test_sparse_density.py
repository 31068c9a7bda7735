"""Probabilities of density models: values recorded from the library that the real program calls, and identities."""

from __future__ import annotations

import gzip
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from timeloop_marl.specs.sparse import BANDED, FIXED, HYPERGEOMETRIC, Density
from timeloop_marl.traffic.sparse.density import Banded, Fixed, Hypergeometric
from timeloop_marl.traffic.sparse.doubles import unsigned
from timeloop_marl.traffic.sparse.extended import Extended
from timeloop_marl.traffic.sparse.hypergeometric import chance, chances

VECTORS = Path(__file__).parents[1] / "golden" / "sparse" / "vectors.jsonl.gz"


def test_every_recorded_probability_to_the_last_bit(capsys: pytest.CaptureFixture[str]) -> None:
    with gzip.open(VECTORS, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    wrong = [row for row in rows if chance(row["k"], row["r"], row["n"], row["N"]) != float.fromhex(row["h"])]
    with capsys.disabled():
        print(f"\nhypergeometric probabilities: {len(wrong)} of {len(rows)} differ")
    assert len(rows) == 650 and not wrong


@pytest.mark.parametrize(("r", "n", "total"), [(20, 30, 100), (3, 5, 9), (250, 700, 1000), (40, 1, 200)])
def test_probabilities_are_those_of_the_definition(r: int, n: int, total: int) -> None:
    k = np.arange(0, n + 1)
    found = chances(k, r, n, total)
    for each, share in zip(k.tolist(), found.tolist()):
        exact = Fraction(math.comb(r, each) * math.comb(total - r, n - each), math.comb(total, n))
        assert share == pytest.approx(float(exact), rel=1e-13, abs=0.0)


def test_numbers_of_80_bits_round_as_the_processor_does() -> None:
    one, tiny = Extended.of(1), Extended.of(2.0**-64)
    assert one + tiny == one  # half to even
    assert one + tiny + tiny == one and (one + (tiny + tiny)) != one
    third = one / Extended.of(3)
    assert third.mantissa == 0xAAAAAAAAAAAAAAAB and float(third) == 1 / 3
    assert float(Extended.rounded(3, -1076)) == 5e-324 and float(Extended.rounded(1, -1075)) == 0.0
    assert (third * Extended.of(3)) == one


def test_conversions_to_unsigned_integers() -> None:
    assert [unsigned(x) for x in (3.9, -1.0, math.nan, math.inf, 2.0**64, -(2.0**70))] == [
        3, 2**64 - 1, 2**63, 0, 0, 2**63,
    ]  # fmt: skip


def test_shares_of_a_structured_tile() -> None:
    model = Fixed(Density(FIXED, 0.3))
    counts, found = model.likely((5,))
    assert counts.tolist() == [1, 2] and found.tolist() == [0.5, 0.5]
    assert model.empty((2,)) == 1 - 2 * 0.3 and model.empty((4,)) == 0.0
    assert (model.quick(5, 0.5), model.quick(5, 0.6), model.quick(10, 1.0)) == (1, 2, 3)


def test_all_occupancies_sum_to_one() -> None:
    model = Hypergeometric(Density(HYPERGEOMETRIC, 0.4), 240)
    for extents in ((4, 5), (12, 10), (1, 1)):
        found = model.occupancies(extents, math.prod(extents))
        assert found.chances.sum() == pytest.approx(1.0) and (np.diff(found.counts) > 0).all()
    inner = model.empty_within((2, 2), (4, 5), 20)
    weights = model.occupancies((4, 5), 20).chances
    assert float((inner * weights).sum()) == pytest.approx(model.empty((2, 2)))


def test_a_band_counted_by_hand() -> None:
    model = Banded(Density(BANDED, 1.0, 1), (4, 4))
    assert model.one == 10 / 16
    counts, found = model.likely((2, 2))  # two tiles on the diagonal hold 4, two beside it 1
    assert dict(zip(counts.tolist(), found.tolist())) == {1: 0.5, 4: 0.5}
    assert model.largest((2, 2), 1.0) == 4
