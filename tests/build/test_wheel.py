"""The wheel installs and works outside the source tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

PROBE = """
import fastpptp, fastpptp.pptp, fastpptp.ppp, fastpptp.dataplane, pathlib, sys
assert pathlib.Path(fastpptp.__file__).is_relative_to(sys.argv[1]), fastpptp.__file__
from fastpptp import Dataplane
print(fastpptp.__version__, Dataplane.__name__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    subprocess.run(
        ["git", "-c", "advice.detachedHead=false", "clone", "-q", str(ROOT), str(source)],
        check=True,
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "-w", str(out), str(source)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def test_contents(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("_core.pxd", "_core.pyi", "py.typed", "include/fastpptp.h"):
        assert f"fastpptp/{name}" in names
    assert any(name.startswith("fastpptp/_core.") and name.endswith(".so") for name in names)
    assert any(name.startswith("fastpptp/store/") for name in names)


def test_installed_outside_the_tree(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site),
         str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, str(site)],
        check=False, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert probe.returncode == 0, probe.stderr
    version = subprocess.run(
        [sys.executable, "-m", "fastpptp", "version"],
        check=False, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert version.returncode == 0, version.stderr
