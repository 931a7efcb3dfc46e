"""What a session looks like from outside: its state, its encryption, the administrator's view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from fastpptp.ppp.auth.types import AuthMethod


class SessionState(Enum):
    """How far a session has come."""

    CONNECTING = "connecting"
    ESTABLISHING = "establishing"
    AUTHENTICATED = "authenticated"
    UP = "up"
    CLOSING = "closing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Encryption:
    """What CCP agreed on. A direction is stateless as its receiver asked."""

    bits: int
    receive_stateless: bool
    send_stateless: bool

    @property
    def stateless(self) -> bool:
        return self.receive_stateless and self.send_stateless

    def __str__(self) -> str:
        return f"MPPE {self.bits}-bit {'stateless' if self.stateless else 'stateful'}"


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as the administrator sees it.

    `user` is the name as the peer sent it, `account` the user that logged in by it, None before.
    `assigned_by` is the method that found the address, `networks` are behind the peer,
    `client_type` is what the peer calls its maker. Windows are in packets, delays (PPD) in 1/10 s,
    times in monotonic seconds, None while there is no login. `worker` counts from 1. Speeds are in
    bit/s, the types as the peer asked (RFC 2637 2.7). The counters are in the dataplane's stats,
    in the row of `local_call_id`, while `handle` lives.
    """

    id: int
    handle: int
    state: SessionState
    user: str
    account: str | None
    group: str | None
    peer: IPv4Address
    client_type: str
    local: IPv4Address
    assigned: IPv4Address | None
    server_address: IPv4Address | None
    prefix: IPv6Network | None
    assigned_by: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    method: AuthMethod | None
    encryption: Encryption | None
    started_at: float
    login_at: float | None
    local_call_id: int
    peer_call_id: int
    serial: int
    local_window: int
    peer_window: int
    local_delay: int
    peer_delay: int
    connection: int
    filter: str | None
    worker: int
    minimum_speed: int
    maximum_speed: int
    connect_speed: int
    bearer_type: int
    framing_type: int
    physical_channel: int
