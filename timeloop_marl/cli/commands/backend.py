"""What the commands share about the real timeloop-model: options to choices, and how agreement is shown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ...device.target import chosen_device
from ...evaluators.choice import EvaluatorChoice, default_cache, timeloop_evaluator
from ...mapping import Mapping
from ...parallel import Engine
from ...run.folder import RunFolder
from ...specs.spec import Spec
from ...verification import Verification, verify_mappings

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
