"""Which worker of the dataplane a session runs on.

A call begins with the worker that its Call-ID gives it. Where SEP Card Assignment does not name
that one, the session moves once its user is known, to the one of those named that has fewest
sessions. Numbers above the workers there are name none; where none is left, or all four are named,
every worker will do.
"""

from __future__ import annotations

from collections.abc import Set

ALL_CARDS = frozenset({1, 2, 3, 4})


class Workers:
    """The sessions of each worker. Workers count from 0, cards from 1."""

    def __init__(self, count: int = 1, *, movable: bool = False) -> None:
        self.sessions = [0] * count
        self._movable = movable

    def begin(self, call_id: int) -> int:
        """The worker of a new call."""
        worker = call_id % len(self.sessions)
        self.sessions[worker] += 1
        return worker

    def assign(self, worker: int, cards: Set[int]) -> int:
        """The worker for a session that is on `worker` and may be on `cards`."""
        named = [other for other in range(len(self.sessions)) if other + 1 in cards]
        if not self._movable or not named or worker in named or cards >= ALL_CARDS:
            return worker
        chosen = min(named, key=self.sessions.__getitem__)
        self.sessions[worker] -= 1
        self.sessions[chosen] += 1
        return chosen

    def end(self, worker: int) -> None:
        """A session of this worker is over."""
        self.sessions[worker] -= 1
