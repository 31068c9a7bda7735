"""timeloop-X.map.tensella.txt: loop bounds and orders for another tool (formats section 10)."""

from __future__ import annotations

from ..mapping import Mapping
from ..specs.spec import Spec
from .nest import LevelNest, Loop, loop_nest

_BYPASS = "#error Tenssella does not support bypass.\n"


def tensella_text(spec: Spec, mapping: Mapping) -> str:
    """The text of timeloop-model.map.tensella.txt and timeloop-mapper.map.tensella.txt."""
    text = ""
    for nest in loop_nest(mapping, spec.architecture):
        if nest.level > 0:
            # the complaints about the level below stand before this level's block
            text += _BYPASS * sum(not kept for kept in mapping.keep[nest.level - 1])
        text += _level_block(spec, nest)
    return text


def _level_block(spec: Spec, nest: LevelNest) -> str:
    dims = spec.problem.dims
    # a level without temporal loops gets Timeloop's dummy loop over the last dimension
    temporal = nest.temporal or (Loop(len(dims) - 1, 1, 1),)
    text = f"t{nest.level}\n" + _loops(dims, temporal)
    if nest.spatial:
        split = len(dims) - sum(loop.axis == "Y" for loop in nest.spatial)
        text += f"s{nest.level}\n" + _loops(dims, nest.spatial) + f"{split}\n"
    return text


def _loops(dims: tuple[str, ...], loops: tuple[Loop, ...]) -> str:
    bounds = {loop.dim: loop.bound for loop in loops}
    text = "".join(f"{name} {bounds.get(dim, 1)} " for dim, name in enumerate(dims)) + "\n"
    return text + "".join(dims[loop.dim] for loop in reversed(loops)) + "\n"
