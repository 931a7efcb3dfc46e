"""The headend's end of the socket pair to the recorder (recorder/).

Records are gathered for a turn of the event loop and sent without ever waiting. What the socket
does not take is kept, up to a bound; what goes beyond it is lost, counted and told. A recorder that
died is started again and is handed once more what it had not committed to the log.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.log import EventPage, EventQuery, EventRecord
from fastpptp.events.routing import EventPolicy
from fastpptp.events.seldom import INTERVAL
from fastpptp.recorder.files import Console, LogFile
from fastpptp.recorder.past import EndedPage, Wanted, read_ended, read_totals
from fastpptp.recorder.process import aside_fields, unclean_fields
from fastpptp.recorder.query import read
from fastpptp.recorder.sinks import SinkStatus
from fastpptp.recorder.wire import LOGGED, MASKS, Frames, Message, Setup, frame, freeze, pack
from fastpptp.server.child import Child
from fastpptp.server.deliveries import Deliveries, tally
from fastpptp.server.departed import Departed
from fastpptp.server.eventsink import Above, Record
from fastpptp.server.pulse import Pulse

T = TypeVar("T")

MODULE = "fastpptp.recorder"

READ = 1 << 18  # octets
SEND_BUFFER = 1 << 20  # octets

# Records that wait to be sent, and that are kept until the log has them.
BACKLOG = 20_000
UNKEPT = 50_000

# Seconds: for a recorder to say that it is ready, for it to answer, for what is left to be sent.
READY_WAIT = 12.0
ANSWER_WAIT = 10.0
SEND_WAIT = 2.0

# Seconds of silence after which one that is ready, or that is still to be, is ended by force. Its
# loop never waits for disk or network, but it opens the log, and brings it to a new version.
SILENCE = 20.0
OPENING = 300.0

# Seconds for one to be ready that has but to write what another one left when the headend ends.
LAST_READY_WAIT = 4.0


class _Frame(NamedTuple):
    """A message to be sent; `packed` are the records in it."""

    data: bytes
    packed: Sequence[Message] = ()
    again: bool = False  # for the event log alone


class Recording:
    """A Recorder that is a process. A context manager: the process ends with the block.

    It runs before there is an event loop; `start` attaches it to one.
    """

    def __init__(self, database: Path, log_file: Path | None, policy: EventPolicy) -> None:
        self._database = database
        self._files = (*((LogFile(log_file),) if log_file is not None else ()), Console())
        self._followed = _followed(policy)
        self._child = Child(MODULE, started=self._connected, ended=self._ended)
        self._pulse = Pulse(lambda: self._put(_Frame(frame("pulse"))), self._is_silent)
        self._thread = ThreadPoolExecutor(1, "fastpptp-events")
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tell: Record = lambda occurrence: None
        self._above: Above = lambda sequence: None
        self._frames = Frames()
        self._gathered: list[Message] = []
        self._is_due = False
        self._backlog: deque[_Frame] = deque()
        self._waiting = 0  # records in the backlog
        self._sent = 0  # octets of its first frame
        self._unread: deque[Sequence[Message]] = deque()  # sent, as far as the recorder says
        self._unkept: deque[Message] = deque()
        self._dropped = 0  # the newest sequence number that fell out of `unkept`
        self._lost = 0
        self._overflow: Counter[int] = Counter()  # what was lost of late, by places
        self._lost_told_at: float | None = None
        self._ended_because = ""
        self._departed = Departed()
        self._tokens: dict[int, asyncio.Future[str]] = {}
        self._last_token = 0
        self._deliveries = Deliveries()
        self._gone: Counter[str] = Counter()  # what the sinks lost with a recorder, untold
        self._news: deque[Occurrence] = deque()
        self._ready = False
        self.last_sequence = 0

    # With the process, before and after the loop.

    def __enter__(self) -> Recording:
        """Start the recorder, and wait until it knows the log."""
        self._child.start()
        assert self._socket is not None
        try:
            self._greet(READY_WAIT)
        except BaseException:
            self._child.stop(0.0)
            raise
        self._socket.setblocking(False)
        return self

    def _greet(self, wait: float) -> None:
        assert self._socket is not None
        self._socket.settimeout(wait)
        with suppress(OSError):  # supervision and events say what is wrong
            self._socket.sendall(self._begin())
            while not self._ready and (data := self._socket.recv(READ)):
                self._read_frames(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Have it write what it was sent, and end; what it did not another one does, at once."""
        self.stop()
        if self._socket is not None:
            self._send_last()
            problem = self._child.stop()
            if problem or self._backlog:
                self._ended(problem or "it did not take all events in time")
        if self._socket is None:
            with suppress(OSError):
                self._child.start()
                self._greet(LAST_READY_WAIT)
                self._send_last()
                self._child.stop()
        self._thread.shutdown()

    def _send_last(self) -> None:
        """All that waits, and what is still untold."""
        assert self._socket is not None
        self._socket.settimeout(SEND_WAIT)
        with suppress(OSError):
            self._send_all()
            self._tell_untold()
            self._send_all()
            self._socket.sendall(frame("stop"))

    def _send_all(self) -> None:
        assert self._socket is not None
        self._gather()
        while self._backlog:
            first = self._backlog[0]
            self._socket.sendall(memoryview(first.data)[self._sent :])
            self._sent = 0
            self._is_out(self._backlog.popleft())

    def _begin(self) -> bytes:
        return frame("begin", freeze(Setup(self._database, self._files, *self._followed)))

    # On the loop.

    def start(self, record: Record, above: Above) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell, self._above = record, above
        self._child.supervise()
        if self._socket is not None:
            self._loop.add_reader(self._socket, self._readable)
            self._watch()
        self._tell_losses()

    def stop(self) -> None:
        if self._loop is None:
            return
        self._detach()
        self._pulse.stop()
        self._child.detach()
        self._loop = None

    def record(self, record: EventRecord) -> None:
        if self._is_full:
            self._lost += 1
            self._overflow[MASKS[record.destinations]] += 1
            return
        self._gathered.append(pack(record))
        self._be_due()

    def update(self, policy: EventPolicy) -> None:
        if (followed := _followed(policy)) == self._followed:
            return
        self._followed = followed
        capacity, sinks = followed
        self._gather()
        self._put(_Frame(frame("follow", capacity, freeze(sinks))))

    async def flush(self) -> None:
        with suppress(TimeoutError):  # who asks is better served late than never
            await self._ask("flush", True)

    async def clear(self) -> None:
        try:
            problem = await self._ask("clear")
        except TimeoutError:
            problem = "the recorder does not answer"
        if problem:
            raise UnavailableError(f"the event log cannot be emptied: {problem}")

    async def query(self, query: EventQuery, shape: Callable[[EventPage], T]) -> T:
        with suppress(TimeoutError):  # what is there is better than nothing
            await self._ask("flush", False)
        return await asyncio.wrap_future(
            self._thread.submit(lambda: shape(read(self._database, query)))
        )

    def sinks(self) -> Sequence[SinkStatus]:
        self._count_overflow()
        unsent, again = Counter(record[-1] for record in self._gathered), 0
        for waiting in self._backlog:
            if waiting.again:
                again += len(waiting.packed)
            else:
                unsent += tally(waiting.packed)
        if not self._ready:
            again += len(self._unkept)
        return self._deliveries.statuses(unsent, again, self._problem())

    def _problem(self) -> str:
        """What is wrong with the recorder now."""
        if self._ready:
            return "the recorder does not answer" if self._pulse.is_weak else ""
        return f"the recorder ended ({self._ended_because})" if self._ended_because else ""

    def totals(self) -> Mapping[str, int] | None:
        try:
            return read_totals(self._database)
        except UnavailableError as error:
            alone = f"{error}\nUntil the next start this run is counted alone"
            feature = "What earlier runs have counted"
            self._say(occur("SYSTEM", 122, feature=feature, problem=alone))
            return None

    def keep(self, totals: Mapping[str, int], ended: Sequence[str]) -> None:
        number = self._departed.add(ended)
        self._put(_Frame(frame("past", number, dict(totals), list(ended))))

    async def ended(self, wanted: Wanted, page: int, per_page: int) -> EndedPage:
        await self.flush()
        ask = partial(read_ended, self._database, wanted, page, per_page)
        return await asyncio.wrap_future(self._thread.submit(ask))

    async def _ask(self, name: str, *words: Any) -> str:
        """What the recorder answers. TimeoutError; who asks one that is silent does not wait."""
        if self._pulse.is_weak:
            raise TimeoutError
        self._last_token += 1
        token = self._last_token
        answer = self._tokens[token] = asyncio.get_running_loop().create_future()
        self._gather()
        self._put(_Frame(frame(name, token, *words)))
        try:
            return await asyncio.wait_for(answer, ANSWER_WAIT)
        finally:
            self._tokens.pop(token, None)

    # Sending.

    def _be_due(self) -> None:
        if not self._is_due and self._loop is not None:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Once in a turn of the loop in which there were records."""
        self._is_due = False
        if self._loop is None:
            return  # __exit__ does the rest
        self._gather()
        self._write()
        self._tell_losses()

    def _gather(self) -> None:
        if self._gathered:
            packed, self._gathered = self._gathered, []
            self._backlog.append(_Frame(frame("records", packed), packed))
            self._waiting += len(packed)

    def _put(self, waiting: _Frame) -> None:
        self._backlog.append(waiting)
        if self._loop is not None:
            self._write()

    def _write(self) -> None:
        """As much as the socket takes now."""
        if self._socket is None or not self._ready:
            return
        try:
            while self._backlog:
                first = self._backlog[0]
                self._sent += self._socket.send(memoryview(first.data)[self._sent :])
                if self._sent == len(first.data):
                    self._sent = 0
                    self._backlog.popleft()
                    self._is_out(first)
        except BlockingIOError:
            assert self._loop is not None
            self._loop.add_writer(self._socket, self._write)
            return
        except OSError:
            return  # it has died: `_ended` comes
        if self._loop is not None:
            self._loop.remove_writer(self._socket)

    def _is_out(self, sent: _Frame) -> None:
        """Keep records that were sent until they are read, and until the log has them."""
        self._waiting -= len(sent.packed)
        if sent.packed and not sent.again:
            self._unread.append(sent.packed)
        self._unkept.extend(record for record in sent.packed if record[-1] & _LOG)
        while len(self._unkept) > UNKEPT:
            self._dropped = self._unkept.popleft()[0]

    @property
    def _is_full(self) -> bool:
        return self._waiting + len(self._gathered) >= BACKLOG

    def _tell_losses(self) -> None:
        """Once in a while, and at once what else had to wait for room, or for the loop."""
        if self._loop is None:
            return
        now = time.monotonic()
        soon = self._lost_told_at is not None and now - self._lost_told_at < INTERVAL
        if self._lost and not self._is_full and not soon:
            self._lost_told_at = now
            self._news.append(self._losses())
        while self._news and not self._is_full:
            self._tell(self._news.popleft())

    def _tell_untold(self) -> None:
        """At the end."""
        if self._lost:
            self._news.append(self._losses())
        while self._news:
            self._tell(self._news.popleft())

    def _losses(self) -> Occurrence:
        count, self._lost = self._lost, 0
        return occur("SYSTEM", 132, count=count)

    # Reading.

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            assert self._loop is not None
            self._loop.remove_reader(self._socket)  # the child's supervision says why
            return
        self._pulse.heard()
        self._read_frames(data)

    def _read_frames(self, data: bytes) -> None:
        for name, *words in self._frames.feed(data):
            match name:
                case "ready":
                    self._is_ready(*words)
                case "done":
                    token, problem = words
                    if (answer := self._tokens.get(token)) and not answer.done():
                        answer.set_result(problem)
                case "status":
                    self._has_status(*words)
                case "past":
                    self._departed.settle(*words)
                case "tell":
                    cls, number, fields = words
                    self._say(occur(cls, number, **fields))

    def _has_status(self, kept: int, seen: int, rows: list[tuple[Any, ...]]) -> None:
        while self._unread and self._unread[0][-1][0] <= seen:
            self._unread.popleft()
        self._above(kept)
        while self._unkept and self._unkept[0][0] <= kept:
            self._unkept.popleft()
        self._deliveries.follow(rows)
        self._count_overflow()
        self._tell_losses()

    def _count_overflow(self) -> None:
        self._deliveries.lose(self._overflow)
        self._overflow.clear()

    def _say(self, occurrence: Occurrence) -> None:
        if self._loop is None or self._is_full:
            self._news.append(occurrence)
        else:
            self._tell(occurrence)

    # The process comes and goes.

    def _connected(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._socket, self._frames = connection, Frames()
        if self._loop is None:
            return  # __enter__ does the rest
        connection.setblocking(False)
        connection.send(self._begin())
        self._loop.add_reader(connection, self._readable)
        self._watch()

    def _watch(self) -> None:
        self._pulse.start(SILENCE if self._ready else OPENING)

    def _is_silent(self) -> None:
        patience = SILENCE if self._ready else OPENING
        self._child.kill(f"killed, for it did not answer for {patience:.0f} s")

    def _is_ready(
        self, sequence: int, kept: int, unclean: str, aside: tuple[str, str, str] | None
    ) -> None:
        self._ready = True
        self.last_sequence = max(self.last_sequence, sequence)
        self._above(sequence)
        if aside is not None:
            self._say(occur("SYSTEM", 136, **aside_fields(aside)))
        if self._ended_because:
            self._hand_again(kept)
        elif unclean:
            self._say(occur("SYSTEM", 130, **unclean_fields(kept, unclean)))
        if self._loop is not None:
            self._watch()
            self._write()

    def _hand_again(self, kept: int) -> None:
        """To the recorder that took the place of one that died."""
        again = [record for record in self._unkept if record[0] > kept]
        lost = max(0, self._dropped - kept)
        self._deliveries.settle_log(len(self._unkept) - len(again), lost)
        self._unkept.clear()
        self._dropped = 0
        self._waiting += len(again)
        if again:
            self._backlog.appendleft(_Frame(frame("again", again), again, again=True))
        self._backlog.appendleft(_Frame(frame("departed", *self._departed.again())))
        self._tell_end(again=len(again), lost=lost)

    def _tell_end(self, again: int, lost: int) -> None:
        reason, self._ended_because = self._ended_because, ""
        self._say(occur("SYSTEM", 131, reason=reason, again=again, lost=lost))
        problem = f"the recorder ended ({reason})"
        for name, count in self._gone.items():
            self._say(occur("SYSTEM", 137, count=count, sink=name, problem=problem))
        self._gone.clear()

    def _ended(self, reason: str) -> None:
        with suppress(OSError):
            while self._socket is not None and (data := self._socket.recv(READ)):
                self._read_frames(data)
        self._detach()
        self._pulse.stop()
        self._socket, self._ready, self._sent = None, False, 0
        if self._ended_because:  # of one that never was ready
            self._tell_end(again=0, lost=0)
        self._ended_because = reason
        self._count_overflow()
        self._gone.update(self._deliveries.end(tally(chain.from_iterable(self._unread))))
        self._unread.clear()
        for answer in self._tokens.values():
            if not answer.done():
                answer.set_result("the recorder ended")

    def _detach(self) -> None:
        if self._loop is not None and self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)


def _followed(policy: EventPolicy) -> tuple[int, tuple[Any, ...]]:
    """What of a policy concerns the recorder: the log's size, and the sinks' specs."""
    return policy.capacity, policy.sinks


_LOG = MASKS[LOGGED]
