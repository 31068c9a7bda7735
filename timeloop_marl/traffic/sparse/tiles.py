"""How full tiles are, and how much metadata they need (docs/sparse.md, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...specs.sparse import TensorFormat
from .density import AbortError, Box, DensityModel
from .doubles import rounded_up, unsigned
from .ranks import LevelRanks

Units = list[tuple[float, float]]
"""Metadata and payload of each rank, innermost first."""


@dataclass(eq=False)
class Tile:
    """One data space at one level.

    Attributes:
        volume: points of the tile.
        box: its extents.
        model: its density.
        form: its format, if it has metadata; ``ranks``: the loops in its ranks.
        share: chance that the tile is not known to be empty: what instances are multiplied with.
        aware: the parent's metadata tells which tiles are empty.
        metadata: expected metadata of each rank.
        bits: word bits of each rank, metadata and payload; 0 for a rank that needs none.
        known: what others have found out about the tile.
    """

    volume: int
    box: Box
    model: DensityModel
    form: TensorFormat | None
    ranks: LevelRanks | None
    share: float
    metadata: Units
    bits: list[tuple[int, int]]
    aware: bool = False
    known: dict[object, Any] = field(default_factory=dict)

    @cached_property
    def words(self) -> float:
        """Expected nonzeros (4.2)."""
        return in_order(self.expected_chances() * self.model.occupancies(self.box, self.volume).counts)

    def expected_chances(self) -> Float64[ndarray, "k"]:
        """Chance of each occupancy, without the tiles that are known to be empty (4.1)."""
        found = self.model.occupancies(self.box, self.volume).chances
        if self.aware and len(found):
            with np.errstate(divide="ignore", invalid="ignore"):
                found = found / self.share
            found[0] = 0.0
        return found

    @property
    def density(self) -> float:
        """Expected nonzeros over points."""
        return self.words / self.volume

    @property
    def compressed(self) -> bool:
        """Whether zeros are left out."""
        return self.form is not None and self.form.compressed

    def units(self, nonzeros: int) -> Units:
        """Metadata of the tile with so many nonzeros, rank by rank (4.2)."""
        table = tile_units(self, np.array([nonzeros], np.int64), remembered=False)
        return [(float(metadata[0]), float(payload[0])) for metadata, payload in table]


def measure_tile(
    volume: int,
    box: Box,
    model: DensityModel,
    form: TensorFormat | None,
    ranks: LevelRanks | None,
    known: bool,
) -> Tile:
    """Expected occupancy and metadata; ``known``: the parent's metadata tells which tiles are empty (4.1)."""
    aware = model.checked_least(box, volume) == 0 and known
    tile = Tile(volume, box, model, form, ranks, 1.0, [], [], aware)
    if aware:
        empty = model.empty(box)
        if empty == 0.0:
            first = model.occupancies(box, volume).chances[:1]
            empty = float(first[0]) if len(first) else 0.0
        tile.share = 1.0 - empty
    if form is not None:
        _expect_metadata(tile)
    return tile


def in_order(terms: Float64[ndarray, "k"]) -> float:
    """The sum of the terms, one after the other."""
    return float(np.add.accumulate(terms)[-1]) if len(terms) else 0.0


def _expect_metadata(tile: Tile) -> None:
    assert tile.form is not None and tile.ranks is not None
    counts, chances = tile.model.occupancies(tile.box, tile.volume).counts, tile.expected_chances()
    if not len(counts):
        raise AbortError("no occupancy of a tile with metadata")
    for metadata, payload in tile_units(tile, counts, remembered=True):
        tile.metadata.append((in_order(metadata * chances), in_order(payload * chances)))
    tile.bits = [
        (0, 0) if is_unit(tile.form, tile.ranks, r) else (rank.metadata_bits, rank.payload_bits)
        for r, rank in enumerate(tile.form.ranks)
    ]


def is_unit(form: TensorFormat, ranks: LevelRanks, r: int) -> bool:
    """Whether rank r holds one element and needs no metadata (4.3)."""
    spared = r != 0 if form.inner_to_outer else r != len(form.ranks) - 1
    return ranks.ranks[r].fiber == 1 and spared


def tile_units(
    tile: Tile, counts: Int64[ndarray, "k"], *, remembered: bool
) -> list[tuple[Float64[ndarray, "k"], Float64[ndarray, "k"]]]:
    """Metadata and payload of each rank for each number of nonzeros, innermost first."""
    assert tile.form is not None and tile.ranks is not None
    found = []
    possible, current = 1, tile.box
    for r in range(len(tile.form.ranks) - 1, -1, -1):
        fiber = tile.ranks.ranks[r].fiber
        inside = tile.ranks.ranks[r - 1].tile if r > 0 else tile.ranks.inside
        if is_unit(tile.form, tile.ranks, r):
            found.append((np.zeros(len(counts)), np.zeros(len(counts))))
        else:
            fibers = possible * (1.0 - _empty(tile, current, counts, remembered))
            empty = _empty(tile, inside, counts, remembered)
            found.append(_rank_units(tile.form.ranks[r].format, fiber, fibers, empty, possible * fiber))
        possible *= fiber
        current = inside
    found.reverse()
    left = np.ones(len(counts), np.bool_)
    for metadata, payload in found:  # the payload of the innermost rank with any is the data (4.6)
        used = left & ((metadata != 0.0) | (payload != 0.0))
        payload[used] = 0.0
        left &= ~used
    return found


def _empty(tile: Tile, box: Box, counts: Int64[ndarray, "k"], remembered: bool) -> Float64[ndarray, "k"]:
    if remembered:
        return tile.model.empty_within(box, tile.box, tile.volume)
    return tile.model.empty_given(box, tile.box, tile.volume, counts)


def _rank_units(
    kind: str, fiber: int, fibers: Float64[ndarray, "k"], empty: Float64[ndarray, "k"], all_elements: int
) -> tuple[Float64[ndarray, "k"], Float64[ndarray, "k"]]:
    """Metadata and payload of one rank (4.4)."""
    if kind == "UOP":
        return np.zeros(len(fibers)), fibers * (fiber + 1)
    if kind == "CP":
        both = np.ceil(fiber * (1.0 - empty)) * fibers
        return both, both.copy()
    if kind == "RLE":
        both = (fiber * (1.0 - empty)) * fibers
        return both, both.copy()
    if kind == "B":
        return fibers * fiber, fibers * np.ceil(fiber * (1.0 - empty))
    both = np.full(len(fibers), float(all_elements))
    return both, both.copy()


def accesses(tile: Tile, words: int) -> list[list[int]]:
    """Metadata and payload of each rank that go with so many words (4.8)."""
    if words == 0:
        return [[0, 0] for _ in tile.metadata]
    ratio = float(words) / tile.volume
    return [[_up(metadata * ratio), _up(payload * ratio)] for metadata, payload in tile.metadata]


def _up(value: float) -> int:
    return unsigned(rounded_up(value))


def total_bits(units: Units, bits: Sequence[tuple[int, int]]) -> float:
    """Bits of metadata of a tile (4.11), not rounded."""
    total = 0.0
    for (metadata, payload), (wide, narrow) in zip(units, bits):
        total += metadata * wide + payload * narrow
    return total
