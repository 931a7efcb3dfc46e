"""A link in memory that loses, doubles and reorders what it carries, the same way each time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class MemoryLink(Generic[T]):
    """One direction. Chances are 0..1; `delay` and `jitter` are seconds.

    With jitter items overtake each other. The seed decides everything.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0.0,
        duplicate: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
    ) -> None:
        self._random = Random(seed)
        self._loss = loss
        self._duplicate = duplicate
        self._delay = delay
        self._jitter = jitter
        self._order = count()
        self._flying: list[tuple[float, int, T]] = []
        self.sent = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._flying)

    def send(self, item: T, now: float) -> bool:
        """Put `item` on its way; False if the link lost it."""
        self.sent += 1
        if self._random.random() < self._loss:
            self.lost += 1
            return False
        copies = 2 if self._random.random() < self._duplicate else 1
        for _ in range(copies):
            arrival = now + self._delay + self._random.random() * self._jitter
            heapq.heappush(self._flying, (arrival, next(self._order), item))
        return True

    def get_timer(self) -> float | None:
        """When the next item arrives."""
        return self._flying[0][0] if self._flying else None

    def receive(self, now: float) -> Iterator[T]:
        """What has arrived by `now`, in the order of arrival."""
        while self._flying and self._flying[0][0] <= now:
            yield heapq.heappop(self._flying)[2]
