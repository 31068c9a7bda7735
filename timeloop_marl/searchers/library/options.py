"""Options of the library searchers. Imports none of the libraries, so that they can be listed without them."""

from __future__ import annotations

from dataclasses import dataclass

from ...envs.task import INFEASIBLE
from ...errors import UsageError
from ..checks import at_least, share

ENCODINGS = ("argmax", "rounding")
VALUES = ("integers", "categories")
FORMS = ("one-step", "sequential")


@dataclass(frozen=True)
class CmaOptions:
    """Options of ``cma-es``. ``population`` 0 = what pycma takes for the number of variables."""

    population: int = 32
    sigma: float = 1.0  # first step; variables start near 0 (argmax) or lie in 0 .. 1 (rounding: take 0.3)
    encoding: str = "argmax"
    diagonal: bool = True  # separable: variances only
    growth: float = 2.0  # of the population at a restart

    def __post_init__(self) -> None:
        at_least(0, population=self.population)
        one_of("encoding", self.encoding, ENCODINGS)
        if not self.sigma > 0 or not self.growth >= 1:
            raise UsageError("sigma must be above 0 and growth at least 1")


@dataclass(frozen=True)
class TpeOptions:
    """Options of ``optuna-tpe``."""

    batch: int = 8
    startup: int = 32  # random samples before the model is asked
    candidates: int = 24  # drawn per proposal, the best by the model is taken
    multivariate: bool = True
    values: str = "categories"
    learn_repaired: bool = True  # the model is told the row that was evaluated, not the one it asked for

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch, candidates=self.candidates)
        at_least(0, startup=self.startup)
        one_of("values", self.values, VALUES)


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
        check_learner(self.form, self.infeasible, self.batch, self.learning_rate, self.width)
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
        check_learner("sequential", self.infeasible, self.batch, self.learning_rate, self.width)
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
        check_learner(self.form, self.infeasible, self.batch, self.learning_rate, self.width)
        at_least(0, ent_coef=self.ent_coef)
        share(gae_lambda=self.gae_lambda)


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """``UsageError`` unless the value is known."""
    if value not in known:
        raise UsageError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def check_learner(form: str, infeasible: str, batch: int, learning_rate: float, width: int) -> None:
    """What the RL searchers have in common."""
    one_of("form", form, FORMS)
    one_of("infeasible", infeasible, INFEASIBLE)
    at_least(2, batch=batch)
    at_least(1, width=width)
    if not learning_rate > 0:
        raise UsageError(f"learning_rate must be above 0, got {learning_rate}")
