"""Timeloop YAML in, frozen dataclasses out; the only room that knows YAML keys."""

from .energy_source import EnergyChoice
from .reading import load, load_flat, read_spec

__all__ = ["EnergyChoice", "load", "load_flat", "read_spec"]
