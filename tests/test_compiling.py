"""How kernels are compiled: cached code is never stale, and every place to keep it, or none, will do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import NumbaError

from timeloop_marl.errors import InstallationError
from timeloop_marl.kernels import numba_internals, progress
from timeloop_marl.kernels.compiling import CALLED, PACKAGE, allocating, inlined, is_cached, kernel
from timeloop_marl.kernels.numba_internals import KNOWN, replace, taken, takes


def defines_kernels(path: Path) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[-1] == "compiling"
        and {"kernel", "inlined", "allocating"} & {alias.name for alias in node.names}
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_every_kernel_lies_where_its_cache_looks_for_changes():
    found = [path for path in PACKAGE.rglob("*.py") if defines_kernels(path)]
    assert len(found) > 30
    for path in found:
        name = path.relative_to(PACKAGE).as_posix()
        assert any(name.startswith(f"{folder}/") for folder in CALLED[name.split("/")[0]]), name


@kernel
def one_row(rows: np.ndarray, i: int) -> int:
    return total(rows[i])


@inlined
def total(row: np.ndarray) -> int:
    sum_ = 0
    for value in row:
        sum_ += value
    return sum_


@allocating
def doubled(row: np.ndarray) -> np.ndarray:
    return np.concatenate((row, row))


@kernel
def careless(n: int) -> int:
    return np.zeros(n, np.int64).shape[0]


def test_views_need_no_counting_but_new_arrays_do():
    rows = np.arange(6).reshape(2, 3)
    before = sys.getrefcount(rows)
    assert [one_row(rows, i) for i in range(2)] == [3, 12]
    assert sys.getrefcount(rows) == before
    assert doubled(rows[0]).tolist() == [0, 1, 2, 0, 1, 2]
    with pytest.raises(NumbaError):
        careless(3)
    assert is_cached(one_row)


def run_script(code: str, root: Path = PACKAGE.parent, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**inherited, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PROBE = """
import numba.core.caching as caching
{prelude}
from timeloop_marl.kernels.compiling import is_cached
from timeloop_marl.traffic.nest import find_fault
import numpy as np
before = is_cached(find_fault)
ones = np.ones(3, np.int64)
print(find_fault(ones, ones, np.zeros(3, np.uint8), 1), before, is_cached(find_fault), find_fault.stats.cache_path)
"""


def test_code_is_kept_where_the_user_says(tmp_path):
    code = PROBE.format(prelude="")
    first = run_script(code, NUMBA_CACHE_DIR=str(tmp_path)).split(maxsplit=3)
    again = run_script(code, NUMBA_CACHE_DIR=str(tmp_path)).split(maxsplit=3)
    assert first[:3] == ["0", "False", "True"]
    assert again[:3] == ["0", "True", "True"]
    assert Path(again[3]).is_relative_to(tmp_path)


def test_nothing_can_be_written_anywhere():
    prelude = """
def refuse(self):
    raise PermissionError("read-only")
for locator in caching.CacheImpl._locator_classes:
    locator.ensure_cache_path = refuse
"""
    assert run_script(PROBE.format(prelude=prelude)).split(maxsplit=3)[:3] == ["0", "False", "True"]


def test_read_only_package_uses_the_cache_of_the_user(tmp_path):
    prelude = """
def refuse(self):
    raise PermissionError("read-only")
for locator in caching.CacheImpl._locator_classes:
    if "InTree" in locator.__name__:
        locator.ensure_cache_path = refuse
"""
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    out = run_script(PROBE.format(prelude=prelude), **environment).split(maxsplit=3)
    assert out[:3] == ["0", "False", "True"]
    assert Path(out[3]).is_relative_to(tmp_path)


def bare_package(folder: Path) -> Path:
    """A package of our name with the room ``traffic`` and nothing but how kernels are compiled."""
    package = folder / "timeloop_marl"
    for room in ("traffic", "kernels"):
        (package / room).mkdir(parents=True)
    for name in ("__init__.py", "traffic/__init__.py", "kernels/__init__.py"):
        (package / name).write_text("")
    for name in ("kernels/compiling.py", "errors.py", "kernels/numba_internals.py"):
        (package / name).write_text((PACKAGE / name).read_text())
    return package


def test_a_changed_callee_is_compiled_again(tmp_path):
    """A copy of the package with one kernel changed between two processes that share a cache."""
    package = bare_package(tmp_path)
    (package / "traffic" / "caller.py").write_text(
        "from ..kernels.compiling import kernel\nfrom .callee import change\n\n"
        "@kernel\ndef run(x):\n    return change(x) + 1\n"
    )
    results = []
    for body in ("2 * x", "30 * x"):
        (package / "traffic" / "callee.py").write_text(
            f"from ..kernels.compiling import kernel\n\n@kernel\ndef change(x):\n    return {body}\n"
        )
        code = "from timeloop_marl.traffic.caller import run; print(run(1))"
        results.append(run_script(code, tmp_path, PYTHONDONTWRITEBYTECODE="1"))
    assert results == ["3", "31"]


def test_an_index_of_another_version_is_no_obstacle(tmp_path):
    """Records are named in the index of the cache: one that was renamed since cannot be unpickled."""
    package = bare_package(tmp_path)
    results = []
    for record in ("Former", "Present"):
        (package / "traffic" / "kernels.py").write_text(
            "from typing import NamedTuple\nfrom ..kernels.compiling import kernel\n\n"
            f"class {record}(NamedTuple):\n    x: int\n\n"
            f"@kernel\ndef run(record):\n    return record.x + 1\n\nrecord = {record}(2)\n"
        )
        code = "from timeloop_marl.traffic.kernels import record, run; print(run(record))"
        results.append(run_script(code, tmp_path, PYTHONDONTWRITEBYTECODE="1"))
    assert results == ["3", "3"]


def keeping(folder: Path) -> tuple[str, Path]:
    """A small kernel in a package of its own: a program that prints what it returns, and the folder of its code."""
    package = bare_package(folder)
    (package / "traffic" / "twice.py").write_text(
        "from ..kernels.compiling import kernel\n\n@kernel\ndef run(x):\n    return 2 * x\n"
    )
    code = (
        "from timeloop_marl.traffic.twice import run\n"
        "print(run(21), run(1.5), sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values()))"
    )
    return code, package / "traffic" / "__pycache__"


def test_damaged_code_is_compiled_anew_and_then_kept(tmp_path):
    """Any byte of index or code; a file in the place of another; a file cut, emptied or missing."""
    script, cache = keeping(tmp_path)
    assert run_script(script, tmp_path) == "42 3.0 0 2"
    assert run_script(script, tmp_path) == "42 3.0 2 0"
    code = sorted(cache.glob("*.nbc"))
    assert len(code) == 2
    first, second = (file.read_bytes() for file in code)
    code[0].write_bytes(second), code[1].write_bytes(first)  # each says of which signature it is
    assert run_script(script, tmp_path) == "42 3.0 0 2"
    code[0].write_bytes(first[: len(first) // 2])
    code[1].unlink()
    assert run_script(script, tmp_path) == "42 3.0 0 2"
    assert run_script(script, tmp_path) == "42 3.0 2 0"


def test_a_full_disk_stops_no_kernel(tmp_path):
    script, _ = keeping(tmp_path)
    full = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    full += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    assert run_script(full + script, tmp_path).startswith("42 3.0 0")
    assert run_script(script, tmp_path) == "42 3.0 0 2"
    assert run_script(script, tmp_path) == "42 3.0 2 0"


def test_only_what_python_calls_is_kept_on_disk(tmp_path):
    package = bare_package(tmp_path)
    (package / "halves.py").write_text(
        "from .kernels.compiling import inlined, kernel\n\n"
        "@inlined\ndef half(x):\n    return x // 2\n\n"
        "@kernel\ndef both(x, y):\n    return half(x) + half(y)\n\n"
        "@kernel\ndef run(x):\n    return both(x, 7) + half(9)\n"
    )
    code = "from timeloop_marl.halves import both, run; print(run(5), len(both.signatures))"
    assert [run_script(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)] == [
        "9 0",
        "9 0",
    ]
    assert [file.name.split("-")[0] for file in (tmp_path / "cache").rglob("*.nbi")] == ["halves.run"]
    also = "from timeloop_marl.halves import both, run; print(both(5, 7), run(5), both.py_func.__name__)"
    assert run_script(also, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == "5 9 both"


def test_what_another_numba_lacks_is_said_in_plain_words():
    for reach in (
        lambda: taken(one_row, "stats.cache_place"),
        lambda: replace(one_row, "get_call_pattern", print),
        lambda: takes(bare_package, "folder", "library"),
    ):
        with pytest.raises(
            InstallationError, match=r"numba \S+ is not one that this works with: .* has no "
        ) as caught:
            reach()
        assert all(version in str(caught.value) for version in KNOWN["numba"])


def test_the_command_line_ends_with_that_message():
    code = (
        "import sys, numba.core.compiler as changed; del changed.compile_extra\n"
        "from timeloop_marl.cli import main; sys.stderr = sys.stdout; print(main(['model', 'x.yaml']))"
    )
    first, *_, last = run_script(code).splitlines()
    assert first.endswith("numba.core.compiler has no 'compile_extra'") and last == "2"


def test_the_versions_named_are_those_that_the_package_admits():
    text = (PACKAGE.parent / "pyproject.toml").read_text()
    oldest, newest = (number.rpartition(".")[0] for number in KNOWN["numba"])
    major, minor = newest.split(".")
    assert f'"numba>={oldest},<{major}.{int(minor) + 1}"' in text


def test_progress_is_told_with_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(numba_internals, "keep_on_disk", lambda *_: None)
    lines: list[str] = []

    def doubled_plus(rows: np.ndarray) -> int:
        return 2 * rows.shape[0] + 1

    with progress.compiling(lines.append, "a kernel", 4):
        assert kernel(doubled_plus)(np.zeros(3)) == 7
    assert lines[0] == "compiling a kernel, once; the result is kept for later runs"
    assert re.fullmatch(r"compiling a kernel: 25%, about \d+ s left", lines[1])
    with progress.compiling(None, "nothing that anybody is told of", 1):
        assert kernel(doubled_plus)(np.zeros(3)) == 7
    assert len(lines) == 2
