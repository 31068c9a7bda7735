"""All parallel work: joblib on this machine's threads or processes, or on a Dask or Ray cluster."""

from .engine import BACKENDS, Engine
from .workers import Workers, number

__all__ = ["BACKENDS", "Engine", "Workers", "number"]
