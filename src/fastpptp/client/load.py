"""The load generator: very many PPTP clients of one headend in one process.

    python -m fastpptp.client.load SERVER --user NAME --password WORD --sessions 1000

prints a JSON object a line: `up` when the sessions are there, `held` when SIGTERM or the end of
--hold ends the waiting, `down` when they are gone. With --cycle every client hangs up as soon as
it is up, and there is one line, `cycled`. With --storm further clients dial at a fixed rate,
whatever the headend says, refused ones again and again; the line `stormed` tells what got through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any

from fastpptp.bootstrap import PPTP_PORT
from fastpptp.client.generator import Ending, Load, LoadOptions, dataplane
from fastpptp.ports import Dataplane
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole, MppePolicy
from fastpptp.process import calm_collector, lift_descriptor_limit

METHODS = tuple(AuthMethod)


class _Run:
    """One run of the command."""

    def __init__(self, words: argparse.Namespace) -> None:
        self._words = words
        self._stopped = asyncio.Event()

    async def run(self, plane: Dataplane) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopped.set)
        load = Load(_options(self._words), plane, _complain)
        try:
            await self._play(load)
        finally:
            load.close()

    async def _play(self, load: Load) -> None:
        words = self._words
        if words.cycle:
            await self._timed("cycled", load, load.cycle(words.sessions, words.cycle))
            return
        await self._timed("up", load, load.bring_up(words.sessions))
        if words.storm:
            ups = await load.storm(words.clients, words.storm, words.storm_seconds)
            _say("stormed", **load.tally.as_json(), ups=[round(up, 3) for up in ups])
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), words.hold)
        _say("held", **load.tally.as_json(), **load.counters())
        await self._timed("down", load, load.hang_up())

    async def _timed(self, phase: str, load: Load, work: Coroutine[Any, Any, None]) -> None:
        began = time.monotonic()
        await work
        seconds = time.monotonic() - began
        _say(phase, seconds=seconds, **load.tally.as_json())


def _complain(text: str) -> None:
    _say("complaint", text=text)


def _say(phase: str, **facts: Any) -> None:
    print(json.dumps({"phase": phase, **facts}), flush=True)


def _options(words: argparse.Namespace) -> LoadOptions:
    mppe = MppePolicy(enabled=not words.no_encryption)
    link = LinkConfig(
        role=LinkRole.PEER, methods=METHODS, password=words.password, mppe=mppe, offload=True
    )
    return LoadOptions(
        words.server,
        tuple(words.source),
        link,
        tuple(words.user),
        words.port,
        words.calls,
        words.in_flight,
    )


def _endings(text: str) -> tuple[Ending, ...]:
    return tuple(map(Ending, text.split(",")))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m fastpptp.client.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("server", type=IPv4Address)
    add("--port", type=int, default=PPTP_PORT)
    add("--source", type=IPv4Address, action="append", required=True, help="repeatable")
    add("--user", action="append", required=True, help="repeatable")
    add("--password", required=True)
    add("--sessions", type=int, default=1)
    add("--calls", type=int, default=1, help="calls on each control connection")
    add("--in-flight", type=int, default=64, help="handshakes at a time")
    add("--no-encryption", action="store_true")
    add("--hold", type=float, help="seconds; without it until SIGTERM")
    add("--cycle", type=_endings, metavar="ENDING,...", help="clean, killed, half-open, refused")
    add("--storm", type=float, metavar="RATE", help="calls a second")
    add("--clients", type=int, default=1000, help="who take part in the storm")
    add("--storm-seconds", type=float, default=60.0)
    add("--tun", default="load%d")
    return made


def main() -> None:
    lift_descriptor_limit()
    calm_collector()
    words = parser().parse_args()
    with dataplane(words.tun) as plane:
        asyncio.run(_Run(words).run(plane))


if __name__ == "__main__":
    main()
