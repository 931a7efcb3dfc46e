"""What watches over a headend asks, over HTTP: /metrics, /healthz and /readyz.

They are served on the admin socket and, with the bootstrap setting `metrics_listen`, on TCP, where
they are all there is: nothing can be changed by them, and they tell no names or addresses.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from fastpptp.admin.metrics import HeadendCollector
from fastpptp.backends.capabilities import LOW_PORT, Capability, raised
from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import occur
from fastpptp.events.seldom import SeldomEach
from fastpptp.server.net import open_listener
from fastpptp.server.runtime import Headend

# Characters of a refused request that are told.
LONGEST = 200


class Monitor:
    """The requests, answered by a Headend."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend
        self._registry = CollectorRegistry()
        self._registry.register(HeadendCollector(headend))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/metrics", self.metrics),
            web.get("/healthz", self.health),
            web.get("/readyz", self.readiness),
        ]

    async def metrics(self, request: web.Request) -> web.Response:
        """OpenMetrics or the older text format, as the scraper accepts."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        headers = {"Content-Type": content_type}
        return web.Response(body=encode(self._registry), headers=headers)

    async def health(self, request: web.Request) -> web.Response:
        """That this is answered says that the event loop turns."""
        return web.Response(text="ok\n")

    async def readiness(self, request: web.Request) -> web.Response:
        if self._headend.ready:
            return web.Response(text="ready\n")
        return web.Response(text="not taking control connections\n", status=503)


class MonitorServer:
    """The three over TCP: `start`, then `stop`."""

    def __init__(self, headend: Headend, address: IPv4Address, port: int) -> None:
        self._headend = headend
        self._refused: SeldomEach[str] = SeldomEach()
        application = web.Application(middlewares=[self._tell_refused])
        application.add_routes(Monitor(headend).routes())
        self._runner = web.AppRunner(application, access_log=None)
        self._where = address, port

    async def start(self) -> socket.socket:
        """The listening socket. UnavailableError when it cannot be had."""
        address, port = self._where
        try:
            with raised(Capability.NET_BIND_SERVICE):
                listener = open_listener(address, port)
        except OSError as error:
            why = f"{LOW_PORT} " if isinstance(error, PermissionError) else ""
            raise UnavailableError(
                f"metrics cannot be served on {address}:{port}: {error.strerror}",
                f"{why}Choose another address or port (metrics_listen).",
            ) from None
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return listener

    @web.middleware
    async def _tell_refused(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            now = asyncio.get_running_loop().time()
            if count := self._refused.happened(error.reason, now):
                asked = f"{request.method} {request.path}"[:LONGEST]
                peer = IPv4Address(request.remote or 0)
                happened = occur(
                    "HTTP", 100, peer=peer, request=asked, reason=error.reason, count=count
                )
                self._headend.events.record(happened)
            raise

    async def stop(self) -> None:
        await self._runner.cleanup()
