"""Layer lists of today's language models, from their reports; ``make_problems.py`` turns them into files.

Two phases of serving one request: *prefill* reads a prompt of so many tokens, *decode* makes one token after a context
of so many. In both, the output layer gives the logits of one token, the last; nothing is saved by the causal mask
(prefill computes all scores). Queries that share keys and values (grouped-query attention) are rows of one product, one
group G for every head of keys: what is read once for all of them can be kept once. Blocks of equal shape are one entry
with a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from timeloop_marl.specs.converters.layer_files import LayeredNetwork as Network
from timeloop_marl.specs.converters.layer_files import NamedLayer as Layer
from timeloop_marl.specs.converters.layer_files import product

PHASES = ("prefill", 512), ("prefill", 2048), ("decode", 2048), ("decode", 8192)


@dataclass(frozen=True)
class Experts:
    """A mixture of experts: how many there are, how many every token goes to, how many it always goes to."""

    routed: int
    chosen: int
    width: int
    shared: int = 0


@dataclass(frozen=True)
class Decoder:
    """A decoder with grouped-query attention and gated feed-forward parts (three matrices)."""

    folder: str
    title: str
    source: str
    blocks: int
    width: int
    heads: int
    key_heads: int
    head_width: int
    inner: int
    vocabulary: int
    experts: Experts | None = None


LLAMA = (
    "Grattafiori et al.: The Llama 3 Herd of Models, arXiv 2407.21783, table 3; vocabulary of 128,256 as in the "
    "released config.json"
)
DECODERS = (
    Decoder("llama3_8b", "LLaMA-3 8B", LLAMA, 32, 4096, 32, 8, 128, 14336, 128256),
    Decoder("llama3_70b", "LLaMA-3 70B", LLAMA, 80, 8192, 64, 8, 128, 28672, 128256),
    Decoder(
        "qwen3_8b",
        "Qwen3 8B",
        "Yang et al.: Qwen3 Technical Report, arXiv 2505.09388, table 1; widths (4096, 12288, heads of 128) and "
        "vocabulary as in the released config.json",
        36, 4096, 32, 8, 128, 12288, 151936,
    ),
    Decoder(
        "mixtral_8x7b",
        "Mixtral 8x7B",
        "Jiang et al.: Mixtral of Experts, arXiv 2401.04088, table 1",
        32, 4096, 32, 8, 128, 14336, 32000,
        Experts(8, 2, 14336),
    ),
)  # fmt: skip
EVEN = " In prefill the tokens are spread evenly over all experts, in decode only the chosen ones work."


def decoder(model: Decoder, phase: str, tokens: int) -> Network:
    """All matrix products of one prefill or one decode step."""
    rows = tokens if phase == "prefill" else 1
    width, blocks = model.width, model.blocks
    queries, keys = model.heads * model.head_width, model.key_heads * model.head_width
    sharing = rows * model.heads // model.key_heads
    layers = [
        Layer("query", "query", product(rows, width, queries), blocks),
        Layer("key", "key_value", product(rows, width, keys), blocks),
        Layer("value", "key_value", product(rows, width, keys), blocks),
        Layer("scores", "scores", product(sharing, model.head_width, tokens, model.key_heads), blocks),
        Layer("context", "context", product(sharing, tokens, model.head_width, model.key_heads), blocks),
        Layer("output", "query" if queries == width else "output", product(rows, queries, width), blocks),
    ]
    if model.experts is None:
        layers += gated("ffn", rows, width, model.inner, blocks)
    else:
        layers += mixture(model.experts, rows, width, blocks)
    layers.append(Layer("lm_head", "lm_head", product(1, width, model.vocabulary)))
    chosen = (
        model.experts
        and f"Every token goes to {model.experts.chosen} of {model.experts.routed} experts." + EVEN
    )
    return named(model.folder, model.title, model.source, chosen or "", phase, tokens, layers)


def gated(name: str, rows: int, width: int, inner: int, count: int) -> Iterator[Layer]:
    """Gate and up, then down."""
    for part in ("gate", "up"):
        yield Layer(f"{name}_{part}", f"{name}_up", product(rows, width, inner), count)
    yield Layer(f"{name}_down", f"{name}_down", product(rows, inner, width), count)


def mixture(experts: Experts, rows: int, width: int, blocks: int) -> Iterator[Layer]:
    """The router, the routed experts with the tokens that they get, and the shared ones with all."""
    yield Layer("router", "router", product(rows, width, experts.routed), blocks)
    working = min(experts.routed, rows * experts.chosen)
    each = rows * experts.chosen // working
    yield from gated("expert", each, width, experts.width, blocks * working)
    if experts.shared:
        yield from gated("shared_expert", rows, width, experts.width * experts.shared, blocks)


def deepseek_v3(phase: str, tokens: int) -> Network:
    """Latent attention: plain in prefill; in decode the matrices of keys and values are absorbed."""
    width, heads, latent, plain, rotary, blocks, dense = 7168, 128, 512, 128, 64, 61, 3
    rows = tokens if phase == "prefill" else 1
    layers = [
        Layer("query_down", "query_down", product(rows, width, 1536), blocks),
        Layer("query_up", "query_up", product(rows, 1536, heads * (plain + rotary)), blocks),
        Layer("latent", "latent", product(rows, width, latent + rotary), blocks),
    ]
    if phase == "prefill":
        layers += [
            Layer("key_value_up", "key_value_up", product(rows, latent, heads * 2 * plain), blocks),
            Layer("scores", "scores", product(rows, plain + rotary, tokens, heads), blocks),
            Layer("context", "context", product(rows, tokens, plain, heads), blocks),
        ]
    else:
        layers += [
            Layer("query_absorb", "query_absorb", product(1, plain, latent, heads), blocks),
            Layer("scores", "scores", product(heads, latent + rotary, tokens), blocks),
            Layer("context", "context", product(heads, tokens, latent), blocks),
            Layer("value_up", "value_up", product(1, latent, plain, heads), blocks),
        ]
    layers.append(Layer("output", "output", product(rows, heads * plain, width), blocks))
    layers += gated("ffn", rows, width, 18432, dense)
    layers += mixture(Experts(256, 8, 2048, 1), rows, width, blocks - dense)
    layers.append(Layer("lm_head", "lm_head", product(1, width, 129280)))
    return named(
        "deepseek_v3",
        "DeepSeek-V3",
        "DeepSeek-AI: DeepSeek-V3 Technical Report, arXiv 2412.19437, section 4.2 (61 layers, width 7168, 128 heads of "
        "128, latents of 512 and 1536, rotary part 64, 1 shared and 256 routed experts of 2048, 8 chosen, three dense "
        "layers); dense width 18432 and vocabulary 129280 as in the released config.json",
        "Multi-head latent attention; in decode all 128 heads read one latent of 512 + 64, with the up-projections of "
        "keys and values absorbed (DeepSeek-V2, arXiv 2405.04434, section 2.1.2). Without multi-token prediction."
        + EVEN,
        phase,
        tokens,
        layers,
    )


def named(
    folder: str, title: str, source: str, remarks: str, phase: str, tokens: int, layers: list[Layer]
) -> Network:
    """The network with its phase in name and title."""
    what = f"prefill of {tokens} tokens" if phase == "prefill" else f"one token after a context of {tokens}"
    said = f"{remarks} The logits of one token only; the causal mask is not exploited.".strip()
    return Network(f"{folder}_{phase}{tokens}", f"{title}, {what}", source, said, tuple(layers))


def language_models() -> tuple[Network, ...]:
    """Every model in every phase."""
    return tuple(
        network
        for phase, tokens in PHASES
        for network in (*(decoder(model, phase, tokens) for model in DECODERS), deepseek_v3(phase, tokens))
    )
