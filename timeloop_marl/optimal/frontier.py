"""What is still to be searched, the best found, and what was done: everything that a resumed proof needs."""

from __future__ import annotations

import hashlib
import heapq
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np

from ..errors import UsageError
from ..specs.mapping import Mapping as LoopNest
from ..specs.mapping import MappingBatch
from .leaves import Incumbent
from .problem import SLACK

_BATCH = ("factors", "residuals", "order", "split", "keep")


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the mapspace that is not yet searched: nothing in it costs less than ``bound``.

    ``mask``: number of the choice of bypasses. ``inner``: spatial factors of each level as divisor indices; none = all.
    ``cursor``: where the descent stands.
    """

    bound: float
    mask: int
    inner: tuple[tuple[int, ...], ...] | None = None
    cursor: tuple[int, ...] = ()

    def is_open(self, cost: float) -> bool:
        """Whether something in it may cost less."""
        return self.bound * (1.0 - SLACK) < cost

    def numbers(self) -> list[int]:
        """Everything but the bound, for a file; ``of`` reads it."""
        inner = [] if self.inner is None else [i for row in self.inner for i in row]
        return [self.mask, len(inner), *inner, len(self.cursor), *self.cursor]

    @classmethod
    def of(cls, bound: float, numbers: Sequence[int], levels: int, dims: int) -> Node:
        """The node that ``numbers`` came from."""
        count = numbers[1]
        flat = numbers[2 : 2 + count]
        inner = tuple(tuple(flat[s * dims : (s + 1) * dims]) for s in range(levels)) if count else None
        cursor = tuple(numbers[3 + count : 3 + count + numbers[2 + count]])
        return cls(bound, numbers[0], inner, cursor)


COUNTS = ("tasks", "visits", "nodes", "leaves", "evaluated", "valid")
"""What a report counts: tasks begun, tiles looked at, bounds computed, leaves found, mappings evaluated,
valid ones among them."""


@dataclass
class Report:
    """What came of a node."""

    best: Incumbent | None = None
    left: list[Node] = field(default_factory=list)
    tasks: int = 0
    visits: int = 0
    nodes: int = 0
    leaves: int = 0
    evaluated: int = 0
    valid: int = 0


@dataclass(frozen=True)
class Moment:
    """A point of the gap curve: wall clock so far, mappings evaluated, cost of the best, bound of the rest."""

    seconds: float
    evaluated: int
    valid: int
    cost: float
    bound: float
    cycles: int
    energy_pj: float


class Queue:
    """Open nodes, lowest bound first, of equal ones the older first: a heap, for there may be a million."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._heap: list[tuple[float, int, Node]] = []
        self._turn = 0
        for node in nodes:
            self.add(node)

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Node]:
        """In order."""
        return (node for _, _, node in sorted(self._heap))

    @property
    def bound(self) -> float:
        """The lowest, infinite if nothing is left."""
        return self._heap[0][0] if self._heap else np.inf

    def add(self, node: Node) -> None:
        """One more."""
        heapq.heappush(self._heap, (node.bound, self._turn, node))
        self._turn += 1

    def take(self, count: int) -> list[Node]:
        """Remove and return the most promising nodes."""
        return [heapq.heappop(self._heap)[2] for _ in range(min(count, len(self._heap)))]

    def prune(self, cost: float) -> None:
        """Drop what cannot cost less."""
        self._heap = [entry for entry in self._heap if entry[2].is_open(cost)]
        heapq.heapify(self._heap)


@dataclass
class Frontier:
    """The open nodes of a mapspace and all results so far."""

    nodes: Queue
    best: Incumbent | None = None
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    course: list[Moment] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """Of the best mapping, infinite before the first valid one."""
        return np.inf if self.best is None else self.best.cost

    @property
    def bound(self) -> float:
        """No mapping costs less."""
        return min(self.nodes.bound, self.cost)

    @property
    def proven(self) -> bool:
        """Nothing is left: the best is the optimum, or there is no valid mapping."""
        return not self.nodes

    @property
    def gap(self) -> float:
        """Share of the best cost that is still open, 0 if proven, 1 if nothing is known."""
        if self.proven:
            return 0.0
        return (self.cost - self.bound) / self.cost if np.isfinite(self.cost) else 1.0

    def take(self, count: int) -> list[Node]:
        """Remove and return the most promising nodes."""
        return self.nodes.take(count)

    def merge(self, reports: Iterable[Report]) -> None:
        """Add results in order; drop what can no longer be better."""
        before = self.cost
        new: list[Node] = []
        for report in reports:
            for name in COUNTS:
                self.counts[name] += getattr(report, name)
            if report.best is not None and report.best.cost < self.cost:
                self.best = report.best
            new += report.left
        cost = self.cost
        if cost < before:
            self.nodes.prune(cost)
        for node in new:
            if node.is_open(cost):
                self.nodes.add(node)

    def note(self) -> None:
        """Add a point to the gap curve if anything moved."""
        last = self.course[-1] if self.course else None
        if last is None or (self.cost, self.bound) != (last.cost, last.bound) or self.proven:
            best = self.best
            self.course.append(
                Moment(
                    self.seconds, self.counts["evaluated"], self.counts["valid"], self.cost, self.bound,
                    0 if best is None else best.cycles, 0.0 if best is None else best.energy_pj,
                )
            )  # fmt: skip

    def pack(self, identity: Mapping[str, Any]) -> bytes:
        """Everything as one file."""
        head = {
            "identity": dict(identity),
            "seconds": self.seconds,
            "counts": self.counts,
            "course": [[_text(x) for x in astuple(m)] for m in self.course],
            "best": None
            if self.best is None
            else [_text(self.best.cost), self.best.cycles, _text(self.best.energy_pj)],
        }
        nodes = list(self.nodes)
        width = max((len(node.numbers()) for node in nodes), default=0)
        numbers = np.full((len(nodes), width), -2, np.int32)
        for row, node in zip(numbers, nodes):
            values = node.numbers()
            row[: len(values)] = values
        arrays: dict[str, Any] = {
            "head": np.frombuffer(json.dumps(head).encode(), np.uint8),
            "bound": np.array([node.bound for node in nodes], np.float64),
            "numbers": numbers,
        }
        if self.best is not None:
            batch = MappingBatch.of([self.best.mapping])
            arrays.update({name: getattr(batch, name) for name in _BATCH})
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        content = buffer.getvalue()
        return (
            content + hashlib.sha256(content).digest()
        )  # its numbers steer kernels: none may be a damaged one

    @classmethod
    def unpack(cls, data: bytes, identity: Mapping[str, Any], levels: int, dims: int) -> Frontier:
        """What ``pack`` wrote.

        Raises:
            UsageError: not readable, or of another proof.
        """
        try:
            return cls._unpacked(data, identity, levels, dims)
        except UsageError:
            raise
        except Exception as error:  # readers of zip, npy and JSON raise a dozen kinds on damaged bytes
            raise UsageError(
                f"the record of the proof is damaged ({error}): restore it, or start anew in another folder"
            ) from None

    @classmethod
    def _unpacked(cls, data: bytes, identity: Mapping[str, Any], levels: int, dims: int) -> Frontier:
        content, seal = data[:-32], data[-32:]
        if hashlib.sha256(content).digest() != seal:
            raise ValueError("not the whole of it, or changed")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            bounds, numbers = arrays["bound"], arrays["numbers"]
            batch = {name: arrays[name] for name in _BATCH} if head["best"] is not None else {}
        _check_identity(head["identity"], json.loads(json.dumps(dict(identity))))
        best = None
        if batch:
            cost, cycles, energy = head["best"]
            best = Incumbent(float.fromhex(cost), _mapping(batch), cycles, float.fromhex(energy))
        return cls(
            nodes=Queue(Node.of(float(b), row.tolist(), levels, dims) for b, row in zip(bounds, numbers)),
            best=best,
            seconds=head["seconds"],
            counts=head["counts"],
            course=[_moment([float.fromhex(x) for x in row]) for row in head["course"]],
        )


def _text(value: float) -> str:
    """A double that comes back exactly, also an infinite one, which JSON does not have."""
    return float(value).hex()


def _moment(values: list[float]) -> Moment:
    seconds, evaluated, valid, cost, bound, cycles, energy = values
    return Moment(seconds, int(evaluated), int(valid), cost, bound, int(cycles), energy)


def _mapping(arrays: Mapping[str, Any]) -> LoopNest:
    return MappingBatch(**arrays)[0]


def _check_identity(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in sorted({*recorded, *now}):
        if recorded.get(key) != now.get(key):
            raise UsageError(
                f"cannot resume the proof: {key} was {recorded.get(key)!r} when it began, now it is {now.get(key)!r}"
            )
