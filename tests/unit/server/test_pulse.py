"""Who answers is left alone, and so is who was not asked, for we stood still ourselves."""

from __future__ import annotations

import asyncio
import time

import pytest

from fastpptp.server import pulse
from fastpptp.server.pulse import Pulse


class Watched:
    """A child that answers so often, the first time `stall` seconds late for both of us."""

    def __init__(self, answers: int, stall: float = 0.0) -> None:
        self.answers = answers
        self.stall = stall
        self.silent = asyncio.Event()
        self.asked = 0
        self.weak: list[bool] = []
        self.pulse = Pulse(self._ask, self._is_silent)

    def _ask(self) -> None:
        self.asked += 1
        time.sleep(self.stall)
        self.stall = 0.0
        if self.asked <= self.answers:
            asyncio.get_running_loop().call_soon(self.pulse.heard)

    def _is_silent(self) -> None:
        self.weak.append(self.pulse.is_weak)
        self.silent.set()
        self.pulse.stop()


@pytest.mark.parametrize("stall", [0.0, 0.2])
def test_one_that_answers_no_more_is_told_of(monkeypatch: pytest.MonkeyPatch, stall: float) -> None:
    monkeypatch.setattr(pulse, "LOOK", 0.01)

    async def test() -> None:
        watched = Watched(5, stall)
        watched.pulse.start(0.1)
        async with asyncio.timeout(10):
            await watched.silent.wait()
        assert (watched.asked, watched.weak) == (6, [True])

    asyncio.run(test())
