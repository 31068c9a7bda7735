"""Searchers by name: their factories, one-line descriptions and validated options."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..mapspace.axes import LearnersMapspace
from ..mapspace.timeloop import TimeloopMapspace
from ..objective import Objective
from ..specs.mapper import MapperOptions
from ..specs.spec import Spec
from .annealing import AnnealingOptions, AnnealingSearcher
from .base import Searcher
from .cross_entropy import CrossEntropyOptions, CrossEntropySearcher
from .genetic import GeneticOptions, GeneticSearcher
from .library.catalog import OFFERS
from .marl.options import MarlOptions
from .marl.paper import PaperOptions, PaperSearcher
from .marl.searcher import MarlSearcher
from .nsga2 import Nsga2Options, Nsga2Searcher
from .random import RandomSearcher
from .single_agent import SingleAgentOptions, SingleAgentSearcher
from .timeloop.searcher import ALGORITHMS, TimeloopSearcher

Option = bool | int | float | str


@dataclass(frozen=True)
class Entry:
    """One searcher: what it is, its options with their defaults, and how it is made."""

    name: str
    description: str
    options: Mapping[str, Option]
    make: Callable[[Spec, int, Objective, Mapping[str, Option]], Searcher]


def _learner(make: Callable[[LearnersMapspace, Objective, int, Any], Searcher], kind: type[Any]) -> Any:
    def factory(spec: Spec, seed: int, objective: Objective, options: Mapping[str, Option]) -> Searcher:
        return make(LearnersMapspace(spec), objective, seed, kind(**options))

    return factory


def _random(spec: Spec, seed: int, objective: Objective, options: Mapping[str, Option]) -> Searcher:
    return RandomSearcher(LearnersMapspace(spec), objective, seed)


def _timeloop(algorithm: str) -> Callable[[Spec, int, Objective, Mapping[str, Option]], Searcher]:
    def factory(spec: Spec, seed: int, objective: Objective, options: Mapping[str, Option]) -> Searcher:
        # Timeloop's mappers are deterministic: the seed changes nothing, as in the real program.
        metrics = tuple(objective.metrics)
        chosen = dataclasses.replace(
            spec.mapper, algorithm=algorithm, optimization_metrics=metrics, **{**_threads(spec), **options}
        )
        ours = dataclasses.replace(spec, mapper=chosen)
        return TimeloopSearcher(TimeloopMapspace(ours), chosen)

    return factory


def _threads(spec: Spec) -> dict[str, Any]:
    # Results must not depend on the machine: without a number in the input, one thread.
    return {"num_threads": spec.mapper.num_threads or 1}


_MAPPER_OPTIONS: dict[str, Option] = {
    name: getattr(MapperOptions(), name)
    for name in (
        "num_threads",
        "search_size",
        "timeout",
        "victory_condition",
        "sync_interval",
        "penalize_consecutive_bypass_fails",
        "filter_revisits",
        "max_permutations_per_if_visit",
        "max_temporal_loops_in_a_mapping",
    )
}

_TIMELOOP_DESCRIPTIONS = {
    "random": "Timeloop's random: factors, order and split drawn independently",
    "random_pruned": "Timeloop's random_pruned: random factors, a few loop orders each",
    "linear_pruned": "Timeloop's linear_pruned: everything in sequence, unit loops not permuted",
    "hybrid": "Timeloop's hybrid: random factors, all loop orders of each",
    "exhaustive": "Timeloop's exhaustive: everything in sequence",
}


def _entries() -> Iterable[Entry]:
    yield Entry("random", "random feasible mappings, never the same twice", {}, _random)
    yield _own(
        "marl", "clustered agents, credit by agent, and a critic that screens", MarlSearcher, MarlOptions
    )
    yield _own(
        "marl-paper",
        "the published method as its abstract describes it: penalised, unrepaired",
        PaperSearcher,
        PaperOptions,
    )
    yield _own(
        "single-agent",
        "one policy over all axes, the baseline of the team",
        SingleAgentSearcher,
        SingleAgentOptions,
    )
    yield _own(
        "genetic", "genetic search with repair, restarts and no duplicates", GeneticSearcher, GeneticOptions
    )
    yield _own(
        "annealing", "simulated annealing, several chains, restarts", AnnealingSearcher, AnnealingOptions
    )
    yield _own(
        "cross-entropy",
        "a distribution per axis moved towards the best",
        CrossEntropySearcher,
        CrossEntropyOptions,
    )
    yield _own("nsga2", "a front of cycles and energy (see --pareto)", Nsga2Searcher, Nsga2Options)
    for offer in OFFERS:
        yield _own(offer.name, offer.description, offer.make, offer.options)
    for algorithm in ALGORITHMS:
        name = "timeloop-" + algorithm.replace("_", "-")
        yield Entry(name, _TIMELOOP_DESCRIPTIONS[algorithm], _MAPPER_OPTIONS, _timeloop(algorithm))


def _own(name: str, description: str, make: Any, kind: type[Any]) -> Entry:
    options: dict[str, Option] = dataclasses.asdict(kind())
    return Entry(name, description, options, _learner(make, kind))


SEARCHERS: Mapping[str, Entry] = {entry.name: entry for entry in _entries()}


def make_searcher(
    name: str, spec: Spec, seed: int, objective: Objective, options: Mapping[str, object] | None = None
) -> Searcher:
    """A searcher by name; its mapspace is ``searcher.space``.

    Args:
        options: values may be strings, as from the command line.

    Raises:
        UsageError: unknown name or option (with the nearest known one), or a value of the wrong type.
        InfeasibleError: the constraints leave no mapping.
    """
    entry = _lookup(name, SEARCHERS, "searcher")
    chosen = {}
    for key, value in (options or {}).items():
        default = _lookup(key.replace("-", "_"), entry.options, f"option of searcher {name}")
        chosen[key.replace("-", "_")] = _converted(key, value, default)
    if seed < 0:
        raise UsageError(f"the seed must not be negative, got {seed}")
    return entry.make(spec, seed, objective, chosen)


def _lookup(name: str, known: Mapping[str, Any], what: str) -> Any:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"unknown {what}: {name!r}{hint} Known: {', '.join(known) or 'none'}")


def _converted(key: str, value: object, default: Option) -> Option:
    kind = type(default)
    text = str(value).strip()
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in ("true", "false", "1", "0", "yes", "no"):
            return text.lower() in ("true", "1", "yes")
        raise UsageError(f"option {key}: expected true or false, got {text!r}")
    try:
        number = float(text) if kind is float else int(text)
    except ValueError:
        raise UsageError(
            f"option {key}: expected {'a number' if kind is float else 'an integer'}, got {text!r}"
        ) from None
    return number
