"""All counts of a sparse mapping from those of the dense one: ranks, tiles, actions, words (sections 3 to 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...specs.spec import Spec
from .actions import Action, Situation, find_actions
from .density import AbortError, Box, DensityModel, density_model
from .doubles import INDEFINITE, MODULO, quotient, rounded_up, unsigned
from .nest import Loop, box
from .ranks import LevelRanks, assign_ranks, check_formats
from .spatial import Spread, skip_instances
from .tiles import Tile, accesses, measure_tile

_TILES = 200_000  # kept at a time
READ, FILL, UPDATE = "read", "fill", "update"
KINDS = ("random", "gated", "skipped")

Pairs = list[list[int]]
"""Metadata and payload of each rank, innermost first."""


@dataclass(frozen=True)
class DenseWords:
    """What the dense model counts, by level and data space; ``operations`` is not rounded yet.

    ``rep``, ``across``, ``down``: utilised instances, columns and rows; ``steps``: cycles of imperfect mappings.
    """

    volume: list[list[int]]
    reads: list[list[int]]
    fills: list[list[int]]
    updates: list[list[int]]
    partition: list[list[int]]
    rep: list[int]
    across: list[int]
    down: list[int]
    operations: float
    computes: int
    compute_instances: int
    compute_across: int
    compute_down: int
    steps: int
    imperfect: bool


@dataclass
class SpaceWords:
    """Words of one data space at one level, per instance.

    ``words[kind, action]`` and ``metadata[kind, action]``: what really happens, is gated, is skipped.
    """

    tile: Tile
    reads: int
    fills: int
    updates: int
    reductions: int
    words: dict[tuple[str, str], int] = field(default_factory=dict)
    metadata: dict[tuple[str, str], Pairs] = field(default_factory=dict)
    decompressions: int = 0
    compressions: int = 0


@dataclass
class SparseWords:
    """Counts of one mapping. ``spaces[s][p]`` is ``None`` where p is not stored."""

    spaces: list[list[SpaceWords | None]]
    spread: Spread
    random: int
    gated: int
    skipped: int


class SparseTraffic:
    """Counts the words of sparse mappings of one Spec; keeps what it learns of tiles.

    Args:
        spec: a sparse design.
        first: the first mapping fixes the sizes of tensors, as in the mapper; they differ with imperfect factors only.
    """

    def __init__(self, spec: Spec, first: bool) -> None:
        assert spec.sparsity is not None
        self.spec, self.sparsity = spec, spec.sparsity
        self.names = [level.name for level in spec.architecture.storage]
        self.first = first
        self.models: tuple[DensityModel, ...] = ()
        self._models: dict[tuple[Box, ...], tuple[DensityModel, ...]] = {}
        self._tiles: dict[tuple[object, ...], Tile] = {}

    def check(self, keep: Sequence[Sequence[bool]]) -> None:
        """What shows before anything is counted: formats of neighbours (3.1).

        Raises:
            MisfitError: a level cannot do what a format needs.
        """
        if self.sparsity.formatted:
            check_formats(self.sparsity, self.spec.problem, self.names, keep)

    def see(self, nest: list[list[Loop]]) -> None:
        """Take the density models for the tensors of this nest."""
        if self.models and self.first:
            return
        spaces = self.spec.problem.data_spaces
        tensors = tuple(box(space, nest[-1][-1].extents) for space in spaces)
        if tensors not in self._models:
            found = zip(self.sparsity.densities, spaces, tensors)
            self._models[tensors] = tuple(
                density_model(density, space, tensor) for density, space, tensor in found
            )
        self.models = self._models[tensors]

    def __call__(
        self, nest: list[list[Loop]], dense: DenseWords, read_energy: Sequence[float]
    ) -> SparseWords:
        """Counts of one mapping.

        Raises:
            MisfitError: ranks, targets or children do not fit.
            AbortError: the real program ends without a result.
        """
        spaces = self.spec.problem.data_spaces
        ranks = None
        if self.sparsity.formatted:
            ranks = assign_ranks(self.sparsity, self.spec.problem, self.names, nest, dense.volume)
        tiles: list[list[Tile | None]] = [[None] * len(spaces) for _ in self.names]
        for p, space in enumerate(spaces):
            known = False
            for s in range(len(self.names) - 1, -1, -1):
                if dense.volume[s][p] == 0:
                    continue
                form = self.sparsity.levels[s].formats[p]
                extents = box(space, nest[s][-1].extents)
                held = None if ranks is None else ranks[s][p]
                tiles[s][p] = self._tile(s, p, dense.volume[s][p], extents, held, known)
                known = form is not None
        situation = Situation(
            self.sparsity, self.spec.problem, self.spec.architecture, self.models, nest, tiles, read_energy
        )
        actions = find_actions(situation)
        spread = _dense_spread(dense, tiles, len(spaces))
        if self.sparsity.spatial:
            skip_instances(situation, spread, dense.rep, dense.compute_instances)
        return _Propagation(situation, dense, actions, spread).result()

    def _tile(self, s: int, p: int, volume: int, extents: Box, ranks: LevelRanks | None, known: bool) -> Tile:
        """A tile, measured once."""
        model, form = self.models[p], self.sparsity.levels[s].formats[p]
        key = (model, s, volume, extents, known, ranks if form is not None else None)
        if key not in self._tiles:
            if len(self._tiles) == _TILES:
                self._tiles.clear()
            self._tiles[key] = measure_tile(volume, extents, model, form, ranks, known)
        return self._tiles[key]


def _dense_spread(dense: DenseWords, tiles: Sequence[Sequence[Tile | None]], spaces: int) -> Spread:
    """Instances before any is skipped; those whose tile is known to be empty do nothing."""
    return Spread(
        [[rep * (1.0 if tile is None else tile.share) for tile in row] for rep, row in zip(dense.rep, tiles)],
        [[x] * spaces for x in dense.across],
        [[y] * spaces for y in dense.down],
        float(dense.compute_instances),
        dense.compute_across,
        dense.compute_down,
        [[0.0] * spaces for _ in dense.rep],
    )


class _Working:
    """Counts of one (level, data space) while probabilities are handed inwards."""

    def __init__(self, tile: Tile, reads: int, fills: int, updates: int, read_write: bool) -> None:
        if tile.form is None:
            self.reads, self.fills, self.updates = float(reads), float(fills), float(updates)
            self.of_reads, self.of_fills, self.of_updates = [], [], []
        else:
            empty = 1.0 - tile.density
            self.reads, self.fills = _nonempty(reads, empty), _nonempty(fills, empty)
            self.updates = _nonempty(updates, empty) if read_write else float(updates)
            self.of_reads, self.of_fills = accesses(tile, reads), accesses(tile, fills)
            self.of_updates = accesses(tile, updates)


def _nonempty(words: int, empty: float) -> float:
    """Words without those that a format leaves out (5.11)."""
    removed = words * empty
    return float(unsigned(words - math.floor(removed))) if not math.isnan(removed) else float(INDEFINITE)


def _reduced(value: float, chance: float) -> float:
    return value - math.floor(value * chance)


class _Propagation:
    """Section 5.4 to 5.6 for one mapping."""

    def __init__(
        self, situation: Situation, dense: DenseWords, actions: dict[tuple[int, int], Action], spread: Spread
    ) -> None:
        self.situation, self.dense, self.actions, self.spread = situation, dense, actions, spread
        self.spatial = {
            (u, o.target) for u, level in enumerate(situation.sparsity.levels) for (o,) in level.spatial
        }
        spaces = situation.problem.data_spaces
        self.operations = dense.operations
        self.helped = [False] * len(spaces)
        self.empty = [0.0] * len(spaces)
        self.working: list[list[_Working | None]] = []
        self.found: list[list[SpaceWords | None]] = []
        for s, row in enumerate(situation.tiles):
            self.working.append([])
            self.found.append([])
            for p, tile in enumerate(row):
                counts = dense.reads[s][p], dense.fills[s][p], dense.updates[s][p]
                writes = spaces[p].read_write
                self.working[s].append(None if tile is None else _Working(tile, *counts, writes))
                reductions = dense.reads[s][p] if writes else 0
                self.found[s].append(None if tile is None else SpaceWords(tile, *counts, reductions))

    def result(self) -> SparseWords:
        """All counts."""
        for p in range(len(self.empty)):
            self._space(p)
        self._compress()
        random, gated, skipped = self._computes()
        return SparseWords(self.found, self.spread, random, gated, skipped)

    def _entry(self, s: int, p: int) -> tuple[Action | None, float] | None:
        """What is done at a level: gating or skipping, if any, and the probability; ``None`` if it is no entry."""
        action = self.actions.get((s, p))
        spatial = (s, p) in self.spatial
        if action is None and not spatial:
            return None
        if not spatial:
            assert action is not None
            return action, action.chance
        if action is not None and action.chance != 0.0:
            raise AbortError("gating or skipping together with spatial skipping")
        return action, self.spread.chance[s][p]

    def _space(self, p: int) -> None:
        done: set[int] = set()
        for s in range(len(self.found) - 1, -1, -1):
            entry = self._entry(s, p)
            if entry is not None:
                self._hand_inwards(s, p, entry, done)
        for s in range(len(self.found)):
            found, work = self.found[s][p], self.working[s][p]
            if found is not None and work is not None and ((s, p) not in self.actions):
                self._finalise(found, work, work.of_reads)
                found.reductions = self._reductions(found) if found.updates else 0

    def _hand_inwards(self, s: int, p: int, entry: tuple[Action | None, float], done: set[int]) -> None:
        """Levels inside s do only what s lets through (5.12, 5.13)."""
        action, chance = entry
        outer = self.found[s][p]
        ranks = 0 if outer is None or outer.tile.form is None else len(outer.tile.form.ranks)
        i = s - 1
        while i >= 0:
            work, found = self.working[i][p], self.found[i][p]
            if work is not None and found is not None:
                work.fills = _reduced(work.fills, chance)
                work.reads = _reduced(work.reads, chance)
                work.updates = _reduced(work.updates, chance)
                if found.tile.form is not None and ranks == 1:
                    for table in (work.of_fills, work.of_reads):
                        table[0] = [x - unsigned(math.floor(x * chance)) for x in table[0]]
            inner = self._entry(i, p)
            if inner is not None:
                if work is not None and found is not None:
                    self._finalise(found, work, work.of_updates)
                    if inner[0] is not None and (i, p) in self.actions and (i, p) not in self.spatial:
                        with_outer = 1.0 - quotient(1.0 - inner[1], 1.0 - chance)
                        self._act(i, p, found, inner[0], with_outer)
                done.add(i)
                break
            i -= 1
        work, found = self.working[s][p], self.found[s][p]
        if s not in done and work is not None and found is not None:
            self._finalise(found, work, work.of_reads)
            if action is not None and (s, p) not in self.spatial:
                self._act(s, p, found, action, chance)
        if i < 0 and not self.situation.problem.data_spaces[p].read_write:
            self.operations -= math.floor(self.operations * chance)
            self.helped[p] = True
            self.empty[p] = _millionths(chance)

    @staticmethod
    def _finalise(found: SpaceWords, work: _Working, reads: Pairs) -> None:
        for name, value in ((READ, work.reads), (FILL, work.fills), (UPDATE, work.updates)):
            found.words["random", name] = unsigned(value)
        if found.tile.form is not None:
            found.metadata["random", FILL] = [[*pair] for pair in work.of_fills]
            found.metadata["random", READ] = [[*pair] for pair in reads]
            found.metadata["random", UPDATE] = [[*pair] for pair in work.of_updates]

    def _act(self, s: int, p: int, found: SpaceWords, action: Action, chance: float) -> None:
        """Gate or skip at the level itself (5.14)."""
        writes = self.situation.problem.data_spaces[p].read_write
        for name in (READ, UPDATE):
            count = found.words["random", name]
            part = count * chance
            self._move(found, action.kind, name, _whole(part, name == READ and writes))
        c = self.situation.child(s, p)
        inner = found if c is None else self.found[c][p]
        assert inner is not None
        ranks = 0 if inner.tile.form is None else len(inner.tile.form.ranks)
        for name in (READ, UPDATE) if ranks else ():
            if found.tile.form is None or ranks > len(found.tile.form.ranks):
                raise AbortError("metadata of a child whose parent has none: undefined")
            rows = found.metadata["random", name]
            moved = [[_whole(x * chance, False) for x in pair] for pair in rows[:ranks]]
            moved += [[0, 0] for _ in rows[ranks:]]
            found.metadata[action.kind, name] = moved
            found.metadata["random", name] = [
                [(x - y) % MODULO for x, y in zip(pair, less)] for pair, less in zip(rows, moved)
            ]
        if writes:
            found.reductions = self._reductions(found)

    @staticmethod
    def _move(found: SpaceWords, kind: str, name: str, count: int) -> None:
        found.words[kind, name] = count
        found.words["random", name] = (found.words["random", name] - count) % MODULO

    @staticmethod
    def _reductions(found: SpaceWords) -> int:
        """Temporal reductions that really happen (5.15, 5.16)."""
        product = float(found.reductions) * float(found.words["random", UPDATE])
        return unsigned(rounded_up(quotient(product, float(found.updates))))

    def _compress(self) -> None:
        """What is decompressed on its way in and compressed on its way out (5.17)."""
        for p, space in enumerate(self.situation.problem.data_spaces):
            for s, row in enumerate(self.found):
                found = row[p]
                t = self.situation.holder(s + 1, p)
                if found is None or t is None:
                    continue
                outer = self.found[t][p]
                assert outer is not None
                if found.tile.compressed and not outer.tile.compressed:
                    raise AbortError("an uncompressed level with a compressed child")
                if outer.tile.compressed and not found.tile.compressed:
                    found.decompressions += found.words["random", FILL]
                    found.compressions += outer.words["random", UPDATE] if space.read_write else 0

    def _computes(self) -> tuple[int, int, int]:
        """Operations that happen, are gated, are skipped (5.18 to 5.21)."""
        sparsity, problem = self.situation.sparsity, self.situation.problem
        total = unsigned(self.operations)
        a, b = (p for p, space in enumerate(problem.data_spaces) if not space.read_write)
        na, za, ma = self._states(a, b)
        nb, zb, mb = self._states(b, a)
        parts = {"random": total * (na * nb), "gated": 0.0, "skipped": 0.0}
        zero = "gated" if sparsity.gates else "random"
        missing = "skipped" if sparsity.skips else zero
        parts[zero] += total * (na * zb + za * nb)
        parts[missing] += total * (na * mb + ma * nb)
        parts[zero] += total * (za * zb)
        parts[missing] += total * (za * mb + ma * zb)
        gone = total * (ma * mb)
        summed = parts["random"] + parts["gated"] + parts["skipped"] + gone
        if not abs(summed - total) < total * 0.00001:
            raise AbortError("no operations are left")
        skipped, gated = math.floor(parts["skipped"]), math.floor(parts["gated"])
        return unsigned(float(total) - skipped - gated - math.floor(gone)), gated, skipped

    def _states(self, p: int, other: int) -> tuple[float, float, float]:
        """Chances that an operand is a nonzero, a zero, or not there."""
        share = _millionths(self.situation.models[p].one)
        inner = next(tile for tile in (row[p] for row in self.situation.tiles) if tile is not None)
        if self.helped[other]:
            share = quotient(share, 1.0 - self.empty[other])
        rest = 1.0 - share
        states = (share, 0.0, rest) if inner.form is not None else (share, rest, 0.0)
        if not all(-0.00001 <= state <= 1.00001 for state in states):
            raise AbortError("a chance of an operand outside 0 to 1")
        exists, zero, missing = (min(1.0, max(0.0, state)) for state in states)
        return exists, zero, missing


def _millionths(value: float) -> float:
    """Rounded to six decimals, halves away from zero."""
    scaled = value * 1000000
    whole = math.floor(scaled)
    return (whole + 1 if scaled - whole >= 0.5 else whole) / 1000000


def _whole(value: float, up: bool) -> int:
    """Floor or ceiling as an unsigned integer."""
    if not math.isfinite(value):
        return unsigned(value)
    return unsigned(float(math.ceil(value) if up else math.floor(value)))
