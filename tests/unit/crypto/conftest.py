"""Kernels are picked by force, and put back after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

core = pytest.importorskip("fastpptp._core", reason="the extension is not built")


@pytest.fixture(autouse=True)
def measured_kernels() -> Iterator[None]:
    yield
    core.set_cpu_level("auto")


def levels() -> list[str]:
    """What this CPU has, of portable, sse, avx2, avx512."""
    core.set_cpu_level("auto")
    return list(core.CPU_LEVELS[: core.CPU_LEVELS.index(core.cpu_level()) + 1])


def shapes() -> list[str]:
    """The kernels that run here, each with the number of streams in a group."""
    core.set_cpu_level("auto")
    return list(core.mppe_shapes())
