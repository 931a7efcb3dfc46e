"""The control API: JSON over HTTP on a unix socket that only its owner can open.

| request | body or query | answer |
|---|---|---|
| GET /v1/version | | version |
| GET /v1/sessions | user, group, client, address, method, encryption, state | sessions |
| GET /v1/sessions/top | as sessions, by, first, limit, watcher | a page (admin/ranking.py) |
| GET /v1/sessions/ID | | one session in detail |
| POST /v1/sessions/ID/ping | | address, server_address, rtt: seconds, null without a reply |
| POST /v1/logout | session, user, users, group, address, or all: true; edited | sessions ended |
| POST /v1/tunnels/stop | peer | tunnels: how many are ended |
| GET /v1/snapshot | | everything at once, a JSON value a line: see admin/snapshot.py |
| GET /v1/events | see below | events, page, pages, total, exact, newest |
| DELETE /v1/events | | the event log is empty |
| GET /v1/sinks | | sinks: where events go, how many got there, were lost, wait; what is wrong |
| GET /v1/ended | as sessions; cause, page, per_page | ended: newest first; page, pages, total |
| GET /v1/statistics | | counters since the start or the Reset (admin/meter.py), what is held now |
| GET /v1/statistics/pptp | | totals, and sessions: a row for each |
| POST /v1/statistics/reset, /restore | | counters begin at 0 for who asks; are real again |
| GET /v1/pools | | pools: the address pools in their order, and how much of each is in use |
| GET /v1/filters/NAME | | (packets, octets) of each rule, by default, unjudged |
| POST /v1/reload | | revision |
| GET, POST, DELETE /v1/debug | see admin/debugging.py | debug at run time |
| GET /v1/trace | see admin/trace.py | a pcapng file, as packets come |
| DELETE /v1/trace/NUMBER | | that file comes to its end |
| GET /metrics, /healthz, /readyz | | see admin/monitor.py |

`edited: true` says that their account was changed or deleted, and so the cause.
Events are asked for by class, severity, client, group, user, cause, since, until, text; after and
before, sequence numbers, which are left out; newest, 1 for newest first; per_page; page: a number,
first or last. Where the answer is not exact there are at most `total`, and pages may lack some of
theirs; `newest` is the log's newest sequence number.

The `restart` of a reload names what of the bootstrap file holds from a restart.
An error is {"error": what, "remedy": what to do, "problems": [{where, what, remedy}]}.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from fastpptp import __version__
from fastpptp.admin import PREFIX, feed, views
from fastpptp.admin.author import administrator, author
from fastpptp.admin.body import check_kinds, read_body
from fastpptp.admin.debugging import Debug
from fastpptp.admin.listing import listing
from fastpptp.admin.meter import Meter
from fastpptp.admin.monitor import Monitor
from fastpptp.admin.query import (
    ended_query,
    event_query,
    peer,
    selection,
    session_filter,
    top_query,
)
from fastpptp.admin.ranking import Ranking
from fastpptp.admin.trace import Traces
from fastpptp.errors import ConfigurationError, FastpptpError, UnavailableError
from fastpptp.events.catalogue import occur
from fastpptp.events.log import EventPage
from fastpptp.localtime import wall_clock
from fastpptp.server.ping import ping
from fastpptp.server.reloading import Reloaded
from fastpptp.server.runtime import Headend
from fastpptp.session import Cause, SessionView

PATH_LIMIT = 107  # sun_path without its NUL
PING_WAIT = 2.0  # seconds
LOGOUT_KINDS = {
    "session": int, "user": str, "group": str, "address": str, "all": bool, "edited": bool,
}  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Reload = Callable[[], Awaitable[Reloaded]]


class AdminApi:
    """The requests, carried out on a Headend."""

    def __init__(self, headend: Headend, reload: Reload) -> None:
        self._headend = headend
        self._reload = reload
        self._meter = Meter(headend)
        self._ranking = Ranking(headend, self._meter)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_errors_as_json])
        application.add_routes(
            [
                web.get(f"{PREFIX}/version", self.version),
                web.get(f"{PREFIX}/sessions", self.sessions),
                web.get(f"{PREFIX}/sessions/top", self.top),
                web.get(f"{PREFIX}/sessions/{{id:[0-9]+}}", self.session),
                web.post(f"{PREFIX}/sessions/{{id:[0-9]+}}/ping", self.ping),
                web.post(f"{PREFIX}/logout", self.logout),
                web.post(f"{PREFIX}/tunnels/stop", self.stop_tunnels),
                web.get(f"{PREFIX}/snapshot", self.snapshot),
                web.get(f"{PREFIX}/events", self.events),
                web.delete(f"{PREFIX}/events", self.clear_events),
                web.get(f"{PREFIX}/sinks", self.sinks),
                web.get(f"{PREFIX}/ended", self.ended),
                web.get(f"{PREFIX}/statistics", self.statistics),
                web.get(f"{PREFIX}/statistics/pptp", self.pptp_statistics),
                web.post(f"{PREFIX}/statistics/reset", self.reset),
                web.post(f"{PREFIX}/statistics/restore", self.restore),
                web.get(f"{PREFIX}/pools", self.pools),
                web.get(f"{PREFIX}/filters/{{name}}", self.filter),
                web.post(f"{PREFIX}/reload", self.reload),
                *Traces(self._headend).routes(),
                *Debug(self._headend).routes(),
                *Monitor(self._headend).routes(),
            ]
        )
        return application

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": __version__, "pid": os.getpid()})

    async def sessions(self, request: web.Request) -> web.StreamResponse:
        who, wanted = administrator(request), session_filter(request.query)
        now, wall = asyncio.get_running_loop().time(), wall_clock()

        def row(view: SessionView) -> Mapping[str, Any]:
            return views.session_summary(view, self._meter.row(who, view), now, wall)

        return await listing(request, self._headend, row, wanted)

    async def top(self, request: web.Request) -> web.Response:
        who = administrator(request)
        now, wall = asyncio.get_running_loop().time(), wall_clock()
        wanted, query = top_query(request.query)
        page = self._ranking.page(who, wanted, query, now)
        rows = [
            views.session_summary(entry.view, self._meter.row(who, entry.view), now, wall)
            | views.rates(entry.rx_rate, entry.tx_rate)
            for entry in page.entries
        ]
        return web.json_response(
            {
                "sessions": rows,
                "total": page.total,
                "rx_rate": page.rx_rate,
                "tx_rate": page.tx_rate,
            }
        )

    async def session(self, request: web.Request) -> web.Response:
        view = self._named(request)
        now, wall = asyncio.get_running_loop().time(), wall_clock()
        row = self._meter.row(administrator(request), view)
        return web.json_response(views.session_detail(view, row, now, wall))

    def _named(self, request: web.Request) -> SessionView:
        view = self._headend.manager.session(int(request.match_info["id"]))
        if view is None:
            raise _not_found(f"there is no session {request.match_info['id']}")
        return view

    async def ping(self, request: web.Request) -> web.Response:
        view = self._named(request)
        if view.assigned is None or view.server_address is None:
            raise FastpptpError(f"session {view.id} has no IPv4 address to ping")
        try:
            rtt = await ping(view.server_address, view.assigned, PING_WAIT)
        except OSError as error:
            raise UnavailableError(
                f"no ping can be sent from {view.server_address}: {error.strerror}",
                "Look at the TUN device's address, and at CAP_NET_RAW.",
            ) from None
        addresses = {"address": str(view.assigned), "server_address": str(view.server_address)}
        return web.json_response({**addresses, "rtt": rtt})

    async def ended(self, request: web.Request) -> web.Response:
        wanted, page, per_page = ended_query(request.query)
        found = await self._headend.past.ended(wanted, page, per_page)
        rows = {"ended": list(found.rows), "page": found.page, "pages": found.pages}
        return web.json_response({**rows, "total": found.total})

    async def logout(self, request: web.Request) -> web.Response:
        body = dict(await read_body(request))
        check_kinds(body, LOGOUT_KINDS)
        cause = Cause.ACCOUNT_CHANGED if body.pop("edited", False) else Cause.ADMIN_LOGOUT
        ended = self._headend.logout(selection(body), cause)
        if ended:
            numbers = ", ".join(str(view.id) for view in ended)
            self._record(request, f"sessions logged out: {numbers}")
        return web.json_response({"sessions": [view.id for view in ended]})

    async def stop_tunnels(self, request: web.Request) -> web.Response:
        address = peer(await read_body(request))
        count = self._headend.stop_tunnels(address)
        if count:
            self._record(request, f"tunnels to peer {address} closed: {count}")
        return web.json_response({"tunnels": count})

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        async for line in feed.lines(self._headend, self._meter.monitored(), wall_clock()):
            await answer.write(line)
        await answer.write_eof()
        return answer

    async def events(self, request: web.Request) -> web.Response:
        query = event_query(request.query)
        text = await self._headend.recorder.query(query, _page_as_json)
        return web.Response(text=text, content_type="application/json")

    async def clear_events(self, request: web.Request) -> web.Response:
        await self._headend.recorder.clear()
        self._record(request, "event log cleared")
        return web.json_response({})

    async def sinks(self, request: web.Request) -> web.Response:
        rows = [sink._asdict() for sink in self._headend.recorder.sinks()]
        return web.json_response({"sinks": rows})

    async def statistics(self, request: web.Request) -> web.Response:
        return web.json_response(self._meter.totals(administrator(request)))

    async def pptp_statistics(self, request: web.Request) -> web.StreamResponse:
        who = administrator(request)

        def row(view: SessionView) -> Mapping[str, Any]:
            return views.session_statistics(view, self._meter.row(who, view))

        return await listing(request, self._headend, row, head=self._meter.pptp(who))

    async def reset(self, request: web.Request) -> web.Response:
        self._meter.reset(administrator(request), wall_clock())
        return web.json_response({})

    async def restore(self, request: web.Request) -> web.Response:
        self._meter.restore(administrator(request))
        return web.json_response({})

    async def pools(self, request: web.Request) -> web.Response:
        return web.json_response({"pools": list(map(views.pool, self._headend.pools()))})

    async def filter(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._headend.policy.filters:
            raise _not_found(f"there is no filter {name}")
        return web.json_response(self._headend.filter_counts(name))

    async def reload(self, request: web.Request) -> web.Response:
        done = await self._reload()
        return web.json_response({"revision": done.revision, "restart": done.restart})

    def _record(self, request: web.Request, what: str) -> None:
        """Who did what."""
        self._headend.events.record(occur("CONFIG", 104, who=author(request), what=what))


def _page_as_json(page: EventPage) -> str:
    """On the thread that read it: a long page is not for the event loop."""
    return json.dumps(views.page(page))


def _not_found(what: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(text=json.dumps({"error": what}), content_type="application/json")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConfigurationError as error:
        problems = [{"where": p.where, "what": p.what, "remedy": p.remedy} for p in error.problems]
        return web.json_response({"error": str(error), "problems": problems}, status=422)
    except UnavailableError as error:
        return web.json_response({"error": error.what, "remedy": error.remedy}, status=503)
    except FastpptpError as error:
        return web.json_response({"error": str(error)}, status=409)
    except web.HTTPException as error:
        if error.content_type == "application/json":
            raise
        return web.json_response({"error": error.reason}, status=error.status)


class AdminServer:
    """The API on a unix socket of mode 0600: `start`, then `stop`."""

    def __init__(self, headend: Headend, path: Path, reload: Reload) -> None:
        self._path = path
        self._bound = False
        self._runner = web.AppRunner(AdminApi(headend, reload).application(), access_log=None)

    async def start(self) -> None:
        """UnavailableError where another headend has the socket, or it cannot be made."""
        listener = _bind(self._path)
        self._bound = True
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()
        if self._bound:  # else it is the socket of the headend that was there first
            with suppress(FileNotFoundError):
                self._path.unlink()


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise UnavailableError(
            f"the admin socket's path is longer than {PATH_LIMIT} octets: {path}",
            "Name a shorter one (admin_socket).",
        )
    refuse_second(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"the admin socket {path} cannot be made: {error.strerror}",
            "Make its directory writable, or name another path (admin_socket).",
        ) from None
    finally:
        os.umask(before)
    return listener


def refuse_second(path: Path) -> None:
    """UnavailableError if a headend has this socket; that of one that is gone is removed."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError:
            return
        else:
            raise UnavailableError(
                f"a headend is already running: it answers on {path}",
                "Stop it first, or give this one a state directory of its own (--state-dir).",
            )
