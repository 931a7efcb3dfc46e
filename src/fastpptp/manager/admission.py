"""Who may come in: the limits on tunnels, sessions and handshakes, and the words for a refusal.

The peer is told result 2 (General Error) and error 4 (No-Resource) of RFC 2637, but where PPTP
is not enabled: that is result 4 of 2.2, not authorized.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from fastpptp.effects import Effect, Emit
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.causes import Cause
from fastpptp.settings.resolve import PolicySnapshot

# One refusal a second of each kind is told; a flood of them must not fill the log.
TELL_INTERVAL = 1.0

PPTP_NOT_ENABLED = 104


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on control connections that are not established, in all and for one source address.

    Many clients can share a source address (NAT).
    """

    half_open: int = 4096
    half_open_per_source: int = 256


class SourceCount:
    """How many there are, in all and from each source address."""

    def __init__(self) -> None:
        self.total = 0
        self._sources: dict[IPv4Address, int] = {}

    def __getitem__(self, source: IPv4Address) -> int:
        return self._sources.get(source, 0)

    def __len__(self) -> int:
        """The number of sources that have any."""
        return len(self._sources)

    def add(self, source: IPv4Address) -> None:
        self.total += 1
        self._sources[source] = self[source] + 1

    def remove(self, source: IPv4Address) -> None:
        self.total -= 1
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]


class Admission:
    """Counts what is in flight and decides on what comes. A refusal is an event."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.half_open = SourceCount()
        # A session is in its handshake until an NCP is up.
        self.handshakes = SourceCount()
        # Control connections that were let in.
        self.tunnels = 0
        self._told: dict[tuple[int, str], float] = {}

    def connection(self, peer: IPv4Address) -> Occurrence | None:
        """Why a TCP connection is not even listened to."""
        limits = self.limits
        if self.half_open[peer] >= limits.half_open_per_source:
            limit, cause = limits.half_open_per_source, Cause.HALF_OPEN_PER_SOURCE
            return occur("PPTP", 105, peer=peer, limit=limit, code=cause)
        if self.half_open.total >= limits.half_open:
            limit, cause = limits.half_open, Cause.HALF_OPEN
            return occur("PPTP", 106, peer=peer, limit=limit, code=cause)
        return None

    def tunnel(self, policy: PolicySnapshot, peer: IPv4Address) -> Occurrence | None:
        """Why a control connection is refused."""
        if not policy.pptp.enabled:
            return occur("PPTP", PPTP_NOT_ENABLED, peer=peer, code=Cause.PPTP_DISABLED)
        limit = policy.pptp.max_tunnels
        if limit and self.tunnels >= limit:
            return occur("PPTP", 100, peer=peer, limit=limit, code=Cause.MAX_TUNNELS)
        return None

    def session(
        self, policy: PolicySnapshot, peer: IPv4Address, sessions: int
    ) -> Occurrence | None:
        """Why a call is refused on a tunnel that has `sessions` already."""
        limit = policy.pptp.max_sessions_per_tunnel
        if limit and sessions >= limit:
            cause = Cause.MAX_SESSIONS_PER_TUNNEL
            return occur("PPTP", 101, peer=peer, limit=limit, code=cause)
        in_all, for_one = policy.system.handshakes_in_flight, policy.system.handshakes_per_source
        if self.handshakes.total >= in_all:
            return occur("PPTP", 103, peer=peer, limit=in_all, code=Cause.MAX_HANDSHAKES)
        if self.handshakes[peer] >= for_one:
            cause = Cause.MAX_HANDSHAKES_PER_SOURCE
            return occur("PPTP", 103, peer=peer, limit=for_one, code=cause)
        return None

    def tell(self, refusal: Occurrence, now: float) -> list[Effect]:
        """The event, if it is the first of its kind in TELL_INTERVAL."""
        kind = refusal.number, refusal.cause
        last = self._told.get(kind)
        if last is not None and now - last < TELL_INTERVAL:
            return []
        self._told[kind] = now
        return [Emit(refusal)]
