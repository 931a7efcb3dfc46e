"""What a Link tells its owner.

A Link's methods return these in order, and the order is part of the contract: keys
and gates come before the SendFrame that lets the peer use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import TypeAlias

from fastpptp.ppp.auth.types import AuthMethod, Credential
from fastpptp.ppp.frames import Option
from fastpptp.ppp.fsm_table import Action, Event, State


class Direction(IntEnum):
    """Of a key: what we receive, or what we send."""

    RECEIVE = 0
    SEND = 1


class LinkEnd(Enum):
    """Why a Link ended. The session maps it to a Cause, the manager to an event."""

    LOCAL = "closed by us"
    PEER_TERMINATED = "terminated by the peer"
    LOWER_LAYER_DOWN = "carrier lost"
    NEGOTIATION_FAILED = "LCP did not converge"
    NO_ANSWER = "the peer did not answer LCP"
    LOOPBACK = "the link is looped back"
    PEER_SILENT = "the peer stopped answering LCP echoes"
    NO_COMMON_AUTHENTICATION = "no common authentication protocol"
    AUTHENTICATION_FAILED = "authentication failed"
    AUTHENTICATION_NOT_ALLOWED = "authentication protocol not allowed"
    ENCRYPTION_REQUIRED = "encryption is required and the peer does not support it"
    NO_NETWORK_PROTOCOL = "no network protocol could be brought up"
    REQUEST_TIMED_OUT = "authentication or address assignment did not answer in time"


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this PPP frame: a two-octet protocol field, then the information field.

    Address, control and field compression are the framer's: it adds FF 03.
    """

    frame: bytes


@dataclass(frozen=True, slots=True)
class LcpOpened:
    """LCP reached Opened. Sizes in octets; `*_compression` is what we may send."""

    peer_mru: int
    local_mru: int
    local_magic: int
    peer_magic: int
    protocol_compression: bool
    address_compression: bool


@dataclass(frozen=True, slots=True)
class LcpClosed:
    """LCP left Opened: keys and gate of the dataplane are void."""


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """The peer sent its credential; answer with Link.complete_auth(token, result, now)."""

    token: int
    method: AuthMethod
    name: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Authentication succeeded, in the role the Link plays."""

    method: AuthMethod | None
    name: str


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """The NCPs need addresses; answer with Link.complete_address(token, result, now).

    `requested` is the IPv4 address that the peer asked for, None while unknown.
    """

    token: int
    requested: IPv4Address | None


@dataclass(frozen=True, slots=True)
class TokenVoid:
    """The answer to this token is no longer wanted: release what it claimed."""

    token: int


@dataclass(frozen=True, slots=True)
class SetKeys:
    """Arm one direction of MPPE with its RFC 3079 start key (8 or 16 octets)."""

    direction: Direction
    start_key: bytes = field(repr=False)
    bits: int
    stateless: bool


@dataclass(frozen=True, slots=True)
class ClearKeys:
    """CCP left Opened: both directions lose their keys."""


@dataclass(frozen=True, slots=True)
class EncryptionUp:
    """CCP is Opened. Per direction, as its receiver asked."""

    bits: int
    receive_stateless: bool
    send_stateless: bool


class NoEncryption(Enum):
    """Why data passes in the clear although both ends could have encrypted it."""

    CCP_REJECTED = "the peer rejects CCP"
    MPPE_REJECTED = "the peer rejects MPPE"
    NO_ANSWER = "the peer does not answer CCP"
    NO_AGREEMENT = "CCP ended without an agreement"


@dataclass(frozen=True, slots=True)
class InTheClear:
    """We have keys and offered encryption; the policy lets data pass without. Told once."""

    reason: NoEncryption


@dataclass(frozen=True, slots=True)
class ProtocolRejected:
    """The peer sent a Protocol-Reject (RFC 1661 5.7) of this protocol."""

    protocol: int


@dataclass(frozen=True, slots=True)
class ProbeAnswered:
    """The Echo-Reply to a probe of `size` octets came."""

    size: int


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Let data of this IP version (4 or 6) pass in both directions."""

    version: int


@dataclass(frozen=True, slots=True)
class CloseGate:
    """Stop data of this IP version."""

    version: int


@dataclass(frozen=True, slots=True)
class IpUp:
    """IPCP is Opened: our address, the peer's, and the servers it was told (or told us)."""

    local: IPv4Address
    peer: IPv4Address
    dns: tuple[IPv4Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class IpDown:
    """IPCP left Opened."""


@dataclass(frozen=True, slots=True)
class Ipv6Up:
    """IPv6CP is Opened: the interface identifiers, 8 octets each."""

    local_identifier: bytes
    peer_identifier: bytes


@dataclass(frozen=True, slots=True)
class Ipv6Down:
    """IPv6CP left Opened."""


@dataclass(frozen=True, slots=True)
class PeerIdentified:
    """LCP Identification (RFC 1570 section 2.1), as text."""

    text: str


@dataclass(frozen=True, slots=True)
class FrameTrace:
    """A control frame as it was sent or came in; only when the Link was asked to trace."""

    sent: bool
    frame: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """The Link went from one phase to another (RFC 1661 3.2); only when asked to debug."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AutomatonStep:
    """An event of a control protocol's automaton (RFC 1661 4.1), before its actions are carried
    out; only when the Link was asked to debug.
    """

    protocol: int
    event: Event
    before: State
    after: State
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class RequestJudged:
    """The verdict on a Configure-Request of the peer: the code of the answer, and the options that
    it is about (none for an Ack); only when the Link was asked to debug.
    """

    protocol: int
    identifier: int
    verdict: int
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """The Link is dead; nothing follows. `method` names the protocol of a failed authentication.

    `error` is the MS-CHAP code by which the authenticator told us why (646 to 649, 709), else 0.
    """

    end: LinkEnd
    name: str = ""
    method: AuthMethod | None = None
    error: int = 0


LinkEvent: TypeAlias = (
    SendFrame
    | LcpOpened
    | LcpClosed
    | AuthRequest
    | Authenticated
    | AddressRequest
    | TokenVoid
    | SetKeys
    | ClearKeys
    | EncryptionUp
    | OpenGate
    | CloseGate
    | IpUp
    | IpDown
    | Ipv6Up
    | Ipv6Down
    | PeerIdentified
    | InTheClear
    | ProtocolRejected
    | ProbeAnswered
    | FrameTrace
    | PhaseChange
    | AutomatonStep
    | RequestJudged
    | LinkEnded
)
