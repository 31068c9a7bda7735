"""Every searcher tuned alike: the same number of configurations, pairs and samples, drawn from a declared space.

    python benchmarks/tuning.py                        # all searchers; an hour on two cores
    python benchmarks/tuning.py --searchers genetic

Round 1: the defaults and ``CONFIGURATIONS`` − 1 random configurations, one search of ``SAMPLES`` samples on each tuning
pair. Round 2: a second seed for the ``FINALISTS`` best and the defaults. Score: the mean over pairs and over the costs
after 100, 300 and 1,000 samples of log(cost / best known), at most log 1,000. The winner is written to ``tuned.json``,
from where ``NAME@tuned`` takes it. No pair of the reported set is looked at.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pairs import best_known
from running import TUNED, WORKING, Records, Run, Task, cost_after

from timeloop_marl.errors import UsageError

PAIRS = ("eyeriss_like/resnet18/conv3_down", "simba_like/vgg16/conv3_2", "gemmini_like/bert_base_seq128/ffn1")
CONFIGURATIONS, FINALISTS, SAMPLES = 16, 3, 1000
CHECKPOINTS = (100, 300, 1000)
WORST = np.log(1000.0)
Space = Mapping[str, Sequence[Any]]
_POLICY: Space = {
    "batch": (8, 16, 32, 64),
    "conditioning": ("none", "chain", "pairs"),
    "rate": (0.02, 0.05, 0.1, 0.2, 0.4),
    "entropy": (0.0, 0.003, 0.01, 0.03),
    "explore": (0.0, 0.02, 0.05, 0.1),
}
_SINGLE: Space = {
    **_POLICY,
    "clip": (0.1, 0.2, 0.4),
    "epochs": (1, 2, 4, 8),
    "spatial": (0.0, 1.0, 2.0),
    "restart": (500, 1000, 2000),
}
_NETWORK: Space = {
    "batch": (8, 16, 32),
    "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2),
    "ent_coef": (0.0, 0.003, 0.01, 0.05),
    "gae_lambda": (0.95, 1.0),
    "width": (32, 64, 128),
}
_PPO: Space = {**_NETWORK, "n_epochs": (2, 4, 8), "minibatches": (1, 2, 4), "clip_range": (0.1, 0.2, 0.3)}
SPACES: Mapping[str, Space] = {
    "single-agent": _SINGLE,
    "single-agent:form=penalised": {**_SINGLE, "penalty": (0.3, 1.0, 3.0)},
    "marl-paper": {
        **_POLICY,
        "warmup": (128, 256, 512),
        "penalty": (0.3, 1.0, 3.0),
        "signal": ("pearson", "spearman", "mutual"),
    },
    "genetic": {
        "population": (8, 16, 32, 64),
        "offspring": (8, 16, 32),
        "tournament": (2, 3, 5),
        "crossover": (0.2, 0.4, 0.6, 0.8),
        "mutations": (0.3, 0.7, 1.5, 3.0),
        "restart": (500, 1000, 2000),
    },
    "annealing": {
        "chains": (1, 2, 4, 8),
        "samples": (4, 8, 16),
        "hot": (0.03, 0.1, 0.3),
        "cold": (0.0003, 0.001, 0.01),
        "cycle": (500, 1000, 3000),
        "moves": (0.0, 0.5, 1.0),
        "restart_from_best": (0.0, 0.5, 1.0),
    },
    "cross-entropy": {
        "batch": (16, 32, 64),
        "elites": (2, 4, 8, 16),
        "smoothing": (0.1, 0.3, 0.5, 0.7),
        "floor": (0.005, 0.02, 0.05),
        "restart": (500, 1000, 2000),
    },
    "cma-es": {
        "population": (0, 8, 16, 32, 64),
        "sigma": (0.3, 0.5, 1.0, 2.0),
        "encoding": ("argmax", "rounding"),
        "diagonal": (True, False),
        "growth": (1.0, 2.0),
    },
    "optuna-tpe": {
        "batch": (1, 4, 8, 16),
        "startup": (8, 16, 32, 64),
        "candidates": (12, 24, 48),
        "values": ("integers", "categories"),
        "learn_repaired": (True, False),
    },
    "sb3-ppo": {**_PPO, "form": ("sequential", "one-step")},
    "sb3-maskable-ppo": _PPO,
    "sb3-a2c": {**_NETWORK, "form": ("sequential", "one-step"), "normalize_advantage": (True, False)},
    "marl": {
        "batch": (4, 8, 16),
        "clusters": ("interaction", "dimension", "each", "joint"),
        "full": (0.05, 0.15, 0.3),
        "moves": (0.2, 0.35, 0.5),
        "acting": (0.5, 1.5, 3.0),
        "rate": (0.05, 0.1, 0.2),
        "entropy": (0.0, 0.01, 0.03),
        "points": (200, 400),
        "pool": (12, 24, 48),
        "away": (0.0, 0.25, 0.5),
        "exchange": (0.0, 0.3, 0.6),
        "restart": (200, 400, 800),
    },
}
Options = dict[str, str]


def configurations(searcher: str) -> list[Options]:
    """The defaults, then random draws that depend on the searcher's name alone."""
    rng = np.random.default_rng(zlib.crc32(searcher.encode()))
    drawn = [
        {name: str(values[int(rng.integers(len(values)))]) for name, values in SPACES[searcher].items()}
        for _ in range(CONFIGURATIONS - 1)
    ]
    return [{}, *drawn]


def label(searcher: str, options: Mapping[str, str]) -> str:
    """``name:option=value,…``."""
    parts = [f"{name}={value}" for name, value in options.items()]
    return searcher + ("," if ":" in searcher else ":") + ",".join(parts) if parts else searcher


def score(runs: Sequence[Run], pairs: Sequence[str], best: Mapping[str, float]) -> float:
    """Lower is better."""
    with np.errstate(divide="ignore"):
        logs = [
            min(WORST, float(np.log(cost_after(entry, n) / best[pair])))
            for entry, pair in zip(runs, pairs)
            for n in CHECKPOINTS
        ]
    return float(np.mean(logs))


def tuned(searcher: str, records: Records, jobs: int) -> dict[str, Any]:
    """The winner of the protocol, its score, and that of the defaults."""
    best = best_known("edp")
    scores = {}

    def try_out(found: Sequence[Options], seeds: Sequence[int]) -> None:
        tasks = {
            json.dumps(o): [Task(p, label(searcher, o), s, SAMPLES) for s in seeds for p in PAIRS]
            for o in found
        }
        records.do([task for each in tasks.values() for task in each], jobs)
        for text, each in tasks.items():
            scores[text] = score(records.do(each), [task.pair for task in each], best)

    everything = configurations(searcher)
    try_out(everything, [1000])
    finalists = sorted(everything, key=lambda o: scores[json.dumps(o)])[:FINALISTS]
    if {} not in finalists:
        finalists.append({})
    try_out(finalists, [1000, 1001])
    options = min(finalists, key=lambda o: scores[json.dumps(o)])
    fixed = dict(part.split("=") for part in searcher.partition(":")[2].split(",") if part)
    return {
        "options": {**fixed, **options},
        "score": round(scores[json.dumps(options)], 4),
        "score of defaults": round(scores["{}"], 4),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searchers", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WORKING, help="runs, one JSON line each")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    records = Records(given.out)
    for searcher in given.searchers:
        try:
            found = tuned(searcher, records, given.jobs)
        except UsageError as error:
            print(f"left out: {error}")
            continue
        table = json.loads(TUNED.read_text()) if TUNED.exists() else {}
        table["protocol"] = {
            "pairs": PAIRS,
            "configurations": CONFIGURATIONS,
            "finalists": FINALISTS,
            "samples": SAMPLES,
        }
        table.setdefault("chosen", {})[searcher] = found
        TUNED.write_text(json.dumps(table, indent=1) + "\n")
        print(searcher, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
