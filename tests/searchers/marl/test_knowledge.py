"""What is learnt on one layer and taken over by another: by name, correct where layers and machines differ."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from machines import conv, gemm, level, spec, three_level
from shell import ROOT

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.run.knowledge import begin_with, load_knowledge, save_knowledge
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.searchers.knowledge import (
    Knowledge,
    LayerKnowledge,
    Loop,
    Nest,
    fingerprint,
    from_bytes,
    nest_of,
    to_bytes,
)
from timeloop_marl.searchers.marl.searcher import MarlOptions, MarlSearcher
from timeloop_marl.searchers.marl.warm_start import Fitter, translation, warm_start
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.spec import Spec

GEMM = three_level(gemm(16, 24, 40))


def layer(machine: str, network: str, name: str) -> Spec:
    return tm.load([ROOT / "arch" / machine, ROOT / "problems" / network / f"{name}.yaml"])


def searcher(design: Spec, seed: int = 1, **options: object) -> MarlSearcher:
    objective = parse_objective("edp", len(design.architecture.storage))
    return MarlSearcher(LearnersMapspace(design), objective, seed, MarlOptions(**options))


def searched(
    design: Spec, samples: int, knowledge: Knowledge | None = None, **options: object
) -> MarlSearcher:
    made = searcher(design, **options)
    if knowledge is not None:
        made.inherit(knowledge)
    search(made.space, made, NativeEvaluator(design), made.objective, Budget(samples=samples))
    return made


def learnt(design: Spec, samples: int = 96, name: str = "a") -> LayerKnowledge:
    found = searched(design, samples).learnt(name)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return Knowledge((learnt(GEMM),))


DESIGNS = [
    GEMM,
    three_level(conv(12, 10, 3, 14)),
    three_level(gemm(16, 24, 40), {(2, False): LoopConstraint(fixed={0: 2})}),
]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_nest_fits_where_it_comes_from(design: Spec) -> None:
    space, rng = LearnersMapspace(design), np.random.default_rng(3)
    rows = space.sample(30, rng)
    fit = Fitter(space)
    for row in rows:
        fitted = fit(nest_of(space, row), rng, 1, 0.0)
        batch, again = space.decode(row[None]), space.decode(fitted)
        assert (batch.factors == again.factors).all() and (batch.keep == again.keep).all()
        assert nest_of(space, fitted[0]) == nest_of(space, row)


def test_inner_factors_stay_and_the_rest_goes_outwards() -> None:
    small, large = LearnersMapspace(GEMM), LearnersMapspace(three_level(gemm(64, 24, 40)))
    row = small.sample(1, np.random.default_rng(0))[0]
    nest = nest_of(small, row)
    fitted = nest_of(large, Fitter(large)(nest, np.random.default_rng(1), 1, 0.0)[0])
    inner = [loop for loop in nest.loops if loop.level != "DRAM"]
    assert [loop for loop in fitted.loops if loop.level != "DRAM"] == inner
    assert fitted.kept == nest.kept


OTHERS = {
    "other dimensions": three_level(conv(12, 10, 3, 14)),
    "another bound": three_level(gemm(7, 24, 11)),
    "more constraints": three_level(gemm(16, 24, 40), {(0, False): LoopConstraint(fixed={0: 1, 1: 1})}),
    "another name": spec(
        gemm(16, 24, 40), (level("REG", 20, 2, 2), level("BUF", 60), level("DRAM", None)), (2, 2)
    ),
    "fewer levels": spec(gemm(16, 24, 40), (level("RF", 20, 2, 2), level("DRAM", None)), (2, 2)),
    "no array": spec(gemm(16, 24, 40), (level("RF", 20), level("BUF", 60), level("DRAM", None))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_differs_starts_fresh_and_every_row_is_feasible(name: str, known: Knowledge) -> None:
    design = OTHERS[name]
    space = LearnersMapspace(design)
    own = warm_start(space, known, np.random.default_rng(0))
    assert space.feasible(own.rows).all() and np.isfinite(own.logits).all()
    if own.groups is not None:
        assert sorted(a for group in own.groups for a in group) == list(range(space.axes))
    made = searched(design, 40, known)
    assert made.learnt() is not None


def test_prices_are_those_of_the_same_machine_only(known: Knowledge) -> None:
    same = warm_start(LearnersMapspace(three_level(gemm(32, 8, 8))), known, np.random.default_rng(0))
    assert len(same.energy) == len(known.layers[0].energy) > 0
    for name in ("another name", "fewer levels", "no array"):
        assert not len(warm_start(LearnersMapspace(OTHERS[name]), known, np.random.default_rng(0)).energy)


def test_prices_carry_over_to_another_layer() -> None:
    """The critic foresees the order of costs on a layer of which it has seen nothing."""
    one, other = (
        layer("eyeriss_like", "resnet18", "conv4_3x3"),
        layer("eyeriss_like", "resnet18", "conv5_3x3"),
    )
    made = searcher(other)
    made.inherit(Knowledge((learnt(one),)))
    assert made.critic is not None and made.critic.foresees
    rows = made.space.sample(200, np.random.default_rng(0))
    costs = made.objective.costs(NativeEvaluator(other)(made.space.decode(rows)))
    foreseen = made.critic.foresee(rows)
    ranks = [np.argsort(np.argsort(values)) for values in (foreseen, np.log(costs))]
    assert np.corrcoef(*ranks)[0, 1] > 0.7


@pytest.mark.parametrize("parts", ["elites,critic,policies,clusters", "elites", "elites,critic"])
def test_the_first_batch_is_better_for_it(parts: str) -> None:
    one, other = (
        layer("eyeriss_like", "resnet18", "conv4_3x3"),
        layer("eyeriss_like", "resnet18", "conv5_3x3"),
    )
    knowledge = Knowledge((learnt(one, 200),))
    best = {}
    for name, given in (("with", knowledge), ("without", None)):
        made = searcher(other, inherit=parts)
        if given is not None:
            made.inherit(given)
        best[name] = (
            search(made.space, made, NativeEvaluator(other), made.objective, Budget(samples=8)).best[0].cost
        )
    assert best["with"] < 0.8 * best["without"]


def test_what_the_inherited_critic_foresees_best_comes_first() -> None:
    one, other = (
        layer("eyeriss_like", "resnet18", "conv4_3x3"),
        layer("eyeriss_like", "resnet18", "conv5_3x3"),
    )
    made = searcher(other)
    made.inherit(Knowledge((learnt(one, 200),)))
    assert made.critic is not None
    foreseen = made.critic.foresee(made.ask(8))
    assert foreseen[0] == foreseen.min() < foreseen[1]


def test_parts_may_be_switched_off(known: Knowledge) -> None:
    fresh, off, on = searcher(GEMM), searcher(GEMM, inherit=""), searcher(GEMM)
    off.inherit(known)
    on.inherit(known)
    assert off.team.groups == fresh.team.groups != on.team.groups
    assert np.array_equal(off.team.preferences(), fresh.team.preferences())
    assert not np.array_equal(on.team.preferences(), fresh.team.preferences())
    assert off.critic is not None and on.critic is not None
    assert not off.critic.foresees and on.critic.foresees
    assert len(off._inherited) == 0 < len(on._inherited)
    with pytest.raises(UsageError, match="inherit"):
        MarlOptions(inherit="elites,wisdom")


def test_the_nearest_layer_comes_first() -> None:
    sizes = [(8, 8, 8), (16, 24, 40), (64, 64, 64)]
    knowledge = Knowledge(tuple(learnt(three_level(gemm(*size)), 16, str(size)) for size in sizes))
    near = knowledge.nearest(three_level(gemm(16, 24, 80)), 2)
    assert [one.name for one in near] == ["(16, 24, 40)", "(64, 64, 64)"]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (["a", "b", "c"], ["a", "b", "c"], {"a": "a", "b": "b", "c": "c"}),
        (["a", "b", "c"], ["a", "x", "c"], {"a": "a", "b": "x", "c": "c"}),
        (["a", "b"], ["a", "x", "b"], {"a": "a", "b": "b"}),
        (["a", "b"], ["x", "y", "z"], {}),
        (["a", "b"], ["b", "a"], {"a": "a", "b": "b"}),
    ],
)
def test_translation(source: Sequence[str], target: Sequence[str], expected: dict[str, str]) -> None:
    assert translation(source, target) == expected


def test_a_renamed_nest_drops_what_has_no_name() -> None:
    nest = Nest((Loop("a", "time", "M", 4), Loop("b", "X", "N", 2)), frozenset({("a", "W"), ("b", "W")}))
    assert nest.renamed({"a": "z"}) == Nest((Loop("z", "time", "M", 4),), frozenset({("z", "W")}))


def test_after_the_first_candidate_it_is_too_late(known: Knowledge) -> None:
    made = searcher(GEMM)
    made.ask(8)
    with pytest.raises(UsageError, match="before the first candidate"):
        made.inherit(known)


# As a file


def test_there_and_back(known: Knowledge, tmp_path: Path) -> None:
    data = to_bytes(known)
    again = from_bytes(data, "x")
    assert to_bytes(again) == data and fingerprint(again) == fingerprint(known)
    assert again.layers[0].elites == known.layers[0].elites
    assert again.layers[0].clusters == known.layers[0].clusters
    assert again.layers[0].preferences == known.layers[0].preferences
    assert np.array_equal(again.layers[0].words, known.layers[0].words)
    path = save_knowledge(known, tmp_path / "deep" / "k.npz")
    assert fingerprint(load_knowledge(path)) == fingerprint(known)


def archive(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def text(content: str) -> np.ndarray:
    return np.frombuffer(content.encode(), np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        archive(a=np.zeros(3)),
        archive(knowledge=text("{}")),
        archive(knowledge=text("not json")),
        archive(knowledge=text('{"schema": "timeloop-marl/knowledge", "version": 9, "layers": []}')),
        archive(knowledge=text('{"schema": "timeloop-marl/knowledge", "version": 1, "layers": [{}]}')),
        archive(knowledge=np.array([{"a": 1}], dtype=object)),
    ],
)
def test_what_is_no_knowledge_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"k\.npz"):
        from_bytes(data, "k.npz")


def test_damaged_numbers_are_refused(known: Knowledge) -> None:
    for name, value in (("words", np.full((3, 7), 1.0)), ("energy", np.array([1.0, np.nan]))):
        with pytest.raises(UsageError, match="damaged"):
            from_bytes(to_bytes(Knowledge((replace(known.layers[0], **{name: value}),))), "k.npz")
    for place in range(0, len(data := to_bytes(known)), max(1, len(data) // 400)):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        with suppress(UsageError):  # never anything else; some bytes do not matter
            from_bytes(bytes(damaged), "k.npz")
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    with pytest.raises(UsageError):
        from_bytes(bytes(damaged), "k.npz")


def test_other_searchers_say_that_they_do_not_learn_from_others(known: Knowledge) -> None:
    other = make_searcher("genetic", GEMM, 1, parse_objective("edp", 3))
    with pytest.raises(UsageError, match="does not learn from other layers"):
        begin_with(other, known, None)


def test_a_search_with_knowledge_is_resumed_as_it_began(tmp_path: Path) -> None:
    one, other = (
        layer("eyeriss_like", "resnet18", "conv4_3x3"),
        layer("eyeriss_like", "resnet18", "conv5_3x3"),
    )
    first = tm.search(one, samples=80)
    assert len(first.knowledge.layers) == 1
    whole = tm.search(other, samples=64, knowledge=first.knowledge, output=tmp_path / "whole")
    tm.search(other, samples=24, knowledge=first.knowledge, output=tmp_path / "parts")
    parts = tm.search(other, samples=64, output=tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / "trace.bin").stat().st_size > 0
    assert parts.search.trajectory[-1].cost == whole.search.trajectory[-1].cost
    assert [s.samples for s in parts.search.trajectory] == [s.samples for s in whole.search.trajectory]
    assert len(whole.knowledge.layers) == 2
    tm.search(other, samples=16, output=tmp_path / "none")
    with pytest.raises(UsageError, match="cannot resume: knowledge"):
        tm.search(other, samples=32, knowledge=first.knowledge, output=tmp_path / "none", resume=True)
