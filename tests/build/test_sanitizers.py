"""The extension built with AddressSanitizer and UBSan runs the same hostile corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def runtime(name: str) -> str:
    found = subprocess.run(
        ["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the extension built for the sanitizers."""
    tree = tmp_path_factory.mktemp("sanitized")
    ignore = shutil.ignore_patterns("*.so", "_core.c", "__pycache__")
    shutil.copytree(ROOT / "src", tree / "src", ignore=ignore)
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=ignore)
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=tree, check=True, capture_output=True, timeout=400,
        env={**os.environ, "FASTPPTP_SANITIZE": "1"},
    )  # fmt: skip
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (tree.parent / "shared").symlink_to(shared)
    return tree


@pytest.mark.parametrize("folder", ["dataplane", "crypto", "embedding"])
def test_hostile_corpus(sanitized: Path, folder: str) -> None:
    environment = {
        **os.environ,
        "LD_PRELOAD": f"{runtime('libasan.so')}:{runtime('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONPATH": str(sanitized / "src"),
        "PYTHONMALLOC": "malloc",
        "PYCRYPTODOME_DISABLE_DEEPBIND": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", f"tests/unit/{folder}",
         "--ignore=tests/unit/dataplane/test_memory.py"],  # the sanitizer's own memory counts there
        cwd=sanitized, env=environment, check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
