"""Values set from outside: ``GLB.attributes.depth=4096`` on the command line, applied to a document as it was read.

A name with a dot is the path of a value: a section of the input, or the name of a component wherever it stands in the
architecture (``PE[0..167]``, or ``PE`` for short), then keys, ``[2]`` for an element of a list, or its name. A name
without a dot is a variable for Jinja2 templates. ``+PATH`` adds a key that nobody knows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SpecError
from .document import KeyPath, Map, Origin, Seq, tree
from .flatten import TOP_KEYS
from .flatten.constraints import CONSTRAINT_GROUPS, DATASPACE_KEYS, SPATIAL_CONSTRAINT_KEYS, TEMPORAL_KEYS
from .flatten.nodes import LEAF_KEYS, SPATIAL_KEYS
from .machine import COMPUTE_KEYS, NETWORK_KEYS, STORAGE_KEYS
from .yaml_text import parse_yaml

SOURCE = "--set"
NOT_FOLLOWING = "energies and areas do not follow"
"""What the notice says about tables that are given and hold for the machine as it was."""
_STEP = re.compile(r"(?P<name>[^.\[\]]+(\[\s*[0-9]+\s*\.\.\s*[0-9]+\s*\])?)|\[(?P<index>[0-9]{1,6})\]")
_RANGE = re.compile(r"\s*\[[^\]]*\]\s*$")
_ARCHITECTURE = ("architecture", "arch")
_UNSEARCHED = ("attributes", "constraints", "sparse_optimizations", "required_actions")
# Of attributes, those that no table prices: energies and areas are per access and instance.
_UNPRICED = (
    "instances", "meshX", "meshY", "read_bandwidth", "write_bandwidth", "shared_bandwidth", "bandwidth",
    "per_dataspace_bandwidth_consumption_scale", "multiple_buffering", "min_utilization", "power_gated_at",
    "network_fill_latency", "network_drain_latency", "reduction_supported", "allow_overbooking",
)  # fmt: skip
_KNOWN: dict[str, tuple[str, ...]] = {
    "component": (*LEAF_KEYS, "nodes", "local", "subtree", "version", "actions"),
    "attributes": (*STORAGE_KEYS, *COMPUTE_KEYS, *NETWORK_KEYS),
    "spatial": SPATIAL_KEYS,
    "constraints": CONSTRAINT_GROUPS,
    "constraints.spatial": SPATIAL_CONSTRAINT_KEYS,
    "constraints.temporal": TEMPORAL_KEYS,
    "constraints.dataspace": DATASPACE_KEYS,
}
_CLOSED = (
    "mapper",
    "mapspace",
    "model",
    "timeloop_marl",
)  # their readers know every key, and complain themselves


@dataclass(frozen=True)
class Change:
    """One value to set.

    Attributes:
        path: as written, without the ``+``.
        steps: the path in parts, names and list indices.
        value: what to put there.
        new: whether the key may be one that is neither there nor known.
    """

    path: str
    steps: KeyPath
    value: Any
    new: bool

    def error(self, problem: str, *, expected: str = "", remedy: str = "") -> SpecError:
        """A ``SpecError`` about this change."""
        return SpecError(
            problem, file=SOURCE, path=self.path, value=self.value, expected=expected, remedy=remedy
        )

    @property
    def priced(self) -> bool:
        """Whether energies or areas of a component may depend on it."""
        return ("attributes" in self.steps and self.steps[-1] not in _UNPRICED) or self.steps[-1] == "class"


def is_path(name: str) -> bool:
    """Whether a name on the command line is the path of a value, not a variable of templates."""
    return "." in re.sub(r"\[[^\]]*\]", "", name)


def split_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Change]]:
    """Variables of templates, and changes of the document.

    Raises:
        SpecError: a path is malformed, or a value is no YAML.
    """
    plain = {name: value for name, value in values.items() if not is_path(name)}
    return plain, [_parsed(name, value) for name, value in values.items() if is_path(name)]


def split_list(text: str) -> list[str]:
    """``8,16,32`` in parts; commas within quotes, brackets and braces belong to a value."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{(") - (letter in ")}]")
            if letter == "," and depth <= 0:
                parts.append("")
                continue
        parts[-1] += letter
    return [part.strip() for part in parts]


def changed(data: Map, changes: Sequence[Change]) -> tuple[Map, list[str]]:
    """A copy of ``data`` with every change made, and what the user should know about them.

    Raises:
        SpecError: a path leads nowhere; the message names what is near.
    """
    effective = []
    for change in changes:
        before, data = data, _made(data, change)
        effective += [change] if data != before else []
    return data, _stale(data, effective)


def _parsed(name: str, value: Any) -> Change:
    path = name.removeprefix("+")
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        found = _STEP.match(path, end)
        after = found.end() if found else end
        if found is None or (after < len(path) and path[after] not in ".[") or path[after:] == ".":
            raise SpecError(
                "not the path of a value",
                file=SOURCE,
                path=path,
                expected="names with dots between them, e.g. GLB.attributes.depth or PE[0..167].name",
            )
        steps.append(int(found["index"]) if found["index"] else found["name"].strip())
        end = after + (path[after : after + 1] == ".")
    origin = Origin(SOURCE, None, tuple(steps))
    if isinstance(value, str):
        if len(split_list(value)) > 1:
            raise SpecError(
                "several values at once",
                file=SOURCE,
                path=path,
                value=value,
                expected="one value, in quotes or brackets if it has a comma",
                remedy="'timeloop-marl sweep' takes a list of values, one machine for each",
            )
        value = parse_yaml(value, lambda line: (f"{SOURCE} {path}", 1))
    return Change(path, tuple(steps), tree(value, origin), name.startswith("+"))


def _made(data: Map, change: Change) -> Map:
    first = str(change.steps[0])
    section = first.replace("-", "_")
    top = _spelling(data, first) or (section if section in TOP_KEYS else None)
    if top is not None:
        return _as_map(_put(data, (top, *change.steps[1:]), "top", change))
    places = [(path, node) for path, node in _components(data) if _is_called(node, first)]
    if len(places) > 1:
        raise change.error(
            f"{len(places)} components are called {first!r}",
            expected="one of " + ", ".join(str(node["name"]) for _, node in places),
        )
    if not places:
        raise change.error(
            f"no component and no section is called {first!r}",
            expected=_listed([*_names(data), *data]),
            remedy=_meant(first, [*_names(data), *data]),
        )
    return _as_map(_put(data, (*places[0][0], *change.steps[1:]), "top", change, len(places[0][0])))


def _as_map(value: Any) -> Map:
    assert isinstance(value, Map)
    return value


def _put(container: Any, steps: KeyPath, kind: str, change: Change, known: int = 0) -> Any:
    """``container`` with the value put at ``steps``, of which the first ``known`` are there for certain."""
    step = steps[0]
    if isinstance(container, Seq):
        index = step if isinstance(step, int) else _element(container, str(step), change)
        if index >= len(container):
            raise change.error(f"there is no element [{index}]", expected=f"[0] to [{len(container) - 1}]")
        return _replaced(
            container, index, _deeper(container[index], steps, kind, change, known), steps, change
        )
    if not isinstance(container, Map):
        raise change.error(
            f"{step!r} lies within a single value", expected="the path of a value that is there or can be"
        )
    key = str(step) if known > 0 else _key(container, str(step), kind, change)
    inner = _deeper(container.get(key), (key, *steps[1:]), kind, change, known)
    return _replaced(container, key, inner, steps, change)


def _deeper(inner: Any, steps: KeyPath, kind: str, change: Change, known: int) -> Any:
    if len(steps) == 1:
        return change.value
    below = _kind(kind, steps[0], known)
    return _put(Map(Origin(SOURCE)) if inner is None else inner, steps[1:], below, change, known - 1)


def _kind(above: str, step: str | int, known: int) -> str:
    """What keys are known below ``step``: an entry of ``_KNOWN``, or the name of the section."""
    if known == 1:
        return "component"
    if above == "component" and step in ("attributes", "spatial", "constraints"):
        return str(step)
    if above == "constraints":
        return f"constraints.{step}"
    return "top" if known > 1 else str(step) if above == "top" else "open"


def _key(container: Map, step: str, kind: str, change: Change) -> str:
    found = _spelling(container, step)
    known = TOP_KEYS if kind == "top" else _KNOWN.get(kind, ())
    if found is not None:
        return found
    if change.new or step in known or kind in _CLOSED:
        return step
    candidates = [*container, *known]
    remedy = _meant(step, candidates)
    raise change.error(
        f"there is no {step!r}",
        expected=_listed(list(container) or list(known)),
        remedy=f"{remedy}; " * bool(remedy) + f"to add a key that is not there, write +{change.path}=…",
    )


def _spelling(container: Map, name: str) -> str | None:
    """The key as it stands there: hyphens and underscores are alike."""
    return next((key for key in container if key.replace("-", "_") == name.replace("-", "_")), None)


def _element(container: Seq, name: str, change: Change) -> int:
    called = [str(e.get("name", e.get("target"))) if isinstance(e, Map) else "" for e in container]
    for index, other in enumerate(called):
        if name in (other, _RANGE.sub("", other)):
            return index
    raise change.error(
        f"no element of the list is called {name!r}",
        expected=_listed([other for other in called if other]) or f"[0] to [{len(container) - 1}]",
        remedy=_meant(name, called),
    )


def _replaced(container: Map | Seq, key: Any, value: Any, steps: KeyPath, change: Change) -> Map | Seq:
    """A copy with one value replaced: what an alias shares stays as it is elsewhere."""
    ours = Origin(SOURCE, None, change.steps)
    if isinstance(container, Map):
        result = container.copied()
        result.put(key, value, ours if len(steps) == 1 or key not in container else container.origin_of(key))
        return result
    sequence = Seq(container.origin)
    for index, item in enumerate(container):
        replaced = index == key
        sequence.add(
            value if replaced else item, ours if replaced and len(steps) == 1 else container.origin_of(index)
        )
    return sequence


def _components(data: Map) -> Iterator[tuple[KeyPath, Map]]:
    """All maps with a name in the architecture, and their paths."""
    pending: list[tuple[KeyPath, Any]] = [((key,), data[key]) for key in _ARCHITECTURE if key in data]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Map):
            if isinstance(value.get("name"), str):
                yield path, value
            pending += [((*path, key), item) for key, item in value.items() if key not in _UNSEARCHED]
        elif isinstance(value, Seq):
            pending += [((*path, index), item) for index, item in enumerate(value)]


def _is_called(node: Map, name: str) -> bool:
    return name in (node["name"], _RANGE.sub("", node["name"]).strip())


def _names(data: Map) -> list[str]:
    return [str(node["name"]) for _, node in _components(data)]


def _listed(names: Sequence[str]) -> str:
    shown = list(dict.fromkeys(names))
    return "one of " + ", ".join(shown) if shown else ""


def _meant(name: str, known: Sequence[str]) -> str:
    folded = {_RANGE.sub("", other).lower(): other for other in known}
    near = difflib.get_close_matches(name.lower()[:100], folded, n=3, cutoff=0.6)
    return "did you mean " + " or ".join(repr(folded[one]) for one in near) + "?" if near else ""


def _stale(data: Map, changes: Sequence[Change]) -> list[str]:
    """Tables that are given do not follow what is set."""
    priced = [change.path for change in changes if change.priced and "ERT" not in change.steps]
    tables = [name for name in ("ERT", "ART") if data.get(name) is not None]
    if not priced or "ERT" not in tables:
        return []
    files = dict.fromkeys(data.origin_of(name).file for name in tables)
    return [
        f"{', '.join(priced)} set, but {NOT_FOLLOWING}: they are those of the {' and '.join(tables)} "
        f"given in {', '.join(files)}; leave these files out to have them estimated"
    ]
