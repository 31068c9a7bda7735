"""The figures of one sparse mapping in the form in which rows record them."""

from __future__ import annotations

import math
from typing import Any

from ...cost.outcome import LevelStatistics, SparseTensorStatistics, Statistics, TensorStatistics
from ...specs.spec import Spec


def sparse_figures(result: Statistics, spec: Spec) -> dict[str, Any]:
    """What ``exp`` of a row holds; values that are no numbers as text."""
    compute = result.compute
    return _written(
        {
            "ok": True,
            "cycles": result.cycles,
            "energy": result.energy_pj,
            "util": result.utilization,
            "alg_computes": result.algorithmic_computes,
            "computes": result.computes,
            "last_level_accesses": result.levels[-1].accesses,
            "compute": {
                "inst": compute.utilized_instances,
                "avg_inst": compute.average_instances,
                "cycles": compute.cycles,
                "random": result.computes,
                "gated": compute.gated,
                "skipped": compute.skipped,
                "energy": compute.energy,
            },
            "levels": {level.name: _level(level, spec) for level in result.levels},
        }
    )


def _level(level: LevelStatistics, spec: Spec) -> dict[str, Any]:
    return {
        "cycles": level.cycles,
        "throttle": level.throttle,
        "energy": level.energy,
        "leak": level.leakage,
        "leaks": level.leakage_instances,
        "accesses": level.accesses,
        "ds": {
            space.name: _tensor(tensor, tensor.sparse)
            for space, tensor in zip(spec.problem.data_spaces, level.tensors, strict=True)
            if tensor.sparse is not None
        },
    }


def _tensor(tensor: TensorStatistics, sparse: SparseTensorStatistics) -> dict[str, Any]:
    return {
        "part": tensor.partition,
        "shape": tensor.capacity,
        "cap": tensor.tile_shape,
        "mdbits": sparse.metadata_bits,
        "fmt": "".join(f"{name.lower()} " for name in sparse.ranks) or "none",
        "dens": sparse.density,
        "conf": sparse.confidence,
        "md": [list(pair) for pair in sparse.metadata_units],
        "inst": sparse.instances,
        "x": sparse.across,
        "y": sparse.down,
        "clus": tensor.clusters,
        "reads": sparse.algorithmic[0],
        "fills": sparse.algorithmic[1],
        "updates": sparse.algorithmic[2],
        "tred": tensor.temporal_reductions,
        "agen": tensor.address_generations,
        "data": dict(sparse.words),
        "format": {name: [list(pair) for pair in rows] for name, rows in sparse.metadata.items()},
        "vec": dict(sparse.vectors),
        "e": tensor.energy,
        "e_acc": sparse.energy_per_access,
        "eagen": tensor.address_energy,
        "rbw": tensor.read_bandwidth,
        "wbw": tensor.write_bandwidth,
        "sbw": tensor.shared_bandwidth,
        "fr": list(sparse.fractions),
    }


def _written(value: Any) -> Any:
    """Infinities and what is not a number as text."""
    if isinstance(value, dict):
        return {name: _written(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
