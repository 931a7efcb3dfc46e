"""What is counted: of a call, and of tunnels and sessions since the start."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CallCounters:
    """A call's final counters: octets, packets and discards of data, from the peer and to it, and
    the CCP Reset-Requests of MPPE.
    """

    received_octets: int = 0
    sent_octets: int = 0
    received_packets: int = 0
    sent_packets: int = 0
    received_discards: int = 0
    sent_discards: int = 0
    received_resets: int = 0
    sent_resets: int = 0


# Upper ends of the buckets, seconds; what takes longer has a bucket of its own.
SETUP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class SetupTimes:
    """How long sessions took from the call to the first address: how many in each bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SETUP_BUCKETS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(SETUP_BUCKETS, seconds)] += 1
        self.seconds += seconds


BY_CAUSE = ("tunnels_refused", "tunnels_ended", "sessions_refused", "logins_failed", "ended")


@dataclass(slots=True)
class Statistics:
    """Tunnels and sessions since the start: in all, now, and at most at one time.

    `control_*` count what went over established and other control connections, where a packet is
    a message, `payload_*` the data of the sessions that have ended. BY_CAUSE have a number for
    each cause, by its code (events/causes.py); `tunnels_ended` are those that were let in.
    """

    total_tunnels: int = 0
    active_tunnels: int = 0
    peak_tunnels: int = 0
    total_sessions: int = 0
    active_sessions: int = 0
    peak_sessions: int = 0
    handshakes: int = 0
    half_open: int = 0
    control_received_octets: int = 0
    control_sent_octets: int = 0
    control_received_packets: int = 0
    control_sent_packets: int = 0
    control_received_discards: int = 0
    payload_received_octets: int = 0
    payload_sent_octets: int = 0
    payload_received_packets: int = 0
    payload_sent_packets: int = 0
    payload_received_discards: int = 0
    payload_sent_discards: int = 0
    payload_received_resets: int = 0
    payload_sent_resets: int = 0
    tunnels_refused: Counter[str] = field(default_factory=Counter)
    tunnels_ended: Counter[str] = field(default_factory=Counter)
    sessions_refused: Counter[str] = field(default_factory=Counter)
    logins_failed: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    setup: SetupTimes = field(default_factory=SetupTimes)

    @property
    def refused_tunnels(self) -> int:
        return self.tunnels_refused.total()

    @property
    def refused_sessions(self) -> int:
        return self.sessions_refused.total()

    def session_ended(self, counters: CallCounters) -> None:
        self.payload_received_octets += counters.received_octets
        self.payload_sent_octets += counters.sent_octets
        self.payload_received_packets += counters.received_packets
        self.payload_sent_packets += counters.sent_packets
        self.payload_received_discards += counters.received_discards
        self.payload_sent_discards += counters.sent_discards
        self.payload_received_resets += counters.received_resets
        self.payload_sent_resets += counters.sent_resets

    def tunnel_started(self) -> None:
        self.total_tunnels += 1
        self.active_tunnels += 1
        self.peak_tunnels = max(self.peak_tunnels, self.active_tunnels)

    def session_started(self) -> None:
        self.total_sessions += 1
        self.active_sessions += 1
        self.peak_sessions = max(self.peak_sessions, self.active_sessions)
