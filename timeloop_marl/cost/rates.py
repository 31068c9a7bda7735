"""Rates: what one word, one cycle and one hop cost, as one record for kernels (sections 12 to 14)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..kernels.record import allocate, fill
from ..specs.architecture import Architecture, StorageLevel
from ..specs.spec import Spec
from ..traffic.geometry import (
    ANY_ENTRIES,
    EACH_ENTRY,
    LAST_ENTRY,
    LEAST,
    Geometry,
    asking,
    axis_sizes,
    require_countable,
)
from .noc import ANY_FACTOR, LEGACY, SIMPLE_MULTICAST, Network, evaluated_networks, latency

Values = dict[str, object]


class Rates:
    """Prices and bandwidths of one machine for one problem; axes as in ``Geometry``, N networks, A action entries."""

    networks: int  # how many are used
    # clusters and blocks of words (section 13)
    clusters: Int64[ndarray, "S"]  # instances div cluster_size
    block: Int64[ndarray, "S"]  # words of one access
    # bandwidth in words/cycle/instance, inf = unlimited (section 12)
    read_bandwidth: Float64[ndarray, "S"]
    write_bandwidth: Float64[ndarray, "S"]
    shared_bandwidth: Float64[ndarray, "S"]
    bandwidth_scale: Float64[ndarray, "S P"]
    latency: int  # fill and drain latencies of all connections, cycles
    # energy in pJ (section 13)
    read_energy: Float64[ndarray, "S"]
    fill_energy: Float64[ndarray, "S"]
    update_energy: Float64[ndarray, "S"]
    address_energy: Float64[ndarray, "S"]  # 0 where none was given
    leak: Float64[ndarray, "S"]
    gate: Int64[ndarray, "S"]  # level at which s is power-gated, itself by default
    compute_energy: float
    # networks that are evaluated, in alphabetical order (section 14)
    net_kind: Int64[ndarray, "N"]  # 0 Legacy, 1 SimpleMulticast, 2 ReductionTree
    net_outer: Int64[ndarray, "N"]  # storage level that feeds it
    net_drains: Bool[ndarray, "N"]  # serves the update side
    net_doubles: Bool[ndarray, "N"]  # read-write traffic is read, modified and written here
    net_hop: Float64[ndarray, "N"]
    net_router: Float64[ndarray, "N"]
    net_ingress: Float64[ndarray, "N"]
    net_adder: Float64[ndarray, "N"]
    # SimpleMulticast: multicast factor (negative: any, 0: unused slot) and pJ of each action entry; the last match wins
    net_action_factor: Int64[ndarray, "N P A"]
    net_action_energy: Float64[ndarray, "N P A"]


def rates_of(spec: Spec) -> Rates:
    """The rates of a Spec.

    Raises:
        UnsupportedFeatureError: counts could exceed 64 bits.
        SpecError: a network is named at one end of a connection only.
    """
    require_countable(spec.problem)
    networks = evaluated_networks(spec)
    actions = _actions(networks, len(spec.problem.data_spaces))
    counts = {
        "P": len(spec.problem.data_spaces),
        "S": len(spec.architecture.storage),
        "N": len(networks),
        "A": actions[0].shape[2],
    }
    rates = allocate(Rates, axis_sizes(counts, {"P": LEAST["P"], "S": LEAST["S"], "N": 24, "A": 16}))
    fill(
        rates,
        {
            "networks": len(networks),
            **_machine_values(spec),
            **_energy_values(spec),
            **_network_values(networks, actions),
        },
    )
    return rates


def paid_for(geometry: Geometry, spec: Spec) -> Geometry:
    """The geometry with those counts asked for that something is paid for."""
    networks, asked = evaluated_networks(spec), np.full(geometry.asked.shape, ANY_ENTRIES)
    for network in networks:
        for p, space in enumerate(spec.problem.data_spaces):
            each = network.doubles and space.read_write
            last = network.kind == SIMPLE_MULTICAST
            found = EACH_ENTRY if each else LAST_ENTRY if last else ANY_ENTRIES
            asked[network.outer, p] = max(asked[network.outer, p], found)
    hops = any(n.kind == LEGACY and (n.hop != 0 or n.router != 0) for n in networks)
    return asking(geometry, hops, asked)


def _machine_values(spec: Spec) -> Values:
    """Section 12, and in which pieces words are counted."""
    storage, spaces = spec.architecture.storage, spec.problem.data_spaces
    return {
        "clusters": _ints([level.instances // level.cluster_size for level in storage]),
        "block": _ints([level.block_size for level in storage]),
        "read_bandwidth": _floats([_limit(level.read_bandwidth) for level in storage]),
        "write_bandwidth": _floats([_limit(level.write_bandwidth) for level in storage]),
        "shared_bandwidth": _floats([_limit(level.shared_bandwidth) for level in storage]),
        "bandwidth_scale": _floats(
            [[level.bandwidth_scale.get(space.name, 1.0) for space in spaces] for level in storage]
        ),
        "latency": latency(spec.architecture),
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


def address_energy(level: StorageLevel) -> float:
    """PJ per address generation; 0 where none, or a negative one, was given."""
    given = level.addr_gen_energy
    return given if given is not None and given >= 0 else 0.0


def _ints(values: object) -> ndarray:
    return np.array(values, np.int64)


def _floats(values: object) -> ndarray:
    return np.array(values, np.float64)


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
