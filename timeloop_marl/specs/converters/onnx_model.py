"""ONNX models to layers: convolutions, products of matrices, attention; every other operator moves data at most.

Only shapes are looked at: weights may be left out of the file. Operators by https://onnx.ai/onnx/operators and, in the
domain com.microsoft, by ONNX Runtime's contributed operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from ...errors import SpecError, UsageError
from .layer_files import Collected, Shape, attention, convolution, product

REMEDY_DIM = "give it a size: timeloop-marl convert MODEL --dim NAME=SIZE"
_NOT_CONVERTED = (
    "ConvTranspose",
    "Einsum",
    "LSTM",
    "GRU",
    "RNN",
    "DeformConv",
    "Loop",
    "If",
    "Scan",
    "QAttention",
)
_BATCH = ("n", "batch", "batch_size", "b", "unk__0")

Sizes = Mapping[str, tuple[int | str, ...]]


def read_onnx(path: Path, dims: Mapping[str, int]) -> Collected:
    """The layers of a model, in order of execution.

    Args:
        path: the model; external weights are not needed.
        dims: sizes of symbolic dimensions; those named like a batch are 1.

    Raises:
        SpecError: the file is no ONNX model, or shapes of an operator are not known.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        _bind(model.graph, dims)
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (OSError, ValueError, onnx.shape_inference.InferenceError) as error:
        raise SpecError(f"not a readable ONNX model: {error}", file=path) from None
    except DecodeError:
        raise SpecError("not an ONNX model", file=path, expected="a .onnx file") from None
    found = Collected()
    _collect(_Graph(path, model.graph), found)
    return found


def _bind(graph: Any, dims: Mapping[str, int]) -> None:
    """Give the symbolic dimensions of the inputs their sizes; what was inferred with them is inferred anew."""
    for value in graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name = dim.dim_param
            if name in dims:
                dim.dim_value = dims[name]
            elif name and axis == 0 and name.lower() in _BATCH:
                dim.dim_value = 1
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


class _Graph:
    """A graph and the shapes of its tensors."""

    def __init__(self, path: Path, graph: Any) -> None:
        self.path, self.nodes = path, graph.node
        self._shapes: dict[str, tuple[int | str, ...]] = {
            entry.name: tuple(entry.dims) for entry in graph.initializer
        }
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.type.tensor_type.HasField("shape"):
                shape = value.type.tensor_type.shape.dim
                self._shapes.setdefault(value.name, tuple(d.dim_value or d.dim_param or "?" for d in shape))

    def sizes(self, node: Any, tensor: str) -> tuple[int, ...]:
        """The shape of a tensor of a node; ``SpecError`` if any of it is not known."""
        shape = self._shapes.get(tensor)
        unknown = [] if shape is None else [str(size) for size in shape if not isinstance(size, int)]
        if shape is None or unknown:
            raise SpecError(
                f"the shape of tensor {tensor!r} of operator {_name(node)!r} is not known",
                file=self.path,
                value=shape or "no shape",
                expected="a number for every dimension",
                remedy=REMEDY_DIM.replace("NAME", unknown[0] if unknown and unknown[0] != "?" else "NAME"),
            )
        return tuple(size for size in shape if isinstance(size, int))


def _collect(graph: _Graph, found: Collected) -> None:
    for node in graph.nodes:
        convert = _OPERATORS.get(node.op_type)
        if convert is not None:
            for part, shape in convert(graph, node):
                found.add(_name(node) + part, shape)
        elif node.op_type in _NOT_CONVERTED:
            found.leave_out(_name(node), node.op_type)


def _name(node: Any) -> str:
    """The operator's name without what exporters hang on to it."""
    name = str(node.name or (node.output[0] if node.output else node.op_type)).strip("/")
    return name.removesuffix(f"/{node.op_type}") or node.op_type


def _attributes(node: Any) -> dict[str, Any]:
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _conv(graph: _Graph, node: Any, operands: tuple[int, int] = (0, 1)) -> Iterator[tuple[str, Shape]]:
    data = graph.sizes(node, node.input[operands[0]])
    weights = graph.sizes(node, node.input[operands[1]])
    out = graph.sizes(node, node.output[0])
    if len(data) not in (3, 4, 5):
        raise SpecError(
            f"a convolution over {len(data) - 2} dimensions: {_name(node)!r}",
            file=graph.path,
            value=data,
            expected="one to three dimensions beside batch and channels",
            remedy="take it out of the model, or write its layer file by hand",
        )
    given = _attributes(node)
    strides, dilations = (
        [int(n) for n in given.get(key) or [1] * (len(data) - 2)] for key in ("strides", "dilations")
    )
    yield "", convolution(data[0], weights, out[2:], int(given.get("group", 1)), strides, dilations)


def _quantised_conv(graph: _Graph, node: Any) -> Iterator[tuple[str, Shape]]:
    return _conv(graph, node, (0, 3))


def _gemm(graph: _Graph, node: Any) -> Iterator[tuple[str, Shape]]:
    given = _attributes(node)
    a, b = graph.sizes(node, node.input[0]), graph.sizes(node, node.input[1])
    rows, inner = (a[1], a[0]) if given.get("transA") else (a[0], a[1])
    yield "", product(rows, inner, b[0] if given.get("transB") else b[1])


def _matmul(graph: _Graph, node: Any, operands: tuple[int, int] = (0, 1)) -> Iterator[tuple[str, Shape]]:
    a, b = (graph.sizes(node, node.input[k]) for k in operands)
    yield "", matrix_product(a, b)


def _quantised_matmul(graph: _Graph, node: Any) -> Iterator[tuple[str, Shape]]:
    return _matmul(graph, node, (0, 3))


def matrix_product(a: tuple[int, ...], b: tuple[int, ...]) -> Shape:
    """Product of two arrays as numpy's ``matmul``; equal matrices on the right are one operand for all rows."""
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    rows, inner, columns = left[-2], left[-1], right[-1]
    heads = math.prod(right[:-2])
    if heads == 1:
        return product(math.prod(left[:-2]) * rows, inner, columns)
    batch = max(heads, math.prod(left[:-2]))
    return product(rows, inner, columns, batch)


def _attention(graph: _Graph, node: Any) -> Iterator[tuple[str, Shape]]:
    """Attention of the standard or of ONNX Runtime: queries, keys, values, or fused weights."""
    given = _attributes(node)
    query = graph.sizes(node, node.input[0])
    if "num_heads" in given and node.op_type == "Attention":
        yield from _fused_attention(graph, node, query, int(given["num_heads"]))
        return
    key, value = (graph.sizes(node, name) for name in node.input[1:3])
    if len(query) == 4:
        batch, heads, queries, width = query
        yield from attention(batch, heads, key[1], queries, key[-2], width, value[-1])
        return
    heads = int(given.get("q_num_heads") or given.get("num_heads") or 0)
    if not heads:
        raise UsageError(f"{graph.path}: operator {_name(node)!r} does not say how many heads it has")
    groups = int(given.get("kv_num_heads") or heads)
    yield from attention(query[0], heads, groups, query[1], key[1], query[2] // heads, value[2] // groups)


def _fused_attention(
    graph: _Graph, node: Any, data: tuple[int, ...], heads: int
) -> Iterator[tuple[str, Shape]]:
    batch, tokens, width = data
    columns = graph.sizes(node, node.input[1])[1]
    yield ".qkv", product(batch * tokens, width, columns)
    per_head = columns // 3 // heads
    yield from attention(batch, heads, heads, tokens, tokens, per_head, per_head)


def _experts(graph: _Graph, node: Any) -> Iterator[tuple[str, Shape]]:
    """A mixture of experts of ONNX Runtime: every expert with its even share of the tokens, a group each."""
    given = _attributes(node)
    rows = math.prod(graph.sizes(node, node.input[0])[:-1])
    experts, *_ = graph.sizes(node, node.input[2])
    chosen = rows * int(given.get("k", 1))
    working = min(experts, chosen)
    for name, operand in (("fc1", 2), ("fc2", 4), ("fc3", 6)):
        if operand < len(node.input) and node.input[operand]:
            _, inner, columns = graph.sizes(node, node.input[operand])
            yield f".{name}", product(-(-chosen // working), inner, columns, working)


_OPERATORS: Mapping[str, Callable[[_Graph, Any], Iterator[tuple[str, Shape]]]] = {
    "Conv": _conv,
    "FusedConv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _quantised_conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "FusedMatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _quantised_matmul,
    "Attention": _attention,
    "MultiHeadAttention": _attention,
    "GroupQueryAttention": _attention,
    "MoE": _experts,
}
