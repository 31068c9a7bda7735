"""Long lists of layers in one go: wall time, samples, and the memory of every process.

    python benchmarks/many_layers.py --jobs 2                     # 400 different layers
    python benchmarks/many_layers.py --mobilebert --jobs 2        # the 408 layers of MobileBERT, 9 of them different

The different layers are MobileBERT's with other widths and lengths of the text, as in a search for architectures.
Memory is the largest resident set of each process (VmHWM), looked at while it runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import timeloop_marl as tm
from timeloop_marl.networks.layers import write_network
from timeloop_marl.specs.converters.layer_files import LayeredNetwork, NamedLayer, Shape, product

ROOT = Path(__file__).parent.parent
MEBIBYTE = 1 << 20


def block(tokens: int, width: int, bottleneck: int, heads: int) -> Iterator[tuple[str, Shape]]:
    """One block of MobileBERT (Sun et al., ACL 2020): bottlenecks, attention, four stacked feed-forward parts."""
    yield "bottleneck", product(tokens, width, bottleneck)
    yield "shared", product(tokens, width, bottleneck)
    for name in ("query", "key"):
        yield name, product(tokens, bottleneck, bottleneck)
    yield "value", product(tokens, width, bottleneck)
    yield "scores", product(tokens, bottleneck // heads, tokens, heads)
    yield "context", product(tokens, tokens, bottleneck // heads, heads)
    yield "output", product(tokens, bottleneck, bottleneck)
    for part in range(1, 5):
        yield f"ffn{part}_up", product(tokens, bottleneck, width)
        yield f"ffn{part}_down", product(tokens, width, bottleneck)
    yield "restore", product(tokens, bottleneck, width)


def mobilebert() -> LayeredNetwork:
    """24 blocks, 128 tokens."""
    layers = [
        NamedLayer(f"block{number}_{name}", f"{name}", shape)
        for number in range(1, 25)
        for name, shape in block(128, 512, 128, 4)
    ]
    return network("mobilebert", layers)


def variants(number: int) -> LayeredNetwork:
    """As many different layers, of blocks of many widths and lengths."""
    found: dict[Shape, NamedLayer] = {}
    for tokens in range(96, 1024, 16):
        for width, bottleneck, heads in ((512, 128, 4), (384, 96, 4), (768, 192, 6), (640, 160, 8)):
            for name, shape in block(tokens, width, bottleneck, heads):
                if len(found) < number:
                    found.setdefault(shape, NamedLayer(f"{name}_{tokens}_{width}", "", shape))
    return network("variants", list(found.values()))


def network(name: str, layers: list[NamedLayer]) -> LayeredNetwork:
    """Layers of equal shape under one file name."""
    files: dict[Shape, str] = {}
    for layer in layers:
        files.setdefault(layer.shape, layer.name)
    named = tuple(NamedLayer(layer.name, files[layer.shape], layer.shape) for layer in layers)
    return LayeredNetwork(name, name, "after Sun et al., MobileBERT, ACL 2020, table 1", "a benchmark", named)


class Memory:
    """Looks at the resident sets of this process and its children until told to stop."""

    def __init__(self) -> None:
        self.largest: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            for pid in family(os.getpid()):
                self.largest[pid] = max(self.largest.get(pid, 0), resident(pid))


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = [int(text) for text in children.read_text().split()]
    except OSError:
        below = []
    return [pid, *(process for child in below for process in family(child))]


def resident(pid: int) -> int:
    """Largest resident set so far, bytes."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machine", default="eyeriss_like")
    parser.add_argument("--layers", type=int, default=400)
    parser.add_argument("--mobilebert", action="store_true")
    parser.add_argument("--per-layer", type=int, default=100, help="samples per different layer")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    chosen = mobilebert() if given.mobilebert else variants(given.layers)
    with tempfile.TemporaryDirectory() as folder, Memory() as memory:
        write_network(chosen, Path(folder) / "problems")
        distinct = len({layer.shape for layer in chosen.layers})
        start = time.monotonic()
        result = tm.network(
            [ROOT / "arch" / given.machine, Path(folder) / "problems"],
            output=Path(folder) / "run",
            samples=given.per_layer * distinct,
            jobs=given.jobs,
        )
        seconds = time.monotonic() - start
        size = sum(path.stat().st_size for path in (Path(folder) / "run").rglob("*") if path.is_file())
    assert result.totals is not None
    print(
        f"{result.layer_count} layers, {distinct} different, on {given.machine}: {result.samples:,} samples"
    )
    print(f"wall time {seconds:.1f} s, search time {result.search_seconds:.1f} s, {given.jobs} jobs")
    print(f"total: {result.totals.edp * 1e-12:.6g} J·cycle; the run's folder: {size / MEBIBYTE:.0f} MiB")
    names = {pid: "run" if pid == os.getpid() else "worker" for pid in memory.largest}
    for pid, largest in sorted(memory.largest.items(), key=lambda entry: -entry[1])[:4]:
        print(f"largest resident set of a {names[pid]}: {largest / MEBIBYTE:.0f} MiB")


if __name__ == "__main__":
    main()
