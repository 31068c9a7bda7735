"""Interrupts search, network and sweep at random moments, goes on with them, and compares with runs left in peace.

    python benchmarks/interruptions.py [--times 50] [--commands search network sweep] [--seed 1] [--output DIR]

Faults: Ctrl-C (SIGINT to the process group), SIGTERM, kill -9 of the command, kill -9 of it and all its workers, a full
disk, kill -9 of one worker. Runs lie on a small file system of their own that is filled up (a tmpfs, where one may be
mounted; else files are limited in size). Every run is interrupted until it ends; then its results have to be those of
the run left in peace, and every sample that any of its traces ever held has to be in the last one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timeloop_marl.errors import UsageError
from timeloop_marl.run.trace import TraceReader, sample_count

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300.0
MOST = 15  # faults in one run; then it may end in peace
# Before the command has begun, and after it has ended, Ctrl-C and SIGTERM end Python as they do by themselves.
BESIDE = {"ctrl-c": -2, "sigterm": -15}
EXPECTED = {"ctrl-c": 130, "sigterm": 143, "kill": -9, "kill all": -9, "full disk": 2, "lost worker": 0}
ARCH, PROBLEMS = str(ROOT / "arch" / "eyeriss_like"), ROOT / "problems" / "resnet18"
COMMANDS: dict[str, list[str]] = {
    "search": ["search", ARCH, str(PROBLEMS / "conv4_3x3.yaml"), "--samples", "3000"],
    "network": ["network", ARCH, str(PROBLEMS), "--samples", "1600"],
    "sweep": [
        "sweep", ARCH, str(PROBLEMS / "conv4_3x3.yaml"), str(PROBLEMS / "fc.yaml"), "--samples", "300",
        "--set", "GLB.attributes.depth=3456,6912,13824",
    ],
}  # fmt: skip


@dataclass
class Tally:
    """Of one command: faults that hit, runs, samples held and lost, what went wrong."""

    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    samples: int = 0
    lost: int = 0
    differing: int = 0
    defects: list[str] = field(default_factory=list)

    def defect(self, text: str) -> None:
        """Remember it, and say it at once."""
        self.defects.append(text)
        print(text, file=sys.stderr, flush=True)


def engine(command: str, rng: random.Random) -> list[str]:
    if command == "search":
        return []
    return ["--jobs", "2", "--backend", rng.choice(["loky", "loky", "dask"])]


def begin(
    command: str, folder: Path, rng: random.Random, limit: int | None = None
) -> subprocess.Popen[bytes]:
    words = COMMANDS[command] + engine(command, rng)
    if (folder / "run.json").exists():
        words = [command, "--resume", *engine(command, rng)]
    words = [sys.executable, "-m", "timeloop_marl", *words, "-o", str(folder), "--quiet"]

    def limited() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=limited,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def workers_of(process: int) -> list[int]:
    """Child processes that do the work: not joblib's and Python's own helpers."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == process:
                words = (status.parent / "cmdline").read_bytes()
                if b"resource_tracker" not in words:
                    found.append(int(status.parent.name))
    return found


def strike(fault: str, running: subprocess.Popen[bytes], disk: Path, rng: random.Random) -> bool:
    """Do it; whether there was anything to hit."""
    if running.poll() is not None:
        return False
    if fault in ("ctrl-c", "kill all"):
        os.killpg(running.pid, signal.SIGINT if fault == "ctrl-c" else signal.SIGKILL)
    elif fault in ("sigterm", "kill"):
        running.send_signal(signal.SIGTERM if fault == "sigterm" else signal.SIGKILL)
    elif fault == "full disk":
        with contextlib.suppress(OSError), (disk / "filler").open("wb") as filler:
            while True:
                filler.write(b"x" * 4096)
                filler.flush()
    else:
        victims = workers_of(running.pid)
        if not victims:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(victims), signal.SIGKILL)
    return True


def held(folder: Path) -> dict[str, bytes]:
    """The whole blocks of every trace."""
    found = {}
    for file in folder.rglob("trace.bin"):
        with contextlib.suppress(UsageError):
            reader = TraceReader(file)
            for _ in reader.batches():
                pass
            found[str(file.relative_to(folder))] = file.read_bytes()[: reader.end]
    return found


def count(blocks: dict[str, bytes], folder: Path) -> int:
    return sum(sample_count(folder / name) for name in blocks)


def results(folder: Path) -> Any:
    """Everything that a run found; neither wall clock, nor which workers it was run by."""
    found: dict[str, Any] = {}
    for name in ("summary.json", "network.json", "sweep.json"):
        for file in sorted(folder.rglob(name)):
            found[str(file.relative_to(folder))] = timeless(json.loads(file.read_text()))
    for file in sorted(folder.rglob("timeloop-marl*.*")):
        if file.suffix not in (".png", ".html"):
            found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if "seconds" not in key}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def differences(ours: Any, theirs: Any) -> list[str]:
    return sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))


def one_run(
    command: str, folder: Path, disk: Path, length: float, wanted: int, rng: random.Random, tally: Tally
) -> None:
    """One run, interrupted until it ends."""
    faults = [fault for fault in EXPECTED if fault != "lost worker" or command != "search"]
    before: dict[str, bytes] = {}
    most, hits = 0, 0
    while True:
        fault = rng.choice(faults)
        running = begin(command, folder, rng)
        hit = False
        if hits < min(MOST, wanted):
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(rng.uniform(0, length))
            hit = strike(fault, running, disk, rng)
            hits += hit
            tally.faults[fault] += hit
        try:
            out, err = running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            tally.defect(f"{command}: {fault}: hangs")
            os.killpg(running.pid, signal.SIGKILL)
            out, err = running.communicate()
        (disk / "filler").unlink(missing_ok=True)
        after = held(folder)
        lost = [name for name, blocks in before.items() if not after.get(name, b"").startswith(blocks)]
        if lost:
            tally.lost += max(1, most - count(after, folder))
            tally.defect(f"{command}: {fault}: samples of {lost} are lost")
        before, most = after, count(after, folder)
        allowed = {0, EXPECTED[fault], BESIDE.get(fault, 0)} if hit else {0}
        if b"Traceback" in err + out or running.returncode not in allowed:
            told = (err + out).decode(errors="replace")[-1500:]
            tally.defect(f"{command}: {fault}: status {running.returncode}: {told}")
        if running.returncode == 0:
            tally.samples += most
            return


def campaign(command: str, times: int, disk: Path, rng: random.Random) -> Tally:
    tally = Tally()
    whole = disk / f"{command}-whole"
    start = time.monotonic()
    peace = begin(command, whole, random.Random(0))
    out, err = peace.communicate()
    assert peace.returncode == 0, (out + err).decode()
    length = time.monotonic() - start
    expected = results(whole)
    while sum(tally.faults.values()) < times:
        folder = disk / f"{command}-{tally.runs}"
        tally.runs += 1
        one_run(command, folder, disk, length, times - sum(tally.faults.values()), rng, tally)
        differing = differences(results(folder), expected)
        if differing:
            tally.differing += 1
            tally.defect(f"{command}: run {tally.runs}: differs in {differing[:5]}")
        else:
            shutil.rmtree(folder)
        print(
            f"{command}: {dict(tally.faults)}, {tally.runs} runs, {len(tally.defects)} defects",
            file=sys.stderr,
        )
    return tally


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 48) -> Any:
    """A file system that can be filled up without harm."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="keep the folders of runs that differ here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk") as disk:
        tallies = {
            c: campaign(c, given.times, disk, random.Random(f"{given.seed} {c}")) for c in given.commands
        }
        if given.output:
            shutil.copytree(disk, given.output, dirs_exist_ok=True)
    print(
        f"| command | {' | '.join(EXPECTED)} | faults | runs | samples | lost samples | differing results | other |"
    )
    print("|---" * (len(EXPECTED) + 7) + "|")
    for command, tally in tallies.items():
        counts = " | ".join(str(tally.faults[fault]) for fault in EXPECTED)
        other = len(tally.defects) - tally.differing - (tally.lost > 0)
        print(
            f"| {command} | {counts} | {sum(tally.faults.values())} | {tally.runs} | {tally.samples:,} | {tally.lost} "
            f"| {tally.differing} | {other} |"
        )
    for tally in tallies.values():
        for defect in tally.defects:
            print(f"\n{defect}")
    sys.exit(any(tally.defects for tally in tallies.values()))


if __name__ == "__main__":
    main()
