"""Damaged run folders: files cut, flipped, with other values in them, also behind valid checksums."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

from timeloop_marl.cli import main
from timeloop_marl.run.trace import MAGIC

from .corpus import GOLDEN, ROOT

MACHINE, LAYER = ROOT / "arch" / "small_toy" / "arch.yaml", GOLDEN / "problems" / "toy_conv.yaml"
MADE = {
    "search": ["search", "--samples", "64"],
    "front": ["search", "--pareto", "--samples", "64"],
    "network": ["network", "--samples", "64"],
    "sweep": ["sweep", "--samples", "64", "--set", "BUF.attributes.depth=64,96"],
    "optimum": ["optimum", "--seconds", "0.05", "--samples", "64"],
    "compare": ["compare", "--samples", "32", "--seconds", "0.05", "--seeds", "1"],
}
DAMAGED = (
    "run.json", "summary.json", "front.json", "network.json", "sweep.json", "compare.json", "agents.json", "trace.bin",
    "frontier.npz", "knowledge.npz", "taught.npz", "inputs.yaml", "timeloop-marl.map.yaml", "ours.model.yaml",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1 << 31, 1 << 63, 1 << 70, -(1 << 63), 0.0, 0.5, -1.5, 1e300, float("inf"),
    float("nan"), "", "x", "edp", "../..", "\0", "µ" * 9, [], [1], ["x"], [[]], {}, {"x": 1}, [None], "9" * 5000,
)  # fmt: skip


class Folders:
    """One finished run of every kind; a copy of one is damaged in one file, then listed, reported and resumed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for kind, words in MADE.items():
            quiet = [] if kind == "compare" else ["--quiet"]
            run([words[0], str(MACHINE), str(LAYER), *words[1:], *quiet, "-o", str(home / kind)])
        self.files = [
            file.relative_to(home)
            for kind in MADE
            for file in sorted((home / kind).rglob("*"))
            if file.name in DAMAGED
        ]

    def run(self, seed: int) -> tuple[str, str]:
        """What was done to which file, and the defect, if there is one."""
        rng = random.Random(seed)
        file = rng.choice(self.files)
        kind = file.parts[0]
        copy = self.home / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.home / kind, copy)
        target = copy / Path(*file.parts[1:])
        target.write_bytes(damaged(target.read_bytes(), target.suffix, rng))
        words = [["runs", "--all", str(copy)], ["report", str(copy)]]
        if rng.random() < 0.3:
            words.append(["runs", "--compare", str(copy), str(self.home / kind)])
        if kind != "compare" and rng.random() < 0.5:
            words.append([MADE[kind][0], "--resume", "-o", str(copy), "--quiet"])
        for given in words:
            code, said = run(given)
            if code not in (0, 1, 2) or "Traceback" in said or len(said) > 20_000:
                return f"{file}", f"{' '.join(given[:2])}: status {code}, {said[-2000:]}"
        return f"{file}", ""


def run(words: list[str]) -> tuple[int, str]:
    """Exit status and everything said; an exception that ``main`` lets through is a defect, and goes through."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, said.getvalue()


def damaged(content: bytes, suffix: str, rng: random.Random) -> bytes:
    """The file after one to three damages."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        if suffix == ".json" and rng.random() < 0.75:
            content = _json(content, rng)
        elif suffix == ".bin" and rng.random() < 0.7:
            content = _trace(content, rng)
        else:
            content = flipped(content, rng)
    return content


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Bits, bytes, the end."""
    data = bytearray(content)
    way = rng.randrange(4)
    at = rng.randrange(len(data)) if data else 0
    if way == 0 or not data:
        return bytes(data[:at])
    if way == 1:
        data[at] ^= 1 << rng.randrange(8)
    elif way == 2:
        data[at : at + rng.randint(1, 64)] = rng.randbytes(rng.randint(0, 64))
    else:
        data += rng.randbytes(rng.randint(1, 64))
    return bytes(data)


def _json(content: bytes, rng: random.Random) -> bytes:
    try:
        data = json.loads(content)
    except ValueError:
        return flipped(content, rng)
    places = [place for place in _places(data, ()) if place]
    if not places or rng.random() < 0.02:
        return json.dumps(rng.choice(VALUES)).encode()
    *way, last = rng.choice(places)
    inner = data
    for key in way:
        inner = inner[key]
    if rng.random() < 0.3:
        del inner[last]
    else:
        inner[last] = rng.choice(VALUES)
    return json.dumps(data).encode()


def _places(data: Any, way: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """A few of each list, so that long ones do not take all the chances."""
    found = [way]
    if isinstance(data, dict):
        for key in data:
            found += _places(data[key], (*way, key))
    elif isinstance(data, list):
        for index in range(min(len(data), 3)):
            found += _places(data[index], (*way, index))
    return found


def _trace(content: bytes, rng: random.Random) -> bytes:
    """A block changed, and its checksum with it."""
    blocks, at = [], len(MAGIC)
    while at + 8 <= len(content):
        length = struct.unpack_from("<I", content, at)[0]
        blocks.append(content[at + 8 : at + 8 + length])
        at += 8 + length
    if not blocks:
        return flipped(content, rng)
    index = rng.randrange(len(blocks)) if rng.random() < 0.7 else 0
    change = _json if index == 0 and rng.random() < 0.7 else flipped
    blocks[index] = change(blocks[index], rng)
    return MAGIC + b"".join(struct.pack("<II", len(b), zlib.crc32(b)) + b for b in blocks)
