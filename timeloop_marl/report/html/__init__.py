"""The report: one HTML page per run, network or comparison, with everything it needs inside."""

from __future__ import annotations

from .folders import page_of
from .network_page import network_page
from .page import render
from .run_page import run_page

REPORT = "report.html"  # in the folder of a run

__all__ = ["REPORT", "network_page", "page_of", "render", "run_page"]
