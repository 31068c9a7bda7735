"""Features by hand, prices recovered, predictions that rank unseen mappings."""

from __future__ import annotations

import numpy as np
import pytest
from machines import conv, gemm, three_level
from shell import ROOT

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.marl.critic import Critic
from timeloop_marl.searchers.marl.features import WordCounter
from timeloop_marl.searchers.marl.trend import nonnegative
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.reading import load
from timeloop_marl.testing import FakeEvaluator

SPACE = LearnersMapspace(three_level(gemm(4, 6, 8)))  # A[M, K], B[K, N], Z[M, N]; 4 RFs under BUF, DRAM
TILINGS, DIMS, STORES, SPACES = 4, 3, 3, 3


def batch(loops: dict[int, dict[int, int]], order: dict[int, tuple[int, ...]]) -> MappingBatch:
    """Factors by tiling level and dim; levels: RF, BUF spatial, BUF, DRAM."""
    factors = np.ones((1, TILINGS, DIMS), np.int64)
    for t, level in loops.items():
        for d, f in level.items():
            factors[0, t, d] = f
    orders = np.tile(np.arange(DIMS, dtype=np.int8), (1, TILINGS, 1))
    for t, chosen in order.items():
        orders[0, t] = chosen
    return MappingBatch(
        factors, factors, orders, np.full((1, TILINGS), DIMS, np.int8), np.ones((1, STORES, SPACES), np.bool_)
    )


def logs(mapping: MappingBatch) -> dict[str, np.ndarray]:
    found = 2.0 ** WordCounter(SPACE).of(mapping).logs[0][: 3 * STORES * SPACES].reshape(3, STORES, SPACES)
    return dict(zip(("handed", "sent", "volume"), found))


def test_levels_are_as_the_tests_assume() -> None:
    assert [level.spatial for level in SPACE.spec.architecture.tiling_levels] == [False, True, False, False]


def test_words_by_hand() -> None:
    """RF: M=2, K=2; array under BUF: N=2; BUF: K=4; DRAM: M=2 outside N=3."""
    M, N, K = 0, 1, 2
    mapping = batch({0: {M: 2, K: 2}, 1: {N: 2}, 2: {K: 4}, 3: {N: 3, M: 2}}, {3: (N, M, K)})
    found = logs(mapping)
    A, B, Z = 0, 1, 2
    # Tiles at RF: A 2 x 2, B 2 x 1, Z 2 x 1; at BUF: A 2 x 8, B 8 x 2, Z 2 x 2.
    np.testing.assert_allclose(found["volume"][:2], [[4, 2, 2], [16, 16, 4]])
    # A at RF: 4 words, fetched for K=4 and all loops outside (N=3, M=2), two copies side by side (N=2).
    assert found["handed"][0, A] == pytest.approx(4 * 4 * 6 * 2)
    assert found["sent"][1, A] == pytest.approx(4 * 4 * 6)  # one read serves both copies
    # A at BUF: 16 words; N=3 just outside does not touch A, M=2 does.
    assert found["handed"][1, A] == pytest.approx(16 * 2)
    # Z at RF: 2 words; K=4 does not touch it; distinct words side by side.
    assert found["handed"][0, Z] == pytest.approx(2 * 6 * 2)
    assert found["sent"][1, Z] == pytest.approx(2 * 6 * 2)
    # B at BUF: 16 words for each N=3, and again for each M=2 outside of it.
    assert found["handed"][1, B] == pytest.approx(16 * 6)


def test_words_times_hops_by_hand() -> None:
    """The array has two columns and two rows: N=2 goes to the columns of the first row, half a row from the middle."""
    M, N, K = 0, 1, 2
    mapping = batch({0: {M: 2, K: 2}, 1: {N: 2}, 2: {K: 4}, 3: {N: 3, M: 2}}, {3: (N, M, K)})
    networks = WordCounter(SPACE).of(mapping).words[0, -2 * STORES :] * (4 * 6 * 8)
    hops, routers = networks[:STORES], networks[STORES:]
    # 96 words of A go to both, as far as column 1; 96 of B and 24 of Z to one, half a column away on average.
    np.testing.assert_allclose(hops, [0.0, 96 * (1 + 2 * 0.5) + (96 + 24) * (0.5 + 0.5), 0.0])
    # Every word at compute; 96 words over two hops, 96 + 24 over one; 32, 96 and 24 words from DRAM to BUF.
    np.testing.assert_allclose(routers, [3 * 4 * 6 * 8, 96 * 3 + (96 + 24) * 2, 32 + 96 + 24])


def test_steps_are_the_temporal_iterations() -> None:
    mapping = batch({0: {0: 2, 2: 2}, 1: {1: 2}, 2: {2: 4}, 3: {1: 3, 0: 2}}, {})
    assert WordCounter(SPACE).of(mapping).steps[0] == pytest.approx(np.log(2 * 2 * 4 * 3 * 2))


def test_bypassed_levels_move_no_words() -> None:
    mapping = batch({0: {0: 4}, 3: {1: 6, 2: 8}}, {})
    mapping.keep[0, 1, 0] = False
    words = WordCounter(SPACE).of(mapping).words[0, 2 * STORES + 1 : -2 * STORES].reshape(2, STORES, SPACES)
    assert (words[:, 1, 0] == 0).all()
    assert words[1, 2, 0] > 0  # the outermost level serves RF directly


def test_prices_are_recovered_and_never_negative() -> None:
    rng = np.random.default_rng(0)
    words, prices = rng.random((200, 6)), np.array([3.0, 0.0, 1.0, 0.5, 0.0, 2.0])
    targets = words @ prices
    found = nonnegative(words / targets[:, None], np.ones(200), np.zeros(6), np.full(6, 1e-6))
    np.testing.assert_allclose(words @ found, targets, rtol=0.02)
    assert (found >= 0).all()


@pytest.mark.parametrize("metric", ["edp", "energy", "delay", "last_level_accesses"])
def test_unseen_mappings_are_ranked(metric: str) -> None:
    outcome = FakeEvaluator((1,))(SPACE.decode(rows := SPACE.sample(300, np.random.default_rng(1))))
    cycles = outcome.cycles.astype(float)
    costs = {"edp": outcome.energy_pj * cycles, "energy": outcome.energy_pj, "delay": cycles}.get(
        metric, 1.0 + outcome.energy_pj
    )
    critic = Critic(SPACE, [metric], 400)
    for start in range(0, 200, 25):
        some = slice(start, start + 25)
        critic.learn(rows[some], costs[some], outcome.energy_pj[some], cycles[some])
    predicted = critic.predict(rows[200:])
    assert np.corrcoef(predicted, np.log(costs[200:]))[0, 1] > 0.8


def test_memory_is_bounded_and_keeps_the_best() -> None:
    rng = np.random.default_rng(2)
    rows = SPACE.sample(120, rng)
    costs = rng.random(120) + 1.0
    costs[0] = 0.1
    critic = Critic(SPACE, ["cost"], 40)
    for start in range(0, 120, 10):
        some = slice(start, start + 10)
        critic.learn(rows[some], costs[some], costs[some], costs[some])
        assert len(critic._samples) <= 40
    assert critic._samples.logs.min() == pytest.approx(np.log(0.1))


def test_nothing_valid_is_no_accident() -> None:
    critic = Critic(SPACE, ["edp"], 40)
    critic.learn(SPACE.sample(10, np.random.default_rng(3)), np.full(10, np.inf), np.zeros(10), np.zeros(10))
    assert not critic.ready


def test_compute_holds_nothing() -> None:
    """A data space that RF bypasses is asked of BUF in every iteration, even by loops that do not touch it."""
    mapping = batch({0: {1: 6}, 2: {0: 4, 2: 8}}, {})
    mapping.keep[0, 0, 0] = False  # A[M, K] not at RF, where only N runs
    words = WordCounter(SPACE).of(mapping).words[0, 2 * STORES + 1 : -2 * STORES].reshape(2, STORES, SPACES)
    assert words[1, 1, 0] == pytest.approx(1.0)  # per multiply-accumulate


def test_windows_that_slide_fetch_only_what_is_new() -> None:
    space = LearnersMapspace(three_level(conv(1, 1, 3, 8)))
    dims = space.spec.problem.dims
    R, P = dims.index("R"), dims.index("P")
    levels = space.spec.architecture.tiling_levels
    factors = np.ones((1, len(levels), len(dims)), np.int64)
    factors[0, 0, R], factors[0, 0, P], factors[0, -1, P] = 3, 2, 4
    order = np.tile(np.arange(len(dims), dtype=np.int8), (1, len(levels), 1))
    keep = np.ones((1, len(space.spec.architecture.storage), 3), np.bool_)
    mapping = MappingBatch(factors, factors, order, np.full((1, len(levels)), len(dims), np.int8), keep)
    inputs = [s.name for s in space.spec.problem.data_spaces].index("Inputs")
    handed = 2.0 ** WordCounter(space).of(mapping).logs[0][inputs]
    assert handed == pytest.approx(4 + 3 * 2)  # a window of 4 words, then 2 new ones three times


@pytest.mark.parametrize("machine", ["eyeriss_like", "three_level", "simba_like", "deep_hierarchy"])
def test_energy_is_words_times_prices(machine: str) -> None:
    """Sliding windows, neighbours that pass words on, packed arrays, bypasses: words are counted as the model does."""
    files = sorted((ROOT / "arch" / machine).glob("*.yaml"))
    designed = load([*files, ROOT / "problems" / "resnet18" / "conv2_3x3.yaml"])
    space = LearnersMapspace(designed)
    rows = space.sample(600, np.random.default_rng(7))
    outcome = NativeEvaluator(designed)(space.decode(rows))
    rows, energy = rows[valid := outcome.failure == 0], outcome.energy_pj[valid]
    critic = Critic(space, ["energy"], 1000)
    critic.learn(rows[:400], energy[:400], energy[:400], outcome.cycles[valid][:400].astype(float))
    found = np.abs(critic.foresee(rows[400:]) - np.log(energy[400:]))
    assert np.quantile(found, 0.9) < 0.003
