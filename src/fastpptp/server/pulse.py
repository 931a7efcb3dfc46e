"""Whether a child that nobody waits for still does its work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Seconds between two looks.
LOOK = 2.0


class Pulse:
    """Has a child asked (`ask`) now and then, and calls `silent` when it says nothing for so long.

    Whatever is `heard` of it is an answer. Looks are counted, not seconds: a headend that stood
    still itself has not heard anything either.
    """

    def __init__(self, ask: Callable[[], object], silent: Callable[[], object]) -> None:
        self._ask = ask
        self._silent = silent
        self._looks = 0  # since it was heard
        self._patience = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, patience: float) -> None:
        """Watch it from now on, on the running loop, with so many seconds of patience."""
        self.stop()
        self._patience, self._looks = patience, 0
        self._timer = asyncio.get_running_loop().call_later(LOOK, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """It said something."""
        self._looks = 0

    @property
    def is_weak(self) -> bool:
        """Whether it has not answered yet although there was time."""
        return self._looks > 2

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK, self._look)
        self._looks += 1
        if self._looks == 1:
            self._ask()
        elif (self._looks - 1) * LOOK >= self._patience:
            self._silent()
