"""What authentication needs of the configuration, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from typing import Protocol

from fastpptp.events.catalogue import Occurrence
from fastpptp.events.causes import Cause
from fastpptp.ppp.auth.types import AuthMethod, AuthResult, Credential
from fastpptp.settings.resolve import Effective, UserRecord


class Policy(Protocol):
    """The resolved configuration: settings.resolve.PolicySnapshot is one."""

    @property
    def base(self) -> Effective:
        """What holds for the base group."""
        ...

    def user(self, name: str) -> UserRecord | None:
        """The user of this name (case-sensitive), or None."""
        ...

    def origins(self, name: str | None) -> Iterator[tuple[str, str, str]]:
        """Label, value and the level that sets it of each attribute of a user, or of the base
        group for None.
        """
        ...


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """A credential from a peer. `now` is monotonic, `wall` the local time of this machine.

    `wanted` are the severities of AUTHDBG that somebody wants to hear.
    """

    method: AuthMethod
    name: str
    credential: Credential = field(repr=False)
    peer: IPv4Address
    now: float
    wall: datetime
    wanted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in, and what holds for it. `name` is the name as the peer sent it.

    `claim` is its login claim: give it back with LocalAuthenticator.release. `until` is when the
    access hours end (monotonic), None if they never do.
    """

    user: str
    group: str | None
    effective: Effective = field(repr=False)
    name: str
    method: AuthMethod
    claim: int
    until: float | None = None
    address: IPv4Address | None = None
    netmask: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: `identity` when it is an Accept, `cause` when it is a Reject.

    A `new_password` (MS-CHAP) is to be kept, and Password Expired taken off, before the peer
    is told.
    """

    result: AuthResult
    identity: Identity | None = None
    cause: Cause | None = None
    events: tuple[Occurrence, ...] = ()
    new_password: str | None = field(default=None, repr=False)
