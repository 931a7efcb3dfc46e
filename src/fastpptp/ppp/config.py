"""What a Link is told: how it is set up, and what its owner answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth.types import AuthMethod


class LinkRole(Enum):
    """Which side of the authentication a Link is on."""

    AUTHENTICATOR = "authenticator"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Timing:
    """The timers and counters of RFC 1661 4.6. `restart` in seconds."""

    restart: float = 3.0
    max_configure: int = 10
    max_terminate: int = 2
    max_failure: int = 5


@dataclass(frozen=True, slots=True)
class MppePolicy:
    """What encryption may and must be (RFC 3078).

    `bits` are the key lengths that may be used: 40, 56, 128. With `ask_stateful` we ask for
    stateful mode on what we receive, else for stateless; the peer may move us unless
    `require_stateless`, which holds for both directions.
    """

    enabled: bool = True
    required: bool = False
    require_stateless: bool = False
    bits: frozenset[int] = frozenset({128})
    ask_stateful: bool = False


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """How one Link behaves.

    `methods`, strongest first: as authenticator, what the peer may use (none: nobody has to
    authenticate); as peer, what we are willing to use. `name` is the authenticator's name in
    challenges; `user` and `password` are the peer's, `retry_passwords` what it tries when it may
    try again, `new_password` what it changes an expired one to.
    With `offload` the dataplane owns LCP echoes from LCP Opened on, else the Link sends one
    each `echo_interval` seconds (0: never) and ends after `echo_failures` without an answer.
    `request_address` is what the peer role asks for first. Time-outs in seconds: an
    unanswered AuthRequest or AddressRequest ends the Link after `request_timeout`, a Link
    that is not up `establish_timeout` after it was opened ends then.
    Our first Configure-Request waits up to `listen` for the peer to speak first: over GRE it can
    overtake the message that opens the peer's end of the call, and would be lost there.
    `trace`: a FrameTrace for each frame; `debug`: an event for each step that is taken.
    """

    role: LinkRole = LinkRole.AUTHENTICATOR
    mru: int = 1400
    methods: tuple[AuthMethod, ...] = ()
    name: str = "fastpptp"
    user: str = ""
    password: str = field(default="", repr=False)
    retry_passwords: tuple[str, ...] = field(default=(), repr=False)
    new_password: str | None = field(default=None, repr=False)
    mppe: MppePolicy = MppePolicy()
    ipv6: bool = False
    request_address: IPv4Address | None = None
    offload: bool = False
    echo_interval: float = 30.0
    echo_failures: int = 4
    request_timeout: float = 30.0
    establish_timeout: float = 60.0
    listen: float = 0.0
    trace: bool = False
    debug: bool = False
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """The answer to an AddressRequest: both ends' addresses and the servers to tell the peer.

    The identifiers (8 octets each) are for IPv6CP; empty ones are drawn at random.
    """

    local: IPv4Address
    peer: IPv4Address
    dns: tuple[IPv4Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    ipv6: bool = True
    local_identifier: bytes = b""
    peer_identifier: bytes = b""

    def __post_init__(self) -> None:
        if {len(self.local_identifier), len(self.peer_identifier)} - {0, 8}:
            raise LocalProtocolError("an interface identifier has 8 octets")
