"""AccelForge's half of ``against_accelforge.py``, run by the Python that has it: JSON in, JSON out.

In: ``{"files": [architecture, workload], "mappings": [file, …]}``. Out: the optimum of its mapper for energy, with what
it took, and for every given mapping the actions that its model counts.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

SEP = "<SEP>"


def mapped(files: list[str]) -> dict[str, Any]:
    """AccelForge's mapper on one thread; processor time without imports."""
    import accelforge as af
    from accelforge.frontend.mapper.metrics import Metrics
    from accelforge.mapper.FFM.main import join_pmappings, make_pmappings

    spec = af.Spec.from_yaml(*files)
    spec.mapper.metrics = Metrics.ENERGY
    wall, begun = time.perf_counter(), time.process_time()
    partial = make_pmappings(spec, print_progress=False)
    found = join_pmappings(partial, metrics=Metrics.ENERGY, print_progress=False)
    spent, waited = time.process_time() - begun, time.perf_counter() - wall
    energies = found.data[f"Total{SEP}energy"]
    return {
        "seconds": spent,
        "wall": waited,
        "total": float(partial.n_total_pmappings()),
        "valid": float(partial.n_valid_pmappings()),
        "evaluated": float(partial.n_evaluated_pmappings()),
        "energy": float(min(energies)),
    }


def counted(files: list[str], mapping: str) -> dict[str, float]:
    """Actions of one mapping by ``component.tensor.action``, and the total energy."""
    import accelforge as af
    from accelforge.frontend.mapper.metrics import Metrics

    spec = af.Spec.from_yaml(*files, mapping)
    spec.model.metrics = Metrics.ACTIONS | Metrics.ENERGY
    row = spec.evaluate_mapping().data.iloc[0]
    actions = {
        ".".join(name.split(SEP)[2:]): float(row[name]) for name in row.index if f"{SEP}action{SEP}" in name
    }
    return {**actions, "energy": float(row[f"Total{SEP}energy"])}


def main() -> None:
    from accelforge.util.parallel import set_n_parallel_jobs

    set_n_parallel_jobs(1)
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # what the package prints is not part of the answer
        answer = {
            "mapper": mapped(asked["files"]),
            "counts": [counted(asked["files"], mapping) for mapping in asked["mappings"]],
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
