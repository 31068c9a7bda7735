"""What people install: the wheel, built from the sdist, has everything, says what it is, works where it is alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from timeloop_marl.errors import UsageError
from timeloop_marl.specs.shipped import NAMES, copy_shipped, located, shipped_root

ROOT = Path(__file__).resolve().parent.parent
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def tracked(*folders: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def build(what: str, source: Path, target: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(target)],
        cwd=source, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    for name in tracked():  # a copy: building leaves files behind
        if not name.startswith("tests/golden"):
            (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "checkout" / name).write_bytes((ROOT / name).read_bytes())
    with tarfile.open(build("build_sdist", folder / "checkout", folder)) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    for name in ("tests/test_house.py", "benchmarks/throughput.py", "docs/model.md", "Makefile"):
        assert (unpacked / name).is_file(), name
    return build("build_wheel", unpacked, folder)


def test_the_wheel_is_whole(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert set(tracked("timeloop_marl")) - names == set()
    assert {f"timeloop_marl/shipped/{name}" for name in tracked(*NAMES)} - names == set()
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert metadata["License-Expression"] == "MIT"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata.get_all("Project-URL")
    text = str(metadata.get_payload())
    assert "# timeloop-marl" in text
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("http")] == []


def test_the_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import timeloop_marl as tm\n"
        "from timeloop_marl.cli import main\n"
        "assert tm.__file__.startswith(sys.path[0]), tm.__file__\n"
        "assert main(['examples']) == 0\n"
        "print(len(tm.load(['arch/eyeriss_like', 'problems/resnet18/conv4_3x3.yaml']).architecture.storage))\n"
        "assert main(['examples', '--copy', 'mine']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "empty", capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "arch/simba_like" in done.stdout
    assert "examples/tutorial.ipynb" in done.stdout
    copied = {str(path.relative_to(tmp_path / "empty/mine")) for path in (tmp_path / "empty/mine").rglob("*")}
    assert set(tracked(*NAMES)) - copied == set()


def test_what_is_on_disk_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert located("arch/eyeriss_like") == shipped_root() / "arch/eyeriss_like"
    (tmp_path / "arch/eyeriss_like").mkdir(parents=True)
    assert located("arch/eyeriss_like") == Path("arch/eyeriss_like")
    assert located("docs/model.md") == Path("docs/model.md")
    with pytest.raises(UsageError, match="is there already"):
        copy_shipped(tmp_path)
