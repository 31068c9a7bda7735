"""torch models to layers."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell

from timeloop_marl.specs.converters.convert import is_model
from timeloop_marl.specs.converters.layer_files import Shape

torch = pytest.importorskip("torch")

from timeloop_marl.specs.converters.torch_model import read_torch  # noqa: E402

MODEL = """
import torch

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.depthwise = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pointwise = torch.nn.Conv2d(8, 16, 1, stride=(2, 1))

    def forward(self, x):
        return self.pointwise(self.depthwise(x)).relu()

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.head = torch.nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.block(x).mean((2, 3)))

def tiny():
    return Net(), ((1, 8, 12, 20),)

def broken():
    return Net(), ((1, 3, 12, 20),)

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a_model_of_mine.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "a_model_of_mine", raising=False)
    return tmp_path


def test_modules(folder: Path, shell: Shell) -> None:
    assert shell("convert", "a_model_of_mine:tiny", "-o", folder / "out") == 0
    assert "tiny: 3 layers, 3 distinct" in shell.out
    assert "P: 20, Q: 6, Wstride: 1, Hstride: 2" in (folder / "out" / "block.pointwise.yaml").read_text()
    assert "C: 1, M: 1, R: 3, S: 3" in (folder / "out" / "block.depthwise.yaml").read_text()
    assert "G: 8" in (folder / "out" / "block.depthwise.yaml").read_text()
    assert "C: 16, M: 10" in (folder / "out" / "head.yaml").read_text()


def test_attention() -> None:
    attention = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    shape = (1, 16, 32)
    found = read_torch((attention, (shape, shape, shape)), {})
    work = sum(layer.shape.macs for layer in found.layers)
    assert work == 4 * 16 * 32 * 32 + 2 * 4 * 16 * 16 * 8
    assert Shape(C=8, M=16, P=16, G=4) in [layer.shape for layer in found.layers]


def test_heads_that_share_keys_are_rows_of_one_product() -> None:
    class Grouped(torch.nn.Module):
        def forward(self, query, key, value):
            return torch.nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)

    keys = (1, 2, 16, 8)
    found = read_torch((Grouped(), ((1, 8, 16, 8), keys, keys)), {})
    assert [layer.shape for layer in found.layers] == [
        Shape(C=8, M=16, P=64, G=2),
        Shape(C=16, M=8, P=64, G=2),
    ]


def test_experts_get_their_even_share_of_the_tokens() -> None:
    class Experts(torch.nn.Module):
        def forward(self, rows, weights):
            ends = torch.empty(8, dtype=torch.int32, device="meta")
            return torch._grouped_mm(rows.to(torch.bfloat16), weights.to(torch.bfloat16), offs=ends)

    found = read_torch((Experts(), ((32, 32), (8, 32, 64))), {})
    assert [layer.shape for layer in found.layers] == [Shape(C=32, M=64, P=4, G=8)]


def test_a_volume_has_a_depth() -> None:
    found = read_torch((torch.nn.Conv3d(2, 5, (3, 1, 2), stride=(2, 1, 1)), ((1, 2, 9, 6, 8),)), {})
    (shape,) = (layer.shape for layer in found.layers)
    assert (shape.C, shape.M, shape.R, shape.S, shape.T, shape.P, shape.Q, shape.Z) == (
        2,
        5,
        2,
        1,
        3,
        7,
        6,
        4,
    )
    assert (shape.stride, shape.stride_s, shape.stride_t) == (1, 1, 2)


def test_transposed_convolutions_are_told() -> None:
    found = read_torch((torch.nn.ConvTranspose2d(3, 4, 2), ((1, 3, 8, 8),)), {})
    assert not found.layers and "transposed convolution left out" in found.notices()[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_model_of_mine:broken", "does not run on inputs"),
        ("a_model_of_mine:nothing", "cannot make the model"),
        ("a_model_of_mine:number", "cannot make the model"),
        ("no_such_module_here:f", "cannot make the model"),
    ],
)
def test_wrong_functions(folder: Path, shell: Shell, name: str, text: str) -> None:
    assert shell("convert", name, "-o", folder / "out") == 2
    assert text in shell.err


def test_what_is_a_model() -> None:
    assert is_model("a.b:c") and is_model("x.onnx")
    assert not is_model("arch/eyeriss_like") and not is_model("problems/x.yaml") and not is_model("C:/x.yaml")
