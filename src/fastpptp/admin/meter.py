"""Counters as an administrator is shown them: since the start, or since their own Reset.

As in the product Reset is a trip odometer. It keeps a baseline for whoever asks (the user, and
whom sudo says it is for), which is subtracted from what they are shown, on every screen, until
their Restore. The counters themselves never go back: metrics, events and others' screens have the
real values. What is no count (active, peak, what is held) is always real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastpptp.admin import views
from fastpptp.admin.workers import worker_seconds
from fastpptp.manager.call_ids import MAXIMUM as CALL_IDS
from fastpptp.server.runtime import Headend
from fastpptp.session import SessionView

# Totals that are no counters: what is now, and the most there was.
HELD = frozenset(
    {
        "active_tunnels", "peak_tunnels", "limit_tunnels", "active_sessions", "peak_sessions",
        "limit_sessions", "handshakes", "half_open", "by_encryption", "by_method", "holdings",
        "since_installation",
    }
)  # fmt: skip

PPTP_TOTALS = (
    "total_tunnels", "active_tunnels", "peak_tunnels", "limit_tunnels",
    "total_sessions", "active_sessions", "peak_sessions", "limit_sessions",
    "control_received_octets", "control_received_packets", "control_received_discards",
    "control_sent_octets", "control_sent_packets",
    "payload_received_octets", "payload_received_packets", "payload_received_discards",
    "payload_sent_octets", "payload_sent_packets", "payload_sent_discards",
)  # fmt: skip


# What a monitoring system is told (admin/snapshot.py).
MONITORED = (*PPTP_TOTALS, "payload_received_resets", "payload_sent_resets")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The counters at a Reset; those of sessions by their numbers."""

    at: datetime
    totals: Mapping[str, Any]
    rows: Mapping[int, views.Row]


class Meter:
    """The counters of a Headend. `who` is the administrator that asks."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend
        self._baselines: dict[str, Baseline] = {}

    def reset(self, who: str, wall: datetime) -> None:
        rows = {view.id: self._headend.counters(view) for view in self._headend.manager.sessions()}
        self._baselines[who] = Baseline(wall, self._totals(), rows)

    def restore(self, who: str) -> None:
        self._baselines.pop(who, None)

    def totals(self, who: str) -> dict[str, Any]:
        """All totals, and since when they count: None is the start."""
        now, base = self._totals(), self._baselines.get(who)
        if base is None:
            return now | {"reset_at": None}
        counted = {name: value for name, value in now.items() if name not in HELD}
        reset_at = base.at.isoformat(timespec="seconds")
        return {**now, **less(counted, base.totals), "reset_at": reset_at}

    def row(self, who: str, view: SessionView) -> views.Row:
        """A session's row of the dataplane's stats."""
        row, base = self._headend.counters(view), self._baselines.get(who)
        if base is None or view.id not in base.rows:
            return row
        counted = {name: row[name] for name in row.keys() - views.NO_COUNTERS}
        return {**row, **less(counted, base.rows[view.id])}

    def forgotten(self, who: str, view: SessionView) -> int:
        """Octets of both directions that a session had counted at the Reset."""
        base = self._baselines.get(who)
        row = base.rows.get(view.id) if base is not None else None
        return 0 if row is None else row["rx_octets"] + row["tx_octets"]

    def pptp(self, who: str) -> dict[str, Any]:
        """Monitoring | Statistics | PPTP, but for the sessions."""
        totals = self.totals(who)
        return {
            "reset_at": totals["reset_at"],
            "totals": {name: totals[name] for name in PPTP_TOTALS},
        }

    def monitored(self) -> dict[str, Any]:
        """The real MONITORED: without a look at each session, since it is asked for often."""
        counted = self._headend.statistics()
        found = {**self._headend.payload(), **self._limits()}
        return {
            name: found[name] if name in found else getattr(counted, name) for name in MONITORED
        }

    def _totals(self) -> dict[str, Any]:
        headend = self._headend
        return {
            **views.statistics(headend.statistics(), headend.manager.protections()),
            **headend.payload(),
            **self._limits(),
            "drops": headend.drops(),
            "worker_seconds": worker_seconds(),
            "holdings": headend.holdings(),
            "since_installation": headend.past.totals(),
        }

    def _limits(self) -> dict[str, int | None]:
        """None is no limit. A session needs a Call-ID of its own."""
        pptp = self._headend.policy.pptp
        product = pptp.max_tunnels * pptp.max_sessions_per_tunnel
        return {
            "limit_tunnels": pptp.max_tunnels or None,
            "limit_sessions": min(product or CALL_IDS, CALL_IDS),
        }


def less(now: Any, before: Any) -> Any:
    """What has been counted since: of numbers, and of mappings and lists of them."""
    if isinstance(now, Mapping):
        return {name: less(value, before.get(name, 0)) for name, value in now.items()}
    if isinstance(now, list):
        return [less(value, old) for value, old in zip(now, before, strict=True)]
    return now - before
