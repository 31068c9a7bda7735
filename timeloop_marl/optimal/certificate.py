"""What a proof says, as plain data that can be written, read and checked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..evaluators.native import NativeEvaluator
from ..mapping import Mapping as LoopNest
from ..mapping import MappingBatch, TilingLoops
from ..objective import parse_objective
from ..specs.fingerprint import spec_fingerprint
from ..specs.spec import Spec
from ..versions import versions
from .program import SLACK
from .proof import Optimum

FORMAT = 1
RULES = {
    "R1": "loops of one iteration have no place in an order",
    "R2": "of two orders that leave the same loops inside the first loop that moves each data space, one is tried",
    "R3": "an order that only repeats more words than another is left out, unless networks charge for routers",
    "R4": "layouts of spatial loops are tried once, unless networks charge for hops or neighbours may pass words on",
}
"""How mappings are collapsed; proofs in docs/optimal.md."""


def certificate(optimum: Optimum, jobs: int = 1) -> dict[str, Any]:
    """The result of a proof. Costs in the objective's unit, energies in pJ; ``bound`` is what no mapping undercuts."""
    frontier, best = optimum.frontier, optimum.frontier.best
    found = {}
    if best is not None:
        found = {
            "cost": best.cost, "cycles": best.cycles, "energy_pj": best.energy_pj,
            "mapping": mapping_data(best.mapping),
        }  # fmt: skip
    return {
        "format": FORMAT,
        "problem": {
            "name": optimum.spec.problem.name,
            "bounds": dict(zip(optimum.spec.problem.dims, optimum.spec.problem.bounds)),
        },
        "spec": spec_fingerprint(optimum.spec),
        "rules_of": optimum.spec.options.rules,
        "objective": optimum.objective.name,
        "status": status(optimum),
        "bound": frontier.bound if np.isfinite(frontier.bound) else None,
        "gap": frontier.gap,
        **found,
        "open": len(frontier.pieces),
        "counts": dict(frontier.counts),
        "seconds": round(frontier.seconds, 2),
        "jobs": jobs,
        "stopped": optimum.reason.value,
        "start": {
            "searcher": optimum.start.searcher, "samples": optimum.start.samples, "seed": optimum.start.seed,
        },
        "slack": SLACK,
        "collapsed": dict(RULES),
        "versions": versions(),
    }  # fmt: skip


def status(optimum: Optimum) -> str:
    """``optimal``, ``infeasible`` (both proven) or ``open``."""
    if not optimum.proven:
        return "open"
    return "optimal" if optimum.frontier.best is not None else "infeasible"


def mapping_data(mapping: LoopNest) -> dict[str, Any]:
    """A perfect mapping as lists: factors and orders of the tiling levels inside-out, splits, who keeps what."""
    return {
        "factors": [list(level.factors) for level in mapping.loops],
        "order": [list(level.order) for level in mapping.loops],
        "split": [level.split for level in mapping.loops],
        "keep": [[int(kept) for kept in row] for row in mapping.keep],
    }


def mapping_of(data: Mapping[str, Any]) -> LoopNest:
    """The mapping that ``mapping_data`` wrote."""
    loops = tuple(
        TilingLoops(tuple(factors), tuple(factors), tuple(order), split)
        for factors, order, split in zip(data["factors"], data["order"], data["split"], strict=True)
    )
    return LoopNest(loops, tuple(tuple(bool(kept) for kept in row) for row in data["keep"]))


def check(spec: Spec, record: Mapping[str, Any]) -> list[str]:
    """What is wrong with a certificate, without proving it anew: inputs, mapping, its cost, and the bound."""
    wrong = []
    if record["spec"] != spec_fingerprint(spec):
        wrong.append("it is about other inputs (fingerprint)")
    if "mapping" in record:
        objective = parse_objective(record["objective"], len(spec.architecture.storage))
        evaluator = NativeEvaluator(spec, accesses=objective.needs_accesses)
        cost = float(objective.costs(evaluator(MappingBatch.of([mapping_of(record["mapping"])])))[0])
        if cost != record["cost"]:
            wrong.append(f"its mapping costs {cost!r}, not {record['cost']!r}")
        if record["bound"] > record["cost"]:
            wrong.append("its bound is above the cost of its mapping")
        if record["status"] == "optimal" and record["bound"] != record["cost"]:
            wrong.append("it is called optimal, but bound and cost differ")
    return wrong
