"""Timeloop YAML in, frozen dataclasses out; the only room that knows YAML keys."""

from .reading import load, read_spec

__all__ = ["load", "read_spec"]
