"""A model file or function to a folder of layer files with their ``network.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...errors import UsageError
from .layer_files import Collected, LayeredNetwork, distinct, network_text, problem_text

WRITER = "timeloop-marl convert"
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Converted:
    """A network read from a model, and what the user should know about it."""

    network: LayeredNetwork
    notices: tuple[str, ...]


def is_model(argument: str | Path) -> bool:
    """Whether an argument names a model: an ONNX file, or ``module:function`` for torch."""
    text = str(argument)
    return text.endswith(".onnx") or (_FUNCTION.fullmatch(text) is not None and not Path(text).exists())


def convert_model(argument: str | Path, dims: Mapping[str, int], name: str | None = None) -> Converted:
    """Read a model.

    Args:
        argument: see ``is_model``.
        dims: sizes of symbolic dimensions.
        name: of the network; default: that of the file or function.

    Raises:
        UsageError: not a model, or the converter is not installed. SpecError: the model cannot be read.
    """
    text = str(argument)
    if not is_model(argument):
        raise UsageError(
            f"{text}: not a model: expected a .onnx file, or MODULE:FUNCTION that gives a torch model"
        )
    if text.endswith(".onnx"):
        found, own, kind = _onnx(Path(text), dims), Path(text).stem, "ONNX model"
    else:
        found, own, kind = _torch(text, dims), text.partition(":")[2], "torch model"
    remarks = f"Shapes of the {kind}; matrix products are 1 x 1 convolutions, heads of attention are groups."
    network = found.network(name or own, f"{kind} {Path(text).name}", remarks)
    return Converted(network, found.notices())


def network_files(network: LayeredNetwork) -> dict[str, str]:
    """Name and text of one problem file per distinct shape, and of ``network.yaml``."""
    groups = distinct(network)
    texts = {f"{layers[0].file}.yaml": problem_text(network, layers, WRITER) for layers in groups.values()}
    return {**texts, "network.yaml": network_text(network, groups, WRITER)}


def _onnx(path: Path, dims: Mapping[str, int]) -> Collected:
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    _require("onnx", "onnx")
    from .onnx_model import read_onnx

    return read_onnx(path, dims)


def _torch(name: str, dims: Mapping[str, int]) -> Collected:
    _require("torch", "torch")
    from .torch_model import load_model, read_torch

    return read_torch(load_model(name), dims)


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise UsageError(
            f"reading this model needs the package {module!r}, which is not installed: "
            f"pip install 'timeloop-marl[{extra}]'"
        )
