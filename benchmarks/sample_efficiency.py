"""How many samples each searcher needs, on pairs of a machine and a layer from arch/ and problems/.

    python benchmarks/sample_efficiency.py                                  # all searchers, a few minutes
    python benchmarks/sample_efficiency.py --set reported --seeds 10 --samples 10000 --jobs 2 --out runs.json
    python benchmarks/sample_efficiency.py --searchers marl marl:critic=false genetic:population=16

Every evaluated mapping counts, invalid ones included. "Samples to x %" is the first sample whose cost is within x % of
the best known cost; a run that never gets there counts as unsolved and as infinitely many samples in the quartiles. The
best known cost is the lowest of ``best_known.json`` (long searches) and of all runs in the table. With ``--out``, runs
are written as they finish and those already there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.objective import parse_objective
from timeloop_marl.search_loop import Budget, search
from timeloop_marl.searchers.registry import SEARCHERS, make_searcher
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).parent.parent
BEST_KNOWN = Path(__file__).parent / "best_known.json"
TOLERANCES = (1.10, 1.02, 1.005)
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
Run = dict[str, Any]


@lru_cache(maxsize=2)
def read(pair: str) -> Spec:
    machine, network, layer = pair.split("/")
    arch = ROOT / "arch" / machine
    return load([*sorted(arch.glob("*.yaml")), ROOT / "problems" / network / f"{layer}.yaml"])


def options_of(text: str) -> tuple[str, dict[str, str]]:
    """``name:option=value,option=value`` to its parts."""
    name, _, rest = text.partition(":")
    return name, dict(part.split("=", 1) for part in rest.split(",") if part)


def run(pair: str, searcher: str, seed: int, samples: int, objective_name: str) -> Run:
    """One search: its trajectory of improvements (samples, cost), valid share and processor time."""
    spec = read(pair)
    name, options = options_of(searcher)
    objective = parse_objective(objective_name, len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    # The first samples compile or load kernels: on a searcher that is thrown away.
    warm = make_searcher(name, spec, seed, objective, options)
    search(warm.space, warm, evaluator, objective, Budget(samples=32))
    searching = make_searcher(name, spec, seed, objective, options)
    start = time.process_time()
    result = search(searching.space, searching, evaluator, objective, Budget(samples=samples))
    spent = time.process_time() - start
    return {
        "pair": pair,
        "searcher": searcher,
        "seed": seed,
        "budget": samples,
        "objective": objective_name,
        "samples": result.samples,
        "valid": result.valid,
        "microseconds": spent / max(result.samples, 1) * 1e6,
        "trajectory": [(step.samples, step.cost) for step in result.trajectory],
    }


def key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[k] for k in ("pair", "searcher", "seed", "budget", "objective"))


def all_runs(given: argparse.Namespace) -> list[Run]:
    """Every run of the table, read from ``--out`` where it is there already."""
    known = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    done = {key(entry): entry for entry in known}
    wanted = [
        {"pair": pair, "searcher": searcher, "seed": seed, "samples": given.samples}
        for pair in given.pairs
        for searcher in given.searchers
        for seed in range(given.seeds)
    ]
    keys = [(w["pair"], w["searcher"], w["seed"], given.samples, given.objective) for w in wanted]
    missing = [w for w, k in zip(wanted, keys) if k not in done]
    work = joblib.Parallel(given.jobs, return_as="generator_unordered")(
        joblib.delayed(run)(**w, objective_name=given.objective) for w in missing
    )
    for entry in work:
        done[key(entry)] = entry
        if given.out:
            given.out.write_text(json.dumps(list(done.values())))
    return [done[k] for k in keys]


def best_costs(runs: Iterable[Run], objective: str) -> dict[str, float]:
    best: dict[str, float] = dict(json.loads(BEST_KNOWN.read_text()).get(objective, {}))
    for entry in runs:
        if entry["trajectory"]:
            cost = entry["trajectory"][-1][1]
            best[entry["pair"]] = min(cost, best.get(entry["pair"], np.inf))
    return best


def first_within(entry: Run, cost: float) -> float:
    return next((float(n) for n, reached in entry["trajectory"] if reached <= cost), np.inf)


def cost_after(entry: Run, samples: int) -> float:
    return min((cost for n, cost in entry["trajectory"] if n <= samples), default=np.inf)


def quartiles(values: Sequence[float], form: str = ",.0f") -> str:
    three = np.percentile(values, [25, 50, 75], method="nearest")
    return " / ".join("-" if np.isinf(value) else f"{value:{form}}" for value in three)


def table(runs: Sequence[Run], best: Mapping[str, float], given: argparse.Namespace) -> Iterable[str]:
    """Per pair and searcher: samples to each tolerance, final cost, unsolved runs, time a sample."""
    yield (
        "| pair | searcher | samples to 10 % | to 2 % | to 0.5 % | unsolved at 2 % | cost / best | valid | us/sample |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for pair in given.pairs:
        for searcher in given.searchers:
            mine = [entry for entry in runs if entry["pair"] == pair and entry["searcher"] == searcher]
            reached = [[first_within(e, best[pair] * tolerance) for e in mine] for tolerance in TOLERANCES]
            cells = [quartiles(values) for values in reached]
            unsolved = sum(np.isinf(value) for value in reached[1])
            ends = quartiles([cost_after(e, given.samples) / best[pair] for e in mine], ".3f")
            valid = sum(e["valid"] for e in mine) / max(1, sum(e["samples"] for e in mine))
            micro = np.median([e["microseconds"] for e in mine])
            yield (
                f"| {pair} | {searcher} | {' | '.join(cells)} | {unsolved} of {len(mine)} | {ends} "
                f"| {valid:.0%} | {micro:.0f} |"
            )


def summary(runs: Sequence[Run], best: Mapping[str, float], given: argparse.Namespace) -> Iterable[str]:
    """Per searcher over all pairs: geometric means over pairs of medians over seeds."""
    budgets = [n for n in (100, 300, 1000, 3000, 10000, 100000) if n <= given.samples]
    heads = [*(f"to {100 * (t - 1):g} %" for t in TOLERANCES), *(f"cost at {n:,}" for n in budgets)]
    yield f"| searcher | {' | '.join(heads)} |"
    yield "|---|" + "---|" * len(heads)
    for searcher in given.searchers:
        cells = []
        for tolerance in TOLERANCES:
            medians = [
                float(
                    np.median(
                        [min(first_within(e, best[pair] * tolerance), 2.0 * given.samples) for e in mine]
                    )
                )
                for pair, mine in _by_pair(runs, searcher, given.pairs)
            ]
            cells.append(f"{np.exp(np.mean(np.log(medians))):,.0f}")
        for n in budgets:
            ratios = [
                float(np.median([cost_after(e, n) / best[pair] for e in mine]))
                for pair, mine in _by_pair(runs, searcher, given.pairs)
            ]
            cells.append(f"{np.exp(np.mean(np.log(ratios))):.3f}")
        yield f"| {searcher} | {' | '.join(cells)} |"
    yield ""
    yield "Samples: unsolved runs count as twice the budget. Costs: over the best known."


def _by_pair(runs: Sequence[Run], searcher: str, pairs: Sequence[str]) -> Iterable[tuple[str, list[Run]]]:
    for pair in pairs:
        yield pair, [e for e in runs if e["pair"] == pair and e["searcher"] == searcher]


def usable(names: Iterable[str], pair: str) -> list[str]:
    """Those whose libraries are installed."""
    spec = read(pair)
    objective = parse_objective("edp", len(spec.architecture.storage))
    found = []
    for name in names:
        try:
            make_searcher(name, spec, 1, objective)
        except UsageError as error:
            print(f"left out: {error}")
        else:
            found.append(name)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="reported")
    parser.add_argument("--pairs", nargs="+", help="machine/network/layer; default: those of --set")
    parser.add_argument("--searchers", nargs="+", default=list(SEARCHERS), metavar="NAME[:OPTION=VALUE,...]")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--objective", default="edp")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file of all runs")
    parser.add_argument("--update-best", action="store_true", help=f"write lower costs to {BEST_KNOWN.name}")
    given = parser.parse_args()
    given.pairs = given.pairs or list(SETS[given.set])
    given.searchers = given.searchers or usable(SEARCHERS, given.pairs[0])
    return given


def main() -> None:
    given = arguments()
    runs = all_runs(given)
    best = best_costs(runs, given.objective)
    print("\n".join([*table(runs, best, given), "", *summary(runs, best, given)]))
    if given.update_best:
        known = json.loads(BEST_KNOWN.read_text())
        known[given.objective] = dict(sorted(best.items()))
        BEST_KNOWN.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
