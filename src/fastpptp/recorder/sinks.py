"""Each place that events go to has a thread and a bounded queue of its own, and counts.

A sink is a class that is opened with its spec and has

    deliver(records: Sequence[EventRecord]) -> None
    close() -> None

`deliver` may block, with time-outs of its own. It raises OSError when the records could not be
handed on: they are tried again, after a while that grows, and meanwhile the queue fills; what does
not fit is lost and counted. PartlyDeliveredError says that some of them were handed on, or never
can be. Opening may raise OSError, too, and is tried again. kinds.py says which class serves a spec.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple, Protocol, TypeAlias

from fastpptp.events.log import EventRecord
from fastpptp.recorder.delivery import PartlyDeliveredError, reason

# Records that wait in a queue at most, and are handed to a sink at a time.
QUEUE = 10_000
BATCH = 500

# Seconds after which a sink that failed is tried again: doubled each time, up to the last.
RETRY, LONGEST_RETRY = 1.0, 30.0

# Seconds between two events about one sink.
TELL_INTERVAL = 60.0


class Sink(Protocol):
    """Where records go."""

    def deliver(self, records: Sequence[EventRecord], /) -> None: ...

    def close(self) -> None: ...


class SinkStatus(NamedTuple):
    """A sink's counters since it was opened; `error` is what is wrong with it now."""

    name: str
    delivered: int
    lost: int
    waiting: int
    error: str


class SinkRow(NamedTuple):
    """The same on its way to the headend: of which thread, and for which places (wire.MASKS)."""

    thread: int
    place: int
    name: str
    delivered: int
    lost: int
    waiting: int
    error: str


Order: TypeAlias = Callable[[], object]
_Placed: TypeAlias = tuple[Order, int]  # and how many records wait before it

# See `SinkThread.order`.
EMPTIED = object()

Telling: TypeAlias = tuple[str, int, dict[str, str]]

_NUMBERS = count()


class SinkThread:
    """Hands records to one sink, at most `batch` at a time.

    `linger` seconds are waited for more before it is woken.
    """

    def __init__(
        self,
        name: str,
        open_: Callable[[], Sink],
        *,
        linger: float = 0.0,
        limit: int = QUEUE,
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.number = next(_NUMBERS)
        self._open = open_
        self._linger = linger
        self._limit = limit
        self._batch = batch
        self._sink: Sink | None = None
        self._changed = threading.Condition()
        self._queue: deque[EventRecord | Order] = deque()
        self._waiting = 0
        self._delivered = 0
        self._lost = 0
        self._error = ""
        self._retry_at: float | None = None
        self._retry = RETRY
        self._stopping = False
        self._news = _News(name)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # For every thread.

    def put(self, records: Sequence[EventRecord]) -> None:
        """Hand records on, as far as there is room."""
        with self._changed:
            room = max(0, self._limit - self._waiting)
            self._queue.extend(records[:room])
            self._waiting += min(room, len(records))
            self._lost += max(0, len(records) - room)
            self._changed.notify()

    def order(self, order: Order) -> None:
        """Have this called on the thread once the records that wait now are delivered.

        While they cannot be delivered, it is called at once; what returns EMPTIED has done away
        with them.
        """
        with self._changed:
            self._queue.append(order)
            self._changed.notify()

    @property
    def status(self) -> SinkStatus:
        with self._changed:
            return SinkStatus(self.name, self._delivered, self._lost, self._waiting, self._error)

    def news(self, now: float) -> list[Telling]:
        """Events that tell of losses, once in a while, and that it works again."""
        return self._news.of(self.status, now)

    def parting(self) -> list[Telling]:
        """An event that tells of what was lost since the last one, or waits, if there is any.

        For a thread that was stopped and has ended, or is not waited for any longer.
        """
        return self._news.parting(self.status)

    def stop(self) -> None:
        """Deliver what waits, then end; see `join`. A sink that fails is tried once more."""
        with self._changed:
            self._stopping = True
            self._retry_at = None
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # On the thread.

    def _run(self) -> None:
        while self._wait():
            records, orders = self._take()
            if records and not self._hand_on(records) and self._stopping:
                break
            self._carry_out(orders)
        with self._changed:
            self._lost += self._waiting
            self._waiting = 0
            last = self._pull_orders()
        for order, _ in last:
            order()
        if self._sink is not None:
            self._sink.close()

    def _wait(self) -> bool:
        """Until there is something to do; False: all is done."""
        with self._changed:
            while True:
                if self._retry_at is not None:
                    patience = self._retry_at - time.monotonic()
                    if patience <= 0:
                        self._retry_at = None
                        return True
                    if self._has_orders():
                        return True
                    self._changed.wait(patience)
                elif self._queue:
                    self._changed.wait_for(self._is_pressing, self._linger)
                    return True
                elif self._stopping:
                    return False
                else:
                    self._changed.wait()

    def _is_pressing(self) -> bool:
        return self._stopping or self._has_orders()

    def _has_orders(self) -> bool:
        return len(self._queue) > self._waiting

    def _take(self) -> tuple[list[EventRecord], list[_Placed]]:
        """Records, which stay in the queue, and the orders that come next."""
        with self._changed:
            if self._retry_at is not None:
                return [], self._pull_orders()
            records: list[EventRecord] = []
            for item in self._queue:
                if not isinstance(item, EventRecord) or len(records) == self._batch:
                    break
                records.append(item)
            orders: list[_Placed] = []
            if not records:
                while self._queue and not isinstance(first := self._queue[0], EventRecord):
                    orders.append((first, 0))
                    self._queue.popleft()
            return records, orders

    def _pull_orders(self) -> list[_Placed]:
        """All orders out of the queue."""
        orders: list[_Placed] = []
        kept: deque[EventRecord | Order] = deque()
        for item in self._queue:
            if isinstance(item, EventRecord):
                kept.append(item)
            else:
                orders.append((item, len(kept)))
        self._queue = kept
        return orders

    def _carry_out(self, orders: Sequence[_Placed]) -> None:
        gone = 0
        for order, before in orders:
            if order() is EMPTIED:
                self._forget(before - gone)
                gone = before

    def _forget(self, count: int) -> None:
        """Drop the first records; the sink, which did as it was told, is tried again at once."""
        with self._changed:
            for _ in range(count):
                self._queue.popleft()
            self._waiting -= count
            self._retry_at, self._retry = None, RETRY

    def _hand_on(self, records: list[EventRecord]) -> bool:
        """Whether the sink took them, or never will."""
        try:
            if self._sink is None:
                self._sink = self._open()
            self._sink.deliver(records)
        except OSError as error:
            settled = self._settle_partly(error)
            self._failed(error, again=settled < len(records))
            return settled == len(records)
        except Exception as error:  # a fault of ours must not stop the others that come
            self._settle(len(records), lost=True)
            self._error = repr(error)
            return True
        self._settle(len(records))
        with self._changed:
            self._error, self._retry = "", RETRY
        return True

    def _settle(self, done: int, *, lost: bool = False) -> None:
        """Take the first records, which are delivered or lost, out of the queue."""
        with self._changed:
            for _ in range(done):
                self._queue.popleft()
            self._waiting -= done
            if lost:
                self._lost += done
            else:
                self._delivered += done

    def _settle_partly(self, error: OSError) -> int:
        """How many records are delivered or lost, whatever went wrong."""
        if not isinstance(error, PartlyDeliveredError):
            return 0
        self._settle(error.done)
        self._settle(error.lost, lost=True)
        return error.done + error.lost

    def _failed(self, error: OSError, *, again: bool) -> None:
        with self._changed:
            self._error = reason(error)
            if again:
                self._retry_at = time.monotonic() + self._retry
                self._retry = min(2 * self._retry, LONGEST_RETRY)


class _News:
    """What is worth an event about one sink."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told_at: float | None = None
        self._told_lost = 0
        self._failing_since: float | None = None
        self._lost_before = 0
        self._announced = False

    def of(self, status: SinkStatus, now: float) -> list[Telling]:
        lost = status.lost > self._told_lost
        quiet = self._told_at is None or now - self._told_at >= TELL_INTERVAL
        if status.error:
            if self._failing_since is None:
                self._failing_since, self._lost_before = now, self._told_lost
                self._announced = False
            if quiet and (lost or not self._announced):
                self._announced = True
                return [self._complaint(status, status.error, now)]
        elif self._failing_since is not None:
            seconds, self._failing_since = now - self._failing_since, None
            if self._announced:
                return [self._relief(status, seconds)]
        elif quiet and lost:
            return [self._complaint(status, "it takes them too slowly", now)]
        return []

    def parting(self, status: SinkStatus) -> list[Telling]:
        count = status.lost - self._told_lost + status.waiting
        if not count:
            return []
        problem = status.error or "it did not take them in time"
        return [("SYSTEM", 137, {"sink": self._name, "count": str(count), "problem": problem})]

    def _complaint(self, status: SinkStatus, problem: str, now: float) -> Telling:
        count, self._told_lost = status.lost - self._told_lost, status.lost
        self._told_at = now
        return "SYSTEM", 134, {"sink": self._name, "count": str(count), "problem": problem}

    def _relief(self, status: SinkStatus, seconds: float) -> Telling:
        self._told_lost = status.lost
        count = status.lost - self._lost_before
        fields = {"sink": self._name, "seconds": f"{seconds:.0f}", "count": str(count)}
        return "SYSTEM", 135, fields
