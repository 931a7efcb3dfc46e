"""The recorder's loop: reads what the headend sends and hands it to the threads of the sinks.

The end of the socket (EOF) is the end of the headend, however it came: what was sent is recorded,
and the recorder ends.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from fastpptp.events.log import EventRecord
from fastpptp.recorder.log import EventDatabase, Opened, peek
from fastpptp.recorder.outlets import Outlets
from fastpptp.recorder.past import Keeper
from fastpptp.recorder.sinks import EMPTIED, SinkThread
from fastpptp.recorder.wire import Frames, Setup, frame, thaw, unpack

READ = 1 << 20  # octets
TICK, IDLE_TICK = 0.25, 2.0  # seconds between two looks at the sinks
KEEP = 2.0  # seconds after which what was to be kept beside events is tried again
SYNC = 1.0  # seconds between two times that the disk is waited for
LINGER = 0.1  # seconds that events are gathered before they are committed
WAITING = 50_000  # events that wait for the database at most
UNREAD = 1 << 20  # octets that wait for a headend which reads nothing

DATABASE = "event log"


class Recorder:
    """One run on the recorder's end of the socket pair."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._frames = Frames()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._outbox: deque[bytes] = deque()
        self._unsent = bytearray()
        self._database: EventDatabase | None = None
        self._told = Opened()
        self._outlets: Outlets
        self._begun = False  # the headend has said what `_outlets` are
        self._last_sequence = 0
        self._again_until = 0  # the newest number that was handed on once more
        self._keeper = Keeper()  # on the log's thread
        self._keep_at = 0.0
        self._said: object = None
        self._sync_at = 0.0
        self._clean = False
        self._ended = False
        self._on: dict[str, Callable[..., None]] = {
            "begin": self._begin,
            "follow": self._follow,
            "records": self._records,
            "again": self._again,
            "flush": self._flush,
            "clear": self._clear,
            "past": self._past,
            "departed": self._departed,
            "pulse": self._pulse,
            "stop": self._stop,
        }

    def run(self) -> None:
        """Until the headend has ended and all is recorded."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        due = time.monotonic()
        while not self._ended:
            writable = select.POLLOUT if self._unsent or self._outbox else 0
            poll.register(self._connection, select.POLLIN | writable)
            patience = max(0.0, due - time.monotonic())
            for descriptor, _ in poll.poll(patience * 1000):
                if descriptor == self._wakeup:
                    os.eventfd_read(self._wakeup)
            if self._read():
                due = min(due, time.monotonic() + TICK)
            if time.monotonic() >= due:
                due = time.monotonic() + (TICK if self._tick() else IDLE_TICK)
            self._write()
        self._finish()

    def _read(self) -> bool:
        """Whether the headend said something."""
        try:
            data = self._connection.recv(READ)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            self._ended = True
        for name, *words in self._frames.feed(data):
            self._on[name](*words)
        return bool(data)

    def _write(self) -> None:
        while self._outbox:
            self._unsent += self._outbox.popleft()
        try:
            while self._unsent:
                del self._unsent[: self._connection.send(self._unsent)]
        except BlockingIOError:
            return
        except ConnectionError:
            self._unsent.clear()  # the headend is gone: what it sent is still to be read

    def _say(self, *message: object) -> None:
        """Tell the headend, from any thread."""
        self._outbox.append(frame(*message))
        os.eventfd_write(self._wakeup, 1)

    # What the headend says.

    def _begin(self, frozen: bytes) -> None:
        setup: Setup = thaw(frozen)
        self._setup = setup
        self._capacity = setup.capacity
        try:
            self._database = EventDatabase(setup.database, self._capacity)
            self._told = self._database.opened
        except OSError:  # its thread tries again, and says what is wrong
            self._told = peek(setup.database)
        log = SinkThread(DATABASE, self._open_database, linger=LINGER, limit=WAITING)
        self._outlets = Outlets(log, setup.files, setup.sinks)
        told = self._told
        self._last_sequence = told.sequence
        self._begun = True
        self._say("ready", told.sequence, told.kept, told.unclean, told.aside)

    def _open_database(self) -> EventDatabase:
        """On the log's thread: now, where it could not be opened at once."""
        if self._database is None:
            database = EventDatabase(self._setup.database, self._capacity, patience=0.0)
            if self._again_until:  # this headend's numbers are in it
                database.pass_over(self._again_until)
            else:  # the headend may have begun with lower ones than there are
                database.go_on_above(database.opened.sequence)
            self._database = database
        return self._database

    def _follow(self, capacity: int, frozen: bytes) -> None:
        self._capacity = capacity
        if self._database is not None:
            self._database.resize(capacity)
        self._outlets.follow(thaw(frozen))

    def _records(self, packed: Iterable[Any]) -> None:
        records = self._unpacked(packed)
        self._outlets.put(records)
        self._note(records)

    def _note(self, records: Sequence[EventRecord]) -> None:
        """Remember the last number that was given, whether or not the log keeps that event."""
        if records:
            self._last_sequence = max(self._last_sequence, records[-1].sequence)
        if self._database is not None:
            self._database.note(self._last_sequence)

    def _unpacked(self, packed: Iterable[Any]) -> list[EventRecord]:
        """A record that cannot be told, a fault of ours, must not be met again and again."""
        records = []
        for one in packed:
            try:
                records.append(unpack(one))
            except Exception as error:
                self._say("tell", "SYSTEM", 123, {"problem": f"event {one!r}: {error!r}"})
        return records

    def _again(self, packed: Iterable[Any]) -> None:
        """Of a recorder that died: the event log alone can tell what it has."""
        again = self._unpacked(packed)
        if again:
            self._again_until = again[-1].sequence
            if self._database is not None:
                self._database.pass_over(self._again_until)
        self._outlets.log.put(again)
        self._note(again)

    def _flush(self, token: int, files: bool) -> None:
        """Answer when the log, and log file and console, have what came before."""
        threads = (self._outlets.log, *(self._outlets.files if files else ()))
        left = _Countdown(len(threads), partial(self._say, "done", token, ""))
        for thread in threads:
            thread.order(left.one)

    def _clear(self, token: int) -> None:
        self._outlets.log.order(partial(self._clear_now, token, self._last_sequence))

    def _clear_now(self, token: int, sequence: int) -> object:
        """What waits, and what the headend would hand on once more, is from before that, too."""
        try:
            self._open_database().clear(sequence)
        except OSError as error:
            self._say("done", token, error.strerror or str(error))
            return None
        self._say("done", token, "")
        return EMPTIED

    def _past(self, number: int, totals: dict[str, int], ended: list[str]) -> None:
        self._outlets.log.order(partial(self._keeper.add, number, totals, ended))
        self._outlets.log.order(self._keep_past)

    def _departed(self, number: int, ended: list[str]) -> None:
        """Of a recorder that died."""
        self._outlets.log.order(partial(self._keeper.add_again, number, ended))
        self._outlets.log.order(self._keep_past)

    def _keep_past(self) -> None:
        """What the disk does not take now is tried again, now and then and at the end."""
        with suppress(OSError):
            self._keeper.hand_on(self._open_database().keep)
            self._say("past", self._keeper.number)

    def _pulse(self) -> None:
        self._say("pulse")

    def _stop(self) -> None:
        self._clean = True

    # Now and then.

    def _tick(self) -> bool:
        """Whether there was something to say."""
        if not self._begun:
            return False
        if self._database is not None and self._database.opened is not self._told:
            before, self._told = self._told, self._database.opened
            if self._told.aside is not None:
                self._outlets.log.order(self._keeper.begin_anew)
                self._say("tell", "SYSTEM", 136, aside_fields(self._told.aside))
            elif self._told.unclean and not (before.unclean or self._again_until):
                fields = unclean_fields(self._told.kept, self._told.unclean)
                self._say("tell", "SYSTEM", 130, fields)
        now = time.monotonic()
        if self._database is not None and self._database.unsynced and now >= self._sync_at:
            self._sync_at = now + SYNC
            self._outlets.log.order(self._database.sync)
        if self._keeper.waits and now >= self._keep_at:
            self._keep_at = now + KEEP
            self._outlets.log.order(self._keep_past)
        said = self._say_status()
        for news in self._outlets.news(now):  # numbered above what the log has: see `status`
            self._say("tell", *news)
        return said

    def _say_status(self) -> bool:
        """Whether it is another one."""
        if len(self._unsent) >= UNREAD:
            return False
        rows = [tuple(row) for row in self._outlets.rows()]
        kept = self._database.kept if self._database is not None else 0
        status = kept, self._last_sequence, rows
        if status == self._said:
            return False
        self._said = status
        self._say("status", *status)
        return True

    def _finish(self) -> None:
        """The headend has ended."""
        if not self._begun:
            return
        self._outlets.log.order(self._keep_last)
        self._outlets.finish(self._last_sequence)

    def _keep_last(self) -> None:
        self._keep_past()
        if self._database is not None:
            self._database.clean = self._clean


class _Countdown:
    """Calls something when it was itself called so many times, from any threads."""

    def __init__(self, count: int, then: Callable[[], None]) -> None:
        self._left = list(range(count - 1))
        self._then = then

    def one(self) -> None:
        try:
            self._left.pop()  # one operation of the interpreter: nothing to lock
        except IndexError:
            self._then()


def aside_fields(aside: tuple[str, str, str]) -> dict[str, Any]:
    """Of SYSTEM/136."""
    path, moved, problem = aside
    return {"path": path, "aside": moved, "problem": problem}


def unclean_fields(kept: int, moment: str) -> dict[str, Any]:
    """Of SYSTEM/130."""
    return {"sequence": kept, "moment": moment}
