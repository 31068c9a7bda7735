"""``timeloop-marl verify``: the native model against the installed timeloop-model, on the user's own mapspace."""

from __future__ import annotations

import argparse

from ..evaluation import timeloop_evaluator
from ..mapspace.diagnosis import require_feasible
from ..run_folder import RunFolder
from ..verification import drawn, recognise_rules, with_rules
from .backend import evaluator_choice, report_verification, say, verify_found
from .inputs import print_notices, read_inputs


def run(options: argparse.Namespace) -> int:
    """Draw, evaluate, compare; 0 if no figure differs, 1 if one does."""
    _, spec = read_inputs(options)
    spec.require_native()
    print_notices(spec)
    require_feasible(spec)
    choice = evaluator_choice(options)
    found = recognise_rules(lambda probe: timeloop_evaluator(probe, choice))
    program = timeloop_evaluator(spec, choice)
    print(found.sentence(program.name))
    if found.rules is not None and found.rules != options.rules:
        say(f"notice: comparing with the rules of {found.rules}; searches want --rules {found.rules}")
        spec = with_rules(spec, found.rules)
    mappings = drawn(spec, options.draw, options.samples, options.seed)
    if len(mappings) < options.samples:
        say(f"notice: the mapspace gave {len(mappings)} different mappings, {options.samples} were asked for")
    folder = None
    if options.output:
        folder = RunFolder(options.output)
        folder.create()
    return 0 if report_verification(verify_found(spec, mappings, options), folder) else 1
