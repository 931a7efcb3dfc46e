"""Addresses from DHCP servers: a lease for each session, held on behalf of its user.

Nothing here waits or sends. What came of a call is returned in order, as Outcome; the adapter
(backends/dhcp.py) carries it out. An asking is named by its token, and answered exactly once.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import count
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from fastpptp.dhcp.client import (
    Bound,
    Declined,
    DhcpConfig,
    DhcpEvent,
    DhcpLease,
    Extended,
    Failed,
    LeaseClient,
    Lost,
    Refused,
    Send,
    Subscriber,
)
from fastpptp.dhcp.message import decode
from fastpptp.errors import RemoteProtocolError
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.seldom import Seldom
from fastpptp.timers import TimerQueue

# Askings that may be under way at once; further ones are answered with nothing.
MOST_ASKING = 1000

# Of option 61, which takes 255.
IDENTIFIER_OCTETS = 200

# What a host may be called (RFC 952, 1123).
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Asking:
    """A session that wants an address by DHCP; `scope` is its group's DHCP Network Scope."""

    user: str
    scope: IPv4Network | None
    peer: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an asking: None where no server gave an address."""

    token: int
    lease: DhcpLease | None


@dataclass(frozen=True, slots=True)
class Gone:
    """The lease that answered this token is over: its session cannot go on."""

    token: int


Outcome: TypeAlias = Send | Answered | Gone | Occurrence


@dataclass(slots=True)
class _Held:
    """One asking; its lease, once there is one."""

    token: int
    asking: Asking
    instance: int
    client: LeaseClient
    lease: DhcpLease | None = None

    @property
    def key(self) -> bytes:
        return self.client.subscriber.chaddr


class DhcpLeases:
    """`name` tells this headend from others that ask the same servers; `rng` gives random octets.
    `take` takes an address for the session that it was leased for, or says that it is in use here.
    """

    def __init__(
        self,
        config: DhcpConfig,
        *,
        name: str,
        take: Callable[[IPv4Address], bool],
        rng: Callable[[int], bytes],
    ) -> None:
        self._config = config
        self._name = name
        self._take = take
        self._rng = rng
        # By the hardware address that stands for a session, which every message carries.
        self._held: dict[bytes, _Held] = {}
        self._addresses: dict[IPv4Address, _Held] = {}
        self._instances: defaultdict[str, set[int]] = defaultdict(set)
        self._timers: TimerQueue[bytes] = TimerQueue()
        self._seldom: defaultdict[int, Seldom] = defaultdict(Seldom)

    def holdings(self) -> dict[str, int]:
        leases = len(self._addresses)
        return {"dhcp_leases": leases, "dhcp_requests": len(self._held) - leases}

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """Those that are held."""
        return frozenset(self._addresses)

    def update(self, config: DhcpConfig) -> None:
        """Ask by another configuration from now on; what is held goes on as it began."""
        self._config = config

    def get_timer(self) -> float | None:
        return self._timers.next()

    def ask(self, token: int, asking: Asking, now: float) -> list[Outcome]:
        """Find an address. Sooner or later there comes an Answered with this token."""
        if len(self._held) - len(self._addresses) >= MOST_ASKING:
            return [*self._tell_seldom(106, now, limit=MOST_ASKING), Answered(token, None)]
        held = self._new(token, asking)
        return self._settle(held, held.client.start(now), now)

    def receive(self, data: bytes, source: IPv4Address, now: float) -> list[Outcome]:
        """A datagram from a server's port. Nothing that it holds raises."""
        try:
            message = decode(data)
            held = self._held.get(message.chaddr)
            if held is None or source not in held.client.config.servers:
                return []
            return self._settle(held, held.client.receive(message, source, now), now)
        except RemoteProtocolError as error:
            return self._tell_seldom(107, now, server=source, problem=error)

    def handle_timer(self, now: float) -> list[Outcome]:
        found: list[Outcome] = []
        for key in self._timers.due(now):
            held = self._held.get(key)
            if held is not None:
                found += self._settle(held, held.client.handle_timer(now), now)
        return found

    def release(self, address: IPv4Address, now: float) -> list[Outcome]:
        """The session is over: give its address back. One that is not held is left alone."""
        held = self._addresses.get(address)
        if held is None or (lease := held.lease) is None:
            return []
        sent = self._settle(held, held.client.release(now), now)
        self._forget(held)
        return [*sent, self._event(held, 105, lease)]

    def release_all(self, now: float) -> list[Outcome]:
        """The headend stops: give back what there is; what is asked is asked in vain."""
        addresses = list(self._addresses)
        found = [outcome for address in addresses for outcome in self.release(address, now)]
        for held in list(self._held.values()):
            self._forget(held)
        return found

    # Who asks.

    def _new(self, token: int, asking: Asking) -> _Held:
        taken = self._instances[asking.user]
        instance = next(number for number in count(1) if number not in taken)
        taken.add(instance)
        client = LeaseClient(
            self._subscriber(asking, instance), self._config, take=self._take, rng=self._rng
        )
        held = _Held(token, asking, instance, client)
        self._held[held.key] = held
        return held

    def _subscriber(self, asking: Asking, instance: int) -> Subscriber:
        """The same whenever the user's n-th session at a time comes to this headend."""
        identifier = f"{self._name}/{asking.user}/{instance}".encode()
        if len(identifier) > IDENTIFIER_OCTETS:
            identifier = hashlib.sha256(identifier).hexdigest().encode()
        named = self._config.send_host_name and HOST_NAME.fullmatch(asking.user)
        return Subscriber(
            b"\0" + identifier,  # type 0 is not a hardware address (RFC 2132 9.14)
            self._hardware_address(identifier),
            asking.scope,
            asking.user if named else "",
        )

    def _hardware_address(self, identifier: bytes) -> bytes:
        """One of the locally administered, and nobody else's here."""
        digests = (hashlib.sha256(identifier + b"/%d" % salt).digest() for salt in count())
        made = (bytes([digest[0] & 0xFC | 2]) + digest[1:6] for digest in digests)
        return next(address for address in made if address not in self._held)

    def _forget(self, held: _Held) -> None:
        if self._held.pop(held.key, None) is None:
            return
        self._timers.cancel(held.key)
        if held.lease is not None:
            self._addresses.pop(held.lease.address, None)
        taken = self._instances[held.asking.user]
        taken.discard(held.instance)
        if not taken:
            del self._instances[held.asking.user]

    # What a client says.

    def _settle(self, held: _Held, events: Iterable[DhcpEvent], now: float) -> list[Outcome]:
        found: list[Outcome] = []
        for event in events:
            if isinstance(event, Send):
                found.append(event)
            else:
                found += getattr(self, self._EVENTS[type(event)])(held, event, now)
        if held.key in self._held:
            self._timers.set(held.key, held.client.get_timer())
        return found

    def _bound(self, held: _Held, event: Bound, now: float) -> list[Outcome]:
        lease = held.lease = event.lease
        self._addresses[lease.address] = held
        told = self._event(held, 100, lease, seconds=lease.seconds)
        return [told, Answered(held.token, lease)]

    def _extended(self, held: _Held, event: Extended, now: float) -> list[Outcome]:
        lease = held.lease = event.lease
        return [self._event(held, 101, lease, seconds=lease.seconds)]

    def _declined(self, held: _Held, event: Declined, now: float) -> list[Outcome]:
        return [self._event(held, 103, event)]

    def _refused(self, held: _Held, event: Refused, now: float) -> list[Outcome]:
        return [self._about(held, 104, server=event.server, text=event.text)]

    def _failed(self, held: _Held, event: Failed, now: float) -> list[Outcome]:
        self._forget(held)
        servers = ", ".join(map(str, held.client.config.servers))
        told = self._tell_seldom(102, now, servers=servers)
        return [*told, Answered(held.token, None)]

    def _lost(self, held: _Held, event: Lost, now: float) -> list[Outcome]:
        self._forget(held)
        told = self._about(held, 109, address=event.lease.address, reason=event.reason)
        return [told, Gone(held.token)]

    def _event(
        self, held: _Held, number: int, of: DhcpLease | Declined, **fields: Any
    ) -> Occurrence:
        return self._about(held, number, address=of.address, server=of.server, **fields)

    def _about(self, held: _Held, number: int, **fields: Any) -> Occurrence:
        return occur("DHCP", number, peer=held.asking.peer, user=held.asking.user, **fields)

    def _tell_seldom(self, number: int, now: float, **fields: Any) -> list[Outcome]:
        times = self._seldom[number].happened(now)
        return [occur("DHCP", number, count=times, **fields)] if times else []

    _EVENTS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            Bound: "_bound",
            Extended: "_extended",
            Declined: "_declined",
            Refused: "_refused",
            Failed: "_failed",
            Lost: "_lost",
        }
    )
