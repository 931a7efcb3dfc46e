"""GET /v1/snapshot, made batch by batch, so that others have their turn between two lines."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any

from fastpptp import __version__
from fastpptp.admin.listing import batches
from fastpptp.admin.snapshot import COUNTERS, TunnelRow
from fastpptp.manager.tunnel import Tunnel
from fastpptp.server.runtime import Headend
from fastpptp.session import SessionView


async def lines(
    headend: Headend, totals: Mapping[str, Any], wall: datetime
) -> AsyncIterator[bytes]:
    """A Snapshot line by line."""
    now = asyncio.get_running_loop().time()
    yield _line("head", [__version__, socket.gethostname(), headend.uptime(now), totals])
    repeats = headend.events.repeats.items()
    yield _line("events", [(cls, number, count) for (cls, number), count in repeats])
    for tunnels in batches(headend.manager.tunnels()):
        yield _line("tunnels", [_tunnel(tunnel) for tunnel in tunnels])
        await asyncio.sleep(0)
    for ids in batches(headend.manager.session_ids()):
        known = [view for view in map(headend.manager.session, ids) if view is not None]
        yield _line("sessions", list(_sessions(headend, known, now, wall.timestamp())))
        await asyncio.sleep(0)
    yield _line("end", [])


def _line(kind: str, rows: list[Any]) -> bytes:
    return json.dumps([kind, rows], separators=(",", ":")).encode() + b"\n"


def _tunnel(tunnel: Tunnel) -> TunnelRow:
    assert tunnel.info is not None
    told = tunnel.info
    return TunnelRow(
        connection=tunnel.connection,
        peer=int(tunnel.peer),
        local=int(tunnel.local),
        sessions=len(tunnel.sessions),
        version=told.version,
        framing=told.framing_capabilities,
        bearer=told.bearer_capabilities,
        max_channels=told.maximum_channels,
        firmware=told.firmware_revision,
        host_name=told.host_name,
        vendor=told.vendor_name,
    )


def _sessions(
    headend: Headend, views: list[SessionView], now: float, wall: float
) -> Iterator[tuple[Any, ...]]:
    rows = headend.rows(views)
    counters = zip(*(rows[name].tolist() for name in COUNTERS), strict=True)
    for view, counts in zip(views, counters, strict=True):
        yield (*_described(view, now, wall), *counts)


def _described(view: SessionView, now: float, wall: float) -> tuple[Any, ...]:
    """A SessionRow without its counters."""
    encryption = view.encryption
    age = now - (view.started_at if view.login_at is None else view.login_at)
    return (
        view.id,
        view.user,
        view.group or "",
        int(view.peer),
        int(view.assigned) if view.assigned else 0,
        view.client_type,
        encryption.bits if encryption else 0,
        encryption.stateless if encryption else False,
        max(0.0, round(age, 2)),
        0 if view.login_at is None else round(wall - age),
        view.worker,
        view.local_call_id,
        view.peer_call_id,
        view.serial,
        view.minimum_speed,
        view.maximum_speed,
        view.connect_speed,
        view.bearer_type,
        view.framing_type,
        view.physical_channel,
        view.local_window,
        view.peer_window,
        view.local_delay,
        view.peer_delay,
    )
