"""python -m timeloop_marl."""

import sys

from .cli import main

sys.exit(main())
