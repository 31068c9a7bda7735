"""The mapper and model sections: every key, alias, quirk and default."""

from __future__ import annotations

from typing import Any

import pytest
from yaml_cases import spec

from timeloop_marl.errors import SpecError
from timeloop_marl.specs.mapper import MapperOptions, ModelSection


def read(**mapper: Any) -> MapperOptions:
    return spec(mapper=mapper).mapper


def test_defaults() -> None:
    assert spec().mapper == MapperOptions()
    assert read() == MapperOptions(algorithm="hybrid", timeout=1000, victory_condition=500, log_interval=1)


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("algorithm", "random", "algorithm", "random"),
        ("algorithm", "linear-pruned", "algorithm", "linear_pruned"),
        ("num_threads", 3, "num_threads", 3),
        ("num-threads", "3", "num_threads", 3),
        ("search_size", 100, "search_size", 100),
        ("search-size", 100, "search_size", 100),
        ("timeout", 7, "timeout", 7),
        ("heartbeat", 7, "timeout", 7),
        ("timeout", 4000000000, "timeout", 4000000000),
        ("victory_condition", 0, "victory_condition", 0),
        ("victory-condition", 0, "victory_condition", 0),
        ("sync_interval", 5, "sync_interval", 5),
        ("log_interval", 5, "log_interval", 5),
        ("log_suboptimal", True, "log_suboptimal", True),
        ("log_all", "yes", "log_suboptimal", True),
        ("log_stats", True, "log_stats", True),
        ("log_all_mappings", True, "log_all_mappings", True),
        ("log_orojenesis_mappings", True, "log_orojenesis_mappings", True),
        ("log_mappings_yaml", True, "log_mappings_yaml", True),
        ("log_mappings_verbose", True, "log_mappings_verbose", True),
        ("live_status", "TRUE", "live_status", True),
        ("diagnostics", True, "diagnostics", True),
        ("penalize_consecutive_bypass_fails", True, "penalize_consecutive_bypass_fails", True),
        ("filter_revisits", True, "filter_revisits", True),
        ("max_permutations_per_if_visit", 4, "max_permutations_per_if_visit", 4),
        ("max_temporal_loops_in_a_mapping", -1, "max_temporal_loops_in_a_mapping", -1),
        ("emit_whoop_nest", True, "emit_whoop_nest", True),
        ("out_prefix", "mine", "out_prefix", "mine"),
        ("optimization_metric", "energy", "optimization_metrics", ("energy",)),
        ("optimization_metrics", ["delay", "energy"], "optimization_metrics", ("delay", "energy")),
        ("optimization-metrics", ["accesses-2"], "optimization_metrics", ("accesses-2",)),
        ("optimization_metrics", ["ordered_accesses"], "optimization_metrics", ("ordered_accesses",)),
        ("timeout", None, "timeout", 1000),
    ],
)
def test_keys(key: str, value: Any, field: str, expected: Any) -> None:
    assert getattr(read(**{key: value}), field) == expected


def test_a_list_under_the_singular_key_is_silently_edp_in_timeloop() -> None:
    result = spec(mapper={"optimization_metric": ["delay", "energy"]})
    assert result.mapper.optimization_metrics == ("edp",)
    assert any("write optimization_metrics" in notice for notice in result.notices)


def test_timeout_zero_is_warned_about() -> None:
    assert any("timeout: 0" in notice for notice in spec(mapper={"timeout": 0}).notices)


@pytest.mark.parametrize("template", ["uber", "ruby"])
def test_template(template: str) -> None:
    assert spec(mapspace={"template": template}).mapper.template == template


@pytest.mark.parametrize(
    ("mapper", "message"),
    [
        ({"algorithm": "genetic"}, "unknown algorithm"),
        ({"algorithm": "hybird"}, "did you mean 'hybrid'?"),
        ({"optimization_metrics": "delay"}, "not a list of metrics"),
        ({"optimization_metrics": []}, "not a list of metrics"),
        ({"optimization_metrics": ["speed"]}, "unknown optimization metric"),
        ({"optimization_metrics": ["accesses-x"]}, "unknown optimization metric"),
        ({"timeout": 2.5}, "not an integer"),
        ({"timeout": -1}, "out of range"),
        ({"log_interval": 0}, "out of range"),
        ({"live_status": 1}, "not a truth value"),
        ({"victory_conditon": 1}, "did you mean 'victory_condition'?"),
        ([], "not a map"),
    ],
)
def test_bad_options(mapper: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(mapper=mapper)
    assert message in str(caught.value)
    assert caught.value.path.startswith("mapper")


def test_unknown_template() -> None:
    with pytest.raises(SpecError, match="uber or ruby"):
        spec(mapspace={"template": "rubi"})


def test_unknown_options_are_ignored_by_the_lenient_reading() -> None:
    result = spec(mapper={"victory_conditon": 1}, strict=False)
    assert result.mapper.victory_condition == 500
    assert any("victory_conditon" in notice for notice in result.notices)


def test_model_section() -> None:
    assert spec().model == ModelSection(False, False, "timeloop-model")
    result = spec(model={"verbose": True, "auto_bypass_on_failure": True, "out-prefix": "mine"}).model
    assert result == ModelSection(True, True, "mine")
    with pytest.raises(SpecError, match="did you mean 'verbose'"):
        spec(model={"verbos": True})
