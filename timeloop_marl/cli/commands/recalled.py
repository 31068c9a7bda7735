"""What an interrupted command was given, for ``--resume``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...run.folder import RunFolder

_ALWAYS = (
    "rules",
    "top",
    "pareto",
    "paired",
)  # they have a default, so that nothing tells whether they were given


def recall(folder: RunFolder, options: argparse.Namespace, names: Sequence[str]) -> None:
    """Take what the interrupted command was given, unless this one says otherwise."""
    recorded = folder.read_manifest().get("arguments", {})
    for name in names:
        given = getattr(options, name)
        if name in recorded and (given is None or given == [] or name in _ALWAYS):
            setattr(options, name, recorded[name])
