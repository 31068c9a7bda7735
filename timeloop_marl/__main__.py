"""python -m timeloop_marl."""

import sys

from .cli import program

sys.exit(program())
