"""The closed key sets of the v0.4 front end, and checks of shapes and keys (formats section 6, mapspace section 6)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..document import Origin
from ..marked import Map, Seq, error_at
from ..scalars import nearest

LEAF_KEYS = (
    "name",
    "class",
    "subclass",
    "attributes",
    "spatial",
    "constraints",
    "sparse_optimizations",
    "enabled",
    "required_actions",
    "area_scale",
    "energy_scale",
)
BRANCH_KEYS = ("nodes", "enabled", "attributes", "spatial", "constraints")
NOTHING_KEYS = ("attributes", "spatial", "constraints", "sparse_optimizations", "enabled")
SPATIAL_KEYS = ("meshX", "meshY")
CONSTRAINT_GROUPS = ("spatial", "temporal", "dataspace", "max_overbooked_proportion")
MACROS = (
    "factors_only",
    "no_iteration_over_dataspaces",
    "must_iterate_over_dataspaces",
    "maximize_dims",
    "maximize_dims_capacity",
)
_LOOP_KEYS = (
    "factors",
    "permutation",
    "no_reuse",
    "default_max_factor",
    "default_min_factor",
    "remainders",
    *MACROS,
)
TEMPORAL_KEYS = (*_LOOP_KEYS, "rmw_first_update")
SPATIAL_CONSTRAINT_KEYS = (*_LOOP_KEYS, "split", "no_link_transfer")
DATASPACE_KEYS = ("keep", "bypass", "no_coalesce", "keep_only", "bypass_only")
ARCHITECTURE_KEYS = ("version", "nodes")
MAPSPACE_KEYS = ("version", "template")
TARGET_SECTIONS = (
    "constraints",
    "architecture_constraints",
    "mapspace_constraints",
    "extra_mapping_constraints",
    "mapping",
)
TOP_KEYS = (
    "architecture",
    "problem",
    "mapper",
    "mapspace",
    "variables",
    "components",
    "compound_components",
    "globals",
    "ERT",
    "ART",
    "sparse_optimizations",
    "layout",
    "model",
    "dumped_by_timeloop_front_end",
    "timeloop_marl",  # settings of our own search
    *TARGET_SECTIONS,
)


def close_keys(value: Map, allowed: Collection[str], what: str) -> None:
    """Raise a ``SpecError`` for the first key of ``value`` that is not allowed."""
    for key in value:
        if key not in allowed:
            near = nearest(key, allowed, 0.5)
            raise error_at(
                value.origin_of(key),
                f"unknown key {key!r} in {what}",
                value=value[key],
                expected="one of " + ", ".join(allowed),
                remedy=f"did you mean {near!r}?" if near else "remove it",
            )


def as_map(value: Any, origin: Origin, what: str) -> Map:
    """``value`` as a map; an absent one is empty."""
    if value is None:
        return Map(origin)
    if isinstance(value, Map):
        return value
    raise error_at(origin, f"{what} is not a map", value=value, expected="keys and values")


def as_list(value: Any, origin: Origin, what: str) -> Seq:
    """``value`` as a list; an absent one is empty."""
    if value is None:
        return Seq(origin)
    if isinstance(value, Seq):
        return value
    raise error_at(origin, f"{what} is not a list", value=value, expected="a list: - ...")


def as_name(value: Any, origin: Origin, what: str) -> str:
    """``value`` as a name: a non-empty string (numbers are taken as written)."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    raise error_at(
        origin, f"{what} is missing" if value is None else f"not {what}", value=value, expected=what
    )
