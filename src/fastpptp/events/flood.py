"""How many events a second are told: what exceeds it is counted, and its count is told instead.

Each kind (class and number) has a budget, and so have all together, decoding and debugging apart
from the rest, so that neither hides the other. Budgets are generous for honest work: 1,000 logins
a second with the usual severities, 100 a second with every message decoded. What is refused takes
half a place, so that of a kind that happens at twice its budget a sample alone is told: a flood
must cost the sessions nothing, and says all it has to say with a few of its events.

What is refused is charged when the sample is due, not at once: refusing must cost next to nothing.
"""

from __future__ import annotations

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


ORDINARY = Tier(Budget(1_000, 1_000), Budget(8_000, 8_000))
CLOSE = Tier(Budget(3_000, 3_000), Budget(8_000, 8_000))

# What an event that is refused costs its kind, and seconds between two of a kind's sample.
REFUSAL = 0.5
SAMPLE = 0.1

# How long what was suppressed is counted before it is told. Seconds.
INTERVAL = 10.0


class _Bucket:
    """Places for events, which come back with time. It begins full."""

    __slots__ = ("_at", "_budget", "_places")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._places = budget.burst
        self._at = 0.0

    def has(self, now: float) -> bool:
        """Whether one more may pass."""
        places = self._places + (now - self._at) * self._budget.rate
        self._places = min(places, self._budget.burst)
        self._at = now
        return self._places >= 1.0

    def take(self) -> None:
        self._places -= 1.0

    def owe(self, refused: int) -> None:
        """Take half a place for each that was refused; a second later it is as before."""
        self._places = max(self._places - REFUSAL * refused, -self._budget.rate)


class _Gate:
    """Where events of a kind pass. It is shut between two of a sample if a budget is used up.

    While it is shut an event costs one comparison and one addition: see `Flood.admits`.
    """

    __slots__ = ("_buckets", "_spent", "_told_at", "before", "refused", "shut_until", "untold")

    def __init__(self, own: _Bucket, total: _Bucket) -> None:
        self._buckets = own, total
        self._spent = own
        self._told_at = -SAMPLE
        self.shut_until = 0.0
        self.refused = 0  # since it was shut
        self.untold = self.before = 0  # refused before that, and told already

    def opens(self, now: float) -> bool:
        """Whether an event passes now that the gate is not shut."""
        self.settle()
        for bucket in self._buckets:
            if not bucket.has(now):
                self._spent = bucket
                return self._shut(now)
        for bucket in self._buckets:
            bucket.take()
        self._told_at = now
        return True

    def _shut(self, now: float) -> bool:
        """Whether this one is of the sample."""
        sampled = now - self._told_at >= SAMPLE
        if sampled:
            self._spent.owe(1)
            self._told_at = now
        else:
            self.refused += 1
        self.shut_until = self._told_at + SAMPLE
        return sampled

    def settle(self) -> None:
        """Charge what was refused to the budget that was used up."""
        if self.refused:
            self._spent.owe(self.refused)
            self.untold += self.refused
            self.refused = 0


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
        self._tiers = [(tier, _Bucket(tier.total)) for tier in (ordinary, close)]
        self._gates: dict[Kind, _Gate] = {}
        self._since: float | None = None

    @property
    def suppressed(self) -> Mapping[Kind, int]:
        """How many of each kind did not pass since start."""
        counts = {
            kind: gate.before + gate.untold + gate.refused for kind, gate in self._gates.items()
        }
        return {kind: count for kind, count in counts.items() if count}

    def admits(self, kind: Kind, severity: int, now: float) -> bool:
        """Whether an event that happened `now` is told."""
        gate = self._gates.get(kind)
        if gate is None:
            tier, total = self._tiers[severity >= DEBUG_HIGH]
            gate = self._gates[kind] = _Gate(_Bucket(tier.kind), total)
        if now < gate.shut_until:
            gate.refused += 1
            return False
        passes = gate.opens(now)
        if self._since is None and now < gate.shut_until:
            self._since = now
        return passes

    def tell(self, now: float) -> list[Suppressed]:
        """What was suppressed since this was last asked."""
        if self._since is None:
            return []
        seconds, self._since = now - self._since, None
        told = []
        for kind, gate in sorted(self._gates.items()):
            gate.settle()
            gate.shut_until = now
            if gate.untold:
                told.append(Suppressed(*kind, gate.untold, seconds))
                gate.before, gate.untold = gate.before + gate.untold, 0
        return told
