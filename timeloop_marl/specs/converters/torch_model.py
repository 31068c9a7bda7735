"""torch models to layers: one pass over tensors without data, every product of matrices and convolution taken down.

What counts are the operators that torch dispatches (ATen), so that functions, modules, fx graphs and scripted parts are
all alike. Nothing is computed: tensors and weights are on the ``meta`` device.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ...errors import UsageError
from .layer_files import Collected, Shape, attention, convolution, product

_LINEAR = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2), "mv": (0, 1), "addmv": (1, 2)}
_LEFT_OUT = ("_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "lstm", "gru", "mkldnn_rnn_layer")


def load_model(name: str) -> Any:
    """What ``module:function`` gives: a module, or a module and its inputs. The current folder is on the path.

    Raises:
        UsageError: there is no such module or function, or it fails.
    """
    where, _, what = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(where), what)
        return made() if not isinstance(made, torch.nn.Module) else made
    except (ImportError, AttributeError, TypeError) as error:
        raise UsageError(f"{name}: cannot make the model: {error}") from None
    finally:
        sys.path.pop(0)


def read_torch(made: Any, dims: Mapping[str, int]) -> Collected:
    """The layers of a model, in order of execution.

    Args:
        made: a ``torch.nn.Module`` (then its input is a picture of 3 x 224 x 224), or a module and a tuple of inputs
            (tensors, or shapes as tuples of integers).
        dims: ``batch``: size of the batch of the picture.

    Raises:
        UsageError: it is neither, or does not run on such inputs.
    """
    model, inputs = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, torch.nn.Module):
        raise UsageError(f"expected a torch.nn.Module, or one with its inputs, got {type(model).__name__}")
    if inputs is None:
        inputs = ((dims.get("batch", 1), 3, 224, 224),)
    arguments = [_meta(value) for value in (inputs if isinstance(inputs, (tuple, list)) else (inputs,))]
    found = Collected()
    try:
        with (
            torch.no_grad(),
            _named(model.to("meta").eval()) as here,
            _Recorder(found, here) as recorder,
            _SharedHeads(recorder),
        ):
            model(*arguments)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(f"{type(model).__name__} does not run on inputs of these shapes: {error}") from None
    return found


def _meta(value: Any) -> Any:
    """A tensor without data; a tuple of integers is a shape."""
    if isinstance(value, torch.Tensor):
        return value.to("meta")
    if isinstance(value, (tuple, list)) and value and all(isinstance(size, int) for size in value):
        return torch.empty(tuple(value), device="meta")
    return value


@contextmanager
def _named(model: torch.nn.Module) -> Iterator[list[str]]:
    """Keeps the path of the module that is running at the end of the list."""
    stack: list[str] = []
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: stack.append(name)))
        handles.append(module.register_forward_hook(lambda *_: stack.pop() and None))
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()


class _Recorder(TorchDispatchMode):
    """Takes down every operator that multiplies."""

    def __init__(self, found: Collected, here: list[str]) -> None:
        super().__init__()
        self._found, self._here, self._told = found, here, False

    def attend(self, run: Callable[[], Any], query: Any, key: Any, value: Any) -> Any:
        """Attention by the operands that are given, not by the products that it is made of."""
        self._attention(
            (self._here[-1] if self._here else "") or "attention",
            *(tuple(t.shape) for t in (query, key, value)),
        )
        self._told = True
        try:
            return run()
        finally:
            self._told = False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if self._told:
            return result
        operator = function.name().removeprefix("aten::").split(".")[0]
        name = (self._here[-1] if self._here else "") or operator
        if operator in ("convolution", "_convolution", "conv2d", "conv1d", "cudnn_convolution"):
            self._convolution(name, args, result)
        elif operator in _LINEAR:
            a, b = (tuple(args[k].shape) for k in _LINEAR[operator])
            self._found.add(name, _product(a, b))
        elif operator == "_grouped_mm":
            self._experts(name, *(tuple(args[k].shape) for k in range(2)))
        elif operator.startswith("_scaled_dot_product"):
            self._attention(name, *(tuple(args[k].shape) for k in range(3)))
        elif operator in _LEFT_OUT:
            self._found.leave_out(name, operator.strip("_"))
        return result

    def _convolution(self, name: str, args: Any, result: Any) -> None:
        data, weights, _, strides, _, dilations, transposed = args[:7]
        axes = len(weights.shape) - 2
        if transposed:
            self._found.leave_out(name, "transposed convolution")
            return
        strides, dilations = (list(values) * (axes // len(values)) for values in (strides, dilations))
        shape = tuple(int(size) for size in weights.shape)
        self._found.add(
            name,
            convolution(int(data.shape[0]), shape, result.shape[2:], int(args[8]), strides, dilations),
        )

    def _experts(self, name: str, rows: Any, weights: Any) -> None:
        """Rows sorted by expert times a matrix of every expert: each has its even share of the rows."""
        if len(rows) == 2 and len(weights) == 3:
            working = min(weights[0], rows[0])
            self._found.add(name, product(-(-rows[0] // working), weights[1], weights[2], working))
        else:
            self._found.leave_out(name, "grouped product of this form")

    def _attention(self, name: str, query: Any, key: Any, value: Any) -> None:
        batch, heads, key_heads = math.prod(query[:-3]), *((*shape[-3:-2], 1)[0] for shape in (query, key))
        for part, shape in attention(batch, heads, key_heads, query[-2], key[-2], query[-1], value[-1]):
            self._found.add(name + part, shape)


class _SharedHeads(TorchFunctionMode):
    """Sees calls of attention before torch repeats the keys that several heads share."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        run = partial(function, *args, **(kwargs or {}))
        if function is not scaled_dot_product_attention:
            return run()
        given = dict(zip(("query", "key", "value"), args, strict=False)) | dict(kwargs or {})
        return self._recorder.attend(run, given["query"], given["key"], given["value"])


def _product(a: tuple[int, ...], b: tuple[int, ...]) -> Shape:
    """mm, mv, and bmm with one group per matrix."""
    if len(a) == 3:
        return product(a[1], a[2], b[2], a[0])
    return product(a[0], a[1], b[1] if len(b) > 1 else 1)
