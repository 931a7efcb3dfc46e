"""What the SessionManager's requests are answered with: local users, the pools, the event log."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

from fastpptp.aaa import AuthRequest, Decision, Identity, LocalAuthenticator
from fastpptp.addresses.assignment import Assigned, Assignment
from fastpptp.addresses.dhcp import DhcpLeases
from fastpptp.addresses.grant import AddressGrant
from fastpptp.addresses.pools import PoolUsage
from fastpptp.backends.dhcp import PORT, DhcpPort
from fastpptp.dhcp.client import DhcpLease
from fastpptp.effects import Authenticate, Lease
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.routing import Destination
from fastpptp.localtime import wall_clock
from fastpptp.manager.headend import Anonymous
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.server.eventsink import NOWHERE, EventSink
from fastpptp.server.executor import LATER, Later
from fastpptp.server.reach import Reach
from fastpptp.settings.resolve import PolicySnapshot

# Where events of a session go that is debugged.
LOG = frozenset({Destination.LOG})


class LocalAnswers:
    """executor.Answers: at once and in memory, but for what DHCP servers are asked, and for changes
    of password, which `keep_password` puts into the store before the peer is told.

    `complete` takes the answer to a token that was LATER, `lost` a token whose address is gone;
    both are called from the loop. `account` takes a session that has ended. `debugged` tells which
    events go to the log whatever the policy says. Use `start`, then `stop`.
    """

    def __init__(
        self,
        policy: PolicySnapshot,
        events: EventSink,
        reach: Reach,
        keep_password: Callable[[str, str], Awaitable[None]],
        *,
        complete: Callable[[int, object], None],
        lost: Callable[[int], None],
        debugged: Callable[[Occurrence], bool],
        account: Callable[[object], None],
        dhcp_port: int = PORT,
    ) -> None:
        self._policy = policy
        self._events = events
        self._debugged = debugged
        self._complete = complete
        self.account = account
        self._reach = reach
        self._authenticator = LocalAuthenticator(policy)
        self._keep_password = keep_password
        self._changes: set[asyncio.Task[None]] = set()
        self._assignment = Assignment(policy, reach.networks)
        leases = DhcpLeases(
            policy.dhcp, name=platform.node(), take=self._assignment.take, rng=os.urandom
        )
        self._dhcp = DhcpPort(
            leases, answered=self._leased, gone=lost, record=self.record, port=dhcp_port
        )
        # Who waits for the DHCP servers, by token; and the client's address.
        self._asked: dict[int, tuple[Identity | Anonymous, IPv4Address | None]] = {}

    def start(self) -> None:
        self._dhcp.follow(self._policy.dhcp, self._policy.assignment.dhcp)

    def stop(self) -> None:
        """Give back what is held elsewhere."""
        self._dhcp.close()
        for change in self._changes:
            change.cancel()  # nobody is left to be told

    def update(self, policy: PolicySnapshot) -> None:
        """Answer by another policy from now on; claims and leases stay."""
        self._authenticator.update(policy)
        self._assignment.update(policy)
        self._policy = policy
        self.start()

    def holdings(self) -> dict[str, int]:
        """What is out now, by name."""
        return {
            "logins": len(self._authenticator.claims),
            "leases": self._assignment.in_use,
            **self._dhcp.holdings(),
        }

    def pools(self) -> list[PoolUsage]:
        """How much of each address pool is in use."""
        return self._assignment.pools()

    def authenticate(self, request: Authenticate, now: float) -> AuthResult | Later:
        asked = AuthRequest(
            request.method,
            request.name,
            request.credential,
            request.peer,
            now,
            wall_clock(),
            request.wanted,
        )
        decision = self._authenticator.authenticate(asked)
        if decision.new_password is None:
            return self._decided(decision)
        change = asyncio.get_running_loop().create_task(
            self._change_password(request.token, asked, decision)
        )
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        return LATER

    async def _change_password(self, token: int, asked: AuthRequest, decision: Decision) -> None:
        """Success is told when the store has the new password, and not before."""
        identity, password = decision.identity, decision.new_password
        assert identity is not None
        assert password is not None
        try:
            await self._keep_password(identity.user, password)
        except Exception as error:  # the store's, whatever it is: the peer waits for an answer
            told = occur("AUTH", 102, peer=asked.peer, user=identity.user, reason=str(error))
            self.record(told)
            decision = self._authenticator.not_kept(asked, decision)
        self._complete(token, self._decided(decision))

    def _decided(self, decision: Decision) -> AuthResult:
        for occurrence in decision.events:
            self.record(occurrence)
        return decision.result

    def logout(self, identity: object) -> None:
        if isinstance(identity, Identity):
            self._authenticator.release(identity)

    def lease(self, request: Lease, now: float) -> AddressGrant | Later | None:
        identity = request.identity
        if not isinstance(identity, Identity | Anonymous):
            return None
        assigned = self._assignment.lease(identity, request.requested, now, request.peer)
        grant = self._granted(assigned)
        if assigned.asking is None:
            return grant
        self._asked[request.token] = identity, request.peer
        self._dhcp.ask(request.token, assigned.asking)
        return LATER

    def _leased(self, token: int, lease: DhcpLease | None) -> None:
        """The DHCP servers' answer."""
        identity, peer = self._asked.pop(token)
        now = asyncio.get_running_loop().time()
        assigned = self._assignment.resume(identity, lease, now, peer)
        self._complete(token, self._granted(assigned))

    def _granted(self, assigned: Assigned) -> AddressGrant | None:
        for occurrence in assigned.events:
            self.record(occurrence)
        if assigned.grant is not None:
            self._reach.granted(assigned.grant)
        return assigned.grant

    def release(self, grant: AddressGrant) -> None:
        self._assignment.release(grant)
        self._dhcp.release(grant.address)
        self._reach.released(grant)

    def announce(self, grant: AddressGrant, address: IPv4Address | IPv6Address) -> None:
        self._reach.announce(grant, address)

    def record(self, occurrence: Occurrence) -> None:
        self._events.record(occurrence, LOG if self._debugged(occurrence) else NOWHERE)
