"""The tree-structured Parzen estimator by Optuna (Bergstra et al., NeurIPS 2011; Watanabe, arXiv 2304.11127)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.objective import Objective
from ...mapspace.axes import LearnersMapspace
from ..base import Rows, at_least, one_of
from ..registry import searcher
from .shared import BatchSearcher, finite_logs

VALUES = ("integers", "categories")


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


@searcher("optuna-tpe", "tree-structured Parzen estimator by Optuna", TpeOptions, extra="library")
class TpeSearcher(BatchSearcher):
    """Every axis is a parameter of a study; trials are asked for in batches, repaired, evaluated and told.

    With ``learn_repaired`` the study learns the rows that were evaluated; otherwise the ones it had asked for.
    """

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int, options: TpeOptions) -> None:
        super().__init__(space, objective, seed)
        import optuna

        self.options, self.batch = options, options.batch
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32,
                multivariate=options.multivariate,
                constant_liar=True,
                n_startup_trials=options.startup,
                n_ei_candidates=options.candidates,
            )
        self._study = optuna.create_study(sampler=sampler)
        self._names = [f"{a}" for a in range(space.axes)]
        kinds = optuna.distributions
        self._distributions: dict[str, Any] = {
            name: kinds.IntDistribution(0, count - 1)
            if options.values == "integers"
            else kinds.CategoricalDistribution(tuple(range(count)))
            for name, count in zip(self._names, space.cardinalities.tolist())
        }
        self._trials: list[Any] = []

    def _next_batch(self) -> Rows:
        self._trials = [self._study.ask(self._distributions) for _ in range(self.options.batch)]
        rows = [[trial.params[name] for name in self._names] for trial in self._trials]
        self._repaired = self.learners.repair(np.array(rows, np.int64), self.rng)[0]
        return self._repaired

    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        from optuna.trial import TrialState, create_trial

        for trial, row, value in zip(self._trials, self._repaired, finite_logs(costs)):
            if self.options.learn_repaired:
                self._study.tell(trial, state=TrialState.FAIL)
                params = dict(zip(self._names, (int(x) for x in row)))
                self._study.add_trial(
                    create_trial(params=params, distributions=self._distributions, value=float(value))
                )
            else:
                self._study.tell(trial, float(value))
