"""Where events go: each is numbered and counted, and what the policy wants told is recorded.

Every event of the headend comes through here, in the event loop, so nothing here waits. A flood is
cut before any text is made of it (events/flood.py); what was cut is told by SYSTEM/133.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.flood import INTERVAL, Flood
from fastpptp.events.log import EventLog, EventPage, EventQuery, EventRecord, Numbering
from fastpptp.events.routing import Destination, EventPolicy
from fastpptp.localtime import wall_clock
from fastpptp.recorder.past import ENDED_KEPT, EndedPage, Wanted, page_of
from fastpptp.recorder.sinks import SinkStatus

T = TypeVar("T")

NOWHERE: frozenset[Destination] = frozenset()

Record = Callable[[Occurrence], object]
Above = Callable[[int], object]
Later = Callable[[float, Callable[[], object]], object]


class Recorder(Protocol):
    """Who keeps records and hands them on: a process (Recording), or memory (MemoryRecorder)."""

    @property
    def last_sequence(self) -> int:
        """The last number that an earlier run gave."""
        ...

    def start(self, record: Record, above: Above) -> None:
        """Begin, on the running loop; what is to be told is told by `record`.

        `above` gets numbers that the log has: those which are given must be higher.
        """
        ...

    def stop(self) -> None:
        """Let go of the loop."""
        ...

    def record(self, record: EventRecord) -> None:
        """Take a record; this never waits."""
        ...

    def update(self, policy: EventPolicy) -> None: ...

    async def flush(self) -> None:
        """Until what was recorded before is in the log, the log file and on the console."""
        ...

    async def query(self, query: EventQuery, shape: Callable[[EventPage], T]) -> T:
        """A page of the log, all that was recorded before included.

        `shape` is called with it on whichever thread has it. UnavailableError: it cannot be read.
        """
        ...

    async def clear(self) -> None:
        """Empty the log. UnavailableError: it cannot be."""
        ...

    def sinks(self) -> Sequence[SinkStatus]:
        """The counters of every place that records go to."""
        ...

    def totals(self) -> Mapping[str, int] | None:
        """The totals that earlier runs have left; None: they are out of sight, and must stay."""
        ...

    def keep(self, totals: Mapping[str, int], ended: Sequence[str]) -> None:
        """Keep totals as they are now, and lines of sessions that ended; this never waits."""
        ...

    async def ended(self, wanted: Wanted, page: int, per_page: int) -> EndedPage:
        """A page of what was kept of sessions that ended. UnavailableError: it cannot be read."""
        ...


class MemoryRecorder:
    """A Recorder for who embeds a headend without processes: a bounded log in memory."""

    last_sequence = 0

    def __init__(self, policy: EventPolicy) -> None:
        self.log = EventLog(policy)
        self._totals: dict[str, int] = {}
        self._ended: deque[str] = deque(maxlen=ENDED_KEPT)

    def start(self, record: Record, above: Above) -> None: ...

    def stop(self) -> None: ...

    def record(self, record: EventRecord) -> None:
        self.log.keep(record)

    def update(self, policy: EventPolicy) -> None:
        self.log.update(policy)

    async def flush(self) -> None: ...

    async def query(self, query: EventQuery, shape: Callable[[EventPage], T]) -> T:
        return shape(self.log.query(query))

    async def clear(self) -> None:
        self.log.clear()

    def sinks(self) -> Sequence[SinkStatus]:
        return ()

    def totals(self) -> Mapping[str, int]:
        return dict(self._totals)

    def keep(self, totals: Mapping[str, int], ended: Sequence[str]) -> None:
        self._totals |= totals
        self._ended.extend(ended)

    async def ended(self, wanted: Wanted, page: int, per_page: int) -> EndedPage:
        rows = [row for row in map(json.loads, reversed(self._ended)) if wanted(row)]
        return page_of(rows, page, per_page)


class EventSink:
    """Records events: `record(occurrence)`.

    `later` calls something after so many seconds, as a loop's call_later; `clock` is monotonic;
    `whose` adds to an event that is told whom it concerns.
    """

    def __init__(
        self,
        policy: EventPolicy,
        recorder: Recorder,
        later: Later,
        *,
        wall: Callable[[], datetime] = wall_clock,
        clock: Callable[[], float] = time.monotonic,
        flood: Flood | None = None,
        whose: Callable[[Occurrence], Occurrence] = lambda occurrence: occurrence,
    ) -> None:
        self.recorder = recorder
        self._numbering = Numbering(policy, recorder.last_sequence)
        self._later = later
        self._wall = wall
        self._clock = clock
        self._flood = flood or Flood()
        self._whose = whose
        self._telling = False

    @property
    def policy(self) -> EventPolicy:
        return self._numbering.policy

    @property
    def repeats(self) -> Mapping[tuple[str, int], int]:
        """RPT of every (class, number) that happened since start."""
        return self._numbering.repeats

    @property
    def suppressed(self) -> Mapping[tuple[str, int], int]:
        """How many of each (class, number) were not recorded since start: too many at a time."""
        return self._flood.suppressed

    def update(self, policy: EventPolicy) -> None:
        """Route by this policy from now on."""
        self._numbering.update(policy)
        self.recorder.update(policy)

    def wants(self, cls: str, number: int) -> bool:
        """Whether any destination takes this event: ask before a costly text is made."""
        return bool(self._numbering.places(cls, number))

    def record(self, occurrence: Occurrence, forced: frozenset[Destination] = NOWHERE) -> None:
        """Record what happened now; `forced` are destinations that it goes to in any case."""
        tally = self._numbering.count(occurrence.cls, occurrence.number)
        places = tally.places | forced if forced else tally.places
        if not places:
            return
        if not self._flood.admits(tally.kind, tally.severity, self._clock()):
            if not self._telling:
                self._telling = True
                self._later(INTERVAL, self.tell)
            return
        sequence, about = self._numbering.sequence, self._whose(occurrence)
        self.recorder.record(EventRecord(sequence, self._wall(), tally.repeat, about, places))

    def go_on_above(self, sequence: int) -> None:
        """Number what happens from now on higher than this."""
        self._numbering.go_on_above(sequence)

    def tell(self) -> None:
        """Tell at once what was suppressed and not told yet."""
        self._telling = False
        for kind in self._flood.tell(self._clock()):
            self.record(
                occur(
                    "SYSTEM", 133, count=kind.count, event=f"{kind.cls}/{kind.number}",
                    seconds=f"{kind.seconds:.0f}",
                )
            )  # fmt: skip
