"""Quantities for people: engineering prefixes, short counts, percentages."""

from __future__ import annotations

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_ENERGY = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))


def short_count(value: float) -> str:
    """``4608`` as ``4.61k``; whole numbers below 1000 stay as they are."""
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.3g}{prefix}"
    return f"{value:.3g}"


def energy_unit(largest_pj: float) -> tuple[float, str]:
    """Picojoules per unit and the unit in which ``largest_pj`` reads well."""
    for scale, unit in _ENERGY:
        if largest_pj >= scale:
            return scale, unit
    return 1.0, "pJ"


def energy_text(pj: float) -> str:
    """``419190000`` as ``419 µJ``."""
    scale, unit = energy_unit(pj)
    return f"{pj / scale:.4g} {unit}"


def share_text(part: float, whole: float) -> str:
    """Share in percent: no decimals from 10 on, else one; ``<0.1 %`` for something that would read as nothing."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def plain_number(value: float) -> str:
    """Four digits at most, powers of ten for what is very large or small: ``123``, ``4.2e+09``."""
    return f"{value:.4g}"


def edp_text(pj_cycles: float) -> str:
    """An energy-delay product, given in pJ·cycles, in J·cycle as everywhere on the screen."""
    return f"{pj_cycles * 1e-12:.4g}"
