"""Access Hours."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fastpptp.settings.hours import BUSINESS_HOURS, NEVER, NO_RESTRICTIONS, read_hours

MONDAY = datetime(2003, 4, 7, 9, 0)
SATURDAY = datetime(2003, 4, 12, 12, 0)


@pytest.mark.parametrize(
    ("wall", "allowed"),
    [
        (MONDAY, True),
        (MONDAY.replace(hour=8, minute=59), False),
        (MONDAY.replace(hour=16, minute=59, second=59), True),
        (MONDAY.replace(hour=17), False),
        (SATURDAY, False),
    ],
)
def test_business_hours(wall: datetime, allowed: bool) -> None:
    assert BUSINESS_HOURS.allows(wall) is allowed


def test_always_and_never() -> None:
    assert NO_RESTRICTIONS.allows(SATURDAY.replace(hour=23, minute=59))
    assert not NEVER.allows(MONDAY)


def test_a_named_set() -> None:
    hours = read_hours("shop", ["Fri-Mon 10:00-12:30", "wed,THU 00:00-24:00"])
    assert hours.allows(SATURDAY.replace(hour=10))
    assert hours.allows(MONDAY.replace(hour=12, minute=29))
    assert not hours.allows(MONDAY.replace(hour=12, minute=30))
    assert hours.allows(datetime(2003, 4, 9, 23, 59))
    assert not hours.allows(datetime(2003, 4, 8, 11, 0))


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mon 9-17", "Noday 09:00-17:00", "Mon 17:00-09:00", "Mon 09:00-24:01",
     "Mon 09:60-17:00", "Mon-Foo 09:00-17:00", "Mon 09:00-09:00"],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="Mon-Fri 09:00-17:00"):
        read_hours("x", [text])


@pytest.mark.parametrize(
    ("spans", "wall", "seconds"),
    [
        (["Mon-Fri 09:00-17:00"], MONDAY, 8 * 3600),
        (["Mon-Fri 09:00-17:00"], MONDAY.replace(hour=16, minute=59, second=59), 1),
        (["Mon-Fri 09:00-17:00"], SATURDAY, 0),
        (["Sat,Sun 00:00-24:00"], SATURDAY, 36 * 3600),
        (["Mon 08:00-10:00", "Mon 09:30-12:00"], MONDAY, 3 * 3600),
        (["Mon 08:00-09:30", "Mon 09:30-12:00"], MONDAY, 3 * 3600),
        (["Sun 12:00-24:00", "Mon 00:00-01:00"], datetime(2003, 4, 13, 23, 0), 2 * 3600),
        (["Mon-Sun 00:00-24:00"], MONDAY, None),
        ([], MONDAY, 0),
    ],
)
def test_when_they_end(spans: list[str], wall: datetime, seconds: float | None) -> None:
    assert read_hours("x", spans).remaining(wall) == seconds


def test_they_end_when_they_no_longer_allow() -> None:
    hours = read_hours("x", ["Mon-Wed 07:30-09:00", "Tue-Sat 08:00-22:15", "Sun 23:00-24:00"])
    for minutes in range(7 * 24 * 60):
        wall = MONDAY + timedelta(minutes=minutes)
        left = hours.remaining(wall)
        assert left is not None
        assert (left > 0) is hours.allows(wall)
        assert not hours.allows(wall + timedelta(seconds=left))
        assert left == 0 or hours.allows(wall + timedelta(seconds=left - 1))
