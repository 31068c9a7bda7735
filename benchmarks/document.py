"""What the benchmarks found, as tables and figures, in the documents between markers; targets and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from measures import BUDGETS, TOLERANCES, Ratio, Results, Values, cost_ratio, geometric, sample_ratio
from pairs import ROOT, levels, proven
from running import COMMON_TUNED, OTHERS, OURS, PAPER, PENALISED, SINGLE, TIMELOOP, cost_after, first_within

matplotlib.use("Agg")
import re

import matplotlib.pyplot as plt
import numpy as np

Lines = Iterator[str]


def percent(tolerance: float) -> str:
    return f"{100 * (tolerance - 1):g} %"


def number(value: float) -> str:
    """Samples, or "–" for never."""
    return "–" if np.isinf(value) else f"{value:,.0f}"


def over(value: float) -> str:
    """A cost over the best known, or "–" for none."""
    if np.isinf(value):
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def quartiles(values: Sequence[float] | Values, form: str = "number") -> str:
    """First quartile, median and third quartile."""
    three = np.percentile(values, [25, 50, 75], method="nearest")
    return " / ".join((number if form == "number" else over)(float(value)) for value in three)


def interval(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} – {values[2]:.2f})"


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def head(names: Sequence[str]) -> Lines:
    yield row(names)
    yield "|" + "---|" * len(names)


def everything(results: Results) -> Lines:
    """Per pair and searcher: samples to each tolerance, unsolved runs, costs, valid and repeated shares, times."""
    to = [f"to {percent(t)}" for t in TOLERANCES]
    yield from head(
        ["pair", "searcher", *to, "unsolved at 10 / 2 / 0.5 %", "budget", "cost / best", "valid", "repeated",
         "µs/sample", "searcher alone"]
    )  # fmt: skip
    for (pair, name), entries in results.runs.items():
        reached = [results.samples_to(pair, name, t) for t in TOLERANCES]
        unsolved = " / ".join(str(int(np.isinf(values).sum())) for values in reached)
        budget = results.longest(pair, name)
        total = sum(e["samples"] for e in entries)
        yield row(
            [
                pair, name, *(quartiles(values) for values in reached), f"{unsolved} of {len(entries)}",
                f"{budget:,}", quartiles(results.costs(pair, name, budget), "over"),
                f"{sum(e['valid'] for e in entries) / total:.0%}",
                f"{sum(e['repeated'] for e in entries) / total:.0%}",
                *(f"{np.median([e[k] / e['samples'] for e in entries]) * 1e6:.0f}" for k in
                  ("seconds", "searcher_seconds")),
            ]
        )  # fmt: skip


def summary(results: Results, searchers: Sequence[str] | None = None) -> Lines:
    """Per searcher over all pairs: geometric means of medians; unsolved medians count as twice the budget."""
    names = [name for name in searchers or results.searchers() if results.pairs(name)]
    longest = max(results.budget(name) for name in names)
    budgets = [n for n in BUDGETS if n <= longest]
    yield from head(
        ["searcher", "seeds", "budget", *(f"to {percent(t)}" for t in TOLERANCES), "runs unsolved at 10 / 2 / 0.5 %",
         *(f"cost at {n:,}" for n in budgets)]
    )  # fmt: skip
    for name in names:
        pairs, budget = results.pairs(name), results.budget(name)
        runs = results.of_searcher(name)
        to = [geometric([np.median(results.samples_to(p, name, t, 2.0)) for p in pairs]) for t in TOLERANCES]
        misses = [sum(int(np.isinf(results.samples_to(p, name, t)).sum()) for p in pairs) for t in TOLERANCES]
        costs = [
            over(geometric([np.median(results.costs(p, name, n)) for p in pairs]))
            if n <= results.reach(name)
            else ""
            for n in budgets
        ]
        yield row(
            [
                name, max(1, round(len(runs) / len(pairs))), f"{budget:,}", *(number(value) for value in to),
                f"{' / '.join(str(m) for m in misses)} of {len(runs)}", *costs,
            ]
        )  # fmt: skip


def ratios(results: Results, ours: str, others: Sequence[str], samples: Sequence[int]) -> Lines:
    """Per baseline the ratio of samples to 10 %, 2 %, and of costs at equal samples, with intervals."""
    yield from head(
        ["baseline", "samples to 10 %: median of pairs", "geometric mean", "best pair", "to 2 %: geometric mean",
         *(f"cost at {n:,}: geometric mean" for n in samples)]
    )  # fmt: skip
    for name in others:
        if not results.pairs(ours, name):
            continue
        ten, two = (sample_ratio(results, ours, name, t) for t in TOLERANCES[:2])
        costs = [
            interval(cost_ratio(results, ours, name, n).mean) if n <= results.reach(ours, name) else ""
            for n in samples
        ]
        yield row([name, interval(ten.median), interval(ten.mean), best_of(ten), interval(two.mean), *costs])


def best_of(ratio: Ratio) -> str:
    pair = max(ratio.by_pair, key=lambda p: ratio.by_pair[p])
    return f"{ratio.by_pair[pair]:.1f} ({pair})"


def by_pair(
    results: Results, searchers: Sequence[str], tolerances: Sequence[float] = TOLERANCES[:2]
) -> Lines:
    """Median samples of each searcher on each pair, and what the best known cost is."""
    optimal = proven(results.objective)
    yield from head(["pair", "best known", *searchers])
    for pair in results.pairs():
        cells = [
            " / ".join(number(float(np.median(results.samples_to(pair, name, t)))) for t in tolerances)
            if (pair, name) in results.runs
            else ""
            for name in searchers
        ]
        yield row([pair, f"{results.best[pair]:.4g} {'(proven)' if pair in optimal else ''}".strip(), *cells])


SHALLOW, SHALLOW_LIMITS, DEEP_LIMITS = 4, (150, 500, 5000), (500, 2000, 10_000)
PUBLISHED = {"edp": "16.45x lower EDP", "delay": "32.61x lower latency"}
EQUAL_SAMPLES = (100, 300, 1000, 3000, 10_000)


def met(value: bool) -> str:
    return "met" if value else "**missed**"


def lines(by_objective: Mapping[str, Results]) -> Lines:
    """One row a target."""
    results = by_objective["edp"]
    yield from head(["target", "measured", ""])
    for target, measured, reached in (
        *_against_penalised(by_objective),
        *_against_single(results),
        *_against_others(results),
        *_against_timeloop(results),
        *_to_best_known(results),
        *_overhead(results),
    ):
        yield row([target, measured, reached])


Target = tuple[str, str, str]


def _against_penalised(by_objective: Mapping[str, Results]) -> Iterator[Target]:
    results = by_objective["edp"]
    for name in PENALISED:
        if not results.pairs(OURS, name):
            continue
        found = sample_ratio(results, OURS, name, TOLERANCES[0])
        best = max(found.by_pair.values())
        yield (
            f"`{name}`: samples to 10 %, ≥ 30x in the median, ≥ 100x at best",
            _measured(results, name, f"{interval(found.median)} in the median, {best_of(found)} at best"),
            _decided(results, name, found.median[0] >= 30 and best >= 100),
        )
    for objective, published in PUBLISHED.items():
        mine = by_objective.get(objective)
        if mine is None or not mine.pairs(OURS, COMMON_TUNED):
            continue
        parts = []
        for samples in (n for n in EQUAL_SAMPLES if n <= mine.reach(OURS, COMMON_TUNED)):
            found = cost_ratio(mine, OURS, COMMON_TUNED, samples)
            parts.append(
                f"{_finite(found.median[0])} / {_finite(max(found.by_pair.values()))} at {samples:,}"
            )
        yield (
            f"{objective} at equal samples, `{COMMON_TUNED}` (published: up to {published})",
            f"ratio, median / best pair: {'; '.join(parts)}",
            "",
        )


def _measured(results: Results, name: str, ratio: str) -> str:
    """The ratio, and how many runs of a baseline never came within 10 %: by what these would need it is too small.

    Where most never did, no ratio: it would be that of the budget to a first batch.
    """
    pairs, runs = results.pairs(name), len(results.of_searcher(name))
    unsolved = sum(int(np.isinf(results.samples_to(p, name, TOLERANCES[0])).sum()) for p in pairs)
    said = f"{unsolved} of its {runs} runs end unsolved at {results.budget(name):,}"
    if 2 * unsolved > runs:
        ours = np.median([float(np.median(results.samples_to(p, OURS, TOLERANCES[0]))) for p in pairs])
        return f"no ratio: {said}; `marl` is there after {ours:.0f} (median)"
    return f"{ratio}; at least: {said}" if unsolved else ratio


def _decided(results: Results, name: str, value: bool) -> str:
    """A ratio that is too small because the baseline was stopped early decides nothing."""
    unsolved = [
        np.isinf(results.samples_to(pair, name, TOLERANCES[0])).mean() for pair in results.pairs(name)
    ]
    return met(value) if value or np.mean(unsolved) < 0.5 else "open: too few samples of the baseline"


def _finite(value: float) -> str:
    return "nothing valid" if value > 1e5 else f"{value:.2f}x"


def _against_single(results: Results) -> Iterator[Target]:
    found = {n: sample_ratio(results, OURS, n, TOLERANCES[0]) for n in SINGLE if results.pairs(OURS, n)}
    for name, ratio in found.items():
        yield (
            f"`{name}`, same masks: samples to 10 %, ≥ 5x in the median",
            _measured(results, name, f"{interval(ratio.median)}; geometric mean {interval(ratio.mean)}"),
            _decided(results, name, ratio.median[0] >= 5),
        )


def _against_others(results: Results) -> Iterator[Target]:
    for name in OTHERS:
        if not results.pairs(OURS, name):
            continue
        ratio = sample_ratio(results, OURS, name, TOLERANCES[0])
        yield (
            f"`{name}`: samples to 10 %, ≥ 2.5x in the median",
            _measured(results, name, f"{interval(ratio.median)}; geometric mean {interval(ratio.mean)}"),
            _decided(results, name, ratio.median[0] >= 2.5),
        )
        samples = min(10_000, results.reach(OURS, name))
        end = cost_ratio(results, OURS, name, samples)
        worst = min(end.by_pair, key=lambda p: end.by_pair[p])
        yield (
            f"`{name}`: cost at 10,000 samples, never worse than 1.0x (geometric mean)",
            f"at {samples:,}: "
            f"{end.mean[0]:.4f} ({end.mean[1]:.4f} – {end.mean[2]:.4f}); worst pair "
            f"{end.by_pair[worst]:.3f} ({worst})",
            met(end.mean[0] >= 1.0) + (" so far" if samples < 10_000 else ""),
        )


def _against_timeloop(results: Results) -> Iterator[Target]:
    for name in TIMELOOP:
        pairs = results.pairs(OURS, name)
        if not pairs:
            continue
        needed, behind, every, nothing = [], [], 0, 0
        for pair in pairs:
            theirs = results.runs[pair, name][0]
            goal = theirs["trajectory"][-1][1] if theirs["trajectory"] else np.inf
            nothing += bool(np.isinf(goal))
            if np.isfinite(goal):
                reached = [first_within(entry, goal) for entry in results.runs[pair, OURS]]
                needed.append(float(np.median(reached)))
            mine = results.costs(pair, OURS, 1000) * results.best[pair]
            behind += [pair] * bool(np.median(mine) >= goal)
            every += bool((mine < goal).all())
        yield (
            f"`{name}`, 100,000 samples: ≥ 100x fewer samples to its cost",
            f"`marl` has it after {max(needed):,.0f} samples on the worst pair, {np.median(needed):g} in the median "
            f"of {len(needed)}" + (f"; it found nothing valid on {nothing} others" if nothing else ""),
            met(max(needed) <= 1000),
        )
        yield (
            f"`{name}`: best after 1,000 samples better than its after 100,000, on every pair",
            f"median of the seeds: {len(pairs) - len(behind)} of {len(pairs)} pairs{_named(behind)}; every seed: "
            f"{every} of {len(pairs)}",
            met(not behind),
        )


def _named(pairs: list[str]) -> str:
    return f" (not {', '.join(pairs)})" if pairs else ""


def _to_best_known(results: Results) -> Iterator[Target]:
    for deep, limits in ((False, SHALLOW_LIMITS), (True, DEEP_LIMITS)):
        pairs = [pair for pair in results.pairs(OURS) if (levels(pair) > SHALLOW) == deep]
        for tolerance, limit in zip(TOLERANCES, limits):
            medians = {p: float(np.median(results.samples_to(p, OURS, tolerance))) for p in pairs}
            late = [f"{p} {number(m)}" for p, m in medians.items() if m > limit]
            yield (
                f"within {100 * (tolerance - 1):g} % of the best known in ≤ {limit:,} samples on every pair with "
                f"{'more than' if deep else 'up to'} {SHALLOW} levels",
                f"{len(pairs) - len(late)} of {len(pairs)} pairs{_named(late)}",
                met(not late),
            )


def _overhead(results: Results) -> Iterator[Target]:
    for name, limit in ((f"{OURS}:critic=false", 200), (OURS, 500)):
        if results.pairs(name):
            each = [
                float(np.median([e["searcher_seconds"] / e["samples"] for e in results.runs[p, name]])) * 1e6
                for p in results.pairs(name)
            ]
            yield (
                f"`{name}` alone: ≤ {limit} µs a sample",
                f"{geometric(each):.0f} µs (worst pair {max(each):.0f}), median of the seeds, "
                "on a busy machine",
                met(max(each) <= limit),
            )


# Okabe and Ito's colours, with a style each so that they differ without colour too.
STYLES = (
    ("#000000", "-"), ("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"),
    ("#CC79A7", "--"), ("#E69F00", "-."), ("#56B4E9", "-"),
)  # fmt: skip
_LOWEST, _HIGHEST = 0.1, 10_000.0  # per cent above the best known; what lies beyond is drawn on the edge
_FEWEST = 3  # runs that a curve needs to go on
_NAMES = {"edp": "EDP"}
_TICKS = (0.1, 0.5, 2, 10, 100, 1000, 10_000)


def convergence(results: Results, searchers: Sequence[str], path: Path, columns: int = 5) -> None:
    """One panel a pair."""
    pairs = results.pairs()
    rows = -(-(len(pairs) + 1) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(3.0 * columns, 2.7 * rows), sharex=True, sharey=True, layout="constrained"
    )
    panels = np.ravel(panels)
    for panel, pair in zip(panels, pairs):
        for name, (colour, dashes) in zip(searchers, STYLES):
            if (pair, name) in results.runs:
                _band(panel, results, pair, name, colour, dashes)
        machine, network, layer = pair.split("/")
        panel.set_title(f"{machine}\n{network} {layer}", fontsize=9)
        panel.grid(True, which="major", color="#E5E5E5", linewidth=0.6)
    _dress(panels[0])
    handles, labels = _legend(searchers)
    for panel in panels[len(pairs) :]:
        panel.axis("off")
    panels[len(pairs)].legend(handles, labels, loc="center", fontsize=9, frameon=False)
    for k in range(len(pairs)):
        if k % columns == 0:
            panels[k].set_ylabel(
                f"{_NAMES.get(results.objective, results.objective)}, % above best known", fontsize=9
            )
        if k + columns >= len(pairs):
            panels[k].set_xlabel("evaluated mappings", fontsize=9)
            panels[k].tick_params(labelbottom=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _band(panel: Axes, results: Results, pair: str, name: str, colour: str, dashes: str) -> None:
    entries = results.runs[pair, name]
    # As far as three runs go; shorter ones stay where they ended, so that no curve jumps where they do.
    end = sorted((entry["budget"] for entry in entries), reverse=True)[:_FEWEST][-1]
    at = np.unique(np.geomspace(8, end, 60).astype(int))
    # Without a valid mapping the cost is infinite, which percentiles cannot interpolate.
    costs = [
        np.minimum([cost_after(entry, int(n)) / results.best[pair] for entry in entries], _HIGHEST)
        for n in at
    ]
    bands = np.array([np.percentile(values, [25, 50, 75]) for values in costs]).T
    low, middle, high = ((bands - 1) * 100).clip(_LOWEST, _HIGHEST * 10)
    panel.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    panel.plot(at, middle, color=colour, linestyle=dashes, linewidth=1.4)


def _dress(panel: Axes) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(_LOWEST * 0.85, _HIGHEST)
    panel.set_yticks(_TICKS)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def _legend(searchers: Sequence[str]) -> tuple[list[matplotlib.lines.Line2D], list[str]]:
    lines = [
        matplotlib.lines.Line2D([], [], color=colour, linestyle=dashes)
        for _, (colour, dashes) in zip(searchers, STYLES)
    ]
    return lines, [name.replace("@tuned", " (tuned)").replace(":form=", ", ") for name in searchers]


def replace_part(path: Path, name: str, found: Iterable[str]) -> None:
    """Put lines between ``<!-- name -->`` and ``<!-- end of name -->``."""
    text = path.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path}: no <!-- {name} --> … <!-- end of {name} -->")
    path.write_text(pattern.sub(lambda m: m[1] + "\n" + "\n".join(found) + "\n\n" + m[2], text))


DOCS = ROOT / "docs"
RESULTS = DOCS / "results.md"
COMPLETE = DOCS / "search-results.md"
_DRAWN = (
    OURS,
    "single-agent@tuned",
    "sb3-maskable-ppo@tuned",
    "genetic@tuned",
    "cross-entropy@tuned",
    "random",
)
_COMPLETE_HEAD = """# All runs of the search benchmark

Written by `python benchmarks/sample_efficiency.py --plan results --write`; the runs themselves are in
`benchmarks/recorded.jsonl.gz`, what was found from them in [results.md](results.md). Quartiles over seeds; – = never;
costs over the best known; "repeated": evaluated mappings that the same run had evaluated before; µs: processor time of
one core, with and without the cost model, on a busy machine.
"""


def write_results(by_objective: Mapping[str, Results]) -> None:
    """Targets, summaries, ratios and pairs in docs/results.md, and the figures."""
    results = by_objective["edp"]
    replace_part(RESULTS, "targets", lines(by_objective))
    replace_part(RESULTS, "summary edp", summary(results))
    others = [*PENALISED, *SINGLE, *OTHERS, *PAPER]
    replace_part(RESULTS, "ratios edp", ratios(results, OURS, others, EQUAL_SAMPLES[2:]))
    shown = [OURS, "single-agent@tuned", "sb3-maskable-ppo@tuned", "genetic@tuned", "cross-entropy@tuned"]
    replace_part(RESULTS, "pairs edp", by_pair(results, [n for n in shown if results.pairs(n)]))
    convergence(results, _DRAWN, DOCS / "images" / "samples-edp.png")
    convergence(
        results, [OURS, *PENALISED[1:2], *PAPER[1:], *TIMELOOP], DOCS / "images" / "samples-timeloop.png"
    )
    for objective in by_objective.keys() - {"edp"}:
        replace_part(RESULTS, f"summary {objective}", summary(by_objective[objective]))


def write_complete(by_objective: Mapping[str, Results]) -> None:
    """docs/search-results.md."""
    parts = [_COMPLETE_HEAD]
    for objective, results in by_objective.items():
        parts += [f"## {objective}\n", *everything(results), ""]
    COMPLETE.write_text("\n".join(parts).rstrip() + "\n")
