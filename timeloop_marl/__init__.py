"""timeloop-marl: a mapper for Timeloop/Accelergy designs.

The public names are loaded on first use, so that ``import timeloop_marl`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from .api.clusters import find_clusters
    from .api.compare import compare
    from .api.draws import Draws, best_of_draws
    from .api.front import Front, search_front
    from .api.inputs import load
    from .api.networks import network, sweep
    from .api.optimum import OptimumResult, optimum
    from .api.plots import Plot, plot
    from .api.search import Result, evaluate, search
    from .cost.objective import Objective
    from .cost.outcome import Outcome, Rejection, Statistics
    from .errors import TimeloopMarlError
    from .evaluators.base import Evaluator
    from .evaluators.choice import EvaluatorChoice
    from .evaluators.native import NativeEvaluator
    from .mapspace.axes import LearnersMapspace
    from .mapspace.timeloop import TimeloopMapspace
    from .networks.result import NetworkResult, read_network
    from .networks.sweep_result import SweepResult, read_sweep
    from .run.loop import Budget
    from .run.options import Settings
    from .run.result import Progress, SearchResult
    from .run.trace import Trace, read_trace
    from .searchers.base import Searcher
    from .specs.mapping import Mapping, MappingBatch
    from .specs.spec import Spec
    from .validation.comparison.compare import Comparison

__all__ = [
    "Budget",
    "Comparison",
    "Draws",
    "Evaluator",
    "EvaluatorChoice",
    "Front",
    "LearnersMapspace",
    "Mapping",
    "MappingBatch",
    "NativeEvaluator",
    "NetworkResult",
    "Objective",
    "OptimumResult",
    "Outcome",
    "Plot",
    "Progress",
    "Rejection",
    "Result",
    "SearchResult",
    "Searcher",
    "Settings",
    "Spec",
    "Statistics",
    "SweepResult",
    "TimeloopMapspace",
    "TimeloopMarlError",
    "Trace",
    "__version__",
    "best_of_draws",
    "compare",
    "evaluate",
    "find_clusters",
    "load",
    "network",
    "optimum",
    "plot",
    "read_network",
    "read_sweep",
    "read_trace",
    "search",
    "search_front",
    "sweep",
]

_HOMES = {
    "Budget": "run.loop",
    "Comparison": "validation.comparison.compare",
    "Draws": "api.draws",
    "Evaluator": "evaluators.base",
    "EvaluatorChoice": "evaluators.choice",
    "Front": "api.front",
    "LearnersMapspace": "mapspace.axes",
    "Mapping": "specs.mapping",
    "MappingBatch": "specs.mapping",
    "NativeEvaluator": "evaluators.native",
    "NetworkResult": "networks.result",
    "Objective": "cost.objective",
    "OptimumResult": "api.optimum",
    "Outcome": "cost.outcome",
    "Plot": "api.plots",
    "Progress": "run.result",
    "Rejection": "cost.outcome",
    "Result": "api.search",
    "SearchResult": "run.result",
    "Searcher": "searchers.base",
    "Settings": "run.options",
    "Spec": "specs.spec",
    "Statistics": "cost.outcome",
    "SweepResult": "networks.sweep_result",
    "TimeloopMapspace": "mapspace.timeloop",
    "TimeloopMarlError": "errors",
    "Trace": "run.trace",
    "best_of_draws": "api.draws",
    "compare": "api.compare",
    "evaluate": "api.search",
    "find_clusters": "api.clusters",
    "load": "api.inputs",
    "network": "api.networks",
    "optimum": "api.optimum",
    "plot": "api.plots",
    "read_network": "networks.result",
    "read_sweep": "networks.sweep_result",
    "read_trace": "run.trace",
    "search": "api.search",
    "search_front": "api.front",
    "sweep": "api.networks",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("timeloop-marl")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
