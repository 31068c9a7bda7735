"""Options of Timeloop's mapper and model sections (spec: mapspace section 5, formats)."""

from __future__ import annotations

from dataclasses import dataclass, field


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


@dataclass(frozen=True)
class ModelSection:
    """The ``model:`` section of timeloop-model.

    With ``auto_bypass_on_failure`` every level that fails the capacity pre-check bypasses all data spaces.
    """

    verbose: bool = False
    auto_bypass_on_failure: bool = False
    out_prefix: str = field(default="timeloop-model", metadata={"identity": False})
