"""The event loop's clock, for what tells by `get_timer()` when it wants to be called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `rings` on the running loop no later than it is set to; too early does no harm."""

    def __init__(self, rings: Callable[[], object]) -> None:
        self._rings = rings
        self._timer: asyncio.TimerHandle | None = None

    def set(self, deadline: float | None) -> None:
        """Ring at `deadline`, seconds of the loop's clock; None and a later one change nothing."""
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        self.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._ring)

    def cancel(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._rings()
