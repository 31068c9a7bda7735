"""The optimum of a mapspace by branch and bound, with a proof or the gap that is still open (docs/optimal.md)."""

from ..compiling import CALLED

# Kernels of this room call only each other. Said here, because a change of compiling.py compiles all kernels anew.
CALLED.setdefault("optimal", ("optimal",))
