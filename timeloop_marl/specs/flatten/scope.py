"""Which names an expression may use, and their values, worked out when first needed (formats section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import SpecError
from ..document import Map, Node, Quoted, Seq
from ..expressions import Budget, ExpressionError, Record, evaluate

_TYPES: dict[str, type | tuple[type, ...]] = {
    "an integer": int,
    "a number": (int, float),
    "true or false": bool,
}


@dataclass
class World:
    """What all expressions of one input share."""

    budget: Budget = field(default_factory=Budget)
    variables: Attributes | None = None
    leaves: dict[str, Record] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)  # what is being evaluated, for naming cycles

    def integer(self, node: Node) -> int:
        """An integer of the input outside the nodes; only variables and other leaves have names there."""
        return Attributes(Map(), "", self).integer(node)


class Attributes(Mapping[str, Any]):
    """The evaluated values of one map of attributes; each is worked out when first asked for.

    Args:
        raw: the map as written.
        owner: the name of the component, container or section, for messages.
        world: what all expressions share.
        parents: attributes of the enclosing containers, outermost first.
    """

    def __init__(self, raw: Map, owner: str, world: World, parents: tuple[Attributes, ...] = ()) -> None:
        self.raw, self.owner, self.world, self.parents = raw, owner, world, parents
        self.order = {key: index for index, key in enumerate(raw)}
        self.done: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __contains__(self, key: object) -> bool:
        return key in self.raw

    def __getitem__(self, key: str) -> Any:
        if key not in self.done:
            self.done[key] = self._compute(key)
        return self.done[key]

    def _compute(self, key: str) -> Any:
        if key not in self.raw:
            raise KeyError(key)
        label, node, running = f"{self.owner}.{key}", self.raw.node(key), self.world.running
        if label in running:
            circle = " -> ".join([*running[running.index(label) :], label])
            node.fail(f"expressions in a circle: {circle}", remedy="give one of them a number")
        if len(running) > 40:
            raise node.origin.error("expressions refer to one another too deeply")
        running.append(label)
        try:
            return self._evaluated(node, Symbols(self, key))
        finally:
            running.pop()

    def node(self, key: str) -> Node:
        """The evaluated value of a key, and where it stood."""
        return Node(self[key], self.raw.origin_of(key))

    def evaluated(self, node: Node) -> Any:
        """The value of a field beside the attributes, every unquoted string in it evaluated."""
        return self._evaluated(node, Symbols(self, ""))

    def _evaluated(self, node: Node, symbols: Symbols) -> Any:
        value = node.value
        if isinstance(value, Quoted):
            return _unwrapped(value)
        if isinstance(value, str):
            return _plain(self._run(node, symbols), node)
        if isinstance(value, Map):
            result = Map(value.origin, value.tag)
            for key, item in value.nodes():
                result.put(key, self._evaluated(item, symbols), item.origin)
            return result
        if isinstance(value, Seq):
            sequence = Seq(value.origin)
            for item in node.elements():
                sequence.add(self._evaluated(item, symbols), item.origin)
            return sequence
        return value

    def integer(self, node: Node) -> int:
        """A field of type integer."""
        return int(self.typed(node, "an integer"))

    def typed(self, node: Node, what: str) -> Any:
        """A field of a given type; an unquoted string there is an expression (formats section 6).

        Args:
            node: as written.
            what: ``an integer``, ``a number`` or ``true or false``.
        """
        value = node.value
        if isinstance(value, Quoted):
            node.fail(f"not {what}", expected=what, remedy="take the quotes away")
        if isinstance(value, str):
            value = self._run(node, Symbols(self, ""))
        kind = _TYPES[what]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            Node(value, node.origin).fail(f"not {what}", expected=what)
        return value

    def _run(self, node: Node, symbols: Symbols) -> Any:
        try:
            return evaluate(node.value, symbols, self.world.budget)
        except SpecError:
            raise
        except ExpressionError as error:
            raise node.error(
                f"the expression cannot be evaluated: {error}",
                expected="a number, or an expression over variables and attributes known here",
                remedy="put the text in quotes if it is meant as it stands, or define the names it uses",
            ) from None


class Symbols(Mapping[str, Any]):
    """The names that the expression of one key may use."""

    def __init__(self, attributes: Attributes, key: str) -> None:
        self.attributes, self.key = attributes, key
        self.limit = attributes.order.get(key, len(attributes.order))

    def _maps(self) -> list[Mapping[str, Any]]:
        world = self.attributes.world
        maps: list[Mapping[str, Any]] = list(reversed(self.attributes.parents))
        if world.variables is not None and world.variables is not self.attributes:
            maps.append(world.variables)
        return [*maps, world.leaves]

    def _earlier(self, name: object) -> bool:
        return self.attributes.order.get(str(name), self.limit) < self.limit

    def __contains__(self, name: object) -> bool:
        return name in self.attributes.order or any(name in source for source in self._maps())

    def __getitem__(self, name: str) -> Any:
        if self._earlier(name):
            return self.attributes[name]
        for source in self._maps():
            if name in source:
                return source[name]
        if name in self.attributes.order:
            # evaluating it tells a circle, which names its members, from a mere wrong order
            _ = self.attributes[name]
            raise ExpressionError(f"{name} is defined further down in the same map; move it up")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        for source in (self.attributes.raw, *self._maps()):
            yield from source

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _unwrapped(text: Quoted) -> str:
    """The text; a second pair of quotes inside the first is taken off as well, as by the front end."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return str(text[1:-1])
    return str(text)


def _plain(value: Any, node: Node) -> Any:
    """Results as plain values; components and functions are no values."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        sequence = Seq(node.origin)
        for item in value:
            sequence.add(_plain(item, node), node.origin)
        return sequence
    if isinstance(value, Mapping) and not isinstance(value, Record):
        result = Map(node.origin)
        for key, item in value.items():
            result.put(str(key), _plain(item, node), node.origin)
        return result
    kind, text = "a component" if isinstance(value, Record) else "a function", str(node.value).strip()
    raise node.error(
        f"{text} stands for {kind} here, not for a value",
        remedy=f"if the word itself is meant, put it in two pairs of quotes: '\"{text}\"'",
    )
