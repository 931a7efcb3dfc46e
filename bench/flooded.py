"""A headend that can be flooded with events: `python -m bench.flooded RATE serve ...`.

From a SIGUSR1 to the next RATE events a second happen in it, of three kinds in turn.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from ipaddress import IPv4Address

from fastpptp.cli import cli
from fastpptp.events.catalogue import occur
from fastpptp.server.runtime import Headend

TICK = 0.01  # seconds
PEER = IPv4Address("198.51.100.7")
MESSAGE = "rcvd [LCP ConfReq id=0x0 <mru 1400> <magic 0x31a40762> <pcomp> <accomp> <callback CBCP>]"


# Made beforehand: what comes before an event costs more than the event, and is not asked for here.
HAPPENING = (
    occur("PPTP", 110, peer=PEER, detail="a message of 7 octets"),
    occur("PPPDECODE", 101, peer=PEER, text=MESSAGE),
    occur("DHCP", 104, user="pptpuser", server=PEER, text="no free leases"),
)


class Flood:
    """RATE events a second, in small portions."""

    def __init__(self, headend: Headend, rate: int) -> None:
        self._headend = headend
        self._rate = rate
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        self._count = 0

    def toggle(self) -> None:
        if self._began is None:
            self._began, self._count = self._loop.time(), 0
            self._portion()
        else:
            self._began = None

    def _portion(self) -> None:
        if self._began is None:
            return
        due = int((self._loop.time() - self._began) * self._rate)
        for number in range(self._count, due):
            self._headend.events.record(HAPPENING[number % len(HAPPENING)])
        self._count = due
        self._loop.call_later(TICK, self._portion)


def main() -> None:
    rate = int(sys.argv.pop(1))
    start = Headend.start

    async def start_flooded(self: Headend) -> None:
        await start(self)
        flood = Flood(self, rate)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, flood.toggle)

    Headend.start = start_flooded  # type: ignore[method-assign]
    cli(prog_name="fastpptp")


if __name__ == "__main__":
    main()
