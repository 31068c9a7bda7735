"""The workload: dimensions, bounds and the projections of its data spaces (spec: cost-model section 1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One summand ``coefficient * dimension`` of a rank. ``dim`` is an index into ``Problem.dims``."""

    dim: int
    coefficient: int


@dataclass(frozen=True)
class DataSpace:
    """A tensor. Each rank is a sum of terms; ``read_write`` marks outputs."""

    name: str
    ranks: tuple[tuple[Term, ...], ...]
    read_write: bool

    @property
    def dims(self) -> frozenset[int]:
        """Indices of all dimensions that occur in the projection."""
        return frozenset(term.dim for rank in self.ranks for term in rank)


@dataclass(frozen=True)
class Problem:
    """A fully bound workload. ``dims`` are one-letter names in declaration order, ``bounds`` their sizes."""

    name: str
    dims: tuple[str, ...]
    bounds: tuple[int, ...]
    data_spaces: tuple[DataSpace, ...]

    @property
    def operations(self) -> int:
        """Number of points of the operation space: the product of all bounds."""
        product = 1
        for bound in self.bounds:
            product *= bound
        return product

    def dim_index(self, name: str) -> int:
        """Index of a dimension by its letter; ``KeyError`` if there is none."""
        try:
            return self.dims.index(name)
        except ValueError:
            raise KeyError(name) from None

    def data_space_index(self, name: str) -> int:
        """Index of a data space by name; ``KeyError`` if there is none."""
        for index, space in enumerate(self.data_spaces):
            if space.name == name:
                return index
        raise KeyError(name)
