"""Tell systemd how the service is doing (sd_notify(3), a datagram to $NOTIFY_SOCKET)."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send `READY=1`, `STOPPING=1` and the like; without systemd nothing happens."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram, suppress(OSError):
        datagram.connect("\0" + path[1:] if path.startswith("@") else path)
        datagram.send(state.encode())


async def keep_watchdog() -> None:
    """Tell systemd that the event loop turns, twice in the time after which it would restart us.

    $WATCHDOG_PID says whom it watches (sd_watchdog_enabled(3)).
    """
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while microseconds:
        notify("WATCHDOG=1")
        await asyncio.sleep(microseconds / 2e6)
