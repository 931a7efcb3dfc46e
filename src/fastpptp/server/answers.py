"""What the SessionManager's requests are answered with: local users, the pools, the event log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from fastpptp.aaa import AuthRequest, Identity, LocalAuthenticator
from fastpptp.addresses.assignment import Assignment
from fastpptp.addresses.grant import AddressGrant
from fastpptp.addresses.pools import PoolUsage
from fastpptp.effects import Authenticate, Lease
from fastpptp.events.catalogue import Occurrence
from fastpptp.manager.headend import Anonymous
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.server.eventsink import EventSink, wall_clock
from fastpptp.server.reach import Reach
from fastpptp.settings.resolve import PolicySnapshot

NETSTAT = Path("/proc/net/netstat")
NO_GRE = ("PPTP", 114)


class LocalAnswers:
    """Answers at once and in memory; executor.Answers."""

    def __init__(
        self,
        policy: PolicySnapshot,
        events: EventSink,
        reach: Reach,
        change_password: Callable[[str, str], None],
    ) -> None:
        self._events = events
        self._reach = reach
        self._authenticator = LocalAuthenticator(policy, change_password)
        self._assignment = Assignment(policy, reach.networks)

    def update(self, policy: PolicySnapshot) -> None:
        """Answer by another policy from now on; claims and leases stay."""
        self._authenticator.update(policy)
        self._assignment.update(policy)

    def holdings(self) -> dict[str, int]:
        """What is out now, by name."""
        return {"logins": len(self._authenticator.claims), "leases": self._assignment.in_use}

    def pools(self) -> list[PoolUsage]:
        """How much of each address pool is in use."""
        return self._assignment.pools()

    def authenticate(self, request: Authenticate, now: float) -> AuthResult:
        decision = self._authenticator.authenticate(
            AuthRequest(
                request.method, request.name, request.credential, request.peer, now, wall_clock()
            )
        )
        for occurrence in decision.events:
            self.record(occurrence)
        return decision.result

    def logout(self, identity: object) -> None:
        if isinstance(identity, Identity):
            self._authenticator.release(identity)

    def lease(self, request: Lease, now: float) -> AddressGrant | None:
        identity = request.identity
        if not isinstance(identity, Identity | Anonymous):
            return None
        assigned = self._assignment.lease(identity, request.requested, now, request.peer)
        for occurrence in assigned.events:
            self.record(occurrence)
        if assigned.grant is not None:
            self._reach.granted(assigned.grant)
        return assigned.grant

    def release(self, grant: AddressGrant) -> None:
        self._assignment.release(grant)
        self._reach.released(grant)

    def announce(self, grant: AddressGrant, address: IPv4Address | IPv6Address) -> None:
        self._reach.announce(grant, address)

    def record(self, occurrence: Occurrence) -> None:
        if (occurrence.cls, occurrence.number) == NO_GRE:
            fields = {**occurrence.fields, "checksum_errors": checksum_errors()}
            occurrence = replace(occurrence, fields=fields)
        self._events.record(occurrence)


def checksum_errors(netstat: Path = NETSTAT) -> str:
    """IpExt InCsumErrors: packets that this host dropped for a bad IP checksum (a NAT's fault)."""
    try:
        lines = netstat.read_text().splitlines()
    except OSError:
        return "not known"
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        if names.startswith("IpExt:"):
            return dict(zip(names.split(), values.split(), strict=False)).get(
                "InCsumErrors", "not known"
            )
    return "not known"
