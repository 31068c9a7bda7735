"""Density models: how likely a tile of a data space holds how many nonzeros (docs/sparse.md, section 2)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...specs.problem import DataSpace
from ...specs.sparse import BANDED, HYPERGEOMETRIC, Density
from .doubles import INDEFINITE, MODULO, unsigned
from .extended import Extended
from .hypergeometric import chance, chances, extended_chance

Box = tuple[int, ...]
"""Extents of a tile, rank by rank."""

_CHUNK = 32


class AbortError(Exception):
    """The real program ends with an assertion, an exception, or without end."""


def points(box: Box) -> int:
    """Points of a tile."""
    return math.prod(box)


Likely = tuple[Int64[ndarray, "k"], Float64[ndarray, "k"]]


class Occupancies:
    """Every number of nonzeros that a tile may hold, ascending, with its chance; ``least``: the smallest possible."""

    def __init__(self, counts: Int64[ndarray, "k"], chances: Float64[ndarray, "k"], least: int) -> None:
        self.counts, self.chances, self.least = counts, chances, least


class DensityModel(ABC):
    """One data space. Answers depend on boxes only and are remembered."""

    def __init__(self, density: Density) -> None:
        self.density = density
        self._empty: dict[Box, float] = {}
        self._within: dict[tuple[Box, Box, int], Float64[ndarray, "k"]] = {}
        self._occupancies: dict[tuple[Box, int], Occupancies] = {}

    def empty(self, box: Box) -> float:
        """Chance that the box holds nothing."""
        if box not in self._empty:
            self._empty[box] = self._empty_chance(box)
        return self._empty[box]

    def empty_within(self, box: Box, tile: Box, volume: int) -> Float64[ndarray, "k"]:
        """Chance that a box of a tile of ``volume`` points holds nothing, for each of the tile's occupancies."""
        key = box, tile, volume
        if key not in self._within:
            self._within[key] = self.empty_given(box, tile, volume, self.occupancies(tile, volume).counts)
        return self._within[key]

    def occupancies(self, tile: Box, volume: int) -> Occupancies:
        """How many nonzeros a tile may hold; ``volume``: its points, fewer than the box's if factors are imperfect."""
        key = tile, volume
        if key not in self._occupancies:
            least, (counts, found) = self.checked_least(tile, volume), self.likely(tile)
            kept = counts >= min(least, INDEFINITE - 1)
            self._occupancies[key] = Occupancies(counts[kept], found[kept], least)
        return self._occupancies[key]

    def checked_least(self, tile: Box, volume: int) -> int:
        """Fewest nonzeros that a tile may hold.

        Raises:
            AbortError: there is no memory for as many bits as the real program asks for then.
        """
        least = self.least(tile, volume)
        if least and self.largest(tile, 1.0) + 1 < least < MODULO - 4096:
            raise AbortError("memory for all occupancies of a tile")
        return least

    def most_elements(self, fiber: Box, element: Box) -> int:
        """Most elements of a fiber that hold anything (2.5)."""
        whole, part = points(fiber), points(element)
        if whole % part:
            raise AbortError("a fiber that is no multiple of its elements")
        return min(self.largest(fiber, 1.0), whole // part)

    @property
    @abstractmethod
    def one(self) -> float:
        """Expected value of one point."""

    @abstractmethod
    def empty_given(
        self, box: Box, tile: Box, volume: int, counts: Int64[ndarray, "k"]
    ) -> Float64[ndarray, "k"]:
        """Chance that a box of a tile holds nothing, for each number of nonzeros of the tile."""

    @abstractmethod
    def largest(self, box: Box, confidence: float) -> int:
        """Nonzeros that a tile holds at most with this confidence."""

    @abstractmethod
    def quick(self, volume: int, confidence: float) -> int:
        """The same for the mapper's check before evaluation, which knows the volume only."""

    @abstractmethod
    def likely(self, tile: Box) -> Likely:
        """Every number of nonzeros whose chance is not 0, ascending, with that chance."""

    def least(self, tile: Box, volume: int) -> int:
        """Fewest nonzeros that a tile may hold, as the real program says."""
        return 0

    @abstractmethod
    def _empty_chance(self, box: Box) -> float: ...


def density_model(density: Density, space: DataSpace, tensor: Box) -> DensityModel:
    """The model of a data space whose whole tensor has these extents."""
    if density.kind == HYPERGEOMETRIC:
        return Hypergeometric(density, points(tensor))
    return Banded(density, tensor) if density.kind == BANDED else Fixed(density)


class Fixed(DensityModel):
    """Structured sparsity: every tile holds its share, rounded down or up (2.1 to 2.5)."""

    @property
    def one(self) -> float:
        """The share itself."""
        return self.density.share

    def _empty_chance(self, box: Box) -> float:
        expected = points(box) * self.density.share
        return 1.0 - expected if expected < 1.0 else 0.0

    def empty_given(
        self, box: Box, tile: Box, volume: int, counts: Int64[ndarray, "k"]
    ) -> Float64[ndarray, "k"]:
        """With the share of the tile in place of that of the tensor (2.1)."""
        expected = points(box) * (counts / volume)
        return np.where(expected < 1.0, 1.0 - expected, 0.0)

    def largest(self, box: Box, confidence: float) -> int:
        """Only the volume matters."""
        return self.quick(points(box), confidence)

    def quick(self, volume: int, confidence: float) -> int:
        """Rounded down where that is sure enough (2.3)."""
        expected = volume * self.density.share
        low = math.floor(expected)
        return low if confidence <= 1.0 - (expected - low) else math.ceil(expected)

    def likely(self, tile: Box) -> Likely:
        """The share, rounded down and up (2.2)."""
        expected = points(tile) * self.density.share
        low = math.floor(expected)
        above = expected - low
        if above == 0.0:
            return np.array([low]), np.ones(1)
        return np.array([low, low + 1]), np.array([1.0 - above, above])

    def least(self, tile: Box, volume: int) -> int:
        """Rounded down twice (2.4)."""
        size = points(tile)
        return unsigned(math.floor((math.floor(size * self.density.share) / size) * volume))


class Hypergeometric(DensityModel):
    """Nonzeros anywhere with the same chance (2.6 to 2.13)."""

    def __init__(self, density: Density, tensor: int) -> None:
        super().__init__(density)
        self.total = tensor % 2**32
        self.nonzeros = math.ceil(density.share * tensor) % 2**32
        self._by_volume: dict[int, Likely] = {}
        self._empty_by_volume: dict[tuple[int, int, int], Float64[ndarray, "k"]] = {}

    @property
    def one(self) -> float:
        """Chance of a single nonzero point (2.11)."""
        return chance(1, self.nonzeros, 1, self.total) if self.nonzeros else 0.0

    def _empty_chance(self, box: Box) -> float:
        return chance(0, self.nonzeros, points(box), self.total)

    def empty_given(
        self, box: Box, tile: Box, volume: int, counts: Int64[ndarray, "k"]
    ) -> Float64[ndarray, "k"]:
        """The tile takes the place of the tensor (2.6)."""
        size = points(box)
        return np.array([chance(0, int(count), size, volume) for count in counts])

    def empty_within(self, box: Box, tile: Box, volume: int) -> Float64[ndarray, "k"]:
        """Remembered by volumes: shapes do not matter."""
        key = points(box), points(tile), volume
        if key not in self._empty_by_volume:
            self._empty_by_volume[key] = super().empty_within(box, tile, volume)
        return self._empty_by_volume[key]

    def largest(self, box: Box, confidence: float) -> int:
        """Only the volume matters."""
        return self.quick(points(box), confidence)

    def quick(self, volume: int, confidence: float) -> int:
        """All nonzeros, or a quantile (2.9)."""
        return min(volume, self.nonzeros) if confidence >= 1.0 else self._quantile(volume, confidence)

    def likely(self, tile: Box) -> Likely:
        """By volume, kept."""
        n = points(tile)
        if n not in self._by_volume:
            self._by_volume[n] = self._likely(n)
        return self._by_volume[n]

    def least(self, tile: Box, volume: int) -> int:
        """The real program subtracts unsigned numbers (2.10)."""
        n = points(tile)
        if n <= self.total - self.nonzeros:
            return 0
        if n == self.total:
            return unsigned(math.floor((self.nonzeros / n) * volume))
        return unsigned(math.floor((float((n - self.total) % MODULO) + self.nonzeros) / n * volume))

    def _likely(self, n: int) -> Likely:
        """Every count whose chance is not 0: outwards from the mode, as there is only one."""
        low, high = max(0, n + self.nonzeros - self.total), min(n, self.nonzeros)
        mode = min(high, max(low, (n + 1) * (self.nonzeros + 1) // (self.total + 2)))
        up, down = [], []
        for first in range(mode, high + 1, _CHUNK):
            counts = np.arange(first, min(high + 1, first + _CHUNK))
            up.append((counts, chances(counts, self.nonzeros, n, self.total)))
            if (up[-1][1] == 0.0).any():
                break
        for last in range(mode, low, -_CHUNK):
            counts = np.arange(max(low, last - _CHUNK), last)
            down.append((counts, chances(counts, self.nonzeros, n, self.total)))
            if (down[-1][1] == 0.0).any():
                break
        parts = [*down[::-1], *up]
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0)
        counts, found = (np.concatenate(part) for part in zip(*parts))
        return counts[found != 0.0], found[found != 0.0]

    def _quantile(self, n: int, confidence: float) -> int:
        """The quantile as the library that the real program calls rounds it (2.13)."""
        r, total = self.nonzeros, self.total
        base, lim = max(0, n + r - total), min(n, r)
        aim, rest = Extended.of(confidence), Extended.of(1.0 - confidence)
        fudge = Extended.rounded((1 << 63) + 50, -63)
        half = Extended.of(0.5)
        if confidence <= 0.5:
            k, share = base, extended_chance(base, r, n, total)
            step = share
            while share < aim:
                step = Extended.of((n - k) * (r - k)) * step / Extended.of((k + 1) * (total + k + 1 - n - r))
                if share + step * half > aim:
                    break
                k, share = k + 1, share + step
            if confidence < 0.5 and aim < share * fudge and k != base:
                return k - 1
            return k + 1 if confidence == 0.5 and share < aim * fudge and k != lim else k
        k, share, step = lim, Extended(0, 0), extended_chance(lim, r, n, total)
        while share + step * half < rest:
            share = share + step
            step = Extended.of(k * (total + k - n - r)) * step / Extended.of((1 + n - k) * (1 + r - k))
            k -= 1
        return k + 1 if rest < share * fudge and k != lim else k


class Banded(DensityModel):
    """Nonzeros within a band around the diagonal of a square matrix (2.14 to 2.18)."""

    def __init__(self, density: Density, tensor: Box) -> None:
        super().__init__(density)
        self.tensor, self.width = tensor, density.band
        self._tables: dict[Box, dict[int, float]] = {}

    def _square(self) -> int:
        if len(self.tensor) != 2 or self.tensor[0] != self.tensor[1]:
            raise AbortError("a banded density of a data space that is no square matrix")
        return self.tensor[0]

    @property
    def one(self) -> float:
        """The share of the band in the matrix (2.14)."""
        size = self._square()
        total = size + sum(2 * (size - u) for u in range(1, self.width + 1))
        return total / (size * size)

    def _nonzeros(self, i0: int, j0: int, i1: int, j1: int) -> int:
        w = self.width
        return sum(max(0, min(j1, i + w + 1) - max(j0, i - w, 0)) for i in range(i0, i1))

    def _table(self, box: Box) -> dict[int, float]:
        """Chance of every count of a tile that occurs (2.16)."""
        if box in self._tables:
            return self._tables[box]
        size, w = self._square(), self.width
        h, v = box
        rows, columns = size // h, size // v
        if rows * columns == 0:
            raise AbortError("a tile larger than the tensor of a banded density: undefined")
        reach = -(-w // h)
        count: dict[int, int] = {0: 0}
        for g in range(min(reach, rows - 1) + 1):
            weight = max(rows - 2 * reach, 0) if g >= reach else 1 if reach == rows else 2
            for c in range(columns):
                if c * v > g * h + h - 1 + w:
                    count[0] += (columns - c) * weight
                    break
                found = self._nonzeros(g * h, c * v, g * h + h, c * v + v)
                count[found] = count.get(found, 0) + weight
        self._tables[box] = {k: count[k] / (rows * columns) for k in sorted(count)}
        return self._tables[box]

    def _empty_chance(self, box: Box) -> float:
        return self._table(box)[0]

    def empty_given(
        self, box: Box, tile: Box, volume: int, counts: Int64[ndarray, "k"]
    ) -> Float64[ndarray, "k"]:
        """Within the first tile of so many nonzeros (2.17)."""
        return np.array([self._empty_in(box, tile, int(count)) for count in counts])

    def _empty_in(self, box: Box, tile: Box, nonzeros: int) -> float:
        """Chance within the first tile of so many nonzeros; its corner is added twice, as there (2.17)."""
        if points(tile) == 0:
            return 1.0
        size, (h, v), (h1, v1) = self._square(), box, tile
        if size % h1 or size % v1 or h1 % h or v1 % v:
            raise AbortError("tiles that do not divide the tensor of a banded density")
        i0, j0 = self._corner(tile, nonzeros)
        rows, columns = h1 // h, v1 // v
        empty = sum(
            self._nonzeros(2 * i0 + a * h, 2 * j0 + b * v, i0 + a * h + h, j0 + b * v + v) == 0
            for a in range(rows)
            for b in range(columns)
        )
        return empty / (rows * columns)

    def _corner(self, tile: Box, nonzeros: int) -> tuple[int, int]:
        size, w, (h, v) = self._square(), self.width, tile
        rows, columns, reach = size // h, size // v, -(-w // h)
        for g in range(min(reach, rows - 1) + 1):
            for c in range(columns):
                if c * v > g * h + h - 1 + w:
                    if nonzeros == 0:
                        return g * h, c * v
                    break
                if self._nonzeros(g * h, c * v, g * h + h, c * v + v) == nonzeros:
                    return g * h, c * v
        raise AbortError("no tile of so many nonzeros")

    def largest(self, box: Box, confidence: float) -> int:
        """From the fullest tile down until the rest is sure enough."""
        table = self._table(box)
        counts, left = sorted(table, reverse=True), 1.0
        for place, count in enumerate(counts):
            if place > 0:
                left -= table[count]
            if not left > confidence:
                return count
        raise AbortError("a confidence beyond the end of a banded density: undefined")

    def quick(self, volume: int, confidence: float) -> int:
        """As many as a row may hold (2.16)."""
        return math.ceil(min(volume, 2 * self.width + 1) * confidence)

    def least(self, tile: Box, volume: int) -> int:
        """None, if the tile fits the matrix at all."""
        self._table(tile)
        return 0

    def most_elements(self, fiber: Box, element: Box) -> int:
        """In the fullest fiber (2.18)."""
        whole, part = points(fiber), points(element)
        empty = self._empty_in(element, fiber, self.largest(fiber, 1.0))
        return unsigned(math.ceil((whole // part) * empty))

    def likely(self, tile: Box) -> Likely:
        """By extents, kept."""
        table = self._table(tile)
        counts = [count for count in sorted(table) if table[count] != 0.0]
        return np.array(counts, np.int64), np.array([table[count] for count in counts])
