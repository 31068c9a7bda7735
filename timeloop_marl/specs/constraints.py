"""What the user allows: loop, bypass and reuse constraints (spec: mapspace section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .architecture import TilingLevel


@dataclass(frozen=True)
class LoopConstraint:
    """Constraints on one tiling level. Keys of the maps are dimension indices.

    ``prefix`` are the innermost dims of the permutation (innermost first), ``suffix`` the outermost ones (their order
    innermost first, too); the dims in neither are free. ``None`` for ``prefix`` means: no user permutation at all.
    """

    fixed: Mapping[int, int] = field(default_factory=dict)
    maximum: Mapping[int, int] = field(
        default_factory=dict
    )  # default_max_factor already spread over the dims
    minimum: Mapping[int, int] = field(default_factory=dict)
    prefix: tuple[int, ...] | None = None
    suffix: tuple[int, ...] = ()
    split: int | None = None
    remainders: int | None = None
    source: str = field(default="", metadata={"identity": False})  # file and key path, for messages


@dataclass(frozen=True)
class Switches:
    """Reuse switches, as sets of (storage level, data space) index pairs (cost-model sections 3, 5, 9, 10)."""

    no_temporal_reuse: frozenset[tuple[int, int]] = frozenset()
    rmw_first_update: frozenset[tuple[int, int]] = frozenset()
    no_coalesce: frozenset[tuple[int, int]] = frozenset()
    no_multicast: frozenset[tuple[int, int]] = frozenset()
    no_link_transfer: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Constraints:
    """All constraints of a run.

    ``bypass[p][s]`` is ``"0"`` (bypass), ``"1"`` (keep) or ``"X"`` (free) for data space p at storage level s.
    """

    loops: Mapping[TilingLevel, LoopConstraint] = field(default_factory=dict)
    bypass: tuple[tuple[str, ...], ...] = ()
    # (p, s) -> file and key path
    bypass_sources: Mapping[tuple[int, int], str] = field(default_factory=dict, metadata={"identity": False})
    min_parallelism: float = 0.0
    parallelism_source: str = field(default="", metadata={"identity": False})
    switches: Switches = Switches()
    warnings: tuple[str, ...] = field(default=(), metadata={"identity": False})
