"""What the control API says of sessions, events and counters, as JSON-ready dictionaries.

Octets and packets: `rx` is from the client, `tx` to it. Times of day are ISO 8601 with a zone,
durations seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from fastpptp.addresses.pools import PoolUsage
from fastpptp.admin.query import NO_ENCRYPTION
from fastpptp.events.format import reference
from fastpptp.events.log import EventPage, EventRecord
from fastpptp.manager import Departure, Statistics
from fastpptp.manager.statistics import BY_CAUSE
from fastpptp.methods import AuthMethod
from fastpptp.session import SessionState, SessionView
from fastpptp.session.view import Encryption

# Whose buffer is full, by the stats row's bits: ours, or behind the peer's window.
FLOW = ("None", "Local", "Peer", "Both")

Row = Mapping[str, Any]

# What a row of the dataplane's stats has besides counters.
NO_COUNTERS = frozenset({"handle", "flow", "last_data", "opened", "stray_source", "reserved"})

SESSION_COUNTERS = (
    "rx_octets", "tx_octets", "rx_packets", "tx_packets", "rx_discards", "tx_discards", "rx_zlb",
    "tx_zlb", "ack_timeouts", "window_reopens", "out_of_window", "out_of_sequence",
)  # fmt: skip


def session_summary(view: SessionView, row: Row, now: float, wall: datetime) -> dict[str, Any]:
    """A session as one row of Administer Sessions. `row` is its row of the dataplane's stats."""
    since = view.login_at if view.login_at is not None else view.started_at
    return {
        "id": view.id,
        "user": view.user,
        "group": view.group,
        "peer": str(view.peer),
        "address": _text(view.assigned),
        "client_type": view.client_type,
        "protocol": "PPTP",
        "method": view.method.value if view.method else None,
        "encryption": str(view.encryption) if view.encryption else None,
        "state": view.state.value,
        "login_time": _moment(view.login_at, now, wall),
        "duration": int(now - since),
        "rx_octets": row["rx_octets"],
        "tx_octets": row["tx_octets"],
        "data": row["rx_octets"] + row["tx_octets"],
        "rx_packets": row["rx_packets"],
        "tx_packets": row["tx_packets"],
    }


def rates(rx_rate: float, tx_rate: float) -> dict[str, float]:
    """Bits a second of a session: from the client, to it, both."""
    return {"rx_rate": rx_rate, "tx_rate": tx_rate, "throughput": rx_rate + tx_rate}


def session_detail(view: SessionView, row: Row, now: float, wall: datetime) -> dict[str, Any]:
    """All that is known of a session, its dataplane counters included."""
    encryption = asdict(view.encryption) if view.encryption else None
    return session_summary(view, row, now, wall) | {
        "local": str(view.local),
        "server_address": _text(view.server_address),
        "prefix": _text(view.prefix),
        "assigned_by": view.assigned_by,
        "networks": list(map(str, view.networks)),
        "mppe": encryption,
        "compression": None,  # settings and CCP refuse MPPC
        "local_call_id": view.local_call_id,
        "peer_call_id": view.peer_call_id,
        "serial": view.serial,
        "local_window": view.local_window,
        "peer_window": view.peer_window,
        "connection": view.connection,
        "filter": view.filter,
        "handle": view.handle,
        "worker": view.worker,
        "local_delay": view.local_delay,
        "peer_delay": view.peer_delay,
        "flow": FLOW[row["flow"]],
        "counters": {name: value for name, value in row.items() if name not in NO_COUNTERS},
    }


def session_statistics(view: SessionView, row: Row) -> dict[str, Any]:
    """A session as one row of Monitoring | Statistics | PPTP."""
    return {
        "id": view.id,
        "peer": str(view.peer),
        "user": view.user,
        "flow": FLOW[row["flow"]],
        "local_window": view.local_window,
        "peer_window": view.peer_window,
        "local_delay": view.local_delay,
        "peer_delay": view.peer_delay,
    } | {name: row[name] for name in SESSION_COUNTERS}


def ended_session(departure: Departure, now: float, wall: datetime) -> dict[str, Any]:
    """A session that has ended, with its cause: its code, the product's words, RADIUS' word."""
    counters = departure.counters
    row = {
        "rx_octets": counters.received_octets,
        "tx_octets": counters.sent_octets,
        "rx_packets": counters.received_packets,
        "tx_packets": counters.sent_packets,
    }
    at = wall - timedelta(seconds=now - departure.ended_at)
    return session_summary(departure.view, row, departure.ended_at, at) | {
        "state": SessionState.ENDED.value,
        "account": departure.view.account,
        "ended_at": at.isoformat(timespec="seconds"),
        "cause": departure.cause.code,
        "reason": departure.cause.text,
        "info": departure.cause.info or departure.cause.login or None,
        "acct_terminate_cause": departure.cause.acct,
    }


def statistics(
    counts: Statistics, protections: Mapping[tuple[AuthMethod | None, Encryption | None], int]
) -> dict[str, Any]:
    """Monitoring | Sessions and Statistics | PPTP."""
    by_encryption: Counter[str] = Counter()
    by_method: Counter[str] = Counter()
    for (method, encryption), sessions in protections.items():
        by_encryption[str(encryption or NO_ENCRYPTION)] += sessions
        by_method[method.value if method else "none"] += sessions
    # asdict() would take a Counter's items for things to count.
    none: dict[str, Any] = {name: Counter() for name in BY_CAUSE}
    return asdict(replace(counts, **none)) | {
        **{name: dict(getattr(counts, name)) for name in BY_CAUSE},
        "refused_tunnels": counts.refused_tunnels,
        "refused_sessions": counts.refused_sessions,
        "by_encryption": by_encryption,
        "by_method": by_method,
    }


def pool(usage: PoolUsage) -> dict[str, Any]:
    """An address pool, and how many of its addresses are in use, kept for their users, free."""
    return {
        "first": str(usage.pool.first),
        "last": str(usage.pool.last),
        "size": usage.size,
        "in_use": usage.in_use,
        "reserved": usage.reserved,
        "free": usage.free,
    }


def event(record: EventRecord) -> dict[str, Any]:
    """One event; `line` is the reference's two-line form."""
    return {
        "sequence": record.sequence,
        "time": record.wall.isoformat(timespec="milliseconds"),
        "severity": record.severity,
        "class": record.cls,
        "number": record.number,
        "repeat": record.repeat,
        "client": _text(record.peer),
        "group": record.group or None,
        "user": record.user or None,
        "account": record.account or None,
        "cause": record.occurrence.cause or None,
        "text": record.text(),
        "line": reference(record),
    }


def page(found: EventPage) -> dict[str, Any]:
    return {
        "events": [event(record) for record in found.records],
        "page": found.page,
        "pages": found.pages,
        "total": found.total,
        "exact": found.exact,
        "newest": found.newest,
    }


def _moment(at: float | None, now: float, wall: datetime) -> str | None:
    if at is None:
        return None
    return (wall - timedelta(seconds=now - at)).isoformat(timespec="seconds")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
