"""The policy's answers to a manager's requests, without a server: real users, real pools."""

from __future__ import annotations

from datetime import datetime

from fastpptp.aaa import AuthRequest, Identity, LocalAuthenticator
from fastpptp.addresses.assignment import Assignment
from fastpptp.addresses.dhcp import Asking
from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import Authenticate, Lease
from fastpptp.errors import LocalProtocolError
from fastpptp.events.catalogue import Occurrence
from fastpptp.manager.headend import Anonymous
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.settings.resolve import PolicySnapshot

MONDAY_NOON = datetime(2024, 1, 1, 12, 0)


class LocalAnswers:
    """Local authentication and address assignment by a PolicySnapshot.

    `claims` and `leases` count what is out. Giving back what is not out is the manager's
    mistake: LocalProtocolError. `passwords` keeps the passwords that peers changed,
    `asked` what DHCP servers would have been asked.
    """

    def __init__(self, policy: PolicySnapshot, wall: datetime = MONDAY_NOON) -> None:
        self.authenticator = LocalAuthenticator(policy)
        self.assignment = Assignment(policy)
        self.passwords: dict[str, str] = {}
        self._wall = wall
        self.asked: list[Asking] = []
        self._claims: set[int] = set()
        self._leases: list[AddressGrant] = []

    @property
    def claims(self) -> int:
        return len(self._claims)

    @property
    def leases(self) -> int:
        return len(self._leases)

    def authenticate(
        self, request: Authenticate, now: float
    ) -> tuple[AuthResult, tuple[Occurrence, ...]]:
        """The answer, and the events that it gives rise to."""
        decision = self.authenticator.authenticate(
            AuthRequest(
                request.method,
                request.name,
                request.credential,
                request.peer,
                now,
                self._wall,
                request.wanted,
            )
        )
        if decision.identity is not None:
            self._claims.add(decision.identity.claim)
            if decision.new_password is not None:
                self.passwords[decision.identity.user] = decision.new_password
        return decision.result, decision.events

    def lease(
        self, request: Lease, now: float
    ) -> tuple[AddressGrant | None, tuple[Occurrence, ...]]:
        """The answer, and the events that it gives rise to."""
        claimant = request.identity
        if not isinstance(claimant, (Identity, Anonymous)):
            raise LocalProtocolError(f"{type(claimant).__name__} cannot hold an address")
        assigned = self.assignment.lease(claimant, request.requested, now, request.peer)
        events = assigned.events
        if assigned.asking is not None:  # no DHCP server answers here
            self.asked.append(assigned.asking)
            assigned = self.assignment.resume(claimant, None, now, request.peer)
            events += assigned.events
        if assigned.grant is not None:
            self._leases.append(assigned.grant)
        return assigned.grant, events

    def logout(self, identity: object) -> None:
        if not isinstance(identity, Identity) or identity.claim not in self._claims:
            raise LocalProtocolError("a claim was given back twice")
        self._claims.remove(identity.claim)
        self.authenticator.release(identity)

    def release(self, grant: AddressGrant) -> None:
        if grant not in self._leases:
            raise LocalProtocolError("a lease was given back twice")
        self._leases.remove(grant)
        self.assignment.release(grant)
