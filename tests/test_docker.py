"""The Docker files as far as they can be checked without an engine: contents, and the smoke test rehearsed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from programs import drop_in, quick_drop_in

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.+)$", text, re.M) for word in line.split()[:-1]]
    assert "timeloop_marl" in copied and "docker/smoke.sh" in copied
    let_through = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_through, name


def test_the_image_is_based_on_the_published_one_and_runs_without_privileges() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert "FROM ${BASE_IMAGE}:${BASE_TAG}${BASE_DIGEST}" in text
    assert "timeloopaccelergy/accelergy-timeloop-infrastructure" in text
    assert re.findall(r"^USER (.+)$", text, re.M)[-1] == "1000:1000"
    extras = re.search(r'install --no-cache-dir "\.\[(.+)\]"', text)
    assert extras is not None
    declared = re.search(r"optional-dependencies\]\n(.*?)\n\n", (ROOT / "pyproject.toml").read_text(), re.S)
    assert declared is not None
    for extra in extras[1].split(","):
        assert re.search(rf"^{extra} = ", declared[1], re.M), extra


def test_services() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert set(services) == {"search", "compare", "notebook"}
    for service in services.values():
        assert service["build"]["dockerfile"] == "docker/Dockerfile"
        (mounted,) = service["volumes"]
        assert (mounted["source"], mounted["target"]) == ("${DATA:-./data}", "/data")
        # Otherwise the engine makes the folder as root, and the user's ids cannot write into it.
        assert mounted["bind"] == {"create_host_path": False}
        assert service["user"] == "${USER_UID:-1000}:${USER_GID:-1000}"


def test_the_smoke_test_says_what_is_missing(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [DOCKER / "smoke.sh", tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "smoke: timeloop-model is not on the path\n")


@pytest.mark.slow
def test_the_smoke_test_rehearsed(tmp_path: Path) -> None:
    """With our drop-ins as the programs."""
    with quick_drop_in(tmp_path / "bin"):
        drop_in(tmp_path / "bin", "mapper")
        path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SMOKE_SAMPLES": "3", "SMOKE_SECONDS": "2"}
        done = subprocess.run(
            [DOCKER / "smoke.sh", tmp_path / "out"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        done.stdout.count("figures (doubles in two decimals): 0 differ") == 4
    )  # three machines and the winner
    assert "timeloop-mapper" in done.stdout
