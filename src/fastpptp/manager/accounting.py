"""What is left of a session once it has ended, until its counters are final."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.session import TerminateCause


@dataclass(frozen=True, slots=True)
class CallCounters:
    """A call's final counters: octets and packets of data, from the peer and to it."""

    received_octets: int = 0
    sent_octets: int = 0
    received_packets: int = 0
    sent_packets: int = 0


@dataclass(slots=True)
class Departure:
    """A session whose call the dataplane is closing. `login_at` is None if nobody logged in."""

    session: int
    peer: IPv4Address
    user: str
    group: str | None
    login_at: float | None
    ended_at: float
    cause: TerminateCause
    told: bool = False

    def account(self, counters: CallCounters) -> Occurrence | None:
        """AUTH/28, once, if there was a login."""
        if self.told or self.login_at is None:
            return None
        self.told = True
        return occur(
            "AUTH",
            28,
            peer=self.peer,
            user=self.user,
            group=self.group,
            duration=duration(self.ended_at - self.login_at),
            bytes_xmt=counters.sent_octets,
            bytes_rcv=counters.received_octets,
            reason=self.cause.text,
        )


@dataclass(slots=True)
class Statistics:
    """Tunnels and sessions since the start: in all, now, and at most at one time.

    `control_*` count what went over established and other control connections.
    """

    total_tunnels: int = 0
    active_tunnels: int = 0
    peak_tunnels: int = 0
    total_sessions: int = 0
    active_sessions: int = 0
    peak_sessions: int = 0
    refused_tunnels: int = 0
    refused_sessions: int = 0
    handshakes: int = 0
    half_open: int = 0
    control_received_octets: int = 0
    control_sent_octets: int = 0

    def tunnel_started(self) -> None:
        self.total_tunnels += 1
        self.active_tunnels += 1
        self.peak_tunnels = max(self.peak_tunnels, self.active_tunnels)

    def session_started(self) -> None:
        self.total_sessions += 1
        self.active_sessions += 1
        self.peak_sessions = max(self.peak_sessions, self.active_sessions)


def duration(seconds: float) -> str:
    """H:MM:SS, hours without bound."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
