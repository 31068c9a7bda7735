"""Which library searchers there are. Imports no library: one is loaded when a searcher of it is made."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace
from ...objective import Objective
from ..base import Searcher
from .options import A2cOptions, CmaOptions, MaskablePpoOptions, PpoOptions, TpeOptions

_LIBRARIES = ("cma", "optuna", "gymnasium", "torch", "stable_baselines3", "sb3_contrib")


@dataclass(frozen=True)
class Offer:
    """A library searcher: its name, what it is, its options, and where the code lies that needs the library."""

    name: str
    description: str
    options: type[Any]
    module: str
    function: str
    extra: str  # of the package, to install what the module needs

    def make(self, space: LearnersMapspace, objective: Objective, seed: int, options: Any) -> Searcher:
        """The searcher; ``UsageError`` if the library is not installed."""
        try:
            module = importlib.import_module(f".{self.module}", __package__)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] not in _LIBRARIES:
                raise
            raise UsageError(
                f"searcher {self.name} needs {error.name}, which is not installed: "
                f"pip install 'timeloop-marl[{self.extra}]'"
            ) from error
        build: Callable[[LearnersMapspace, Objective, int, Any], Searcher] = getattr(module, self.function)
        return build(space, objective, seed, options)


OFFERS = (
    Offer(
        "cma-es", "CMA-ES by pycma, on a continuous relaxation", CmaOptions, "cma", "CmaSearcher", "library"
    ),
    Offer(
        "optuna-tpe",
        "tree-structured Parzen estimator by Optuna",
        TpeOptions,
        "tpe",
        "TpeSearcher",
        "library",
    ),
    Offer("sb3-ppo", "PPO by Stable-Baselines3, one agent", PpoOptions, "sb3", "ppo", "sb3"),
    Offer("sb3-a2c", "A2C by Stable-Baselines3, one agent", A2cOptions, "sb3", "a2c", "sb3"),
    Offer(
        "sb3-maskable-ppo",
        "PPO with action masks by sb3-contrib, one agent",
        MaskablePpoOptions,
        "sb3",
        "maskable_ppo",
        "sb3",
    ),
)
