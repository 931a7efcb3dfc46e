"""C baselines, compiled when a benchmark runs."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def library(source: str, *flags: str) -> Iterator[ctypes.CDLL]:
    """The shared library made of `source` here, linked with OpenSSL's libcrypto."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "library.so"
        words = ["cc", "-fPIC", "-shared", "-Wno-deprecated-declarations", *flags]
        place = Path(__file__).with_name(source)
        subprocess.run([*words, "-o", str(made), str(place), "-lcrypto"], check=True)
        yield ctypes.CDLL(str(made))
