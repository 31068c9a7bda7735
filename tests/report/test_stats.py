"""stats.txt of recorded mappings, evaluated by the native model, in every number format; parts of it by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from golden_cases import CASES, mapped_cases

from timeloop_marl.cost.outcome import NetworkStatistics, NetworkTensorStatistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.report.maps import map_text, read_map_text
from timeloop_marl.report.numbers import OutputStyle
from timeloop_marl.report.stats import network_block, network_views, stats_text
from timeloop_marl.specs.architecture import NetworkAttributes, UserNetwork

# its reuse switches are not part of a map.txt; tests/test_dropins.py compares its statistics
FROM_MAP_TEXT = [case for case in mapped_cases() if case.name != "model_distributed_multicast"]


def evaluated(case):
    spec = case.spec()
    mapping = read_map_text(case.output("map.txt"), spec)
    return spec, mapping, NativeEvaluator(spec, compiled=False).statistics(mapping)


def named(name):
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("case", FROM_MAP_TEXT, ids=lambda case: case.name)
def test_recorded_statistics(case):
    spec, mapping, statistics = evaluated(case)
    style = OutputStyle.from_environment(case.record["env"])
    assert stats_text(spec, statistics, style) == case.output("stats.txt")
    assert map_text(spec, mapping, statistics) == case.output("map.txt")


def test_user_network_views():
    views = network_views(named("model_user_networks").spec())
    assert {name: view.connection_type for name, view in views.items()} == {
        "DRAM <==> BUF": 3,
        "NR": 1,
        "NU": 2,
        "RF <==> mac": 3,
    }
    # on the update side a user network pays its fill latency, never its drain latency
    assert (views["NU"].attributes.fill_latency, views["NU"].attributes.drain_latency) == (0, 2)


def test_read_side_network_serves_the_update_side_too():
    spec = named("model_user_networks").spec()
    storage = [replace(level, network_update=None, network_drain=None) for level in spec.architecture.storage]
    storage[1] = replace(storage[1], network=NetworkAttributes(drain_latency=5))
    views = network_views(replace(spec, architecture=replace(spec.architecture, storage=tuple(storage))))
    assert views["NR"].connection_type == 3
    assert (views["NR"].attributes.fill_latency, views["NR"].attributes.drain_latency) == (3, 5)
    assert "BUF <==> RF" not in views


def test_simple_multicast_hides_tensors_without_ingresses():
    spec, _, statistics = evaluated(named("model_user_networks"))
    network = next(network for network in statistics.networks if network.name == "NR")
    idle = replace(network.tensors[0], ingresses=0.0, entries=())
    network = replace(network, tensors=(idle, *network.tensors[1:]))
    assert "    A:\n" not in network_block(spec, statistics, network, OutputStyle())
    assert "    A:\n" in network_block(spec, statistics, network, OutputStyle(hide_inconsequential=False))


def test_reduction_tree_shows_its_reductions():
    spec, _, statistics = evaluated(named("model_user_networks"))
    tree = UserNetwork("NU", "ReductionTree", NetworkAttributes(fill_latency=4), adder_energy=0.5)
    networks = tuple(tree if network.name == "NU" else network for network in spec.architecture.networks)
    spec = replace(spec, architecture=replace(spec.architecture, networks=networks))
    entry = next(network for network in statistics.networks if network.name == "NU")
    reduced = [replace(t, spatial_reduction_energy=0.5 * t.spatial_reductions) for t in entry.tensors]
    network = NetworkStatistics("NU", "ReductionTree", entry.outer_level, 1.0, tuple(reduced))
    text = network_block(spec, statistics, network, OutputStyle())
    assert "Type            : ReductionTree" in text
    assert "    Z:\n" in text
    assert "    A:\n" not in text
    # two BUF instances, 16 reductions of 0.5 pJ each
    assert "Spatial Reduction Energy (per-instance) : 8.00 pJ" in text
    assert "Spatial Reduction Energy (total)        : 16.00 pJ" in text


def test_idle_tensor_statistics_print_zeros():
    idle = NetworkTensorStatistics(0, 0, (), (), 0.0, 0.0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    spec, _, statistics = evaluated(named("model_small_toy_imperfect"))
    network = replace(statistics.networks[0], tensors=(idle, *statistics.networks[0].tensors[1:]))
    text = network_block(spec, statistics, network, OutputStyle())
    assert "Multicast factor                        : 0\n" in text
