"""timeloop-model.map+stats.xml as the program's own serialisation code lays it out (no recorded file is at hand).

Members, their nesting and their order are those of the classes' ``serialize`` functions; doubles have 17 digits, class
names stand at the first object of a class only, and the closing tag is missing, as the real file's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from timeloop_marl.cost.outcome import LevelStatistics, NetworkStatistics, Statistics
from timeloop_marl.specs.spec import Spec


def archive_text(statistics: Statistics, spec: Spec) -> str:
    classes: dict[str, int] = {}

    def pointer(kind: str, body: str) -> str:
        new = kind not in classes
        number = classes.setdefault(kind, len(classes) + 7)
        head = f'class_id="{number}" class_name="model::{kind}"' if new else f'class_id_reference="{number}"'
        return f'<px {head} tracking_level="1" version="0" object_id="_{number}">{body}</px>'

    levels = _item(pointer("ArithmeticUnits", _compute(statistics, spec)))
    levels += "".join(_item(pointer("BufferLevel", _level(level))) for level in statistics.levels)
    kinds = {
        "Legacy": "LegacyNetwork",
        "SimpleMulticast": "SimpleMulticastNetwork",
        "ReductionTree": "ReductionTreeNetwork",
    }
    networks = "".join(
        _item(f"<first>{escape(n.name)}</first><second>{pointer(kinds[n.kind], _network(n))}</second>")
        for n in statistics.networks
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n<!DOCTYPE boost_serialization>\n'
        '<boost_serialization signature="serialization::archive" version="19">\n'
        '<engine class_id="0" tracking_level="0" version="0"><topology_ class_id="1">'
        f"<levels_><count>{len(statistics.levels) + 1}</count>{levels}</levels_>"
        f"<networks_><count>{len(statistics.networks)}</count>{networks}</networks_>"
        "</topology_></engine>\n<mapping><loops/></mapping>\n<a/>\n"
    )


def _compute(statistics: Statistics, spec: Spec) -> str:
    used = statistics.compute
    return (
        "<Level/><specs_><LevelSpecs><level_name>__ARITH__</level_name></LevelSpecs>"
        f"<instances><t_>{spec.architecture.compute.instances}</t_></instances></specs_>"
        f"<energy_>{_real(used.energy)}</energy_>"
        f"<area_>{_real(used.area / spec.architecture.compute.instances)}</area_><cycles_>{used.cycles}</cycles_>"
        f"<utilized_instances_>{used.utilized_instances}</utilized_instances_>"
        f"<avg_utilized_instances_>{int(used.average_instances)}</avg_utilized_instances_>"
    )


def _level(level: LevelStatistics) -> str:
    t = level.tensors
    fields: list[tuple[str, Sequence[float]]] = [
        ("keep", [int(x.kept) for x in t]),
        ("partition_size", [x.partition for x in t]),
        ("utilized_capacity", [x.capacity for x in t]),
        ("utilized_instances", [float(x.instances) for x in t]),
        ("utilized_clusters", [x.clusters for x in t]),
        ("reads", [x.reads for x in t]),
        ("updates", [x.updates for x in t]),
        ("fills", [x.fills for x in t]),
        ("shared_bandwidth", [x.shared_bandwidth for x in t]),
        ("read_bandwidth", [x.read_bandwidth for x in t]),
        ("write_bandwidth", [x.write_bandwidth for x in t]),
        ("energy", [x.energy for x in t]),
        ("temporal_reduction_energy", [0.0 for _ in t]),
        ("addr_gen_energy", [x.address_energy for x in t]),
    ]
    return (
        f"<Level/><subnest_/><specs_><LevelSpecs><level_name>{escape(level.name)}</level_name></LevelSpecs></specs_><stats_>"
        f"{_fields(fields)}<cycles>{level.cycles}</cycles><slowdown>{_real(level.throttle)}</slowdown></stats_>"
    )


def _network(network: NetworkStatistics) -> str:
    t = network.tensors
    fields: list[tuple[str, Sequence[float]]] = [("energy", [x.energy for x in t])]
    if network.kind == "Legacy":
        fields.append(("link_transfer_energy", [x.link_energy for x in t]))
    if network.kind != "SimpleMulticast":
        fields += [
            ("num_hops", [x.hops for x in t]),
            ("energy_per_hop", [x.energy_per_hop for x in t]),
            ("spatial_reduction_energy", [x.spatial_reduction_energy for x in t]),
        ]
    return f"<Network/><specs_/><stats_>{_fields(fields)}</stats_>"


def _fields(fields: list[tuple[str, Sequence[float]]]) -> str:
    return "".join(
        f"<{name}><PerDataSpace>{''.join(_item(_real(v)) for v in values)}</PerDataSpace></{name}>"
        for name, values in fields
    )


def _item(text: str) -> str:
    return f"<item>{text}</item>"


def _real(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{float(value):.17e}"
