"""Drop-in replacements of timeloop-model and timeloop-mapper: same arguments, files, screen lines and exit codes."""

from .mapper import run_mapper
from .model import run_model

__all__ = ["run_mapper", "run_model"]
