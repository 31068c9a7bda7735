"""Its presence puts this folder on the path: tests share ``machines`` and ``fakes``."""
