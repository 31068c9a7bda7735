"""Its presence puts this folder on the path: tests share ``machines`` and ``fakes``."""

from hypothesis import settings

# The first call of a kernel loads or compiles it: times of single examples say nothing.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
