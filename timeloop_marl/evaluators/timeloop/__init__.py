"""The real Timeloop as an Evaluator: the program timeloop-model, and how its outputs are read."""

from __future__ import annotations

from .evaluator import OnCrash, TimeloopEvaluator, find_route
from .program import MODEL, Program, find_program

__all__ = ["MODEL", "OnCrash", "Program", "TimeloopEvaluator", "find_program", "find_route"]
