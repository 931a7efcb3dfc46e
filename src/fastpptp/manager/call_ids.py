"""Our Call-IDs: random, unique in the process, and rested before they come again.

A handle names one life of a Call-ID: `generation << 16 | call_id` (ports.Dataplane).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable

MAXIMUM = 65535
GENERATIONS = 65535
_ALL = array("H", range(1, MAXIMUM + 1))


class CallIds:
    """1..65535; 0 is never used, since peers take it for "none".

    Ids that were never used are drawn at random, so that nobody off the path can guess the GRE
    key of a call; when they are used up, the one that was freed first comes out first.
    """

    def __init__(self, rng: Callable[[int], bytes], limit: int = MAXIMUM) -> None:
        self._rng = rng
        self._fresh = _ALL[:limit]
        self._rested: deque[int] = deque()
        self._generations = array("H", bytes(2 * (MAXIMUM + 1)))
        self._limit = limit

    @property
    def in_use(self) -> int:
        return self._limit - len(self._fresh) - len(self._rested)

    def take(self) -> int | None:
        """A handle with a Call-ID that is free and a generation (1..65535) unlike the last one."""
        call_id = self._draw()
        if call_id is None:
            return None
        generation = self._generations[call_id] % GENERATIONS + 1
        self._generations[call_id] = generation
        return generation << 16 | call_id

    def free(self, handle: int) -> None:
        """Give back what take() gave; only after the dataplane closed the call."""
        self._rested.append(handle & 0xFFFF)

    def _draw(self) -> int | None:
        left = len(self._fresh)
        if not left:
            return self._rested.popleft() if self._rested else None
        # 32 bits for at most 65,535 places: the bias is below 2^-16.
        place = int.from_bytes(self._rng(4), "big") % left
        last = self._fresh.pop()
        if place == left - 1:
            return last
        drawn, self._fresh[place] = self._fresh[place], last
        return drawn
