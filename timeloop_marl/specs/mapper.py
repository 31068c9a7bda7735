"""Options of Timeloop's mapper and model sections, and how they are read (mapspace section 5, formats)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .document import Node
from .scalars import Reading, unknown


@dataclass(frozen=True)
class MapperOptions:
    """The ``mapper:`` section; the defaults are those of the C++ program. ``num_threads`` 0 = hardware threads."""

    algorithm: str = "hybrid"
    num_threads: int = 0
    optimization_metrics: tuple[str, ...] = ("edp",)
    search_size: int = 0
    timeout: int = 1000
    victory_condition: int = 500
    sync_interval: int = 0
    log_interval: int = 1
    log_suboptimal: bool = False
    log_stats: bool = False
    log_all_mappings: bool = False
    log_orojenesis_mappings: bool = False
    log_mappings_yaml: bool = False
    log_mappings_verbose: bool = False
    live_status: bool = False
    diagnostics: bool = False
    penalize_consecutive_bypass_fails: bool = False
    filter_revisits: bool = False
    max_permutations_per_if_visit: int = 16
    max_temporal_loops_in_a_mapping: int = -1
    emit_whoop_nest: bool = False
    out_prefix: str = field(default="timeloop-mapper", metadata={"identity": False})
    template: str = "uber"  # mapspace template: uber or ruby
    # of the learners' view; None = imperfect with template ruby, else auto
    factors: str | None = field(default=None, metadata={"identity": "if given"})
    # what imperfect mappings are charged; None = corrected
    count: str | None = field(default=None, metadata={"identity": "if given"})


@dataclass(frozen=True)
class ModelSection:
    """The ``model:`` section of timeloop-model.

    With ``auto_bypass_on_failure`` every level that fails the capacity pre-check bypasses all data spaces.
    """

    verbose: bool = False
    auto_bypass_on_failure: bool = False
    out_prefix: str = field(default="timeloop-model", metadata={"identity": False})


ALGORITHMS = ("random", "random_pruned", "linear_pruned", "hybrid", "exhaustive")
TEMPLATES = ("uber", "ruby")
FACTORS = ("auto", "perfect", "imperfect")
COUNTS = ("corrected", "padded", "timeloop")
_INTEGERS = {
    "num_threads": 0, "search_size": 0, "timeout": 0, "victory_condition": 0, "sync_interval": 0, "log_interval": 1,
    "max_permutations_per_if_visit": 1, "max_temporal_loops_in_a_mapping": -1,
}  # fmt: skip
_ALIASES = {"timeout": ("heartbeat",), "log_suboptimal": ("log_all",), "search_size": ()}
_FLAGS = (
    "log_suboptimal", "log_stats", "log_all_mappings", "log_orojenesis_mappings", "log_mappings_yaml",
    "log_mappings_verbose", "live_status", "diagnostics", "penalize_consecutive_bypass_fails", "filter_revisits",
    "emit_whoop_nest",
)  # fmt: skip
_KEYS = (
    "algorithm", "optimization_metric", "optimization_metrics", *_INTEGERS, *_FLAGS, "heartbeat", "log_all",
    "out_prefix", "version", "factors", "count",
    "log_oaves", "log_oaves_mappings", "log_oave_mappings",  # written by older front ends
)  # fmt: skip


def read_mapper(reading: Reading) -> MapperOptions:
    """The options of the ``mapper`` section; the defaults where there is none.

    Raises:
        SpecError: unknown keys (when strict), algorithms or metrics; values of the wrong type.
    """
    root = reading.document.root()
    node = reading.find(root, "mapper")
    template = _template(reading, root)
    if node.absent:
        return MapperOptions(template=template)
    if not isinstance(node.value, Mapping):
        node.fail("not a map", expected="a map of mapper options")
    reading.closed(node, _KEYS, "the mapper section")
    values: dict[str, Any] = {"template": template}
    for name, minimum in _INTEGERS.items():
        value = reading.integer(reading.find(node, name, *_ALIASES.get(name, ())), minimum=minimum)
        if value is not None:
            values[name] = value
    for name in _FLAGS:
        flag = reading.boolean(reading.find(node, name, *_ALIASES.get(name, ())))
        if flag is not None:
            values[name] = flag
    for name, known in (("factors", FACTORS), ("count", COUNTS)):
        chosen = reading.find(node, name)
        values[name] = reading.text(chosen)
        if values[name] not in (None, *known):
            raise unknown(chosen, f"unknown {name} {values[name]!r}", known, name=str(values[name]))
    values["algorithm"] = _algorithm(reading, reading.find(node, "algorithm"))
    values["optimization_metrics"] = _metrics(reading, node)
    prefix = reading.text(reading.find(node, "out_prefix"))
    if prefix is not None:
        values["out_prefix"] = prefix
    options = MapperOptions(**values)
    _point_out(reading, node, options)
    return options


def _template(reading: Reading, root: Node) -> str:
    node = reading.find(reading.find(root, "mapspace", "mapspace_constraints"), "template")
    template = reading.text(node) or "uber"
    if template not in TEMPLATES:
        node.fail(f"unknown mapspace template {template!r}", expected="uber or ruby")
    return template


def _algorithm(reading: Reading, node: Node) -> str:
    # the list of names is fixed, hyphens are one of Timeloop's textual replacements
    name = (reading.text(node) or "hybrid").replace("-", "_")
    name = {"linear": "linear_pruned"}.get(name, name)
    if name not in ALGORITHMS:
        raise unknown(node, "unknown algorithm", ALGORITHMS, name=name)
    return name


def _metrics(reading: Reading, node: Node) -> tuple[str, ...]:
    plural = reading.find(node, "optimization_metrics")
    if not plural.absent:
        if not isinstance(plural.value, list) or not plural.value:
            plural.fail("not a list of metrics", expected="a list, e.g. [delay, energy]")
        return tuple(_metric(element) for element in plural.elements())
    single = reading.find(node, "optimization_metric")
    if isinstance(single.value, list) and single.value != ["edp"]:
        reading.notice(
            "optimization_metric is a list, which Timeloop silently reads as edp; write optimization_metrics",
            single,
        )
    return ("edp",) if single.absent or isinstance(single.value, list) else (_metric(single),)


def _metric(node: Node) -> str:
    name = (
        str(node.value).replace("last-level-accesses", "last_level_accesses").replace("ordered-", "ordered_")
    )
    known = ("delay", "energy", "edp", "last_level_accesses", "ordered_accesses")
    level = name.removeprefix("accesses-")
    if name not in known and not (name.startswith("accesses-") and level.isdecimal()):
        expected = ", ".join(known) + " or accesses-<level>"
        raise unknown(node, "unknown optimization metric", known, name=name, expected=expected)
    return name


def _point_out(reading: Reading, node: Node, options: MapperOptions) -> None:
    if options.timeout == 0:
        reading.notice("timeout: 0 stops at the first invalid mapping (it does not mean 'never')", node)


def read_model_section(reading: Reading) -> ModelSection:
    """The ``model`` section; the defaults where there is none.

    Raises:
        SpecError: unknown keys (when strict), values of the wrong type.
    """
    node = reading.find(reading.document.root(), "model")
    if node.absent:
        return ModelSection()
    if not isinstance(node.value, Mapping):
        node.fail("not a map", expected="a map of model options")
    reading.closed(node, ("verbose", "auto_bypass_on_failure", "out_prefix", "version"), "the model section")
    return ModelSection(
        verbose=reading.boolean(reading.find(node, "verbose")) or False,
        auto_bypass_on_failure=reading.boolean(reading.find(node, "auto_bypass_on_failure")) or False,
        out_prefix=reading.text(reading.find(node, "out_prefix")) or ModelSection.out_prefix,
    )
