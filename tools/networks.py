"""Layer lists of the networks under ``problems/``, from the papers; ``make_problems.py`` turns them into files."""

from __future__ import annotations

from collections.abc import Iterator

from language_models import language_models

from timeloop_marl.specs.converters.layer_files import LayeredNetwork as Network
from timeloop_marl.specs.converters.layer_files import NamedLayer as Layer
from timeloop_marl.specs.converters.layer_files import Shape, product


def conv(channels: int, maps: int, kernel: int, size: int, stride: int = 1, groups: int = 1) -> Shape:
    """A square convolution: ``channels`` and ``maps`` are totals over all groups, ``size`` is the output's edge."""
    return Shape(channels // groups, maps // groups, kernel, kernel, size, size, groups, stride)


def resnet18() -> Network:
    """Basic blocks: two 3 x 3 convolutions; a 1 x 1 projection where the size changes."""
    layers = [Layer("conv1", "conv1", conv(3, 64, 7, 112, 2))]
    channels = 64
    for stage, (maps, size) in enumerate(((64, 56), (128, 28), (256, 14), (512, 7)), start=2):
        for block in (1, 2):
            name = f"conv{stage}_{block}"
            first = channels != maps
            stem = f"conv{stage}_down" if first else f"conv{stage}_3x3"
            layers.append(Layer(f"{name}a", stem, conv(channels, maps, 3, size, 2 if first else 1)))
            layers.append(Layer(f"{name}b", f"conv{stage}_3x3", conv(maps, maps, 3, size)))
            if first:
                layers.append(Layer(f"{name}_proj", f"conv{stage}_proj", conv(channels, maps, 1, size, 2)))
            channels = maps
    layers.append(Layer("fc", "fc", product(1, 512, 1000)))
    return Network(
        "resnet18",
        "ResNet-18",
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, table 1",
        "224 x 224 input; shortcuts of type B (1 x 1 projection where the size changes).",
        tuple(layers),
    )


def bottlenecks(widths: tuple[int, ...], expansion: int, groups: int = 1) -> tuple[Layer, ...]:
    """Stages of 3, 4, 6 and 3 blocks of 1 x 1, 3 x 3 in groups, and 1 x 1 to so many times the width."""
    layers = [Layer("conv1", "conv1", conv(3, 64, 7, 112, 2))]
    channels, before = 64, 56
    stages = zip(widths, (56, 28, 14, 7), (3, 4, 6, 3), strict=True)
    for stage, (width, size, blocks) in enumerate(stages, start=2):
        maps = expansion * width
        for block in range(1, blocks + 1):
            name, first = f"conv{stage}_{block}", block == 1
            stride = before // size
            reduce = f"conv{stage}_reduce_first" if first else f"conv{stage}_reduce"
            layers.append(Layer(f"{name}a", reduce, conv(channels, width, 1, before)))
            spatial = f"conv{stage}_3x3_down" if stride > 1 else f"conv{stage}_3x3"
            layers.append(Layer(f"{name}b", spatial, conv(width, width, 3, size, stride, groups)))
            layers.append(Layer(f"{name}c", f"conv{stage}_expand", conv(width, maps, 1, size)))
            if first:
                layers.append(
                    Layer(f"{name}_proj", f"conv{stage}_proj", conv(channels, maps, 1, size, stride))
                )
            channels, before = maps, size
    return (*layers, Layer("fc", "fc", product(1, channels, 1000)))


def resnet50() -> Network:
    """Bottleneck blocks 1 x 1, 3 x 3, 1 x 1 (four times the width)."""
    return Network(
        "resnet50",
        "ResNet-50",
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, table 1",
        "224 x 224 input. The stride of a down-sampling block is in its 3 x 3 convolution, as in current "
        'frameworks ("v1.5", 4.09 GMAC); the paper has it in the first 1 x 1 convolution (3.86 GMAC).',
        bottlenecks((64, 128, 256, 512), 4),
    )


def vgg16() -> Network:
    """Configuration D: thirteen 3 x 3 convolutions, three fully connected layers."""
    layers: list[Layer] = []
    channels = 3
    for stage, (maps, size, depth) in enumerate(
        ((64, 224, 2), (128, 112, 2), (256, 56, 3), (512, 28, 3), (512, 14, 3)), start=1
    ):
        for index in range(1, depth + 1):
            name = f"conv{stage}_{index}"
            layers.append(Layer(name, name, conv(channels, maps, 3, size)))
            channels = maps
    layers += [
        Layer("fc6", "fc6", product(1, 512 * 7 * 7, 4096)),
        Layer("fc7", "fc7", product(1, 4096, 4096)),
        Layer("fc8", "fc8", product(1, 4096, 1000)),
    ]
    return Network(
        "vgg16",
        "VGG-16",
        "Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, "
        "ICLR 2015, table 1, column D",
        "224 x 224 input.",
        tuple(layers),
    )


def alexnet() -> Network:
    """Five convolutions (2, 4 and 5 in two groups), three fully connected layers."""
    layers = (
        Layer("conv1", "conv1", conv(3, 96, 11, 55, 4)),
        Layer("conv2", "conv2", conv(96, 256, 5, 27, groups=2)),
        Layer("conv3", "conv3", conv(256, 384, 3, 13)),
        Layer("conv4", "conv4", conv(384, 384, 3, 13, groups=2)),
        Layer("conv5", "conv5", conv(384, 256, 3, 13, groups=2)),
        Layer("fc6", "fc6", product(1, 256 * 6 * 6, 4096)),
        Layer("fc7", "fc7", product(1, 4096, 4096)),
        Layer("fc8", "fc8", product(1, 4096, 1000)),
    )
    return Network(
        "alexnet",
        "AlexNet",
        "Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, "
        "NIPS 2012, section 3.5",
        "The original with its two groups, not the ungrouped one-GPU variant of the frameworks. conv1 gives 55 x 55, "
        "which needs a 227 x 227 input (the paper says 224).",
        layers,
    )


Residual = tuple[int, int, int, int, int]
"""Expansion, maps, repeats, first stride, kernel."""


def inverted_residuals(table: tuple[Residual, ...], squeezed: bool) -> tuple[Layer, ...]:
    """1 x 1 expansion, depthwise, squeeze to a quarter of the block's input and back, 1 x 1 projection."""
    layers = [Layer("conv1", "conv1", conv(3, 32, 3, 112, 2))]
    channels, size, index = 32, 112, 0
    for expansion, maps, repeats, first_stride, kernel in table:
        for repeat in range(repeats):
            index += 1
            stride = first_stride if repeat == 0 else 1
            wide, before, few = channels * expansion, size, channels // 4
            size //= stride
            parts = [
                ("expand", conv(channels, wide, 1, before)),
                ("depthwise", conv(wide, wide, kernel, size, stride, groups=wide)),
                ("squeeze", product(1, wide, few)),
                ("excite", product(1, few, wide)),
                ("project", conv(wide, maps, 1, size)),
            ]
            left_out = {
                *(() if squeezed else ("squeeze", "excite")),
                *(("expand",) if expansion == 1 else ()),
            }
            for part, shape in parts:
                if part not in left_out:
                    layers.append(Layer(f"block{index:02d}_{part}", f"block{index:02d}_{part}", shape))
            channels = maps
    layers.append(Layer("conv2", "conv2", conv(channels, 1280, 1, size)))
    return (*layers, Layer("classifier", "classifier", product(1, 1280, 1000)))


def mobilenetv2() -> Network:
    """Inverted residuals: 1 x 1 expansion by t, 3 x 3 depthwise, 1 x 1 projection."""
    table = (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 32, 3, 2, 3),
        (6, 64, 4, 2, 3),
        (6, 96, 3, 1, 3),
        (6, 160, 3, 2, 3),
        (6, 320, 1, 1, 3),
    )
    return Network(
        "mobilenetv2",
        "MobileNetV2",
        "Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks, "
        "CVPR 2018, table 2",
        "Width 1.0, 224 x 224 input. Depthwise convolutions have one group per channel: G = channels, C = M = 1.",
        inverted_residuals(table, squeezed=False),
    )


def encoder_layers(blocks: int, tokens: int, width: int, heads: int) -> Iterator[Layer]:
    """The matrix products of transformer blocks with a feed-forward part four times as wide and separate Q, K, V."""
    for block in range(1, blocks + 1):
        for part in ("query", "key", "value"):
            yield Layer(f"block{block}_{part}", "projection", product(tokens, width, width))
        yield Layer(f"block{block}_scores", "scores", product(tokens, width // heads, tokens, heads))
        yield Layer(f"block{block}_context", "context", product(tokens, tokens, width // heads, heads))
        yield Layer(f"block{block}_output", "projection", product(tokens, width, width))
        yield Layer(f"block{block}_ffn1", "ffn1", product(tokens, width, 4 * width))
        yield Layer(f"block{block}_ffn2", "ffn2", product(tokens, 4 * width, width))


def bert_base(tokens: int) -> Network:
    """Twelve encoder blocks, width 768, 12 heads."""
    return Network(
        f"bert_base_seq{tokens}",
        f"BERT-base, {tokens} tokens",
        "Devlin, Chang, Lee, Toutanova: BERT, NAACL 2019, section 3 (L = 12, H = 768, A = 12; feed-forward width 4 H)",
        "Encoder only: no embedding look-up, pooler or task head. In scores and context one head is one group G; "
        '"Weights" is the second operand (K transposed, V).',
        tuple(encoder_layers(12, tokens, 768, 12)),
    )


def gpt2() -> Network:
    """The 124M model: twelve decoder blocks, width 768, 12 heads, fused QKV, tied output embedding."""
    tokens, width, heads = 1024, 768, 12
    layers: list[Layer] = []
    for block in range(1, 13):
        for name, shape in (
            ("qkv", product(tokens, width, 3 * width)),
            ("scores", product(tokens, width // heads, tokens, heads)),
            ("context", product(tokens, tokens, width // heads, heads)),
            ("output", product(tokens, width, width)),
            ("ffn1", product(tokens, width, 4 * width)),
            ("ffn2", product(tokens, 4 * width, width)),
        ):
            layers.append(Layer(f"block{block}_{name}", name, shape))
    layers.append(Layer("lm_head", "lm_head", product(tokens, width, 50257)))
    return Network(
        "gpt2_seq1024",
        "GPT-2 small (124M), 1024 tokens",
        "Radford, Wu, Child, Luan, Amodei, Sutskever: Language Models are Unsupervised Multitask Learners, 2019, "
        "table 2 (12 layers, width 768; listed there with 117M parameters), "
        "section 2.3 (vocabulary 50257, context 1024)",
        "One forward pass over a full context, as in training or prompt processing. The causal mask is not exploited: "
        "the full 1024 x 1024 score matrix is computed. 50257 = 29 x 1733, so perfect factors can tile M of lm_head "
        "only by 29 and 1733.",
        tuple(layers),
    )


def vit_b16() -> Network:
    """Patches as a strided convolution, twelve encoder blocks over 196 patches and the class token."""
    layers = [
        Layer("patches", "patches", Shape(3, 768, 16, 16, 14, 14, stride=16)),
        *encoder_layers(12, 197, 768, 12),
        Layer("head", "head", product(1, 768, 1000)),
    ]
    return Network(
        "vit_b16",
        "ViT-B/16",
        "Dosovitskiy et al.: An Image is Worth 16x16 Words, ICLR 2021, table 1 (12 layers, width 768, 12 heads)",
        "224 x 224 input: 196 patches and one class token. 197 is prime: perfect factors leave most of an array idle.",
        tuple(layers),
    )


def resnext50() -> Network:
    """Bottleneck blocks as in ResNet-50, the 3 x 3 convolution in 32 groups, twice as many maps a stage."""
    return Network(
        "resnext50",
        "ResNeXt-50 (32x4d)",
        "Xie, Girshick, Dollar, Tu, He: Aggregated Residual Transformations, CVPR 2017, table 1",
        "224 x 224 input. C and M of the grouped convolutions are per group.",
        bottlenecks((128, 256, 512, 1024), 2, groups=32),
    )


def efficientnet_b0() -> Network:
    """Inverted residuals with squeeze and excitation: its two products work on one pooled pixel."""
    table = (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    )
    return Network(
        "efficientnet_b0",
        "EfficientNet-B0",
        "Tan, Le: EfficientNet, ICML 2019, table 1; squeeze to a quarter of a block's input channels (released code)",
        "224 x 224 input. Depthwise convolutions have one group per channel.",
        inverted_residuals(table, squeezed=True),
    )


def unet_3d() -> Network:
    """Two 3 x 3 x 3 convolutions a resolution, without padding; up-convolutions of 2 x 2 x 2."""
    layers: list[Layer] = []
    size, depth, channels = 132, 116, 3

    def convolve(name: str, maps: int) -> None:
        nonlocal size, depth, channels
        size, depth = size - 2, depth - 2
        layers.append(Layer(name, name, Shape(channels, maps, 3, 3, size, size, T=3, Z=depth)))
        channels = maps

    for level, width in enumerate((32, 64, 128, 256), start=1):
        convolve(f"down{level}a", width)
        convolve(f"down{level}b", 2 * width)
        if level < 4:
            size, depth = size // 2, depth // 2
    for level, skipped in ((3, 256), (2, 128), (1, 64)):
        voxels = size * size * depth
        layers.append(Layer(f"up{level}", f"up{level}", product(voxels, channels, 8 * channels)))
        size, depth, channels = 2 * size, 2 * depth, channels + skipped
        convolve(f"up{level}a", skipped)
        convolve(f"up{level}b", skipped)
    layers.append(Layer("labels", "labels", product(size * size * depth, channels, 3)))
    return Network(
        "unet_3d",
        "3D U-Net",
        "Cicek, Abdulkadir, Lienkamp, Brox, Ronneberger: 3D U-Net, MICCAI 2016, figure 2 and section 2",
        "Input of 132 x 132 x 116 voxels with three channels, output 44 x 44 x 28 with three labels. An up-convolution "
        "of 2 x 2 x 2 with stride 2 is a product of matrices: each voxel times eight matrices.",
        tuple(layers),
    )


def networks() -> tuple[Network, ...]:
    """All networks under ``problems/``."""
    return (
        resnet18(),
        resnet50(),
        vgg16(),
        alexnet(),
        mobilenetv2(),
        bert_base(128),
        bert_base(512),
        gpt2(),
        vit_b16(),
        resnext50(),
        efficientnet_b0(),
        unet_3d(),
        *language_models(),
    )
