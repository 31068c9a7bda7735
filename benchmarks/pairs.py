"""The machine × layer pairs of the benchmarks, from arch/ and problems/, and the best costs known for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).parent.parent
BEST_KNOWN = Path(__file__).parent / "best_known.json"
OPTIMA = Path(__file__).parent / "optima"
# Options and defaults were chosen on the first set alone.
SETS = {
    "tuning": (
        "eyeriss_like/resnet18/conv3_down",
        "simba_like/vgg16/conv3_2",
        "three_level/resnet18/conv2_3x3",
        "deep_hierarchy/resnet18/conv5_3x3",
        "gemmini_like/bert_base_seq128/ffn1",
        "eyeriss_unconstrained/resnet18/conv4_proj",
    ),
    "reported": (
        "eyeriss_like/resnet18/conv2_3x3",
        "eyeriss_like/vgg16/conv4_2",
        "simba_like/resnet18/conv2_3x3",
        "simba_like/bert_base_seq128/ffn2",
        "gemmini_like/resnet18/conv4_down",
        "gemmini_like/bert_base_seq512/scores",
        "three_level/vgg16/conv4_2",
        "tpu_like/resnet18/conv3_3x3",
        "tpu_like/bert_base_seq512/projection",
        "eyeriss_unconstrained/vgg16/conv2_2",
        "eyeriss_unconstrained/mobilenetv2/block05_depthwise",
        "deep_hierarchy/resnet18/conv4_3x3",
        "deep_hierarchy/bert_base_seq128/projection",
    ),
}


@lru_cache(maxsize=4)
def read(pair: str) -> Spec:
    """The input of ``machine/network/layer``."""
    machine, network, layer = pair.split("/")
    arch = ROOT / "arch" / machine
    return load([*sorted(arch.glob("*.yaml")), ROOT / "problems" / network / f"{layer}.yaml"])


def levels(pair: str) -> int:
    """Storage levels of the pair's machine."""
    return len(read(pair).architecture.storage)


def best_known(objective: str) -> dict[str, float]:
    """Pair to the lowest cost that any search or proof has found so far."""
    found = dict(json.loads(BEST_KNOWN.read_text()).get(objective, {}))
    return lowest(((pair, record["cost"]) for pair, record in _optima(objective)), found)


def proven(objective: str) -> set[str]:
    """Pairs whose best known cost is proven to be the optimum (``optima.py``)."""
    known = best_known(objective)
    records = _optima(objective)
    return {
        pair for pair, record in records if record["status"] == "optimal" and known[pair] >= record["bound"]
    }


def _optima(objective: str) -> list[tuple[str, dict[str, Any]]]:
    records = [json.loads(file.read_text()) for file in sorted(OPTIMA.glob(f"{objective}.*.json"))]
    return [(record["pair"], record) for record in records if "cost" in record]


def lower_best_known(objective: str, found: Mapping[str, float]) -> list[str]:
    """Write costs that are lower than those known; the pairs that got one. A known cost is never raised."""
    everything = json.loads(BEST_KNOWN.read_text())
    known = everything.setdefault(objective, {})
    before = best_known(objective)
    lower = [pair for pair, cost in found.items() if cost < before.get(pair, float("inf"))]
    if lower:
        known.update({pair: found[pair] for pair in lower})
        everything[objective] = dict(sorted(known.items()))
        part = BEST_KNOWN.with_suffix(".part")
        part.write_text(json.dumps(everything, indent=1) + "\n")
        part.replace(BEST_KNOWN)
    return sorted(lower)


def lowest(costs: Iterable[tuple[str, float]], known: Mapping[str, float]) -> dict[str, float]:
    """Per pair the lowest of the costs and of those known."""
    best = dict(known)
    for pair, cost in costs:
        best[pair] = min(cost, best.get(pair, float("inf")))
    return best
