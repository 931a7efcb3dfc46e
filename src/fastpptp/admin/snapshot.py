"""Everything at once, for a monitoring system that keeps it for a while: GET /v1/snapshot.

The answer is a JSON value a line, made and read in small batches, so that with many sessions
neither end stalls or holds the text of all. Counters are the real ones, whoever asks and whatever
they have reset. Addresses are numbers; durations seconds, counted back from the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastpptp.errors import UnavailableError

# The columns of the dataplane's stats that a SessionRow ends with.
COUNTERS = (
    "flow", "rx_octets", "rx_packets", "rx_discards", "rx_zlb", "tx_octets", "tx_packets", "tx_zlb",
    "ack_timeouts", "out_of_window", "out_of_sequence", "mppe_resets_received", "mppe_resets_sent",
)  # fmt: skip


class EventCount(NamedTuple):
    """RPT of an event."""

    cls: str
    number: int
    times: int


class TunnelRow(NamedTuple):
    """An established control connection, and what its peer said of itself (RFC 2637 2.1)."""

    connection: int
    peer: int
    local: int
    sessions: int
    version: int
    framing: int
    bearer: int
    max_channels: int
    firmware: int
    host_name: str
    vendor: str


class SessionRow(NamedTuple):
    """A session: `age` since its login, or before one since its call; 0 bits are no encryption."""

    id: int
    user: str
    group: str
    peer: int
    address: int
    client_type: str
    bits: int
    stateless: bool
    age: float
    login_time: int
    worker: int
    local_call_id: int
    peer_call_id: int
    serial: int
    minimum_speed: int
    maximum_speed: int
    connect_speed: int
    bearer_type: int
    framing_type: int
    physical_channel: int
    local_window: int
    peer_window: int
    local_delay: int
    peer_delay: int
    flow: int
    rx_octets: int
    rx_packets: int
    rx_discards: int
    rx_zlb: int
    tx_octets: int
    tx_packets: int
    tx_zlb: int
    ack_timeouts: int
    out_of_window: int
    out_of_sequence: int
    mppe_resets_received: int
    mppe_resets_sent: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a headend had at one time. `totals` are those of `fastpptp statistics pptp` and more."""

    version: str
    host_name: str
    uptime: float
    totals: Mapping[str, int]
    events: list[EventCount]
    tunnels: list[TunnelRow]
    sessions: list[SessionRow]


def read(answer: Iterable[bytes]) -> Snapshot:
    """A Snapshot out of what admin/feed.py makes; UnavailableError if the end is missing."""
    parts: dict[str, list[Any]] = {"events": [], "tunnels": [], "sessions": []}
    for line in answer:
        kind, rows = json.loads(line)
        make = _MAKERS.get(kind)
        if make is None:
            parts[kind] = rows
        else:
            parts[kind] += map(make, rows)
    if "end" not in parts:
        raise UnavailableError("the headend's answer ends too soon")
    version, host_name, uptime, totals = parts["head"]
    rows = (parts["events"], parts["tunnels"], parts["sessions"])
    return Snapshot(version, host_name, uptime, totals, *rows)


_MAKERS: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "events": EventCount._make,
    "tunnels": TunnelRow._make,
    "sessions": SessionRow._make,
}


assert SessionRow._fields[-len(COUNTERS) :] == COUNTERS
