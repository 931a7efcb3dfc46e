"""What is left of a session once it has ended, until its counters are final."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastpptp.effects import Account, Effect, Emit
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.manager.call_ids import CallIds
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.manager.statistics import CallCounters, Statistics
from fastpptp.session import Cause, SessionView

# How long the dataplane may take to hand over final counters before the session is accounted
# without them. Seconds.
CLOSED_WAIT = 5.0

# Ended sessions that are remembered; about 1 kB each.
ENDED_KEPT = 1000


@dataclass(slots=True)
class Departure:
    """A session that has ended, as it was before. Its counters are final once they are there."""

    view: SessionView
    ended_at: float
    cause: Cause
    counters: CallCounters = field(default_factory=CallCounters)
    accounted: bool = False

    def account(self, counters: CallCounters) -> Occurrence | None:
        """AUTH/28, if there was a login."""
        view = self.view
        self.counters = counters
        self.accounted = True
        if view.login_at is None:
            return None
        return occur(
            "AUTH",
            28,
            peer=view.peer,
            user=view.user,
            group=view.group,
            duration=duration(self.ended_at - view.login_at),
            bytes_xmt=counters.sent_octets,
            bytes_rcv=counters.received_octets,
            reason=self.cause.whole,
            code=self.cause,
        )


class Departures:
    """The sessions that have ended: those whose counters are not final, and the last ones."""

    def __init__(self, deadlines: Deadlines, ids: CallIds, statistics: Statistics) -> None:
        self._deadlines = deadlines
        self._ids = ids
        self._statistics = statistics
        self._open: dict[int, Departure] = {}
        self._ended: deque[Departure] = deque(maxlen=ENDED_KEPT)
        deadlines.on(Timer.CLOSED, self._open.get, self._late)

    def __len__(self) -> int:
        """Those whose counters are not final."""
        return len(self._open)

    def handles(self) -> Iterable[int]:
        """Of those."""
        return self._open

    def ended(self) -> Sequence[Departure]:
        """The last ones, oldest first."""
        return self._ended

    def add(self, departure: Departure, now: float) -> None:
        handle = departure.view.handle
        self._open[handle] = departure
        self._ended.append(departure)
        self._statistics.ended[departure.cause.code] += 1
        self._deadlines.set((Timer.CLOSED, handle), now + CLOSED_WAIT)

    def closed(self, handle: int, counters: CallCounters) -> list[Effect]:
        """The dataplane closed the call: its counters are final and its Call-ID is free."""
        departure = self._open.pop(handle, None)
        if departure is None:
            return []
        self._deadlines.cancel((Timer.CLOSED, handle))
        self._ids.free(handle)
        self._statistics.session_ended(counters)
        if departure.accounted:
            departure.counters = counters
            return []
        return _account(departure, counters)

    def _late(self, departure: Departure, now: float) -> list[Effect]:
        """Account without final counters; the Call-ID stays taken until they come."""
        return _account(departure, CallCounters())


def _account(departure: Departure, counters: CallCounters) -> list[Effect]:
    told = departure.account(counters)
    return [*([] if told is None else [Emit(told)]), Account(departure)]


def duration(seconds: float) -> str:
    """H:MM:SS, hours without bound."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
