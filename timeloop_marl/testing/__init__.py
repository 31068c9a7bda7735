"""Contract tests for pytest: supply a fixture and inherit all checks (docs/searchers.md, "Write a searcher")."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.searchers", f"{__name__}.evaluators")

from .evaluators import EvaluatorContract, FakeEvaluator, assert_same  # noqa: E402
from .searchers import SearcherContract, told_rows  # noqa: E402

__all__ = ["EvaluatorContract", "FakeEvaluator", "SearcherContract", "assert_same", "told_rows"]
