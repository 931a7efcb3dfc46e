"""All that events go to: the event log, log file and console, and the sinks of the policy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from fastpptp.events.catalogue import occur
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import Destination
from fastpptp.localtime import wall_clock
from fastpptp.recorder.kinds import KINDS
from fastpptp.recorder.sinks import SinkRow, SinkThread, Telling
from fastpptp.recorder.wire import LOGGED, MASKS

# Seconds after which the end does not wait any longer: for the sinks of the policy, for event log
# and log file, for the console.
FINISH = (4.0, 5.0, 5.5)

# Where losses at the end are told: nobody is left to ask for the policy.
TOLD = frozenset({Destination.LOG, Destination.CONSOLE})


class Outlets:
    """Their threads. `log` is the event log's."""

    def __init__(self, log: SinkThread, files: Iterable[Any], sinks: Iterable[Any]) -> None:
        self.log = log
        self._files = {spec: _started(spec) for spec in files}  # of the bootstrap settings
        self._sinks: dict[Any, SinkThread] = {}  # of the policy
        self._leaving: dict[SinkThread, Any] = {}  # with their specs
        self._ended: dict[SinkThread, Any] = {}  # whose last counts were not told yet
        self._partings = 0
        self.follow(sinks)

    @property
    def files(self) -> Sequence[SinkThread]:
        """Log file and console."""
        return tuple(self._files.values())

    @property
    def threads(self) -> Sequence[SinkThread]:
        return (self.log, *self.files, *self._sinks.values())

    def follow(self, wanted: Iterable[Any]) -> None:
        """Open the sinks that are new and let go of those that are gone."""
        for spec in self._sinks.keys() - set(wanted):
            thread = self._sinks.pop(spec)
            thread.stop()
            self._leaving[thread] = spec
        for spec in wanted:
            if spec not in self._sinks:
                self._sinks[spec] = _started(spec)

    def put(self, records: Sequence[EventRecord]) -> None:
        """Hand records to all whom they are for."""
        _hand_on(self.log, Destination.LOG, records)
        for threads in (self._files, self._sinks):
            for spec, thread in threads.items():
                _hand_on(thread, _place(spec), records)

    def news(self, now: float) -> list[Telling]:
        """Events that are worth telling of the sinks."""
        told = [news for thread in self.threads for news in thread.news(now)]
        ended = [thread for thread in self._leaving if thread.join(0.0)]
        self._ended |= {thread: self._leaving.pop(thread) for thread in ended}
        return told + self._parting(ended)

    def rows(self) -> list[SinkRow]:
        """All counters, and once more those of the threads that have ended."""
        open_ = {
            thread: spec for specs in (self._files, self._sinks) for spec, thread in specs.items()
        }
        rows = [SinkRow(self.log.number, MASKS[LOGGED], *self.log.status)]
        for thread, spec in (open_ | self._leaving | self._ended).items():
            mask = MASKS[frozenset({_place(spec)})]
            rows.append(SinkRow(thread.number, mask, *thread.status))
        self._ended.clear()
        return rows

    def finish(self, sequence: int) -> None:
        """Have all deliver what waits, but not for ever, and tell what is lost for it.

        The last number that was given is `sequence`. Who keeps what the others lose ends last.
        """
        files = [thread for spec, thread in self._files.items() if _place(spec) is Destination.LOG]
        stages = (
            (*self._leaving, *self._sinks.values()),
            (self.log, *files),
            tuple(thread for thread in self.files if thread not in files),
        )
        began = time.monotonic()
        for after, (threads, seconds) in enumerate(zip(stages, FINISH, strict=True), 1):
            for thread in threads:
                thread.stop()
            for thread in threads:
                thread.join(max(0.0, began + seconds - time.monotonic()))
            lost = list(self._losses(threads, sequence))
            sequence += len(lost)
            for thread in (thread for stage in stages[after:] for thread in stage):
                thread.put(lost)

    def _losses(self, threads: Iterable[SinkThread], sequence: int) -> Iterator[EventRecord]:
        """Those of threads that are not waited for any longer, as events."""
        told = self._partings
        for count, (cls, number, words) in enumerate(self._parting(threads), 1):
            fields: dict[str, Any] = dict(words)
            yield EventRecord(
                sequence + count, wall_clock(), told + count, occur(cls, number, **fields), TOLD
            )

    def _parting(self, threads: Iterable[SinkThread]) -> list[Telling]:
        told = [news for thread in threads for news in thread.parting()]
        self._partings += len(told)
        return told


def _hand_on(thread: SinkThread, place: Destination, records: Sequence[EventRecord]) -> None:
    if here := [record for record in records if place in record.destinations]:
        thread.put(here)


def _place(spec: Any) -> Destination:
    return KINDS[type(spec)].destination


def _started(spec: Any) -> SinkThread:
    kind = KINDS[type(spec)]
    open_ = partial(kind.open, spec)
    return SinkThread(str(spec), open_, linger=kind.linger, batch=kind.batch)
