"""A process that holds pytimeloop and evaluates in forked children: Timeloop's code ends the process on a bad mapping.

Started by file name, not as a module: it must load nothing but the bindings. A line with a folder comes in, a line with
the exit status goes out; the folder then holds what the program would have written, and ``result.json``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

INPUT, PREFIX, RESULT = "input.yaml", "timeloop-model", "result.json"
UNUSABLE = 70  # exit status of a child in which the bindings raised


def main() -> None:
    """Serve until the input ends."""
    sys.path.remove(
        str(Path(__file__).parent)
    )  # its modules must not stand in for pytimeloop's: `bindings` is one
    from pytimeloop.app import ModelApp
    from pytimeloop.config import Config

    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints to standard output must not look like a reply
    for line in sys.stdin:
        folder = json.loads(line)
        child = os.fork()
        if child == 0:
            _evaluate(folder, ModelApp, Config)
        _, status = os.waitpid(child, 0)
        replies.write(f"{os.waitstatus_to_exitcode(status)}\n")
        replies.flush()


def _evaluate(folder: str, model_app: Any, config: Any) -> None:
    """Evaluate the input in the folder; never returns."""
    try:
        os.chdir(folder)
        for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        text = Path(INPUT).read_text(encoding="utf-8")
        result = model_app(config(text, "yaml"), ".", PREFIX).run()
        Path(f"{PREFIX}.stats.txt").write_text(result.stats_string, encoding="utf-8")
        figures = {"cycles": int(result.cycles), "energy": float(result.energy).hex()}
        Path(RESULT).write_text(json.dumps(figures), encoding="utf-8")
        sys.stdout.flush()
        os._exit(0)
    except BaseException:  # nothing may reach the loop of the parent in this process
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(UNUSABLE)


if __name__ == "__main__":
    main()
