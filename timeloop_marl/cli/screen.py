"""What the commands share: the screen, the input files, what an interrupted one was given, the real timeloop-model."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from ..api.inputs import expand, model_options
from ..errors import UsageError
from ..evaluators.choice import EvaluatorChoice, chosen_device, default_cache, timeloop_evaluator
from ..parallel.engine import Engine
from ..run.folder import RunFolder
from ..specs.document import Document
from ..specs.mapping import Mapping
from ..specs.reading import load_flat, read_spec
from ..specs.spec import Spec
from ..validation.verification import Verification, verify_mappings

_WIDE = 160  # columns for files and pipes: nothing is cut
_TRAILING = re.compile(r" +$", re.MULTILINE)


class Screen:
    """Standard output. Names out of files are printed as they are: no markup, no emoji, no guessed colours."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        width = None if self._terminal else _WIDE
        self._console = Console(width=width, markup=False, emoji=False, highlight=False)

    def print(self, *items: RenderableType) -> None:
        """One item below the other; for files and pipes text is not folded and lines do not end in blanks."""
        with self._console.capture() as captured:
            for item in items or ("",):
                self._console.print(item, soft_wrap=isinstance(item, str) and not self._terminal)
        text = captured.get()
        # Written here, not by rich, which has its own mind about broken pipes.
        sys.stdout.write(text if self._terminal else _TRAILING.sub("", text))


def console() -> Screen:
    """Standard output as it is now."""
    return Screen()


def read_inputs(options: argparse.Namespace, *, program: str = "mapper") -> tuple[Document, Spec]:
    """The document and the Spec of the files on the command line; notices go to the screen.

    Args:
        options: with ``files``, ``values`` and ``rules``.
        program: ``mapper`` or ``model``: whether v0.4 constraints are constraints or the mapping itself.
    """
    files = expand(options.files)
    document = load_flat(files, program=program, jinja_data=parse_values(options.values, "--set"))
    spec = read_spec(document, options=model_options(options.rules))
    return document, spec


def print_notices(spec: Spec) -> None:
    """What the user should know about the input, on stderr."""
    for notice in spec.notices:
        print(f"notice: {notice}", file=sys.stderr)


def parse_values(values: Sequence[str], flag: str) -> dict[str, str]:
    """``NAME=VALUE`` arguments as a map; ``UsageError`` if one has no ``=``."""
    parsed: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{flag} {text!r}: expected NAME=VALUE")
        parsed[name] = value
    return parsed


_ALWAYS = (
    "rules",
    "top",
    "pareto",
    "no_proof",
    "paired",
)  # they have a default, so that nothing tells whether they were given


def recall(folder: RunFolder, options: argparse.Namespace, names: Sequence[str]) -> None:
    """Take what the interrupted command was given, unless this one says otherwise."""
    recorded = folder.read_manifest().get("arguments", {})
    for name in names:
        given = getattr(options, name)
        if name in recorded and (given is None or given == [] or name in _ALWAYS):
            setattr(options, name, recorded[name])


_SHOWN = 20  # differing figures on the screen; all are in verify.json
REPORT = "verify.json"


def evaluator_choice(options: argparse.Namespace) -> EvaluatorChoice:
    """The evaluator that the options ask for; what they leave out has the defaults."""
    cache = getattr(options, "cache", None)
    engine = Engine.chosen(
        getattr(options, "jobs", None),
        getattr(options, "backend", None),
        getattr(options, "scheduler", None),
        usual="threading",
    )
    given = {
        "kind": getattr(options, "evaluator", None),
        "jobs": engine.jobs,
        "backend": engine.backend,
        "scheduler": engine.scheduler,
        "program": options.timeloop_model,
        "seconds": options.call_seconds,
        "on_crash": getattr(options, "on_crash", None),
        "device": device_of(options) if hasattr(options, "device") else None,
        "cache": default_cache() if cache is None else None if cache == "none" else Path(cache),
    }
    return EvaluatorChoice(**{name: value for name, value in given.items() if value is not None})


def device_of(options: argparse.Namespace) -> str:
    """``--device``, by default ``cpu``; asked for before anything is written.

    Raises:
        UsageError: there is no such device.
    """
    device = options.device or "cpu"
    chosen_device(device)
    return str(device)


def verify_found(spec: Spec, mappings: Sequence[Mapping], options: argparse.Namespace) -> Verification:
    """Evaluate mappings with the program that the options name and with the native model."""
    choice = evaluator_choice(options)
    return verify_mappings(spec, mappings, timeloop_evaluator(spec, choice), jobs=choice.jobs)


def judged_already(spec: Spec, evaluator: str) -> bool:
    """Whether there is nothing to verify: the real program gave every figure of a design that only it covers."""
    if spec.beyond is None:
        return False
    say(
        f"notice: nothing to verify: every figure is from {evaluator}; the native model does not cover this design"
    )
    return True


def report_verification(verification: Verification, folder: RunFolder | None) -> bool:
    """Print the summary and what differs, write it all; whether both agree."""
    print(f"verified: {verification.summary()}")
    for where, count in verification.places().items():
        print(f"  {where}: {count} figures differ")
    shown = 0
    for number, check in enumerate(verification.checks, 1):
        for difference in check.differences:
            shown += 1
            if shown <= _SHOWN:
                print(
                    f"  mapping {number}: {difference.path}: real {difference.expected!r}, "
                    f"native {difference.got!r}"
                )
    if shown > _SHOWN:
        print(
            f"  … and {shown - _SHOWN} more" + ("" if folder is None else f", all in {folder.path / REPORT}")
        )
    if folder is not None:
        folder.write(REPORT, json.dumps(verification.as_dict(), indent=2) + "\n")
    return verification.agree


def say(text: str) -> None:
    """A line for the reader, not for programs."""
    print(text, file=sys.stderr, flush=True)
