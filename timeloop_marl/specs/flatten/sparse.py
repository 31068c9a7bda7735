"""Sparse optimisations of a v0.4 input as the C++ programs read them: one entry per level that has any."""

from __future__ import annotations

from collections.abc import Sequence

from ..document import Origin
from ..marked import Map, Seq, error_at
from ..scalars import nearest
from .grammar import as_list, as_map
from .nodes import Level


def sparse_targets(levels: Sequence[Level], given: Seq) -> Seq:
    """Entries ``{..., name: level}`` in the order of the levels.

    Args:
        levels: with the ``sparse_optimizations`` of their nodes.
        given: entries outside the nodes, which name their level by ``target`` (or ``name``, as in the flat form).

    Raises:
        SpecError: a target that is no level, or a value that is not a map.
    """
    real = {level.name: level for level in levels if not level.dummy}
    entries: dict[str, Map] = {}
    for name, level in real.items():
        value = level.node.get("sparse_optimizations")
        if value:
            _combine(entries, name, value, level.node.origin_of("sparse_optimizations"))
    for index, entry in enumerate(given):
        origin = given.origin_of(index)
        values = as_map(entry, origin, "an entry of sparse_optimizations")
        target = values.get("target", values.get("name"))
        if target not in real:
            near = nearest(str(target), real)
            raise error_at(
                values.origin_of("target"),
                "there is no component of this name to optimise",
                value=target,
                expected=", ".join(real),
                remedy=f"did you mean {near!r}?" if near else "",
            )
        _combine(entries, str(target), values, origin)
    result = Seq()
    for name, level in real.items():
        if name in entries:
            entries[name].put("name", name, level.origin)
            result.add(entries[name], entries[name].origin)
    return result


def _combine(entries: dict[str, Map], name: str, value: object, origin: Origin) -> None:
    """Add to the entry of a level: lists are appended, maps combined, as the front end does."""
    source = as_map(value, origin, "sparse_optimizations")
    target = entries.setdefault(name, Map(origin))
    for key, item in source.items():
        if key in ("target", "name") or item is None or item in ([], {}):
            continue
        where = source.origin_of(key)
        target.put(key, _joined(target.get(key), item, where), where)


def _joined(mine: object, other: object, origin: Origin) -> object:
    if isinstance(mine, Map) and isinstance(other, Map):
        both = Map(mine.origin)
        for part in (mine, other):
            for key, item in part.items():
                both.put(key, _joined(both.get(key), item, part.origin_of(key)), part.origin_of(key))
        return both
    if mine is None:
        return other
    joined = Seq(origin)
    for value in (mine, other):
        values = as_list(value, origin, "a list of sparse optimisations")
        for index, item in enumerate(values):
            joined.add(item, values.origin_of(index))
    return joined
