"""The trace: round trip, torn ends at every byte, damage, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import UsageError
from timeloop_marl.run.trace import TraceBatch, TraceReader, TraceWriter, read_trace

HEADER = {"axes": 3, "accesses": 2, "searcher": "test"}


def a_batch(m: int, seed: int, largest: int = 200, accesses: bool = True) -> TraceBatch:
    rng = np.random.default_rng(seed)
    outcome = Outcome(
        cycles=rng.integers(0, 1 << 60, m),
        energy_pj=rng.random(m) * 1e15,
        utilization=rng.random(m),
        failure=rng.integers(0, 6, m).astype(np.int8),
        failed_level=rng.integers(-1, 7, m).astype(np.int8),
        accesses=rng.integers(0, 1 << 50, (m, 2)) if accesses else None,
    )
    return TraceBatch(rng.integers(0, largest, (m, 3)), outcome, m + 1, seed * 0.25)


def assert_equal(a: TraceBatch, b: TraceBatch) -> None:
    assert (a.asked, a.seconds) == (b.asked, b.seconds)
    np.testing.assert_array_equal(a.candidates, b.candidates)
    for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses"):
        x, y = getattr(a.outcome, name), getattr(b.outcome, name)
        np.testing.assert_array_equal(x, y)
        if x is not None:
            assert x.dtype == y.dtype


def written(path: Path, batches: list[TraceBatch]) -> bytes:
    with TraceWriter.create(path, HEADER) as writer:
        for batch in batches:
            writer.append(batch)
    return path.read_bytes()


BATCHES = [
    a_batch(5, 1),
    a_batch(1, 2, 60_000),
    a_batch(3, 3, 1 << 40),
    a_batch(2, 4, 1 << 20),
]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    written(path, BATCHES)
    reader = TraceReader(path)
    assert reader.header == HEADER
    for got, expected in zip(reader.batches(), BATCHES, strict=True):
        assert_equal(got, expected)
    assert reader.dropped == 0
    whole = read_trace(path)
    header = whole.header
    assert header == HEADER
    assert len(whole.candidates) == 11
    np.testing.assert_array_equal(whole.outcome.cycles[5:6], BATCHES[1].outcome.cycles)


def test_negative_entries_survive(tmp_path: Path) -> None:
    batch = a_batch(2, 1)
    batch.candidates[0] = [-1, -(1 << 63), 5]
    written(tmp_path / "t.bin", [batch])
    assert_equal(next(TraceReader(tmp_path / "t.bin").batches()), batch)


def test_a_file_cut_anywhere_keeps_all_whole_blocks_and_can_be_continued(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.bin", BATCHES)
    ends = [len(written(tmp_path / f"{n}.bin", BATCHES[:n])) for n in range(len(BATCHES) + 1)]
    for cut in range(ends[0], len(whole) + 1):
        path = tmp_path / "cut.bin"
        path.write_bytes(whole[:cut])
        reader = TraceReader(path)
        count = sum(1 for _ in reader.batches())
        assert count == sum(1 for end in ends[1:] if end <= cut)
        assert reader.dropped == cut - ends[count]
        if count < len(BATCHES):
            with TraceWriter.append_to(reader) as writer:
                for batch in BATCHES[count:]:
                    writer.append(batch)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("cut", [0, 3, 8, 20])
def test_a_file_cut_in_its_header_is_no_trace(tmp_path: Path, cut: int) -> None:
    whole = written(tmp_path / "whole.bin", [])
    (tmp_path / "cut.bin").write_bytes(whole[:cut])
    with pytest.raises(UsageError, match="not a trace"):
        TraceReader(tmp_path / "cut.bin")


def test_damage_before_the_end_is_an_error_not_a_short_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    whole = bytearray(written(path, BATCHES))
    first = len(written(tmp_path / "0.bin", []))
    whole[first + 30] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(UsageError, match=f"damaged at byte {first} of {len(whole)}"):
        list(TraceReader(path).batches())


def test_a_damaged_last_block_counts_as_half_written(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    whole = bytearray(written(path, BATCHES))
    whole[-1] ^= 1
    path.write_bytes(bytes(whole))
    reader = TraceReader(path)
    assert sum(1 for _ in reader.batches()) == len(BATCHES) - 1
    assert reader.dropped > 0


def test_a_trace_is_never_overwritten(tmp_path: Path) -> None:
    written(tmp_path / "t.bin", [])
    with pytest.raises(UsageError, match="there is a trace already"):
        TraceWriter.create(tmp_path / "t.bin", HEADER)


def test_files_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the trace"):
        TraceWriter.create(tmp_path / "absent" / "t.bin", HEADER)
    with pytest.raises(UsageError, match="cannot read the trace"):
        TraceReader(tmp_path / "absent.bin")


def test_a_full_disk_is_one_clear_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    import os

    writer = TraceWriter(full, os.open(full, os.O_WRONLY))
    with pytest.raises(UsageError, match="cannot write the trace: No space left"):
        writer.append(BATCHES[0])


def test_small_entries_take_one_byte(tmp_path: Path) -> None:
    small = len(written(tmp_path / "a.bin", [a_batch(1000, 1, 256)]))
    large = len(written(tmp_path / "b.bin", [a_batch(1000, 1, 257 + 60_000)]))
    assert large - small == 3000
