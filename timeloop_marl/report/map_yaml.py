"""timeloop-mapper.map.yaml: the mapping as directives that timeloop-model reads (formats sections 3 and 10)."""

from __future__ import annotations

from collections.abc import Sequence

from ..mapping import Mapping, TilingLoops
from ..specs.spec import Spec


def map_yaml_text(spec: Spec, mapping: Mapping, *, residuals: bool = False) -> str:
    """The text of timeloop-mapper.map.yaml.

    Timeloop leaves residual bounds out, so its file cannot replay an imperfect mapping. With ``residuals`` they are
    written as ``M3,2``, which timeloop-model reads.
    """
    return "mapping:" + "".join(_keep_directives(spec, mapping)) + "".join(_loops(spec, mapping, residuals))


def _keep_directives(spec: Spec, mapping: Mapping) -> list[str]:
    names = [space.name for space in spec.problem.data_spaces]
    texts = []
    for level, row in zip(spec.architecture.storage, mapping.keep, strict=True):
        kept = [name for name, keep in zip(names, row, strict=True) if keep]
        bypassed = [name for name, keep in zip(names, row, strict=True) if not keep]
        lists = _name_list("keep", kept) + _name_list("bypass", bypassed)
        texts.append(f"\n  - target: {level.name}\n    type: datatype{lists}")
    return texts


def _name_list(key: str, names: Sequence[str]) -> str:
    return f"\n    {key}:" + ("".join(f"\n      - {name}" for name in names) if names else "\n      []")


def _loops(spec: Spec, mapping: Mapping, residuals: bool) -> list[str]:
    texts = []
    for tiling, loops in zip(spec.architecture.tiling_levels, mapping.loops, strict=True):
        if tiling.spatial and max(loops.factors) == 1:
            continue  # spatial loops of bound 1 leave no block in the nest, hence no directive
        name = spec.architecture.storage[tiling.storage].name
        order = _printed_order(loops)
        text = f"\n  - target: {name}\n    type: {'spatial' if tiling.spatial else 'temporal'}"
        text += f"\n    factors: {_factors(spec.problem.dims, loops, residuals)}"
        text += f"\n    permutation: {''.join(spec.problem.dims[dim] for dim in order)}"
        if tiling.spatial:
            text += f"\n    split: {len(_in_x(loops))}"
        texts.append(text)
    return texts


def _in_x(loops: TilingLoops) -> list[int]:
    return [dim for dim in loops.order[: loops.split] if loops.factors[dim] > 1]


def _printed_order(loops: TilingLoops) -> list[int]:
    """Non-unit loops innermost first (of a spatial level the X ones before the Y ones), then the unit dims."""
    order = [dim for dim in loops.order if loops.factors[dim] > 1]
    return order + [dim for dim, factor in enumerate(loops.factors) if factor == 1]


def _factors(dims: tuple[str, ...], loops: TilingLoops, residuals: bool) -> str:
    tokens = []
    for name, bound, residual in zip(dims, loops.factors, loops.residuals, strict=True):
        tokens.append(f"{name}{bound},{residual}" if residuals and bound != residual else f"{name}{bound}")
    return " ".join(tokens)
