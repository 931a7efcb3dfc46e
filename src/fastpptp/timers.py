"""Deadlines in a heap: setting, moving and cancelling cost O(log n) at most, idle ones nothing.

A deadline that moves later leaves its heap entry where it is and is put back when that
entry comes up, so a timer that every frame pushes on costs a dictionary write. Entries of
cancelled deadlines are dropped when they come up, or all at once when they outnumber the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_SLACK = 64


class TimerQueue(Generic[K]):
    """At most one deadline (seconds, monotonic) for each key."""

    def __init__(self) -> None:
        self._deadlines: dict[K, float] = {}
        # The earliest heap entry of each key that has one; others of the key are void.
        self._queued: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._deadlines)

    def set(self, key: K, deadline: float | None) -> None:
        """Move the deadline of `key`; None cancels it."""
        if deadline is None:
            self.cancel(key)
            return
        self._deadlines[key] = deadline
        queued = self._queued.get(key)
        if queued is None or deadline < queued[0]:
            self._push(key, deadline)

    def cancel(self, key: K) -> None:
        self._deadlines.pop(key, None)
        self._queued.pop(key, None)
        self._compact()

    def next(self) -> float | None:
        """The earliest deadline."""
        self._settle()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[K]:
        """Take out each key whose deadline is not after `now`, earliest first.

        A key that is set again to a past deadline meanwhile comes again in the next call only.
        """
        taken: list[K] = []
        while (deadline := self.next()) is not None and deadline <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._queued[key], self._deadlines[key]
            taken.append(key)
        return iter(taken)

    def _push(self, key: K, deadline: float) -> None:
        entry = (deadline, next(self._order))
        self._queued[key] = entry
        heapq.heappush(self._heap, (*entry, key))
        self._compact()

    def _settle(self) -> None:
        """Make the top of the heap a true deadline."""
        while self._heap:
            deadline, order, key = self._heap[0]
            if self._queued.get(key) != (deadline, order):
                heapq.heappop(self._heap)
            elif self._deadlines[key] > deadline:
                heapq.heappop(self._heap)
                self._push(key, self._deadlines[key])
            else:
                return

    def _compact(self) -> None:
        if len(self._heap) <= 2 * len(self._deadlines) + _SLACK:
            return
        self._heap = [(*entry, key) for key, entry in self._queued.items()]
        heapq.heapify(self._heap)
