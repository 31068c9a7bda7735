"""timeloop-marl: a mapper for Timeloop/Accelergy designs.

The public names are loaded on first use, so that ``import timeloop_marl`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.draws import Draws, best_of_draws
    from .api.front import search_front
    from .api.optimum import OptimumResult, optimum
    from .api.search import Result, evaluate, load, search
    from .errors import TimeloopMarlError
    from .evaluators.native import NativeEvaluator
    from .mapping import Mapping, MappingBatch
    from .mapspace.axes import LearnersMapspace
    from .mapspace.timeloop import TimeloopMapspace
    from .networks.result import NetworkResult
    from .networks.run import network
    from .networks.sweep import sweep
    from .networks.sweep_result import SweepResult
    from .run.options import Settings
    from .specs.spec import Spec

__all__ = [
    "Draws",
    "LearnersMapspace",
    "Mapping",
    "MappingBatch",
    "NativeEvaluator",
    "NetworkResult",
    "OptimumResult",
    "Result",
    "Settings",
    "Spec",
    "SweepResult",
    "TimeloopMapspace",
    "TimeloopMarlError",
    "best_of_draws",
    "evaluate",
    "load",
    "network",
    "optimum",
    "search",
    "search_front",
    "sweep",
]

_HOMES = {
    "Draws": "api.draws",
    "LearnersMapspace": "mapspace.axes",
    "Mapping": "mapping",
    "MappingBatch": "mapping",
    "NativeEvaluator": "evaluators.native",
    "NetworkResult": "networks.result",
    "OptimumResult": "api.optimum",
    "Result": "api.search",
    "Settings": "run.options",
    "Spec": "specs.spec",
    "SweepResult": "networks.sweep_result",
    "TimeloopMapspace": "mapspace.timeloop",
    "TimeloopMarlError": "errors",
    "best_of_draws": "api.draws",
    "evaluate": "api.search",
    "load": "api.search",
    "network": "networks.run",
    "optimum": "api.optimum",
    "search": "api.search",
    "search_front": "api.front",
    "sweep": "networks.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
