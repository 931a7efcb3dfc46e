"""What authentication needs of the configuration, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address
from typing import Protocol

from fastpptp.events.catalogue import Occurrence
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


class AuthReason(Enum):
    """Why a login was refused; the value is AUTH/5's word for it."""

    NO_USER = "User was not found"
    INVALID_PASSWORD = "Invalid password"
    THROTTLED = "Too many failed logins"
    METHOD_NOT_ALLOWED = "Authentication protocol not allowed"
    DISABLED = "Login is disabled"
    HOURS = "Outside of the access hours"
    PASSWORD_EXPIRED = "Password has expired"
    PASSWORD_NOT_CHANGED = "Password could not be changed"
    LOGINS_EXCEEDED = "Simultaneous logins exceeded for user"
    NO_PPTP = "PPTP is not among the tunneling protocols"


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """A credential from a peer. `now` is monotonic, `wall` the local time of this machine."""

    method: AuthMethod
    name: str
    credential: Credential = field(repr=False)
    peer: IPv4Address
    now: float
    wall: datetime


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
    """The answer: `identity` when it is an Accept, `reason` when it is a Reject."""

    result: AuthResult
    identity: Identity | None = None
    reason: AuthReason | None = None
    events: tuple[Occurrence, ...] = ()
