"""Writes what the benchmarks found into the documents, between markers, and draws the figures."""

from __future__ import annotations

from collections.abc import Mapping

from figures import convergence
from markers import replace_part
from measures import Results
from pairs import ROOT
from plans import OTHERS, OURS, PAPER, PENALISED, SINGLE, TIMELOOP
from tables import by_pair, everything, ratios, summary
from targets import EQUAL_SAMPLES, lines

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
