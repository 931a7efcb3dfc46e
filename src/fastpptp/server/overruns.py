"""Looks after the receive buffers while the headend runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from fastpptp.events.catalogue import Occurrence
from fastpptp.manager.overruns import PERIOD, OverrunWatch


async def watch_overruns(
    buffer: int,
    drops: Callable[[], Mapping[str, int]],
    record: Callable[[Occurrence], object],
) -> None:
    """Until cancelled; see OverrunWatch."""
    watch = OverrunWatch(buffer)
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(PERIOD)
        told = watch.look(drops(), loop.time())
        if told is not None:
            record(told)
