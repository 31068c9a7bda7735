"""How many samples each searcher needs, on pairs of a machine and a layer from arch/ and problems/.

    python benchmarks/sample_efficiency.py                                   # a few searchers, a few minutes
    python benchmarks/sample_efficiency.py --plan results --jobs 2 --write   # all of docs/results.md, hours
    python benchmarks/sample_efficiency.py --searchers marl marl:critic=false genetic@tuned --seeds 10 --samples 10000

Every evaluated mapping counts: invalid ones, repeated ones, and those that clusters are learnt from. "Samples to x %"
is the first sample whose cost is within x % of the best known cost; "–" never. The best known cost is the lowest of
``best_known.json`` (long searches: ``--plan best-known --update-best``) and of all runs in the table. Runs are written
as they finish and those already there are not repeated (``running.py``): an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from document import everything, summary, write_complete, write_results
from measures import Results
from pairs import SETS, best_known, lower_best_known, read
from running import PLANS, WORKING, Part, Records, Task, options_of, write_recorded

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.searchers.registry import all_searchers, make_searcher


def tasks_of(given: argparse.Namespace) -> list[Task]:
    """The tasks of the plan, or of the options."""
    if not given.searchers and not given.pairs:
        parts: Sequence[Part] = PLANS[given.plan]
    else:
        searchers = given.searchers or list(
            dict.fromkeys(n for part in PLANS[given.plan] for n in part.searchers)
        )
        pairs = given.pairs or SETS[given.set]
        parts = [Part(searchers, given.seeds, given.samples, given.objective, pairs)]
    tasks = [task for part in parts for task in part.tasks()]
    left_out = unusable({task.searcher for task in tasks}, tasks[0])
    return [task for task in tasks if task.searcher not in left_out]


def unusable(names: set[str], example: Task) -> set[str]:
    """Those whose libraries are not installed."""
    spec = read(example.pair)
    objective = parse_objective(example.objective, len(spec.architecture.storage))
    found = set()
    for text in sorted(names):
        name, options = options_of(text)
        if name not in all_searchers():
            raise UsageError(f"unknown searcher: {name!r}. Known: {', '.join(all_searchers())}")
        try:
            make_searcher(name, spec, 1, objective, options)
        except UsageError as error:
            if "not installed" not in str(error):
                raise
            print(f"left out: {error}")
            found.add(text)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plan", choices=PLANS, default="quick")
    parser.add_argument("--set", choices=SETS, default="reported", help="pairs, with --searchers")
    parser.add_argument("--pairs", nargs="+", help="machine/network/layer")
    parser.add_argument("--searchers", nargs="+", metavar="NAME[@tuned][:OPTION=VALUE,...]")
    parser.add_argument("--seeds", type=int, default=3, help="with --searchers or --pairs")
    parser.add_argument("--samples", type=int, default=1000, help="with --searchers or --pairs")
    parser.add_argument("--objective", default="edp", help="with --searchers or --pairs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WORKING, help="runs, one JSON line each")
    parser.add_argument("--verify", action="store_true", help="adopt runs of older code that runs the same")
    parser.add_argument("--any-code", action="store_true", help="use runs of older code unseen")
    parser.add_argument("--no-runs", action="store_true", help="only what was run already")
    parser.add_argument("--update-best", action="store_true", help="keep costs below the best known")
    parser.add_argument(
        "--write", action="store_true", help="write docs/results.md, its figures and all runs"
    )
    return parser.parse_args()


def main() -> None:
    given = arguments()
    records, tasks = Records(given.out, any_code=given.any_code), tasks_of(given)
    if given.verify:
        records.verify(tasks)
    if given.no_runs:
        tasks = [task for task in tasks if records.find(task) is not None]
    runs = records.do(tasks, given.jobs)
    by_objective = {
        objective: Results.of(objective, tasks, runs, best_known(objective))
        for objective in dict.fromkeys(task.objective for task in tasks)
    }
    for objective, results in by_objective.items():
        print("\n".join([f"\n{objective}\n", *everything(results), "", *summary(results)]))
        if given.update_best:
            print("\nlower than before:", ", ".join(lower_best_known(objective, results.best)) or "none")
    if given.write:
        write_results(by_objective)
        write_complete(by_objective)
        write_recorded(runs)


if __name__ == "__main__":
    main()
