"""Which rule set the installed timeloop-model follows: tiny mappings on which the two rule sets differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .evaluators.native import NativeEvaluator
from .evaluators.timeloop import TimeloopEvaluator
from .mapping import Mapping
from .rows.agreement import disagreements
from .rows.figures import Difference
from .specs.architecture import Architecture, ComputeLevel, StorageLevel
from .specs.energy import Energies, LevelEnergy
from .specs.problem import DataSpace, Problem, Term
from .specs.spec import Spec
from .verification import draw_mappings, with_rules

RULES = ("2025", "2022")
_CANDIDATES, _PROBES, _SEED = 60, 4, 1


@dataclass(frozen=True)
class RulesFound:
    """``rules``: the set that fits all probes, or ``None``; then ``first`` is where today's set differs first."""

    rules: str | None
    first: Difference | None

    def sentence(self, program: str) -> str:
        """What was found, for people."""
        if self.rules is not None:
            return f"{program} follows the rules of {self.rules}"
        return f"{program} follows neither rule set; with those of 2025 it differs first in {self.first}"


def recognise_rules(make_real: Callable[[Spec], TimeloopEvaluator]) -> RulesFound:
    """Evaluate the probes with the installed program.

    Args:
        make_real: the evaluator of a Spec.

    Raises:
        BackendError: the program crashed or hung.
    """
    spec = probe_spec()
    real = make_real(spec)
    natives = {rules: NativeEvaluator(with_rules(spec, rules), compiled=False) for rules in RULES}
    fitting, first = list(RULES), None
    for mapping in probes():
        measured = real.measure(mapping)
        for rules in RULES:
            found = disagreements(natives[rules].statistics(mapping), measured, spec)
            if found and rules in fitting:
                fitting.remove(rules)
            if found and rules == RULES[0] and first is None:
                first = found[0]
    # Probes tell the two apart, so at most one is left.
    return RulesFound(fitting[0], None) if fitting else RulesFound(None, first)


def probes() -> list[Mapping]:
    """A few mappings of ``probe_spec`` whose figures differ between the rule sets."""
    spec = probe_spec()
    new, old = (NativeEvaluator(with_rules(spec, rules), compiled=False) for rules in RULES)
    candidates = draw_mappings(spec, _CANDIDATES, _SEED)
    telling = [mapping for mapping in candidates if new.statistics(mapping) != old.statistics(mapping)]
    return telling[:_PROBES]


def probe_spec() -> Spec:
    """A convolution with a halo on three levels with room for everything, two processing elements."""
    spaces = (
        DataSpace("Weights", ((Term(0, 1),), (Term(1, 1),), (Term(2, 1),)), False),
        DataSpace("Inputs", ((Term(0, 1),), (Term(2, 1), Term(3, 1))), False),
        DataSpace("Outputs", ((Term(1, 1),), (Term(3, 1),)), True),
    )
    problem = Problem("probe", ("C", "M", "R", "P"), (2, 2, 3, 4), spaces)
    storage = tuple(
        StorageLevel(name, kind, kind, instances, instances, 1, size=size)
        for name, kind, instances, size in (
            ("RF", "SRAM", 2, 64),
            ("BUF", "SRAM", 1, 1024),
            ("MEM", "DRAM", 1, None),
        )
    )
    energies = tuple(
        LevelEnergy(read=float(e), fill=e + 0.25, update=e + 0.5, source="ERT") for e in (1, 4, 64)
    )
    return Spec(
        problem,
        Architecture(storage, ComputeLevel("MAC", "compute", 2, 2, 1)),
        Energies(energies, compute=1.0),
    )
