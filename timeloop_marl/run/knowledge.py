"""Knowledge files, and a search that begins with one: what it began with is kept in its folder, for resuming."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..searchers.base import Searcher
from ..searchers.knowledge import Knowledge, fingerprint, from_bytes, to_bytes
from .folder import RunFolder

BEFORE = "knowledge.npz"
"""In the folder of a search: what it began with. In that of a network: what all its layers have learnt."""

Source = Knowledge | str | Path
"""Knowledge, the name of a file, or the folder of a network."""


def load_knowledge(source: Source) -> Knowledge:
    """Read a knowledge file, or that of a network's folder.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    if isinstance(source, Knowledge):
        return source
    file = Path(source) / BEFORE if Path(source).is_dir() else Path(source)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot read knowledge: {error.strerror}") from None
    return from_bytes(data, file)


def save_knowledge(knowledge: Knowledge, path: str | Path) -> Path:
    """Write a knowledge file; it appears whole or not at all."""
    file = Path(path)
    folder = RunFolder(file.parent)
    folder.create()
    return folder.write(file.name, to_bytes(knowledge))


def begin_with(searcher: Searcher, source: Source | None, output: str | Path | None) -> dict[str, str]:
    """Let a searcher begin with knowledge; what that adds to the identity of its search.

    Args:
        source: none = what a search in ``output`` began with that was interrupted, or nothing.
        output: folder of the search; a copy of the knowledge is kept there.

    Raises:
        UsageError: the searcher does not learn from others, or the file is damaged.
    """
    kept = None if output is None else Path(output) / BEFORE
    if source is None and (kept is None or not kept.exists()):
        return {}
    known = load_knowledge(source if source is not None else kept or "")
    if not known.layers:
        return {}
    searcher.inherit(known)
    if kept is not None and not kept.exists():
        save_knowledge(known, kept)
    return {"knowledge": fingerprint(known)}
