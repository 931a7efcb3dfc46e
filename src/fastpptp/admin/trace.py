"""GET /v1/trace: the packets of sessions as a pcapng file that grows until the trace ends.

| word | meaning |
|---|---|
| session, user or address | whose packets, one of the three (server/tracefile.py) |
| inner | 1: what went through the tunnel too, decrypted |
| snap | octets kept of each packet |
| count, seconds, size | the trace ends after so many packets or seconds, before so many octets |

The headers Trace-Number and Trace-Sessions say its number, for DELETE /v1/trace/NUMBER, and of how
many sessions it is to begin with. It ends too when whoever asked goes away.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address

from aiohttp import web

from fastpptp.admin import PREFIX
from fastpptp.admin.author import author
from fastpptp.admin.query import Word, read_flag, read_words, within, wrong
from fastpptp.errors import FastpptpError
from fastpptp.events.catalogue import occur
from fastpptp.server.runtime import Headend
from fastpptp.server.tracefile import Target
from fastpptp.trace.capture import LARGEST_SNAP, SMALLEST_SNAP, TraceOrder

NUMBER, SESSIONS = "Trace-Number", "Trace-Sessions"
CONTENT_TYPE = "application/x-pcapng"

LARGEST_COUNT = 10**12
LONGEST = 30 * 86_400.0  # seconds
SMALLEST_SIZE = 4096


class Traces:
    """The requests, carried out on a Headend."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/trace", self.trace),
            web.delete(f"{PREFIX}/trace/{{number:[0-9]+}}", self.end),
        ]

    async def trace(self, request: web.Request) -> web.StreamResponse:
        who = author(request)
        target, order = trace_query(request.query, str(who))
        tracer = self._headend.tracer
        file = tracer.start(target, order)
        try:
            self._headend.events.record(
                occur("CONFIG", 104, who=who, what=f"trace of {target} begun")
            )
            response = web.StreamResponse(headers={
                "Content-Type": CONTENT_TYPE, NUMBER: str(file.number),
                SESSIONS: str(len(file.handles)),
            })  # fmt: skip
            await response.prepare(request)
            with suppress(ConnectionError):  # the reader is gone: so is the trace
                async for chunk in file.chunks(lambda: _connected(request)):
                    await response.write(chunk)
                await response.write_eof()
            return response
        finally:
            tracer.close(file)

    async def end(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if not self._headend.tracer.end(number, f"ended by {author(request)}"):
            raise FastpptpError(f"there is no trace {number}")
        return web.json_response({})


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


_WHOSE: Mapping[str, Word] = {
    "session": Word(int, "the number of a session"),
    "user": Word(str, "a user"),
    "address": Word(IPv4Address, "an IPv4 address, assigned or public"),
}
_HOW: Mapping[str, Word] = {
    "inner": Word(read_flag, "0 or 1"),
    "snap": Word(within(SMALLEST_SNAP, LARGEST_SNAP), f"{SMALLEST_SNAP} to {LARGEST_SNAP} octets"),
    "count": Word(within(1, LARGEST_COUNT), "1 or more packets"),
    "seconds": Word(within(0.001, LONGEST, float), f"up to {LONGEST:.0f} seconds"),
    "size": Word(within(SMALLEST_SIZE, 1 << 60), f"{SMALLEST_SIZE} or more octets"),
}


def trace_query(words: Mapping[str, str], who: str) -> tuple[Target, TraceOrder]:
    """Whose packets a request is for, and how."""
    values = read_words(words, {**_WHOSE, **_HOW})
    whose = {word: values.pop(word) for word in _WHOSE if word in values}
    if len(whose) != 1:
        raise wrong("trace", "it does not say whose packets", f"one of: {', '.join(_WHOSE)}")
    target = Target(**whose)
    return target, TraceOrder(whom=str(target), who=who, **values)
