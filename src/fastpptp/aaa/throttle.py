"""Failed logins hold off further ones: per source and user, per source, and per user.

The pair stops somebody who guesses one user's password, the source somebody who tries many
users, the user somebody who guesses from many places; the last is the mildest, because it
also holds off the user.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv4Address

# How many subjects a counter remembers; the one that failed longest ago goes first.
CAPACITY = 8192
# Seconds without a failure after which a subject is forgotten.
MEMORY = 900.0
# The first hold-off, in seconds; each further failure doubles it.
FIRST = 1.0


@dataclass(slots=True)
class _Record:
    failures: int
    last: float
    until: float


class _Counter:
    """Failures by subject. The first `free` cost nothing; `longest` (s) bounds a hold-off."""

    def __init__(self, free: int, longest: float, capacity: int) -> None:
        self.free = free
        self.longest = longest
        self.capacity = capacity
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def held_until(self, subject: Hashable, now: float) -> float:
        record = self._records.get(subject)
        return record.until if record is not None else now

    def describe(self, subject: Hashable, now: float) -> str:
        record = self._records.get(subject)
        if record is None or now - record.last > MEMORY:
            return "none"
        left = record.until - now
        return f"{record.failures}" + (f", held off for {left:.0f} s" if left > 0 else "")

    def failed(self, subject: Hashable, now: float) -> _Record:
        record = self._records.pop(subject, None)
        if record is None or now - record.last > MEMORY:
            record = _Record(0, now, now)
        record.failures += 1
        record.last = now
        excess = record.failures - self.free
        if excess > 0:
            # The exponent is bounded too: failures may come for ever.
            record.until = now + min(FIRST * 2.0 ** min(excess - 1, 32), self.longest)
        self._records[subject] = record
        if len(self._records) > self.capacity:
            self._records.popitem(last=False)
        return record

    def forget(self, subject: Hashable) -> None:
        self._records.pop(subject, None)

    def __len__(self) -> int:
        return len(self._records)


@dataclass(frozen=True, slots=True)
class HoldOff:
    """A failure that starts a hold-off of so many seconds."""

    seconds: float
    failures: int


class Throttle:
    """Whether a login may be tried now."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._pairs = _Counter(5, 300.0, capacity)
        self._sources = _Counter(20, 300.0, capacity)
        self._users = _Counter(50, 30.0, capacity)

    def holds(self, source: IPv4Address, user: str, now: float) -> bool:
        """Whether a login of `user` from `source` is held off at `now`."""
        return now < max(
            self._pairs.held_until((source, user), now),
            self._sources.held_until(source, now),
            self._users.held_until(user, now),
        )

    def describe(self, source: IPv4Address, user: str, now: float) -> str:
        """The failures that are remembered, and the hold-offs, in words."""
        return "; ".join(
            f"{whose}: {counter.describe(subject, now)}"
            for whose, counter, subject in (
                ("of this user from this address", self._pairs, (source, user)),
                ("from this address", self._sources, source),
                ("of this user", self._users, user),
            )
        )

    def failed(self, source: IPv4Address, user: str, now: float) -> HoldOff | None:
        """Count a failure; the hold-off that it starts, if any."""
        records = (
            self._pairs.failed((source, user), now),
            self._sources.failed(source, now),
            self._users.failed(user, now),
        )
        longest = max(records, key=lambda record: record.until)
        if longest.until <= now:
            return None
        return HoldOff(longest.until - now, longest.failures)

    def succeeded(self, source: IPv4Address, user: str) -> None:
        """Forget the user's failures; the source's stay, or an own account would clear them."""
        self._pairs.forget((source, user))
        self._users.forget(user)

    def __len__(self) -> int:
        return len(self._pairs) + len(self._sources) + len(self._users)
