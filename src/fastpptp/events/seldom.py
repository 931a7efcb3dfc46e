"""What would be told again and again is told once in a while, with a count."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

INTERVAL = 60.0  # seconds

K = TypeVar("K", bound=Hashable)


class Seldom:
    """Counts something that happens, and says when it is time to tell of it."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._count = 0
        self._told_at: float | None = None

    def happened(self, now: float) -> int:
        """How often it happened since it was last told, this time included; 0: do not tell."""
        self._count += 1
        if self._told_at is not None and now - self._told_at < self._interval:
            return 0
        count, self._count, self._told_at = self._count, 0, now
        return count


class SeldomEach(Generic[K]):
    """A Seldom for each key; of more than `most` keys the one that was quiet longest goes."""

    def __init__(self, interval: float = INTERVAL, most: int = 4096) -> None:
        self._interval = interval
        self._most = most
        self._kept: dict[K, Seldom] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def happened(self, key: K, now: float) -> int:
        """As Seldom's, for this key."""
        found = self._kept.pop(key, None) or Seldom(self._interval)
        self._kept[key] = found  # the newest is last
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return found.happened(now)
