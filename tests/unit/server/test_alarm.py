"""The event loop's clock for what says when it wants to be called."""

from __future__ import annotations

import asyncio

from fastpptp.backends.alarm import Alarm


def test_the_earliest_deadline_counts() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        alarm = Alarm(rung.set)
        alarm.set(None)
        alarm.set(loop.time() + 3600)
        soon = loop.time() + 0.01
        alarm.set(soon)
        alarm.set(loop.time() + 60)
        await asyncio.wait_for(rung.wait(), 5)
        assert loop.time() >= soon - loop.slow_callback_duration
        rung.clear()
        alarm.set(loop.time() + 0.01)  # it rings again
        await asyncio.wait_for(rung.wait(), 5)

    asyncio.run(test())


def test_one_that_is_cancelled_is_silent() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        rung: list[str] = []
        alarm = Alarm(lambda: rung.append("cancelled"))
        alarm.set(loop.time())
        alarm.cancel()
        other = asyncio.Event()
        Alarm(other.set).set(loop.time())
        await asyncio.wait_for(other.wait(), 5)
        assert rung == []

    asyncio.run(test())
