"""From files to one Document: the two ways in which Timeloop's programs put files together (formats intro, 6)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import SpecError, UnsupportedFeatureError, UsageError
from .apart import EndedError, apart
from .changes import changed, split_values
from .document import Document, Map, Origin, merged, to_document, together
from .templates import Rendered, Templates, read_text, uses_templates
from .yaml_text import parse_yaml

STYLES = ("auto", "timeloop", "frontend")
MAX_TOTAL_BYTES = 64 << 20
IGNORED_INPUT = "timeloop-mapper.map.yaml"
# Keys that the C++ programs also take with hyphens; they replace them in the text, wherever they stand.
HYPHENATED = (
    "addr_gen_energy", "block_size", "cluster_area", "cluster_size", "data_spaces", "data_storage_depth",
    "data_storage_width", "fill_latency", "drain_latency", "filter_revisits", "live_status", "log_interval",
    "log_stats", "log_suboptimal", "log_all", "max_permutations_per_if_visit", "memory_depth",
    "memory_width", "min_utilization", "multiple_buffering", "network_drain", "network_fill",
    "network_read", "network_update", "network_word_bits", "num_banks", "num_ports", "num_threads",
    "optimization_metric", "optimization_metrics", "out_prefix", "penalize_consecutive_bypass_fails",
    "read_bandwidth", "read_write", "router_energy", "search_algorithm", "search_size", "shared_bandwidth",
    "sync_interval", "tile_width", "vector_access_energy", "victory_condition", "wire_energy", "word_bits",
    "write_bandwidth",
)  # fmt: skip
_HYPHENS = re.compile(
    r"(?<![\w-])("
    + "|".join(key.replace("_", "-") for key in sorted(HYPHENATED, key=len, reverse=True))
    + r")(?![\w-])"
)
_COMMENTS = re.compile(r"^[ \t]*#.*$", re.MULTILINE)  # they may show templates without using them
_NODES = re.compile(r"\bnodes[\"']?\s*:")


def load_document(
    files: Sequence[str | Path],
    *,
    style: str = "auto",
    jinja_data: Mapping[str, Any] | None = None,
    named: bool = False,
) -> Document:
    """Read and merge input files.

    Args:
        files: YAML files, in the order of the command line.
        style: ``timeloop``: as the C++ programs, all files are one YAML text and the first of equal keys counts;
            ``frontend``: as the v0.4 front end, every file passes through Jinja2 and maps are combined;
            ``auto``: ``frontend`` if a file uses Jinja2 or an architecture has ``nodes``, else ``timeloop``.
        jinja_data: variables for the templates; names with a dot are values to set in the document (``changes``).
        named: a file called just ``timeloop-mapper.map.yaml``, which Timeloop ignores among its inputs, is meant.

    Returns:
        The document, with the origin of every value. A v0.4 architecture is still in its nodes form.

    Raises:
        SpecError: a file cannot be read, is no safe YAML, or contradicts another one.
        UsageError: no file, or an unknown style.
    """
    if style not in STYLES:
        raise UsageError(f"unknown style {style!r}: expected one of {', '.join(STYLES)}")
    if not files:
        raise UsageError("no input file: give the architecture, problem, ... as YAML files")
    variables, changes = split_values(jinja_data or {})
    paths, notices = _input_files(files, named)
    texts = {path: read_text(path) for path in paths}
    if sum(map(len, texts.values())) > MAX_TOTAL_BYTES:
        raise SpecError(
            "the input files are too large together", expected=f"at most {MAX_TOTAL_BYTES} characters"
        )
    if style == "auto":
        style = "frontend" if _needs_front_end(texts) else "timeloop"
    if style == "frontend":
        data, more = _load_frontend(texts, variables)
        notices += more
    else:
        data = _load_timeloop(texts)
    data, more = changed(data, changes)
    return to_document(data, [*notices, *more])


def _input_files(files: Sequence[str | Path], named: bool) -> tuple[list[Path], list[str]]:
    """The files to read, without repetition, and notices about those left out."""
    paths: list[Path] = []
    notices: list[str] = []
    for name in files:
        path = Path(name)
        if str(name) == IGNORED_INPUT and not named:
            notices.append(f"{path}: ignored as an input, as by Timeloop (it is an output file)")
        elif path.suffix == ".cfg":
            raise UnsupportedFeatureError(
                "libconfig files are not read", file=path, remedy="write the input as YAML"
            )
        elif not path.name.endswith((".yaml", ".yml", ".jinja2", ".jinja", ".j2")):
            raise SpecError(
                "not an input file", file=path, expected="a name ending in .yaml, .yml or .jinja2"
            )
        elif path not in paths:
            paths.append(path)
    return paths, notices


def _needs_front_end(texts: Mapping[Path, str]) -> bool:
    """Whether any file uses templates or holds an architecture of nodes."""
    for path, text in texts.items():
        if path.suffix in (".jinja2", ".jinja", ".j2") or uses_templates(_COMMENTS.sub("", text)):
            return True
    for path, text in texts.items():
        if _NODES.search(text):
            data = parse_yaml(text, _locator(path, text), keep_first=True)
            architecture = data.get("architecture") if isinstance(data, Map) else None
            if isinstance(architecture, Map) and "nodes" in architecture:
                return True
    return False


def _locator(path: Path, text: str) -> Any:
    return Rendered(text, [(str(path), line + 1) for line in range(text.count("\n") + 1)]).locate


def _load_timeloop(texts: Mapping[Path, str]) -> Map:
    """All files as one text, as the C++ programs read them."""
    lines: list[tuple[str, int]] = []
    parts: list[str] = []
    for path, text in texts.items():
        text = _HYPHENS.sub(lambda match: match[0].replace("-", "_"), text).rstrip("\n")
        parts.append(text)
        lines += [(str(path), line + 1) for line in range(text.count("\n") + 1)]
    rendered = Rendered("\n".join(parts), lines)
    try:
        return _top(parse_yaml(rendered.text, rendered.locate, keep_first=True), next(iter(texts), Path()))
    except SpecError:
        for path, text in (
            texts.items() if len(texts) > 1 else ()
        ):  # a file that is wrong by itself is to blame
            _top(parse_yaml(text, _locator(path, text), keep_first=True), path)
        raise


def _load_frontend(texts: Mapping[Path, str], jinja_data: Mapping[str, Any]) -> tuple[Map, list[str]]:
    """Every file through Jinja2, then combined key by key; keys that say "ignore" are dropped."""
    # What a template does cannot be foreseen: it has a process of its own, which is ended where it takes too much.
    if not any(uses_templates(text) for text in texts.values()):
        return _rendered(texts, jinja_data)
    try:
        return apart(lambda: _rendered(texts, jinja_data))
    except EndedError as error:
        raise SpecError(
            f"template error: {error}",
            file=next(path for path, text in texts.items() if uses_templates(text)),
            remedy="look for loops, filters or includes of templates that work on far more than an input needs",
        ) from None


def _rendered(texts: Mapping[Path, str], jinja_data: Mapping[str, Any]) -> tuple[Map, list[str]]:
    templates = Templates(data=jinja_data, search_path=[path.parent for path in texts], roots=_roots(texts))
    whole = Map(Origin(str(next(iter(texts), ""))))
    for path, text in texts.items():
        data = _top(templates.load(path, text), path)
        for key in [key for key in data if "ignore" in key.lower()]:
            del data[key]
        whole = merged(whole, data, together)
    return whole, templates.notices


ALLOWED = "TIMELOOP_MARL_ALLOW_PATH"
"""Variable: folders with colons between them in which templates may also read (command line: --allow-path)."""


def _roots(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Folders below which templates may read: the one above that of every input file, and those allowed."""
    allowed = [Path(name) for name in os.environ.get(ALLOWED, "").split(os.pathsep) if name]
    own = [path.absolute().parent.parent for path in paths]
    return tuple(dict.fromkeys(folder.resolve() for folder in [*own, *allowed]))


def _top(value: Any, path: Path) -> Map:
    if value is None:
        return Map(Origin(str(path)))
    if isinstance(value, Map):
        return value
    raise SpecError(
        "not a map of keys and values",
        file=path,
        value=value,
        expected="top-level keys such as architecture:, problem:",
    )
