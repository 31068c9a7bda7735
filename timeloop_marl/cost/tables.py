"""``Spec`` to ``Tables``: everything that is constant for one problem on one machine."""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..specs.architecture import Architecture, StorageLevel
from ..specs.constraints import Switches
from ..specs.problem import DataSpace, Problem
from ..specs.spec import Spec
from ..traffic.layout import NO_LIMIT, Tables, table_sizes
from ..traffic.record import allocate, fill
from .networks import ANY_FACTOR, LEGACY, Network, latency

LARGEST_COUNT = 2**62
"""No count of the model may reach this; beyond, construction refuses the problem."""

Pairs = frozenset[tuple[int, int]]
Values = dict[str, object]


def compile_tables(spec: Spec, switches: Switches, networks: tuple[Network, ...]) -> Tables:
    """Compile one Spec.

    Raises:
        UnsupportedFeatureError: counts could exceed 64 bits, or the rule set is unknown.
    """
    _check_counts(spec.problem)
    if spec.options.rules not in ("2022", "2025"):
        raise UnsupportedFeatureError("unknown rule set", value=spec.options.rules, expected="2022 or 2025")
    problem, storage, spaces = spec.problem, spec.architecture.storage, spec.problem.data_spaces
    actions = _actions(networks, len(spaces))
    values = {
        **_problem_values(problem),
        **_machine_values(spec),
        **_switch_values(switches, (len(storage), len(spaces))),
        **_energy_values(spec),
        **_network_values(networks, actions),
        **_option_values(spec, networks),
        "tiles": len(spec.architecture.tiling_levels),
        "networks": len(networks),
        "latency": latency(spec.architecture),
    }
    counts = {
        "D": len(problem.dims),
        "P": len(spaces),
        "S": len(storage),
        "T": len(spec.architecture.tiling_levels),
        "R": sum(len(space.ranks) for space in spaces),
        "terms": sum(len(rank) for space in spaces for rank in space.ranks),
        "N": len(networks),
        "A": actions[0].shape[2],
    }
    tables = allocate(Tables, table_sizes(counts))
    fill(tables, values)
    return tables


def _problem_values(problem: Problem) -> Values:
    """Sections 1 and 2: bounds and projections."""
    spaces, motion = problem.data_spaces, _motions(problem)
    return {
        "dims": len(problem.dims),
        "spaces": len(spaces),
        "bounds": _ints(problem.bounds),
        "read_write": np.array([space.read_write for space in spaces], np.bool_),
        "rank_start": _ints(np.cumsum([0, *(len(space.ranks) for space in spaces)])),
        "term_start": _ints(np.cumsum([0, *(len(rank) for space in spaces for rank in space.ranks)])),
        "term_dim": _ints([term.dim for space in spaces for rank in space.ranks for term in rank]),
        "term_coefficient": _ints(
            [term.coefficient for space in spaces for rank in space.ranks for term in rank]
        ),
        **_occurrences(problem),
        "motion": np.zeros((len(spaces), len(problem.dims)), np.int64) if motion is None else motion,
        "term_distance": _ints(
            [abs(term.coefficient) for space in spaces for rank in space.ranks for term in rank]
        ),
        "coded": motion is not None,
    }


def _machine_values(spec: Spec) -> Values:
    """Sections 1, 11 and 12: meshes, sizes, bandwidths."""
    architecture, spaces = spec.architecture, spec.problem.data_spaces
    storage, levels = architecture.storage, range(len(architecture.storage))
    return {
        "levels": len(storage),
        "tile_storage": _ints([tile.storage for tile in architecture.tiling_levels]),
        "tile_spatial": np.array([tile.spatial for tile in architecture.tiling_levels], np.bool_),
        "blocks": sum(tile.spatial for tile in architecture.tiling_levels),
        "block_level": _ints([t for t, tile in enumerate(architecture.tiling_levels) if tile.spatial]),
        "fanout_x": _ints([architecture.fanout_x(s) for s in levels]),
        "fanout_y": _ints([architecture.fanout_y(s) for s in levels]),
        "instances": _ints([level.instances for level in storage]),
        "mesh_x": _ints([level.mesh_x for level in storage]),
        "mesh_y": _ints([level.mesh_y for level in storage]),
        "clusters": _ints([level.instances // level.cluster_size for level in storage]),
        "block": _ints([level.block_size for level in storage]),
        "capacity": _ints([_capacity(level) for level in storage]),
        "least": _floats([least_words(level) for level in storage]),
        "compute": _ints(
            [
                architecture.compute.instances,
                architecture.compute.mesh_x,
                architecture.compute.mesh_y,
            ]
        ),
        "distributed": np.array([level.network.distributed for level in storage], np.bool_),
        "read_bandwidth": _floats([_limit(level.read_bandwidth) for level in storage]),
        "write_bandwidth": _floats([_limit(level.write_bandwidth) for level in storage]),
        "shared_bandwidth": _floats([_limit(level.shared_bandwidth) for level in storage]),
        "bandwidth_scale": _floats(
            [[level.bandwidth_scale.get(space.name, 1.0) for space in spaces] for level in storage]
        ),
    }


def _switch_values(switches: Switches, pairs: tuple[int, int]) -> Values:
    """Reuse switches (sections 3, 5, 9 and 10)."""
    return {
        "no_temporal_reuse": _pairs(switches.no_temporal_reuse, pairs),
        "rmw_first_update": _pairs(switches.rmw_first_update, pairs),
        "no_coalesce": _pairs(switches.no_coalesce, pairs),
        "no_multicast": _pairs(switches.no_multicast, pairs),
        "no_link_transfer": _pairs(switches.no_link_transfer, pairs),
    }


def _energy_values(spec: Spec) -> Values:
    """Section 13."""
    architecture, energies = spec.architecture, spec.energies
    storage, levels = architecture.storage, range(len(architecture.storage))
    return {
        "read_energy": _floats([level.read for level in energies.storage]),
        "fill_energy": _floats([level.fill for level in energies.storage]),
        "update_energy": _floats([level.update for level in energies.storage]),
        "address_energy": _floats([address_energy(level) for level in storage]),
        "leak": _floats([level.leak for level in energies.storage]),
        "gate": _ints([_gate(architecture, s) for s in levels]),
        "compute_energy": float(energies.compute),
    }


def _network_values(networks: tuple[Network, ...], actions: tuple[ndarray, ndarray]) -> Values:
    """Section 14."""
    return {
        "net_kind": _ints([network.kind for network in networks]),
        "net_outer": _ints([network.outer for network in networks]),
        "net_drains": np.array([network.drains for network in networks], np.bool_),
        "net_doubles": np.array([network.doubles for network in networks], np.bool_),
        "net_hop": _floats([network.hop for network in networks]),
        "net_router": _floats([network.router for network in networks]),
        "net_ingress": _floats([network.ingress for network in networks]),
        "net_adder": _floats([network.adder for network in networks]),
        "net_action_factor": actions[0],
        "net_action_energy": actions[1],
    }


def _option_values(spec: Spec, networks: tuple[Network, ...]) -> Values:
    """Options, and what may be left out."""
    storage = spec.architecture.storage
    return {
        "rules_2022": spec.options.rules == "2022",
        "link_transfers": spec.options.link_transfers,
        "first_read_elision": spec.options.first_read_elision,
        "all_figures": False,
        "hops_needed": any(n.kind == LEGACY and (n.hop != 0 or n.router != 0) for n in networks),
        "explicit_blocks": any(level.network.distributed for level in storage),
    }


def least_words(level: StorageLevel) -> float:
    """Effective size times min_utilization, in words; 0 where there is no size."""
    return 0.0 if level.effective_size is None else level.effective_size * level.min_utilization


def address_energy(level: StorageLevel) -> float:
    """PJ per address generation; 0 where none, or a negative one, was given."""
    given = level.addr_gen_energy
    return given if given is not None and given >= 0 else 0.0


def _ints(values: object) -> ndarray:
    return np.array(values, np.int64)


def _floats(values: object) -> ndarray:
    return np.array(values, np.float64)


def _pairs(pairs: Pairs, shape: tuple[int, int]) -> ndarray:
    table = np.zeros(shape, np.bool_)
    for s, p in pairs:
        table[s, p] = True
    return table


def _capacity(level: StorageLevel) -> int:
    return NO_LIMIT if level.effective_size is None else level.effective_size


def _limit(bandwidth: float | None) -> float:
    return math.inf if bandwidth is None else bandwidth


def _gate(architecture: Architecture, s: int) -> int:
    name = architecture.storage[s].power_gated_at
    return s if name is None else architecture.level_index(name)


def _actions(networks: tuple[Network, ...], spaces: int) -> tuple[ndarray, ndarray]:
    """Multicast factors and energies (network, data space, entry); unused slots cost 0 for factor 0."""
    most = max((len(a) for network in networks for a in network.actions), default=0)
    factors = np.zeros((len(networks), spaces, most), np.int64)
    energies = np.zeros((len(networks), spaces, most), np.float64)
    for n, network in enumerate(networks):
        for p, actions in enumerate(network.actions):
            for a, (factor, energy) in enumerate(actions):
                factors[n, p, a], energies[n, p, a] = factor, energy
    assert ANY_FACTOR < 0
    return factors, energies


def _occurrences(problem: Problem) -> dict[str, ndarray]:
    """Per data space and dim the ranks that it moves, with distances; opposite terms of one rank may cancel."""
    shape = (len(problem.data_spaces), len(problem.dims))
    start, end, bit, single = (np.zeros(shape, np.int64) for _ in range(4))
    steps: list[list[int]] = []
    ranks: list[int] = []
    distances: list[int] = []
    first = 0
    for p, space in enumerate(problem.data_spaces):
        for d in range(len(problem.dims)):
            start[p, d] = len(ranks)
            for r, rank in enumerate(space.ranks):
                distance = abs(sum(term.coefficient for term in rank if term.dim == d))
                if distance:
                    ranks.append(first + r)
                    distances.append(distance)
                    bit[p, d], single[p, d] = 1 << r, distance
            end[p, d] = len(ranks)
            if end[p, d] - start[p, d] != 1:
                bit[p, d] = 0
        steps += [
            [abs(sum(term.coefficient for term in rank if term.dim == d)) for d in range(len(problem.dims))]
            for rank in space.ranks
        ]
        first += len(space.ranks)
    everywhere = [rank for space in problem.data_spaces for rank in space.ranks]
    moved = sorted((term.dim, r, abs(term.coefficient)) for r, rank in enumerate(everywhere) for term in rank)
    return {
        "moved_start": _ints([sum(entry[0] < d for entry in moved) for d in range(shape[1] + 1)]),
        "moved_rank": _ints([entry[1] for entry in moved]),
        "moved_distance": _ints([entry[2] for entry in moved]),
        "occurrence_start": start,
        "occurrence_end": end,
        "occurrence_rank": _ints(ranks),
        "occurrence_distance": _ints(distances),
        "rank_bit": bit,
        "rank_distance": single,
        "used": (end > start).astype(np.uint8),
        "rank_step": _ints(steps),
        **_lone_dims(problem),
    }


def _lone_dims(problem: Problem) -> dict[str, ndarray]:
    """Dims that move a rank alone, by one term. No spatial block reaches as far in it as a temporal loop outside."""
    lone = np.zeros((len(problem.data_spaces), len(problem.dims)), np.bool_)
    used = np.zeros_like(lone)
    for p, space in enumerate(problem.data_spaces):
        for rank in space.ranks:
            for term in rank:
                used[p, term.dim] = True
                lone[p, term.dim] |= len(rank) == 1 and term.coefficient != 0
    return {"lone": lone, "coupled": np.asarray((used & ~lone).any(axis=1))}


def _extents(problem: Problem, space: DataSpace) -> list[int]:
    return [
        1 + sum(abs(term.coefficient) * (problem.bounds[term.dim] - 1) for term in rank)
        for rank in space.ranks
    ]


def _motions(problem: Problem) -> ndarray | None:
    """Motion of every box per unit of every dim as one integer, or ``None`` if that needs more than 64 bits.

    A motion is a number whose digits are the motions of the ranks. Differences of motions stay below 4 extents, so
    with a radix above 8 extents two codes are equal only if all digits are.
    """
    table = [[0] * len(problem.dims) for _ in problem.data_spaces]
    for p, space in enumerate(problem.data_spaces):
        weight = 1
        for rank, extent in zip(space.ranks, _extents(problem, space)):
            for term in rank:
                table[p][term.dim] += weight * term.coefficient
            weight *= 8 * extent + 1 if extent > 1 else 1
        if weight >= LARGEST_COUNT:
            return None
    return _ints(table)


def _check_counts(problem: Problem) -> None:
    """Refuse problems whose largest possible count does not fit: computes times the growth of strided hulls."""
    for space in problem.data_spaces:
        bound = 4
        for d, size in enumerate(problem.bounds):
            terms = [term for rank in space.ranks for term in rank if term.dim == d]
            bound *= size ** max(1, len(terms))
            for term in terms:
                bound *= max(1, abs(term.coefficient))
        if bound >= LARGEST_COUNT:
            raise UnsupportedFeatureError(
                f"accesses of data space {space.name} may exceed 64-bit counts",
                path="problem.instance",
                value=dict(zip(problem.dims, problem.bounds)),
                remedy="split the layer into smaller ones",
            )
