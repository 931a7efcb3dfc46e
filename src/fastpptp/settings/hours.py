"""Access Hours: when a user may log in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WHOLE_DAY = 24 * 60
WHOLE_WEEK = 7 * WHOLE_DAY
ALLOWED = "days and times such as `Mon-Fri 09:00-17:00` or `Sat,Sun 00:00-24:00`"

_SPAN = re.compile(r"(\S+)\s+(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class HoursSpan:
    """Some days of the week (0 = Monday) from minute `start` up to, not including, minute `end`."""

    days: frozenset[int]
    start: int
    end: int

    def __str__(self) -> str:
        days = ",".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {_clock(self.start)}-{_clock(self.end)}"

    def covers(self, wall: datetime) -> bool:
        return wall.weekday() in self.days and self.start <= wall.hour * 60 + wall.minute < self.end


@dataclass(frozen=True, slots=True)
class AccessHours:
    """A named set of hours."""

    name: str
    spans: tuple[HoursSpan, ...]

    def allows(self, wall: datetime) -> bool:
        """Whether a login at `wall`, the local time of this machine, is within the hours."""
        return any(span.covers(wall) for span in self.spans)

    def remaining(self, wall: datetime) -> float | None:
        """Seconds from `wall` until the hours end, None when they never do; 0 outside of them."""
        at = wall.weekday() * WHOLE_DAY + wall.hour * 60 + wall.minute
        end = at
        while (further := self._end_of_span(end % WHOLE_WEEK)) is not None:
            end += further
            if end - at >= WHOLE_WEEK:
                return None
        return max(0.0, 60.0 * (end - at) - wall.second - wall.microsecond / 1e6)

    def _end_of_span(self, minute: int) -> int | None:
        """How many minutes the longest span that covers this minute of the week still lasts."""
        day, of_day = divmod(minute, WHOLE_DAY)
        left = [s.end - of_day for s in self.spans if day in s.days and s.start <= of_day < s.end]
        return max(left, default=None)


NO_RESTRICTIONS = AccessHours("No Restrictions", (HoursSpan(frozenset(range(7)), 0, WHOLE_DAY),))
NEVER = AccessHours("Never", ())
BUSINESS_HOURS = AccessHours("Business Hours", (HoursSpan(frozenset(range(5)), 540, 1020),))
BUILT_IN = {hours.name: hours for hours in (NO_RESTRICTIONS, NEVER, BUSINESS_HOURS)}


def read_hours(name: str, spans: Sequence[str]) -> AccessHours:
    """The set of hours that these texts tell; a text that tells none is a ValueError."""
    return AccessHours(name, tuple(_span(text) for text in spans))


def _clock(minute: int) -> str:
    return "{:02}:{:02}".format(*divmod(minute, 60))


def _span(text: str) -> HoursSpan:
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(ALLOWED)
    hours = [int(part) for part in found.groups()[1:]]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if not start < end <= WHOLE_DAY or max(hours[1], hours[3]) > 59:
        raise ValueError(ALLOWED)
    return HoursSpan(_days(found[1]), start, end)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        low, high = _day(first), _day(last or first)
        # A range may run over the end of the week: Fri-Mon.
        found |= {day % 7 for day in range(low, high + 1 if low <= high else high + 8)}
    return frozenset(found)


def _day(text: str) -> int:
    try:
        return DAYS.index(text.capitalize())
    except ValueError:
        raise ValueError(ALLOWED) from None
