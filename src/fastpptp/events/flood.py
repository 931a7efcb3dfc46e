"""How many events a second are told: what exceeds it is counted, and its count is told instead.

Each kind (class and number) has a budget, and so have all together, decoding and debugging apart
from the rest, so that neither hides the other. Budgets are generous for honest work: 1,000 logins
a second with the usual severities, 100 a second with every message decoded. What is refused takes
half a place, so that of a kind that happens at twice its budget a sample alone is told: a flood
must cost the sessions nothing, and says all it has to say with a few of its events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fastpptp.events.catalogue import DEBUG_HIGH

Kind: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Budget:
    """`rate` events a second for ever, and `burst` of them at once."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Tier:
    """The budgets of events of a range of severities: of each kind, and of all."""

    kind: Budget
    total: Budget


ORDINARY = Tier(Budget(1_000, 2_000), Budget(8_000, 16_000))
CLOSE = Tier(Budget(3_000, 4_000), Budget(8_000, 16_000))

# What an event that is refused costs its kind, and seconds between two of a kind's sample.
REFUSAL = 0.5
SAMPLE = 0.1

# How long what was suppressed is counted before it is told. Seconds.
INTERVAL = 10.0


class _Bucket:
    """Places for events, which come back with time. It begins full."""

    __slots__ = ("_at", "_budget", "_places", "_told")

    def __init__(self, budget: Budget, now: float) -> None:
        self._budget = budget
        self._places = budget.burst
        self._at = self._told = now

    def has(self, now: float) -> bool:
        """Whether one more may pass."""
        budget = self._budget
        places = self._places + (now - self._at) * budget.rate
        self._places = places if places < budget.burst else budget.burst
        self._at = now
        return self._places >= 1.0

    def take(self, now: float) -> None:
        self._places -= 1.0
        self._told = now

    def refuse(self, now: float) -> bool:
        """Take half a place; whether it is one of the sample after all."""
        if self._places > -self._budget.rate:  # a second later it is as before
            self._places -= REFUSAL
        if now - self._told < SAMPLE:
            return False
        self._told = now
        return True


@dataclass(frozen=True, slots=True)
class Suppressed:
    """`count` events of a kind were not told in the last `seconds`."""

    cls: str
    number: int
    count: int
    seconds: float


class Flood:
    """Says of each event whether it passes, and now and then what did not."""

    def __init__(self, ordinary: Tier = ORDINARY, close: Tier = CLOSE) -> None:
        self._tiers = ordinary, close
        self._kinds: dict[Kind, _Bucket] = {}
        self._totals: dict[bool, _Bucket] = {}
        self._since: float | None = None
        self._counts: Counter[Kind] = Counter()
        self._ever: Counter[Kind] = Counter()

    @property
    def suppressed(self) -> Mapping[Kind, int]:
        """How many of each kind did not pass since start."""
        return self._ever + self._counts

    def admits(self, kind: Kind, severity: int, now: float) -> bool:
        """Whether an event that happened `now` is told."""
        close = severity >= DEBUG_HIGH
        own = self._kinds.get(kind)
        if own is None:
            own = self._kinds[kind] = _Bucket(self._tiers[close].kind, now)
        if own.has(now):
            total = self._totals.get(close)
            if total is None:
                total = self._totals[close] = _Bucket(self._tiers[close].total, now)
            if total.has(now):
                own.take(now)
                total.take(now)
                return True
        elif own.refuse(now):
            return True
        if self._since is None:
            self._since = now
        self._counts[kind] += 1
        return False

    @property
    def due(self) -> float | None:
        """When it is time to `tell`; None while nothing is suppressed."""
        return None if self._since is None else self._since + INTERVAL

    def tell(self, now: float) -> list[Suppressed]:
        """What was suppressed since this was last asked."""
        if self._since is None:
            return []
        seconds, self._since = now - self._since, None
        told = [Suppressed(*kind, count, seconds) for kind, count in sorted(self._counts.items())]
        self._ever += self._counts
        self._counts.clear()
        return told
