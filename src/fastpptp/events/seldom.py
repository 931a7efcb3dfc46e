"""What would be told again and again is told once in a while, with a count."""

from __future__ import annotations

INTERVAL = 60.0  # seconds


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
