"""The tree-structured Parzen estimator by Optuna (Bergstra et al., NeurIPS 2011; Watanabe, arXiv 2304.11127)."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
from jaxtyping import Float64
from numpy import ndarray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from ...mapspace.axes import LearnersMapspace
from ...objective import Objective
from ..learner import Rows
from .batches import BatchSearcher
from .options import TpeOptions

_WORST = 1e4  # instead of the logarithm of an infinite cost


class TpeSearcher(BatchSearcher):
    """Every axis is a parameter of a study; trials are asked for in batches, repaired, evaluated and told.

    With ``learn_repaired`` the study learns the rows that were evaluated; otherwise the ones it had asked for.
    """

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int, options: TpeOptions) -> None:
        super().__init__(space, objective, seed)
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
        self._distributions: dict[str, BaseDistribution] = {
            name: self._distribution(int(count)) for name, count in zip(self._names, space.cardinalities)
        }
        self._trials: list[optuna.trial.Trial] = []

    def _distribution(self, count: int) -> BaseDistribution:
        if self.options.values == "integers":
            return IntDistribution(0, count - 1)
        return CategoricalDistribution(tuple(range(count)))

    def _next_batch(self) -> Rows:
        self._trials = [self._study.ask(self._distributions) for _ in range(self.options.batch)]
        rows = [[trial.params[name] for name in self._names] for trial in self._trials]
        self._repaired = self.learners.repair(np.array(rows, np.int64), self.rng)[0]
        return self._repaired

    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        finite = np.where(np.isfinite(costs), np.log(np.maximum(costs, 1e-300)), _WORST)
        for trial, row, value in zip(self._trials, self._repaired, finite):
            if self.options.learn_repaired:
                self._study.tell(trial, state=TrialState.FAIL)
                params = dict(zip(self._names, (int(x) for x in row)))
                self._study.add_trial(
                    create_trial(params=params, distributions=self._distributions, value=float(value))
                )
            else:
                self._study.tell(trial, float(value))
