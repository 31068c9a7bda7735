"""Our searchers against Timeloop's mappers on the same files: same number of samples, and same time."""

from __future__ import annotations

from .compare import Comparison, compare_searchers
from .runs import Course, Point

__all__ = ["Comparison", "Course", "Point", "compare_searchers"]
