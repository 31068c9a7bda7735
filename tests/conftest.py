"""Its presence puts this folder on the path: tests share ``machines``, ``programs`` and ``shell``."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings
from shell import Shell

# The first call of a kernel loads or compiles it: times of single examples say nothing.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# Shells start background jobs with Ctrl-C ignored, and so would all programs be that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line, run in this process."""
    return Shell(capsys)
