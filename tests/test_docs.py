"""Runs what the documents show. A fenced block takes part if its info string says so:

* ``yaml file=NAME`` is written to NAME in the document's own working folder;
* ``sh run`` (or ``sh run exit=2``) is run there by bash and has to end with that status, without a traceback. What it
  calls ``timeloop-marl`` asks this process, which has everything loaded; only README.md has the program itself;
* ``text shown`` right after it: each of its lines has to occur in what was printed (``…`` stands for anything);
* ``python run`` is run by Python; with ``needs=MODULE`` only where that can be imported: elsewhere the test ends
  as skipped.

The working folder has ``arch``, ``problems`` and ``mappers`` in it, as the root of the project does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO
from unittest import mock

import pytest
from programs import asked_by

from timeloop_marl.cli import main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "arch" / "README.md"]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    language: str
    options: dict[str, str]
    body: str
    line: int


def blocks(document: Path) -> list[Block]:
    text = document.read_text()
    found = []
    for match in FENCE.finditer(text):
        words = match["info"].split()
        pairs = (word.partition("=") for word in words[1:])
        options = {name: value for name, _, value in pairs}
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(words[0] if words else "", options, match["body"], line))
    return found


def runnable(document: Path) -> bool:
    return any("run" in block.options for block in blocks(document))


def command_line(
    words: list[str], *, environ: dict[str, str], stdout: TextIO, stderr: TextIO, cwd: Path
) -> int:
    """``timeloop-marl`` with these arguments, in this process."""
    before = Path.cwd()
    with mock.patch.dict(os.environ, environ, clear=True), redirect_stdout(stdout), redirect_stderr(stderr):
        os.chdir(cwd)
        try:
            return main(words)
        except SystemExit as end:  # argparse: --help and wrong arguments
            return int(end.code or 0)
        finally:
            os.chdir(before)


def run(block: Block, folder: Path, here: bool) -> tuple[int, str]:
    """``here``: ``timeloop-marl`` is a program that asks this process."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    script = [sys.executable, "-c"] if block.language == "python" else ["bash", "-e", "-c"]
    with (
        asked_by(folder / ".programs", "timeloop-marl", command_line) as attend,
        (folder / ".printed").open("w+") as printed,
    ):
        if here:
            places.insert(0, str(folder / ".programs"))
        process = subprocess.Popen(
            [*script, block.body],
            cwd=folder,
            env={**os.environ, "PATH": os.pathsep.join(places), "COLUMNS": "160"},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        attend(process)
        printed.seek(0)
        return process.returncode, printed.read()


def shown(expected: str, printed: str) -> list[str]:
    """Lines of ``expected`` that do not occur in ``printed``; runs of blanks count as one."""
    squeezed = re.sub(r"[ \t]+", " ", printed)
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in expected.splitlines()]
    patterns = {line: ".*".join(re.escape(part) for part in line.split("…")) for line in lines if line}
    return [line for line, pattern in patterns.items() if not re.search(pattern, squeezed)]


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if runnable(d)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_the_documents_show(document: Path, tmp_path: Path) -> None:
    for name in ("arch", "problems", "mappers"):
        (tmp_path / name).symlink_to(ROOT / name)
    printed, left_out = "", []
    for block in blocks(document):
        where = f"{document.relative_to(ROOT)}:{block.line}"
        if "needs" in block.options and find_spec(block.options["needs"]) is None:
            left_out.append(f"{where} needs {block.options['needs']}")
        elif "file" in block.options:
            (tmp_path / block.options["file"]).write_text(block.body)
        elif "run" in block.options:
            status, printed = run(block, tmp_path, document.name != "README.md")
            assert status == int(block.options.get("exit", "0")), f"{where}: status {status}\n{printed}"
            assert "Traceback" not in printed, f"{where}\n{printed}"
        elif "shown" in block.options:
            missing = shown(block.body, printed)
            assert not missing, f"{where}: not printed: {missing}\nprinted:\n{printed}"
    if left_out:
        pytest.skip(f"all but {', '.join(left_out)}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text())
    targets = [match["target"].partition("#")[0] for match in LINK.finditer(text)]
    broken = [t for t in targets if t and "://" not in t and not (document.parent / t).exists()]
    assert not broken, f"{document.relative_to(ROOT)}: {broken}"


def test_the_checker_can_fail() -> None:
    assert shown("two  words\nabc … xyz\n", "x two words y\nabc 1 xyz") == []
    assert shown("absent\n", "present") == ["absent"]
