"""What the headend is told. Failures seldom: each kind at once, then once a minute."""

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


@dataclass(frozen=True, slots=True)
class Refused:
    """Requests that failed: why, how many since it was last told, and who sent the last."""

    failure: Failure
    count: int
    manager: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Something that a manager has ended: the object that it set."""

    object: str
    manager: str


Notice: TypeAlias = Refused | Ended
Tell: TypeAlias = Callable[[Notice], object]


@dataclass(slots=True)
class Failures:
    """Counts failures, and tells of them."""

    tell: Tell
    _counts: dict[Failure, int] = field(default_factory=dict)
    _told: dict[Failure, float] = field(default_factory=dict)

    def add(self, failure: Failure, address: str, now: float) -> None:
        count = self._counts.get(failure, 0) + 1
        if now - self._told.get(failure, -INTERVAL) >= INTERVAL:
            self.tell(Refused(failure, count, address))
            self._told[failure], count = now, 0
        self._counts[failure] = count
