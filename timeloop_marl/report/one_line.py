"""A mapping on one line, as timeloop-mapper prints it on the screen and in its CSV file (mapspace section 7)."""

from __future__ import annotations

from ..mapping import Mapping
from ..specs.spec import Spec
from .nest import LevelNest, Loop, loop_nest


def one_line(spec: Spec, mapping: Mapping) -> str:
    """For example ``L2[ABZ] N2 M2 - L1[AB] K2 - L0[Z] M4X K3;1 `` (with a blank at the end).

    Levels and loops come outermost first; data spaces by their first letters; ``X``/``Y`` mark spatial loops and
    ``;`` a residual bound. A level without temporal loops shows Timeloop's dummy loop over the last dimension.
    """
    initials = [space.name[:1] for space in spec.problem.data_spaces]
    parts = []
    for nest in loop_nest(mapping, spec.architecture):
        held = "".join(
            letter for letter, kept in zip(initials, mapping.keep[nest.level], strict=True) if kept
        )
        parts.append(f"L{nest.level}[{held}] {_loops(spec.problem.dims, nest)} ")
    return "- ".join(parts)


def _loops(dims: tuple[str, ...], nest: LevelNest) -> str:
    dummy = Loop(len(dims) - 1, 1, 1)
    return " ".join(_loop(dims, loop) for loop in (nest.temporal or (dummy,)) + nest.spatial)


def _loop(dims: tuple[str, ...], loop: Loop) -> str:
    residual = "" if loop.perfect else f";{loop.residual}"
    return f"{dims[loop.dim]}{loop.bound}{residual}{loop.axis}"
