"""Receive buffers of this host that overrun persistently: cause and remedy."""

from __future__ import annotations

from collections.abc import Mapping

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.seldom import Seldom

# The drop reasons that it is about: raw sockets' buffers, AF_XDP's rings.
REASONS = ("outer buffer full", "outer overrun")

# How often to look, and how many looks in a row must find at least so many lost packets. A burst
# may overrun any buffer.
PERIOD = 10.0  # seconds
LOOKS = 3
LEAST = 10

INTERVAL = 600.0  # seconds between two events

# What the workers ask for; the kernel doubles it.
WANTED_BUFFER = 16 << 20


class OverrunWatch:
    """`buffer` is the size of the smallest raw socket's receive buffer, as the kernel tells it."""

    def __init__(self, buffer: int) -> None:
        self._buffer = buffer
        self._seen = 0
        self._lost: list[int] = []
        self._since = 0.0
        self._seldom = Seldom(INTERVAL)

    def look(self, drops: Mapping[str, int], now: float) -> Occurrence | None:
        """SYSTEM/140, when the drop counters show that it goes on; call it every PERIOD."""
        total = sum(drops.get(reason, 0) for reason in REASONS)
        lost, self._seen = total - self._seen, total
        if lost < LEAST:
            self._lost.clear()
            return None
        if not self._lost:
            self._since = now - PERIOD
        self._lost.append(lost)
        if len(self._lost) < LOOKS or not self._seldom.happened(now):
            return None
        return occur(
            "SYSTEM", 140, count=sum(self._lost), seconds=f"{now - self._since:.0f}",
            cause=self._cause(),
        )  # fmt: skip

    def _cause(self) -> str:
        if self._buffer < 2 * WANTED_BUFFER:
            return (
                f"The buffers have {self._buffer} octets only: "
                f"sysctl -w net.core.rmem_max={WANTED_BUFFER}, and start the headend anew"
            )
        return (
            "The workers do not keep up (fastpptp top shows their CPU): give the headend more "
            "workers (--workers) and CPUs of their own"
        )
