"""A dataplane on socket pairs for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .rig import Rig, rig


@pytest.fixture
def wire() -> Iterator[Rig]:
    """One worker, no call yet."""
    with rig() as made:
        yield made


@pytest.fixture
def call(wire: Rig) -> Rig:
    """One worker, one call in the clear with its gate open."""
    wire.open()
    return wire
