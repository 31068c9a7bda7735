"""The evaluator of the contract tests, under the name that tests know it by."""

from timeloop_marl.testing import FakeEvaluator

__all__ = ["FakeEvaluator"]
