"""What became of the events for every sink, over all recorders of this run of the headend.

A recorder counts for itself, and what waits in it dies with it. Here its counts are added up, so
that they only rise, and what can reach a sink no more is counted as lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastpptp.recorder.process import DATABASE
from fastpptp.recorder.sinks import SinkRow, SinkStatus
from fastpptp.recorder.wire import Message


def tally(packed: Iterable[Message]) -> Counter[int]:
    """How many of these records go to which places, as `wire.MASKS` has them."""
    return Counter(record[-1] for record in packed)


class Deliveries:
    """The counters of all sinks, by name: a sink that comes back goes on with its own."""

    def __init__(self) -> None:
        self._delivered: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._rows: Sequence[SinkRow] = ()
        self._counted: Mapping[int, SinkRow] = {}  # of each thread of this recorder
        self._places: Mapping[str, int] = {}

    def follow(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take what a recorder says of its threads."""
        self._rows = tuple(SinkRow(*row) for row in rows)
        for row in self._rows:
            before = self._counted.get(row.thread)
            self._delivered[row.name] += row.delivered - (before.delivered if before else 0)
            self._lost[row.name] += row.lost - (before.lost if before else 0)
        self._counted = {row.thread: row for row in self._rows}
        self._places = {row.name: row.place for row in self._rows}

    def lose(self, records: Mapping[int, int]) -> None:
        """No recorder ever took these."""
        for name, place in self._places.items():
            self._lost[name] += _share(records, place)

    def end(self, unread: Mapping[int, int]) -> Counter[str]:
        """The recorder ended: how many events each sink has lost that waited in it.

        `unread` are those that it did not say it has read. The event log loses none, for it is
        handed its own again.
        """
        lost = Counter({name: _share(unread, place) for name, place in self._places.items()})
        for row in self._rows:
            lost[row.name] += row.waiting
        del lost[DATABASE]
        self._lost += lost
        self._rows = [row._replace(waiting=0, error="") for row in self._rows]
        self._counted = {}
        return +lost

    def settle_log(self, delivered: int, lost: int) -> None:
        """What the next recorder found in the event log, and what nobody has for it any more."""
        self._delivered[DATABASE] += delivered
        self._lost[DATABASE] += lost

    def statuses(self, unsent: Mapping[int, int], again: int, problem: str) -> Sequence[SinkStatus]:
        """All counters, with what waits in the headend: `again` for the event log alone.

        `problem` is what is wrong with the recorder, or nothing.
        """
        waiting = Counter({name: _share(unsent, place) for name, place in self._places.items()})
        waiting[DATABASE] += again
        for row in self._rows:
            waiting[row.name] += row.waiting
        errors = {row.name: problem or row.error for row in self._rows}
        return tuple(
            SinkStatus(name, self._delivered[name], self._lost[name], waiting[name], error)
            for name, error in errors.items()
        )


def _share(records: Mapping[int, int], place: int) -> int:
    """How many go to a place."""
    return sum(count for mask, count in records.items() if mask & place)
