"""ONNX models, made here by onnx.helper, to layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from shell import TOY, Shell

import timeloop_marl as tm
from timeloop_marl.errors import TimeloopMarlError
from timeloop_marl.networks.layers import write_network
from timeloop_marl.specs.converters.convert import convert_model
from timeloop_marl.specs.converters.layer_files import NamedLayer, Shape

onnx = pytest.importorskip("onnx")
FLOAT = 1


def model(
    path: Path, nodes: list[Any], inputs: dict[str, tuple[Any, ...]], weights: dict[str, tuple[int, ...]]
) -> Path:
    """A model whose only output is that of the last node."""
    helper = onnx.helper
    given = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()]
    out = [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)]
    tensors = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()
    ]
    graph = helper.make_graph(nodes, "g", given, out, tensors)
    opset = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opset), str(path))
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), [output], name=f"/{output}/{kind}", **attributes)


def layers(path: Path, **dims: int) -> tuple[NamedLayer, ...]:
    return convert_model(path, dims).network.layers


def shapes(path: Path, **dims: int) -> list[Shape]:
    return [layer.shape for layer in layers(path, **dims)]


def test_convolutions(tmp_path: Path) -> None:
    path = model(
        tmp_path / "net.onnx",
        [
            node("Conv", "x w1", "stem", kernel_shape=[5, 3], strides=[2, 1], pads=[2, 1, 2, 1]),
            node("Relu", "stem", "relu"),
            node("Conv", "relu w2", "depth", group=8, dilations=[2, 2], pads=[2, 2, 2, 2]),
            node("Conv", "depth w3", "grouped", group=4),
        ],
        {"x": (2, 3, 32, 20)},
        {"w1": (8, 3, 5, 3), "w2": (8, 1, 3, 3), "w3": (16, 2, 1, 1)},
    )
    stem, depth, grouped = shapes(path)
    # R, P go along the picture's width, S, Q along its height.
    assert stem == Shape(C=3, M=8, R=3, S=5, P=20, Q=16, N=2, stride=1, stride_s=2, dilation=1, dilation_s=1)
    assert (depth.C, depth.M, depth.G, (depth.dilation, depth.dilation_s), depth.P, depth.Q) == (
        1,
        1,
        8,
        (2, 2),
        20,
        16,
    )
    assert (grouped.C, grouped.M, grouped.G) == (2, 4, 4)
    assert [layer.name for layer in layers(path)] == ["stem", "depth", "grouped"]


def test_products(tmp_path: Path) -> None:
    path = model(
        tmp_path / "net.onnx",
        [
            node("MatMul", "x w1", "linear"),
            node("Reshape", "linear heads", "split"),
            node("Transpose", "split", "turned", perm=[0, 2, 1, 3]),
            node("Transpose", "split", "keys", perm=[0, 2, 3, 1]),
            node("MatMul", "turned keys", "scores"),
            node("Reshape", "x flat", "rows"),
            node("Gemm", "rows w2 b", "fc", transB=1),
        ],
        {"x": (1, 10, 24)},
        {"w1": (24, 32), "w2": (7, 24), "b": (7,)},
    )
    loaded = onnx.load(str(path))
    for name, values in (("heads", [1, 10, 4, 8]), ("flat", [10, 24])):
        loaded.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
    onnx.save(loaded, str(path))
    assert shapes(path) == [
        Shape(C=24, M=32, P=10),
        Shape(C=8, M=10, P=10, G=4),
        Shape(C=24, M=7, P=10),
    ]


def test_attention_is_scores_and_context(tmp_path: Path) -> None:
    path = model(
        tmp_path / "net.onnx",
        [onnx.helper.make_node("Attention", ["x", "w"], ["y"], domain="com.microsoft", num_heads=4)],
        {"x": (1, 16, 32)},
        {"w": (32, 96)},
    )
    qkv, scores, context = layers(path)
    assert qkv.shape == Shape(C=32, M=96, P=16)
    assert scores.shape == Shape(C=8, M=16, P=16, G=4) and scores.name.endswith(".scores")
    assert context.shape == Shape(C=16, M=8, P=16, G=4)


def test_a_volume_has_a_depth(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "y", strides=[2, 1, 1], dilations=[1, 1, 2])]
    path = model(tmp_path / "v.onnx", nodes, {"x": (1, 2, 9, 6, 8)}, {"w": (5, 2, 3, 1, 2)})
    (shape,) = shapes(path)
    assert (shape.C, shape.M, shape.R, shape.S, shape.T) == (2, 5, 2, 1, 3)
    assert (shape.P, shape.Q, shape.Z) == (6, 6, 4)
    written = write_network(convert_model(path, {}).network, tmp_path / "out")
    spec = tm.load([TOY, next(file for file in written if file.name != "network.yaml")])
    assert spec.problem.operations == shape.macs
    inputs = next(space for space in spec.problem.data_spaces if space.name == "Inputs")
    coefficients = {
        spec.problem.dims[term.dim]: term.coefficient
        for rank in inputs.ranks
        for term in rank
        if len(rank) > 1
    }
    assert coefficients == {"R": 2, "P": 1, "S": 1, "Q": 1, "T": 1, "Z": 2}


def test_heads_that_share_keys_are_rows_of_one_product(tmp_path: Path) -> None:
    grouped = onnx.helper.make_node(
        "GroupQueryAttention", ["q", "k", "v"], ["y"], domain="com.microsoft", num_heads=8, kv_num_heads=2
    )
    inputs = {"q": (1, 16, 64), "k": (1, 16, 16), "v": (1, 16, 16)}
    scores, context = shapes(model(tmp_path / "gqa.onnx", [grouped], inputs, {}))
    assert scores == Shape(C=8, M=16, P=64, G=2)
    assert context == Shape(C=16, M=8, P=64, G=2)


def test_experts_get_their_even_share_of_the_tokens(tmp_path: Path) -> None:
    mixture = onnx.helper.make_node(
        "MoE", ["x", "router", "w1", "", "w2"], ["y"], domain="com.microsoft", k=2
    )
    inputs, weights = {"x": (1, 16, 32), "router": (16, 8)}, {"w1": (8, 32, 64), "w2": (8, 64, 32)}
    up, down = shapes(model(tmp_path / "moe.onnx", [mixture], inputs, weights))
    assert up == Shape(C=32, M=64, P=4, G=8)
    assert down == Shape(C=64, M=32, P=4, G=8)


def test_open_dimensions(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "linear")]
    path = model(tmp_path / "net.onnx", nodes, {"x": ("batch", "tokens", 24)}, {"w": (24, 32)})
    with pytest.raises(TimeloopMarlError, match=r"--dim tokens=SIZE"):
        layers(path)
    assert shapes(path, tokens=5) == [Shape(C=24, M=32, P=5)]
    assert shapes(path, tokens=5, batch=3) == [Shape(C=24, M=32, P=15)]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w1", "a"), node("ConvTranspose", "a w2", "up")]
    path = model(tmp_path / "n.onnx", nodes, {"x": (1, 3, 8, 8)}, {"w1": (4, 3, 3, 3), "w2": (4, 3, 2, 2)})
    found = convert_model(path, {})
    assert len(found.network.layers) == 1
    assert found.notices == ("1 x ConvTranspose left out, its work is in no layer file: up",)


def test_wrong_models(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xfe not a model")
    empty = model(tmp_path / "empty.onnx", [node("Relu", "x", "y")], {"x": (1, 3)}, {})
    volume = model(
        tmp_path / "four.onnx",
        [node("Conv", "x w", "y")],
        {"x": (1, 2, 4, 4, 4, 4)},
        {"w": (2, 2, 1, 1, 1, 1)},
    )
    for path, text in (
        (tmp_path / "bad.onnx", "bad.onnx"),
        (tmp_path / "missing.onnx", "no such file"),
        (empty, "no convolution"),
        (volume, "a convolution over 4 dimensions"),
        (tmp_path / "model.pb", "not a model"),
    ):
        assert shell("convert", path, "-o", tmp_path / "out") == 2
        assert text in shell.err
    assert shell("convert", empty, "-o", tmp_path / "out", "--dim", "n=0") == 2
    assert not (tmp_path / "out").exists()


def small(tmp_path: Path) -> Path:
    nodes = [node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Conv", "a w", "b", pads=[1, 1, 1, 1])]
    return model(tmp_path / "small.onnx", nodes, {"x": (1, 4, 6, 6)}, {"w": (4, 4, 3, 3)})


def test_the_files_are_a_network(tmp_path: Path, shell: Shell) -> None:
    assert shell("convert", small(tmp_path), "-o", tmp_path / "out", "--name", "tiny") == 0
    assert "tiny: 2 layers, 1 distinct" in shell.out
    listing = yaml.safe_load((tmp_path / "out" / "network.yaml").read_text())["network"]
    assert listing["layers"] == [{"file": "a.yaml", "count": 2, "names": ["a", "b"]}]
    assert listing["macs"] == 2 * 4 * 4 * 9 * 36
    spec = tm.load([TOY, tmp_path / "out" / "a.yaml"])
    assert dict(zip(spec.problem.dims, spec.problem.bounds)) == {
        "C": 4, "M": 4, "R": 3, "S": 3, "N": 1, "P": 6, "Q": 6,
    }  # fmt: skip
    assert write_network(convert_model(small(tmp_path), {}).network, tmp_path / "again")
    assert shell("convert", small(tmp_path), "-o", tmp_path / "out") == 2
    assert "holds a network already" in shell.err
    assert shell("convert", small(tmp_path), "-o", tmp_path / "out", "--overwrite") == 0


def test_a_network_takes_a_model(tmp_path: Path) -> None:
    result = tm.network([TOY, small(tmp_path)], output=tmp_path / "run", samples=64)
    assert [(layer.count, layer.names) for layer in result.layers] == [(2, ("a", "b"))]
    again = tm.network([TOY, small(tmp_path)], output=tmp_path / "run", samples=64, resume=True)
    assert again.totals == result.totals
