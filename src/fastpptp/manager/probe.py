"""Questions to a peer by LCP Echo-Requests of chosen sizes, and what its answers say.

A Probe is a small state machine without I/O: `due` is when advance() wants to be called;
advance() and answered() return the size of the echo to send now, if any.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

from fastpptp.effects import Effect

# Sizes are octets of the PPP information field. SMALL passes anywhere; a peer that answers MEDIUM
# answers echoes that hold data at all.
SMALL = 64
MEDIUM = 256
# How exactly the largest size that passes is looked for.
PRECISION = 8

# How long an answer is waited for while nothing is known of the round trip, and what bounds it
# when it is. Seconds.
FIRST_WAIT = 1.0
LEAST_WAIT = 0.25
MOST_WAIT = 2.0
ROUND_TRIPS = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """Send echoes of this size until one is answered, at most so many."""

    size: int
    times: int


# The answers are whether one came; the result is what was found out, None: nothing to tell.
Plan: TypeAlias = Generator[Ask, bool, int | None]


def path_plan(mru: int) -> Plan:
    """The largest size that gets through where one of the MRU does not (an MTU black hole).

    A peer that does not answer echoes of MEDIUM size either proves nothing. Loss by chance is
    told apart by all other sizes passing, and by asking once more in the end.
    """
    if (yield Ask(mru, 3)) or mru <= MEDIUM or not (yield Ask(MEDIUM, 3)):
        return None
    passes, lost = MEDIUM, mru
    while lost - passes > PRECISION:
        middle = (passes + lost) // 2
        if (yield Ask(middle, 2)):
            passes = middle
        else:
            lost = middle
    if lost == mru or (yield Ask(mru, 2)):
        return None
    return passes


def reach_plan() -> Plan:
    """0 where no echo is answered at all."""
    return None if (yield Ask(SMALL, 3)) else 0


class Probe:
    """One question under way, from `at` on; `due` is None when it is over.

    `tell` makes effects of a result, and is asked once, by advance()'s or answered()'s caller
    through `conclusion`.
    """

    __slots__ = (
        "_asked",
        "_largest",
        "_left",
        "_plan",
        "_sent",
        "_tell",
        "_wait",
        "due",
        "found",
        "heard",
    )

    def __init__(self, plan: Plan, at: float, tell: Callable[[int, float], list[Effect]]) -> None:
        self._plan = plan
        self._asked = next(plan)
        self._largest = self._asked.size
        self._left = self._asked.times
        self._sent = at
        self._wait = FIRST_WAIT
        self._tell = tell
        self.due: float | None = at
        self.found: int | None = None
        # Whether any echo was answered.
        self.heard = False

    def advance(self, now: float) -> int | None:
        """Ask, ask again, or take silence for an answer, as it is due."""
        if self.due is None or now < self.due:
            return None
        return self._send(now) if self._left else self._go_on(False, now)

    def answered(self, size: int, now: float) -> int | None:
        """An echo of this size came back; one of more than is asked answers as well.

        The largest, which is asked first, has an answer to everything, however late it comes.
        """
        asked, left = self._asked, self._left
        if self.due is None or left == asked.times or size < asked.size:
            return None
        self.heard = True
        if size >= self._largest:
            self.due = None
            return None
        if size == asked.size and left == asked.times - 1:  # sent once: no doubt which one it was
            self._wait = min(max(ROUND_TRIPS * (now - self._sent), LEAST_WAIT), MOST_WAIT)
        return self._go_on(True, now)

    def conclusion(self, now: float) -> list[Effect]:
        """What the result has to tell, once it is there."""
        return [] if self.found is None else self._tell(self.found, now)

    def _go_on(self, passed: bool, now: float) -> int | None:
        try:
            self._asked = self._plan.send(passed)
        except StopIteration as end:
            self.found, self.due = end.value, None
            return None
        self._left = self._asked.times
        return self._send(now)

    def _send(self, now: float) -> int:
        self._left -= 1
        self._sent = now
        self.due = now + self._wait
        return self._asked.size
