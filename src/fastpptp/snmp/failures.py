"""Requests that were not answered, told seldom: each kind at once, then once a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

INTERVAL = 60.0  # seconds


class Failure(Enum):
    """Why; the words are those of the event."""

    MANAGER = "its address is none of the managers'"
    COMMUNITY = "a wrong community"
    WRITE = "a Set with the community that may only read"
    USER = "a wrong SNMPv3 user, password or security level"
    MALFORMED = "no SNMP message that is understood here"


# Is told why, how many there were since it was last told, and the address of the last.
Tell: TypeAlias = Callable[[Failure, int, str], object]


@dataclass(slots=True)
class Failures:
    """Counts failures, and tells of them."""

    tell: Tell
    _counts: dict[Failure, int] = field(default_factory=dict)
    _told: dict[Failure, float] = field(default_factory=dict)

    def add(self, failure: Failure, address: str, now: float) -> None:
        count = self._counts.get(failure, 0) + 1
        if now - self._told.get(failure, -INTERVAL) >= INTERVAL:
            self.tell(failure, count, address)
            self._told[failure], count = now, 0
        self._counts[failure] = count
