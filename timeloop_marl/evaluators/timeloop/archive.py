"""Reading timeloop-X.map+stats.xml: the engine's state, doubles with all their digits.

A Boost archive: every member is an element of its name, a value per data space is ``<PerDataSpace>`` with an ``<item>``
each, levels and networks are ``<px>`` below ``levels_`` and ``networks_``. The file has no closing tag at its end, and
class names stand at the first object of a class only, so kinds are told by the members that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from xml.etree.ElementTree import Element, ParseError, fromstring

T = TypeVar("T")
_END = "</boost_serialization>"


class ArchiveError(ValueError):
    """The file is not such an archive, or one of a Timeloop that holds something else."""


@dataclass(frozen=True)
class LevelArchive:
    """A storage level; lists have an entry per data space. Energies pJ: per instance, addresses per cluster."""

    name: str
    cycles: int
    slowdown: float
    keep: list[bool]
    capacity: list[int]
    instances: list[float]
    clusters: list[int]
    energy: list[float]
    reduction_energy: list[float]
    address_energy: list[float]
    read_bandwidth: list[float]
    write_bandwidth: list[float]
    shared_bandwidth: list[float]


@dataclass(frozen=True)
class NetworkArchive:
    """A network; lists have an entry per data space and are empty where its class has no such figure. pJ."""

    energy: list[float]
    link_energy: list[float]
    hops: list[float]
    energy_per_hop: list[float]
    reduction_energy: list[float]


@dataclass(frozen=True)
class Archive:
    """The evaluated engine: compute level, storage levels inside-out, networks by name. Area µm² per instance."""

    compute_energy: float
    compute_area: float
    average_instances: float
    levels: tuple[LevelArchive, ...]
    networks: dict[str, NetworkArchive]


def read_archive(text: str, spaces: int) -> Archive:
    """Parse the text; ``spaces``: number of data spaces.

    Raises:
        ArchiveError: it is not such an archive.
    """
    topology = _engine(text).find("topology_")
    if topology is None:
        raise ArchiveError("no topology_")
    levels = [_child(item, "px") for item in topology.findall("levels_/item")]
    compute = [level for level in levels if level.find("energy_") is not None]
    storage = [level for level in levels if level.find("stats_") is not None]
    if len(compute) != 1 or not storage:
        raise ArchiveError(f"{len(compute)} compute levels and {len(storage)} storage levels")
    return Archive(
        compute_energy=_value(compute[0], "energy_", float),
        compute_area=_value(compute[0], "area_", float),
        average_instances=_value(compute[0], "avg_utilized_instances_", float),
        levels=tuple(_level(level, spaces) for level in storage),
        networks={
            _text(item, "first"): _network(_child(item, "second/px/stats_"), spaces)
            for item in topology.findall("networks_/item")
        },
    )


def _engine(text: str) -> Element:
    whole = text if text.rstrip().endswith(_END) else text + _END
    try:
        engine = fromstring(whole).find("engine")
    except ParseError as error:
        raise ArchiveError(f"not XML: {error}") from error
    if engine is None:
        raise ArchiveError("no engine")
    return engine


def _level(px: Element, spaces: int) -> LevelArchive:
    stats = _child(px, "stats_")

    def each(name: str, kind: Callable[[str], T]) -> list[T]:
        return _per_space(stats, name, spaces, kind)

    return LevelArchive(
        name=_text(px, "specs_/LevelSpecs/level_name"),
        cycles=_value(stats, "cycles", int),
        slowdown=_value(stats, "slowdown", float),
        keep=[value != 0 for value in each("keep", int)],
        capacity=each("utilized_capacity", int),
        instances=each("utilized_instances", float),
        clusters=each("utilized_clusters", int),
        energy=each("energy", float),
        reduction_energy=each("temporal_reduction_energy", float),
        address_energy=each("addr_gen_energy", float),
        read_bandwidth=each("read_bandwidth", float),
        write_bandwidth=each("write_bandwidth", float),
        shared_bandwidth=each("shared_bandwidth", float),
    )


def _network(stats: Element, spaces: int) -> NetworkArchive:
    def each(name: str) -> list[float]:
        return _per_space(stats, name, spaces, float) if stats.find(name) is not None else []

    return NetworkArchive(
        energy=_per_space(stats, "energy", spaces, float),
        link_energy=each("link_transfer_energy"),
        hops=each("num_hops"),
        energy_per_hop=each("energy_per_hop"),
        reduction_energy=each("spatial_reduction_energy"),
    )


def _per_space(stats: Element, name: str, spaces: int, kind: Callable[[str], T]) -> list[T]:
    texts = [item.text or "" for item in stats.findall(f"{name}/PerDataSpace/item")]
    if len(texts) < spaces:
        raise ArchiveError(f"{name} has {len(texts)} values for {spaces} data spaces")
    return [_converted(name, text, kind) for text in texts[:spaces]]


def _value(element: Element, path: str, kind: Callable[[str], T]) -> T:
    return _converted(path, _text(element, path), kind)


def _converted(name: str, text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text.strip())
    except ValueError as error:
        raise ArchiveError(f"{name} is {text!r}") from error


def _text(element: Element, path: str) -> str:
    return (_child(element, path).text or "").strip()


def _child(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise ArchiveError(f"no {path}")
    return found
