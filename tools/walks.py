"""The longest ways through the house: which files four values pass through, measured on a run.

python tools/walks.py            files entered, rooms entered, steps from room to room, deepest stack of files
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import timeloop_marl as tm

PACKAGE = Path(tm.__file__).parent
INPUTS = ["arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml"]


def walk(action: Callable[[], object]) -> tuple[int, int, int, int]:
    """Files and rooms of the package that ``action`` enters, steps between rooms, most files on the stack at once."""
    files: list[str] = []
    stack: list[str] = []
    deepest = 0

    def watch(frame: object, event: str, _: object) -> None:
        nonlocal deepest
        name = frame.f_code.co_filename
        if not name.startswith(str(PACKAGE)):
            return
        if event == "call":
            stack.append(name)
            deepest = max(deepest, sum(a != b for a, b in zip(stack, ["", *stack])))
            if not files or files[-1] != name:
                files.append(name)
        elif event == "return" and stack:
            stack.pop()

    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(None)
    rooms = [Path(f).relative_to(PACKAGE).parts[0] for f in files]
    steps = sum(a != b for a, b in itertools.pairwise(rooms))
    return len(set(files)), len(set(rooms)), steps, deepest


def main() -> None:
    """Take the four walks and print what they met."""
    spec = tm.load(INPUTS)
    tm.search(spec, samples=16, seed=1, searcher="random")  # compiled, imported
    result = tm.search(spec, samples=16, seed=1, searcher="random")
    batch = tm.MappingBatch.of([result.mapping])
    plain = tm.NativeEvaluator(spec, compiled=False)
    plain(batch)
    with tempfile.TemporaryDirectory() as folder:
        walks = {
            "YAML to Spec": lambda: tm.load(INPUTS),
            "row to Outcome": lambda: plain(batch),
            "mapping to map.yaml": lambda: result.write(Path(folder) / "result"),
            "layer of a network": lambda: tm.network(
                INPUTS, output=Path(folder) / "network", samples=64, searcher="random", jobs=1
            ),
        }
        print(f"{'':22}{'files':>8}{'rooms':>8}{'steps':>8}{'deepest':>8}")
        for name, action in walks.items():
            print(f"{name:22}" + "".join(f"{figure:8}" for figure in walk(action)))


if __name__ == "__main__":
    main()
