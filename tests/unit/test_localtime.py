"""Local time is what the zone says, second by second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from fastpptp.localtime import local, wall_clock

# Clocks went forward in New York then, and back in the autumn.
SPRING = datetime(2026, 3, 8, 7, tzinfo=UTC).timestamp()
AUTUMN = datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (SPRING - 0.001, "2026-03-08T01:59:59.999000-05:00"),
        (SPRING, "2026-03-08T03:00:00-04:00"),
        (SPRING - 1, "2026-03-08T01:59:59-05:00"),
        (AUTUMN - 0.5, "2026-11-01T01:59:59.500000-04:00"),
        (AUTUMN + 0.5, "2026-11-01T01:00:00.500000-05:00"),
    ],
)
def test_the_zone_is_of_the_moment(seconds: float, expected: str) -> None:
    for _ in range(2):  # looked up, and remembered
        assert local(seconds).isoformat() == expected


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    now = wall_clock()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() is not None
