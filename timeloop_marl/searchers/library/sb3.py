"""PPO, A2C and MaskablePPO of Stable-Baselines3 and sb3-contrib as searchers: single-agent RL by others.

Raffin et al., JMLR 22 (268), 2021; Huang and Ontañón, FLAIRS 2022 (action masks). Their training loops are left as they
are; a thread runs them and hands the rows of finished episodes out.
"""

from __future__ import annotations

import queue
import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.objective import Objective
from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace
from ..base import Rows, at_least, one_of, share
from ..envs.task import INFEASIBLE, MappingTask, decoder
from ..registry import searcher
from .shared import BatchSearcher, GlobalState

Costs: TypeAlias = Float64[ndarray, "m"]
Evaluate = Callable[[Rows], Costs]
FORMS = ("one-step", "sequential")
_ENDLESS = 10**15  # time steps: the search loop says when to stop, and no default schedule looks at them


@dataclass(frozen=True)
class PpoOptions:
    """Options of ``sb3-ppo``; names as in Stable-Baselines3 where it has one."""

    form: str = "sequential"
    infeasible: str = "repair"
    batch: int = 16  # episodes side by side, and samples per update
    learning_rate: float = 1e-3
    n_epochs: int = 4
    minibatches: int = 4
    ent_coef: float = 0.01
    clip_range: float = 0.2
    gae_lambda: float = 1.0
    width: int = 64  # of the two hidden layers of policy and critic
    memory: bool = True  # a row proposed again is answered from memory and costs no sample

    def __post_init__(self) -> None:
        _check(self.form, self.infeasible, self.batch, self.learning_rate, self.width)
        at_least(1, n_epochs=self.n_epochs, minibatches=self.minibatches)
        at_least(0, ent_coef=self.ent_coef)
        share(gae_lambda=self.gae_lambda)


@dataclass(frozen=True)
class MaskablePpoOptions:
    """Options of ``sb3-maskable-ppo``: sequential form, values that do not fit are masked."""

    infeasible: str = "repair"  # of what no mask can prevent: lower limits, dead ends
    batch: int = 16
    learning_rate: float = 1e-3
    n_epochs: int = 4
    minibatches: int = 4
    ent_coef: float = 0.01
    clip_range: float = 0.2
    gae_lambda: float = 1.0
    width: int = 64
    memory: bool = True

    def __post_init__(self) -> None:
        _check("sequential", self.infeasible, self.batch, self.learning_rate, self.width)
        at_least(1, n_epochs=self.n_epochs, minibatches=self.minibatches)
        at_least(0, ent_coef=self.ent_coef)
        share(gae_lambda=self.gae_lambda)


@dataclass(frozen=True)
class A2cOptions:
    """Options of ``sb3-a2c``; names as in Stable-Baselines3 where it has one."""

    form: str = "sequential"
    infeasible: str = "repair"
    batch: int = 16
    learning_rate: float = 1e-3
    ent_coef: float = 0.01
    gae_lambda: float = 1.0
    normalize_advantage: bool = True
    width: int = 64
    memory: bool = True

    def __post_init__(self) -> None:
        _check(self.form, self.infeasible, self.batch, self.learning_rate, self.width)
        at_least(0, ent_coef=self.ent_coef)
        share(gae_lambda=self.gae_lambda)


def _check(form: str, infeasible: str, batch: int, learning_rate: float, width: int) -> None:
    """What the RL searchers have in common."""
    one_of("form", form, FORMS)
    one_of("infeasible", infeasible, INFEASIBLE)
    at_least(2, batch=batch)
    at_least(1, width=width)
    if not learning_rate > 0:
        raise UsageError(f"learning_rate must be above 0, got {learning_rate}")


AnyOptions: TypeAlias = PpoOptions | MaskablePpoOptions | A2cOptions


class Sb3Searcher(BatchSearcher):
    """One algorithm of Stable-Baselines3; a subclass says which."""

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int, options: AnyOptions) -> None:
        from ..envs.stable_baselines import MappingVecEnv

        super().__init__(
            space, objective, seed, space=decoder(space, options.infeasible), memory=options.memory
        )
        self.options, self.batch = options, options.batch
        self._handover: Handover | None = None
        if not space.axes:
            return
        rng = np.random.Generator(np.random.PCG64([seed, 1]))
        form, algorithm = getattr(options, "form", "sequential"), self._algorithm()

        def body(evaluate: Evaluate) -> None:
            task = MappingTask(space, evaluate, infeasible=options.infeasible)
            env = MappingVecEnv(task, options.batch, form, rng)
            algorithm(**_arguments(env, seed % 2**32, options)).learn(_ENDLESS)

        self._handover = Handover(body, GlobalState(seed, torch=True))
        weakref.finalize(self, self._handover.close)

    @staticmethod
    @abstractmethod
    def _algorithm() -> Callable[..., Any]:
        """The class of the library."""

    def _next_batch(self) -> Rows:
        assert self._handover is not None
        return self._handover.rows()

    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        assert self._handover is not None
        self._handover.told(costs)


@searcher("sb3-ppo", "PPO by Stable-Baselines3, one agent", PpoOptions, extra="sb3")
class PpoSearcher(Sb3Searcher):
    """Proximal policy optimisation."""

    @staticmethod
    def _algorithm() -> Callable[..., Any]:
        import stable_baselines3

        return stable_baselines3.PPO


@searcher("sb3-a2c", "A2C by Stable-Baselines3, one agent", A2cOptions, extra="sb3")
class A2cSearcher(Sb3Searcher):
    """Advantage actor-critic."""

    @staticmethod
    def _algorithm() -> Callable[..., Any]:
        import stable_baselines3

        return stable_baselines3.A2C


@searcher(
    "sb3-maskable-ppo", "PPO with action masks by sb3-contrib, one agent", MaskablePpoOptions, extra="sb3"
)
class MaskablePpoSearcher(Sb3Searcher):
    """PPO that never takes what does not fit."""

    @staticmethod
    def _algorithm() -> Callable[..., Any]:
        import sb3_contrib

        return sb3_contrib.MaskablePPO


def _arguments(env: Any, seed: int, options: AnyOptions) -> dict[str, Any]:
    """Of the library's class."""
    common = {
        "policy": "MlpPolicy",
        "env": env,
        "n_steps": env.length,  # one episode of each environment per update
        "gamma": 1.0,  # one reward, at the end
        "gae_lambda": options.gae_lambda,
        "learning_rate": options.learning_rate,
        "ent_coef": options.ent_coef,
        "seed": seed,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [options.width, options.width]},
    }
    if isinstance(options, A2cOptions):
        return {**common, "normalize_advantage": options.normalize_advantage}
    return {
        **common,
        "n_epochs": options.n_epochs,
        "batch_size": max(2, env.num_envs * env.length // options.minibatches),
        "clip_range": options.clip_range,
    }


class _Closed(BaseException):
    """Unwinds the library's loop. No ``Exception``: a library must not catch it and go on."""


class Handover:
    """Runs ``body(evaluate)`` by turns with its owner: when one runs, the other waits, so nothing depends on timing.

    Args:
        body: the loop; gets a function that hands rows out and returns their costs.
        state: the global random state in force while the body runs.
    """

    def __init__(self, body: Callable[[Evaluate], None], state: GlobalState) -> None:
        self._state = state
        self._rows: queue.SimpleQueue[Rows | BaseException | None] = queue.SimpleQueue()
        self._costs: queue.SimpleQueue[Costs | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_run, args=(body, self._rows, self._costs), daemon=True, name="library loop"
        )
        self._reply: Costs | None = None

    def rows(self) -> Rows:
        """Let the loop run until it wants rows evaluated.

        Raises:
            RuntimeError: the loop ended, or failed (with its own exception as the cause).
        """
        with self._state.active():
            if self._thread.ident is None:
                self._thread.start()
            elif self._reply is not None:
                self._costs.put(self._reply)
                self._reply = None
            found = self._rows.get()
        if found is None or isinstance(found, BaseException):
            raise RuntimeError("the library's loop ended before the search did") from found
        return found

    def told(self, costs: Costs) -> None:
        """The costs of the rows; the loop goes on when the next ones are wanted."""
        self._reply = costs

    def close(self) -> None:
        """End the loop. May be called at any time, also twice."""
        if self._thread.is_alive():
            self._costs.put(None)
            self._thread.join(timeout=10)


def _run(
    body: Callable[[Evaluate], None],
    rows: queue.SimpleQueue[Rows | BaseException | None],
    costs: queue.SimpleQueue[Costs | None],
) -> None:
    def evaluate(wanted: Rows) -> Costs:
        rows.put(wanted.copy())
        reply = costs.get()
        if reply is None:
            raise _Closed
        return reply

    try:
        body(evaluate)
    except _Closed:
        return
    except BaseException as error:  # handed to the owner, whatever it is
        rows.put(error)
    else:
        rows.put(None)
