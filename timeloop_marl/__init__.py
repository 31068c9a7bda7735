"""timeloop-marl: a mapper for Timeloop/Accelergy designs.

The public names are loaded on first use, so that ``import timeloop_marl`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Result, evaluate, load, search
    from .draws import Draws, best_of_draws
    from .errors import TimeloopMarlError
    from .evaluators.native import NativeEvaluator
    from .mapping import Mapping, MappingBatch
    from .mapspace.axes import LearnersMapspace
    from .mapspace.timeloop import TimeloopMapspace
    from .networks.result import NetworkResult
    from .networks.run import network
    from .pareto import search_front
    from .proofs import OptimumResult, optimum
    from .settings import Settings
    from .specs.spec import Spec
    from .sweeps.result import SweepResult
    from .sweeps.run import sweep

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
    "Draws": "draws",
    "LearnersMapspace": "mapspace.axes",
    "Mapping": "mapping",
    "MappingBatch": "mapping",
    "NativeEvaluator": "evaluators.native",
    "NetworkResult": "networks.result",
    "OptimumResult": "proofs",
    "Result": "api",
    "Settings": "settings",
    "Spec": "specs.spec",
    "SweepResult": "sweeps.result",
    "TimeloopMapspace": "mapspace.timeloop",
    "TimeloopMarlError": "errors",
    "best_of_draws": "draws",
    "evaluate": "api",
    "load": "api",
    "network": "networks.run",
    "optimum": "proofs",
    "search": "api",
    "search_front": "pareto",
    "sweep": "sweeps.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
