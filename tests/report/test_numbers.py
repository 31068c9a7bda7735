"""Number formats of the output files."""

from __future__ import annotations

import math

import pytest

from timeloop_marl.report.numbers import OutputStyle, field, float32, float32_ratio, percent

SCIENTIFIC = {"TIMELOOP_OUTPUT_STAT_SCIENTIFIC": "1"}
GENERAL = {"TIMELOOP_OUTPUT_STAT_DEFAULT_FLOAT": "1"}


@pytest.mark.parametrize(
    ("environ", "value", "text"),
    [
        ({}, 0.125, "0.12"),
        ({}, 4620.25, "4620.25"),
        (SCIENTIFIC, 200.0, "2.00e+02"),
        (GENERAL, 200.0, "2e+02"),
        (GENERAL, 34.25, "34"),
        ({**SCIENTIFIC, **GENERAL}, 1.0, "1.00e+00"),
        ({"TIMELOOP_OUTPUT_STAT_SCIENTIFIC": "0"}, 1.0, "1.00"),
        ({}, math.inf, "inf"),
    ],
)
def test_formats(environ, value, text):
    assert OutputStyle.from_environment(environ).real(value) == text


def test_width_counts_the_whole_number():
    assert OutputStyle().real(11.62, 3, 8) == "  11.620"


@pytest.mark.parametrize(("value", "hidden"), [(None, True), ("1", True), ("0", False)])
def test_hiding(value, hidden):
    environ = {} if value is None else {"TIMELOOP_HIDE_INCONSEQUENTIAL_STATS": value}
    assert OutputStyle.from_environment(environ).hide_inconsequential is hidden


def test_a_value_not_given_is_a_dash():
    assert OutputStyle().optional(None) == "-"
    assert OutputStyle().optional(0.0) == "0.00"


def test_percentages_do_not_follow_the_format():
    assert percent(2 / 3) == "66.67%"


def test_float32_rounds_once():
    # through a double, 2^60 + 2^36 + 1 becomes the tie 2^60 + 2^36 and is then rounded down to even
    count = 2**60 + 2**36 + 1
    assert int(float32(count)) == 2**60 + 2**37
    assert float32_ratio(1, 3) == pytest.approx(1 / 3, rel=1e-7)
    assert float32_ratio(1, 3) != 1 / 3
    assert float32_ratio(5, 0) == math.inf


def test_a_field_pads_its_label():
    assert field("Size", 6, 12, "words", indent=2) == "  Size  : 12 words\n"
