"""A clock that stands still until it is told to move."""

from __future__ import annotations


class ManualClock:
    """Monotonic seconds for tests: call it to read it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.now += seconds
        return self.now

    def advance_to(self, deadline: float) -> float:
        """Go on to `deadline` if that lies ahead."""
        self.now = max(self.now, deadline)
        return self.now
