"""What the SessionManager wants done. Plain data; server/runtime.py carries it out, in order.

A token in an effect is answered with SessionManager.complete(token, result, now).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias, get_args

from fastpptp.addresses.grant import AddressGrant as AddressGrant
from fastpptp.events.catalogue import Occurrence
from fastpptp.ports import CallPolicy, CallSpec, PacketFilter
from fastpptp.ppp.auth.types import AuthMethod, Credential


@dataclass(frozen=True, slots=True)
class SendControl:
    """Write to a control connection."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CloseControl:
    """Close a control connection once what was written is out."""

    connection: int


@dataclass(frozen=True, slots=True)
class OpenCall:
    handle: int
    spec: CallSpec


@dataclass(frozen=True, slots=True)
class CloseCall:
    handle: int


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Have another worker of the dataplane (from 0) carry a call."""

    handle: int
    worker: int


@dataclass(frozen=True, slots=True)
class SetPolicy:
    handle: int
    policy: CallPolicy


@dataclass(frozen=True, slots=True)
class SetFilters:
    """Replace all traffic filters."""

    filters: Mapping[str, PacketFilter]


@dataclass(frozen=True, slots=True)
class ArmKeys:
    handle: int
    direction: int
    start_key: bytes = field(repr=False)
    bits: int
    stateless: bool


@dataclass(frozen=True, slots=True)
class DropKeys:
    handle: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Open or close a call's gate for one IP version."""

    handle: int
    version: int
    opened: bool


@dataclass(frozen=True, slots=True)
class OwnLcp:
    handle: int
    owned: bool


@dataclass(frozen=True, slots=True)
class Inject:
    handle: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class TraceData:
    """Have some data packets a second of a call handed to packet_traced(); 0: no more."""

    handle: int
    rate: int


@dataclass(frozen=True, slots=True)
class ControlDone:
    handle: int


class Look(Enum):
    """What a call is examined for."""

    BEGUN = auto()  # the host's counters alone, to compare with
    NO_GRE = auto()
    REJECTS = auto()
    THROTTLED = auto()


@dataclass(frozen=True, slots=True)
class Examine:
    """Look at a call's counters and the host's. Answer: Reading; the token is the handle."""

    handle: int
    look: Look


@dataclass(frozen=True, slots=True)
class Reading:
    """What an Examine found.

    `counters` is the call's row of the dataplane's stats; `checksum_errors` counts the packets that
    this host dropped for a wrong IP checksum, None: not known.
    """

    look: Look
    counters: Mapping[str, int]
    checksum_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Hold a credential against the users. Answer: AuthResult, its identity an aaa.Identity.

    `wanted` are the severities of AUTHDBG that somebody wants to hear.
    """

    token: int
    session: int
    peer: IPv4Address
    method: AuthMethod
    name: str
    credential: Credential
    wanted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Logout:
    """Give back the login claim that an accepted Authenticate took."""

    identity: object


@dataclass(frozen=True, slots=True)
class Lease:
    """Find an address. Answer: AddressGrant, or None where no method has one."""

    token: int
    session: int
    identity: object
    requested: IPv4Address | None
    peer: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Give back what a Lease granted."""

    grant: AddressGrant


@dataclass(frozen=True, slots=True)
class Announce:
    """A session is up with this address of its grant: others on our networks may look for it."""

    grant: AddressGrant
    address: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Account:
    """A session has ended and its counters are final: `departure` is a manager.Departure."""

    departure: object


@dataclass(frozen=True, slots=True)
class Emit:
    """Record an event."""

    occurrence: Occurrence


Effect: TypeAlias = (
    SendControl
    | CloseControl
    | OpenCall
    | CloseCall
    | MoveCall
    | SetPolicy
    | SetFilters
    | ArmKeys
    | DropKeys
    | Gate
    | OwnLcp
    | Inject
    | TraceData
    | ControlDone
    | Examine
    | Authenticate
    | Logout
    | Lease
    | Release
    | Announce
    | Account
    | Emit
)


# Where the name of a class gets an underscore.
_WORD = re.compile("(?=[A-Z])")


def carriers(owner: object) -> dict[type, Callable[..., Any]]:
    """What carries out each effect: the methods of `owner` that are named as effects are.

    A SendControl is for `_send_control`. AttributeError: one of them is missing.
    """
    kinds: tuple[type, ...] = get_args(Effect)
    return {kind: getattr(owner, _WORD.sub("_", kind.__name__).lower()) for kind in kinds}
