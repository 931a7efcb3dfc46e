"""/v1/debug: whose sessions are debugged, for how long, by whom.

| request | words | answer |
|---|---|---|
| GET | | debug: the orders that hold, oldest first |
| POST | user or address, severity (13), minutes (10) | the order |
| DELETE | user, address, or neither for all | debug: the orders that ended |

A further order for the same user or address takes the place of the one before. All end by
themselves. An address may be a network; it is that of the client's control connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

from aiohttp import web

from fastpptp.admin import PREFIX
from fastpptp.admin.author import author
from fastpptp.admin.body import check_kinds, read_body
from fastpptp.admin.query import Word, read_words, within, wrong
from fastpptp.events.catalogue import SEVERITIES, occur
from fastpptp.localtime import wall_clock
from fastpptp.manager.debugging import DebugOrder
from fastpptp.server.runtime import Headend

SEVERITY, MINUTES = SEVERITIES[-1], 10
LONGEST = 24 * 60  # minutes


def _name(text: str) -> str:
    if not text:
        raise ValueError
    return text


_WHOM: Mapping[str, Word] = {
    "user": Word(_name, "a user"),
    "address": Word(IPv4Network, "an IPv4 address or network such as 172.16.1.0/24"),
}
_HOW: Mapping[str, Word] = {
    "severity": Word(within(SEVERITIES[0], SEVERITIES[-1]), "1 to 13"),
    "minutes": Word(within(1, LONGEST), f"1 to {LONGEST}"),
}
KINDS = {"user": str, "address": str, "severity": int, "minutes": int}


class Debug:
    """The requests, carried out on a Headend."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend

    def routes(self) -> list[web.RouteDef]:
        path = f"{PREFIX}/debug"
        return [
            web.get(path, self.list),
            web.post(path, self.start),
            web.delete(path, self.stop),
        ]

    async def list(self, request: web.Request) -> web.Response:
        return _answer({"debug": list(map(_shown, self._headend.manager.debugging))})

    async def start(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        check_kinds(body, KINDS)
        words = read_words({word: str(value) for word, value in body.items()}, {**_WHOM, **_HOW})
        user, address = words.get("user"), words.get("address")
        if (user is None) == (address is None):
            raise wrong("debug", "it does not say who is debugged", "one of: user, address")
        minutes = int(words.get("minutes", MINUTES))
        until = wall_clock() + timedelta(minutes=minutes)
        order = self._headend.start_debug(
            user, address, int(words.get("severity", SEVERITY)), 60.0 * minutes,
            until.isoformat(timespec="seconds"), str(author(request)),
        )  # fmt: skip
        self._record(request, f"debug of {order.target} for {minutes} minutes")
        return _answer(_shown(order))

    async def stop(self, request: web.Request) -> web.Response:
        words = read_words(request.query, _WHOM)
        ended = self._headend.stop_debug(
            words.get("user"), words.get("address"), str(author(request))
        )
        for order in ended:
            self._record(request, f"debug of {order.target} ended")
        return _answer({"debug": list(map(_shown, ended))})

    def _record(self, request: web.Request, what: str) -> None:
        self._headend.events.record(occur("CONFIG", 104, who=author(request), what=what))


def _answer(value: object) -> web.Response:
    return web.json_response(value)


def _shown(order: DebugOrder) -> dict[str, Any]:
    return {
        "user": order.user,
        "address": None if order.address is None else order.where,
        "severity": order.severity,
        "until": order.until_wall,
        "seconds_left": max(0, round(order.until - asyncio.get_running_loop().time())),
        "who": order.who,
    }
