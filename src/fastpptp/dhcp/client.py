"""One DHCP lease held on behalf of somebody else: the client's state machine (RFC 2131 4.4).

It speaks as client and as relay agent in one: `giaddr` is this machine's address, so that
servers answer to us whatever they lease, and a renewal goes the same way. Option 118 (RFC
3011) and the link selection of option 82 (RFC 3527) name the subnet that is wanted.

`start`, `receive`, `handle_timer` and `release` return what came of it, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from fastpptp.dhcp.message import NOWHERE, REPLY, REQUEST, Code, Message, MessageType

Options: TypeAlias = dict[int, bytes]

FOREVER = 0xFFFFFFFF

# A lease that is shorter is not worth its renewals, and is passed over. Seconds.
SHORTEST_LEASE = 10

# How often one asking may begin anew after a NAK, or after an address that is in use here.
MOST_RESTARTS = 3

# Between two tries to extend a lease, unless the next deadline comes first (RFC 2131 4.4.5).
SHORTEST_WAIT = 60.0

LINK_SELECTION = 5  # sub-option of option 82 (RFC 3527)

WANTED = bytes(
    [
        Code.SUBNET_MASK, Code.DNS, Code.NBNS, Code.LEASE_TIME, Code.SERVER_IDENTIFIER,
        Code.RENEWAL_TIME, Code.REBINDING_TIME,
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DhcpConfig:
    """Whom to ask and for how long. `timeout` is the first wait in seconds; each of the
    `retries` waits twice as long as the one before. `relay_address` None: found for each server.
    """

    servers: tuple[IPv4Address, ...] = ()
    relay_address: IPv4Address | None = None
    timeout: int = 2
    retries: int = 2
    send_host_name: bool = False

    @property
    def patience(self) -> float:
        """How long an asking lasts at most, in seconds."""
        return float(self.timeout * (2 ** (self.retries + 1) - 1))


@dataclass(frozen=True, slots=True)
class Subscriber:
    """For whom a lease is. `identifier` (option 61) is the same each time it comes back."""

    identifier: bytes
    chaddr: bytes
    scope: IPv4Network | None = None
    host_name: str = ""


@dataclass(frozen=True, slots=True)
class DhcpLease:
    """What a server granted: for `seconds` from `since`, FOREVER without end.

    `server` is where it answered from, `identifier` what it calls itself.
    """

    address: IPv4Address
    server: IPv4Address
    identifier: IPv4Address
    seconds: int
    since: float
    renew_at: float | None
    rebind_at: float | None
    expires_at: float | None
    dns: tuple[IPv4Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """A message to a server's port 67. Its giaddr is the relay address on the way there."""

    server: IPv4Address
    message: Message


@dataclass(frozen=True, slots=True)
class Bound:
    lease: DhcpLease


@dataclass(frozen=True, slots=True)
class Extended:
    lease: DhcpLease


@dataclass(frozen=True, slots=True)
class Declined:
    """The server gave an address that is in use here."""

    address: IPv4Address
    server: IPv4Address


@dataclass(frozen=True, slots=True)
class Refused:
    """A DHCPNAK, in the server's own words."""

    server: IPv4Address
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no lease. `answered`: some server said something."""

    answered: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The lease is over though nobody gave it back."""

    lease: DhcpLease
    reason: str


DhcpEvent: TypeAlias = Send | Bound | Extended | Declined | Refused | Failed | Lost


class State(Enum):
    """RFC 2131 figure 5, but what needs no waiting."""

    SELECTING = "selecting"
    REQUESTING = "requesting"
    BOUND = "bound"
    RENEWING = "renewing"
    REBINDING = "rebinding"
    OVER = "over"


class LeaseClient:
    """See the module. `take` takes an address for the subscriber, unless it is in use here;
    `rng` gives random octets. `config` is the one that the lease began with.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        config: DhcpConfig,
        *,
        take: Callable[[IPv4Address], bool],
        rng: Callable[[int], bytes],
    ) -> None:
        self.subscriber = subscriber
        self.config = config
        self.state = State.SELECTING
        self.lease: DhcpLease | None = None
        self.xid = 0
        self._take = take
        self._rng = rng
        self._began = self._sent = 0.0
        self._deadline: float | None = None
        self._tries = 0
        self._restarts = 0
        self._answered = False
        # An offer that was taken: the address, and what its server calls itself.
        self._chosen: tuple[IPv4Address, IPv4Address] | None = None

    def get_timer(self) -> float | None:
        return self._deadline

    def start(self, now: float) -> list[DhcpEvent]:
        """Look for a server."""
        self._began = now
        return self._discover(now)

    def release(self, now: float) -> list[DhcpEvent]:
        """Give the lease back; whatever the server hears of it, it is over here."""
        lease, self.lease = self.lease, None
        self._end()
        if lease is None:
            return []
        self._began = now
        self._new_exchange()
        options: Options = {Code.SERVER_IDENTIFIER: lease.identifier.packed}
        message = self._message(MessageType.RELEASE, now, lease.address, options)
        return [Send(lease.server, message)]

    def receive(self, message: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        """A message from one of the servers. RemoteProtocolError: it says what makes no sense."""
        handler = self._ANSWERS.get((self.state, message.type))
        mine = (REPLY, self.xid, self.subscriber.chaddr)
        if handler is None or (message.op, message.xid, message.chaddr) != mine:
            return []
        found: list[DhcpEvent] = getattr(self, handler)(message, server, now)
        return found

    def handle_timer(self, now: float) -> list[DhcpEvent]:
        if self._deadline is None or now < self._deadline:
            return []
        found: list[DhcpEvent] = getattr(self, self._TIMERS[self.state])(now)
        return found

    # Asking.

    def _discover(self, now: float) -> list[DhcpEvent]:
        self.state = State.SELECTING
        self._chosen = None
        self._tries = 0
        self._new_exchange()
        return self._ask(now)

    def _ask(self, now: float) -> list[DhcpEvent]:
        """The question as it stands, to every server, and how long its answer is waited for."""
        wait = self.config.timeout * 2**self._tries * (1 + self._spread() / 10)
        self._deadline = min(now + wait, self._began + self.config.patience)
        self._tries += 1
        self._sent = now
        if self._chosen is None:
            message = self._message(MessageType.DISCOVER, now, NOWHERE, {})
        else:
            address, identifier = self._chosen
            options: Options = {
                Code.REQUESTED_ADDRESS: address.packed, Code.SERVER_IDENTIFIER: identifier.packed,
            }  # fmt: skip
            message = self._message(MessageType.REQUEST, now, NOWHERE, options)
        return [Send(server, message) for server in self.config.servers]

    def _offered(self, offer: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        self._answered = True
        identifier = offer.address(Code.SERVER_IDENTIFIER)
        if identifier is None or not _host(offer.yiaddr) or not _long_enough(offer):
            return []
        self._chosen = offer.yiaddr, identifier
        self.state = State.REQUESTING
        self._tries = 0
        return self._ask(now)

    def _acknowledged(self, ack: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        identifier = ack.address(Code.SERVER_IDENTIFIER)
        if (ack.yiaddr, identifier) != self._chosen or not _long_enough(ack):
            return []
        lease = self._read(ack, server)
        if not self._take(lease.address):
            return self._decline(lease, now)
        return [Bound(self._hold(lease))]

    def _decline(self, lease: DhcpLease, now: float) -> list[DhcpEvent]:
        options: Options = {
            Code.REQUESTED_ADDRESS: lease.address.packed,
            Code.SERVER_IDENTIFIER: lease.identifier.packed,
        }
        message = self._message(MessageType.DECLINE, now, NOWHERE, options)
        sent = Send(lease.server, message)
        return [sent, Declined(lease.address, lease.server), *self._again(now)]

    def _refused(self, nak: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        if self._chosen is None or nak.address(Code.SERVER_IDENTIFIER) != self._chosen[1]:
            return []  # a server that we did not choose
        return [_refusal(nak, server), *self._again(now)]

    def _again(self, now: float) -> list[DhcpEvent]:
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            return self._fail()
        return self._discover(now)

    def _unanswered(self, now: float) -> list[DhcpEvent]:
        over = now >= self._began + self.config.patience
        if self._tries > self.config.retries or over:
            return self._fail()
        return self._ask(now)

    def _fail(self) -> list[DhcpEvent]:
        self._end()
        return [Failed(self._answered)]

    # Holding.

    def _hold(self, lease: DhcpLease) -> DhcpLease:
        self.lease = lease
        self.state = State.BOUND
        self._deadline = lease.renew_at
        return lease

    def _renew(self, now: float) -> list[DhcpEvent]:
        """T1: the server that leased is asked, and asked again."""
        lease = self._held()
        if self.state is State.BOUND:
            self.state = State.RENEWING
            self._began = now
            self._new_exchange()
        elif _reached(now, lease.rebind_at):
            return self._rebind(now)
        return self._extend(now, lease.rebind_at, (lease.server,))

    def _rebind(self, now: float) -> list[DhcpEvent]:
        """T2: every server is asked, until the lease expires."""
        lease = self._held()
        if _reached(now, lease.expires_at):
            return self._lose("the lease expired")
        if self.state is State.RENEWING:
            self.state = State.REBINDING
            self._new_exchange()
        return self._extend(now, lease.expires_at, self.config.servers)

    def _extend(
        self, now: float, until: float | None, servers: tuple[IPv4Address, ...]
    ) -> list[DhcpEvent]:
        limit = now if until is None else until
        self._deadline = min(limit, now + max(SHORTEST_WAIT, (limit - now) / 2))
        self._sent = now
        message = self._message(MessageType.REQUEST, now, self._held().address, {})
        return [Send(server, message) for server in servers]

    def _extended(self, ack: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        lease = self._held()
        if not _long_enough(ack):
            return []
        if ack.yiaddr != lease.address:
            return self._lose(f"the DHCP server gave {ack.yiaddr} in its place")
        return [Extended(self._hold(self._read(ack, server)))]

    def _withdrawn(self, nak: Message, server: IPv4Address, now: float) -> list[DhcpEvent]:
        return [_refusal(nak, server), *self._lose("the DHCP server refused to extend the lease")]

    def _lose(self, reason: str) -> list[DhcpEvent]:
        lease = self._held()
        self.lease = None
        self._end()
        return [Lost(lease, reason)]

    # Messages.

    def _held(self) -> DhcpLease:
        assert self.lease is not None
        return self.lease

    def _end(self) -> None:
        self.state = State.OVER
        self._deadline = None

    def _new_exchange(self) -> None:
        self.xid = int.from_bytes(self._rng(4), "big")

    def _spread(self) -> float:
        """-1 to 1, so that many that began together do not stay together."""
        return self._rng(1)[0] / 127.5 - 1

    def _message(self, kind: MessageType, now: float, ciaddr: IPv4Address, own: Options) -> Message:
        who = self.subscriber
        options: Options = {Code.CLIENT_IDENTIFIER: who.identifier, **own}
        if kind in (MessageType.DISCOVER, MessageType.REQUEST):
            options[Code.PARAMETERS] = WANTED
            if who.host_name:
                options[Code.HOST_NAME] = who.host_name.encode("ascii")
        if who.scope is not None:
            subnet = who.scope.network_address.packed
            options[Code.SUBNET_SELECTION] = subnet
            options[Code.RELAY_AGENT] = bytes([LINK_SELECTION, 4]) + subnet  # the last: RFC 3046
        secs = int(now - self._began)
        return Message(REQUEST, kind, self.xid, who.chaddr, secs, ciaddr, options=options)

    def _read(self, ack: Message, server: IPv4Address) -> DhcpLease:
        """The lease that an acknowledgement grants; it runs from our request on (4.4.1)."""
        seconds = ack.seconds(Code.LEASE_TIME) or 0
        identifier = ack.address(Code.SERVER_IDENTIFIER) or server
        renew, rebind = _times(ack, seconds)
        since, endless = self._sent, seconds == FOREVER
        return DhcpLease(
            ack.yiaddr, server, identifier, seconds, since,
            None if endless else since + renew,
            None if endless else since + rebind,
            None if endless else since + seconds,
            ack.addresses(Code.DNS)[:2], ack.addresses(Code.NBNS)[:2],
        )  # fmt: skip

    _ANSWERS: ClassVar[Mapping[tuple[State, MessageType], str]] = MappingProxyType(
        {
            (State.SELECTING, MessageType.OFFER): "_offered",
            (State.REQUESTING, MessageType.ACK): "_acknowledged",
            (State.REQUESTING, MessageType.NAK): "_refused",
            (State.RENEWING, MessageType.ACK): "_extended",
            (State.RENEWING, MessageType.NAK): "_withdrawn",
            (State.REBINDING, MessageType.ACK): "_extended",
            (State.REBINDING, MessageType.NAK): "_withdrawn",
        }
    )
    _TIMERS: ClassVar[Mapping[State, str]] = MappingProxyType(
        {
            State.SELECTING: "_unanswered",
            State.REQUESTING: "_unanswered",
            State.BOUND: "_renew",
            State.RENEWING: "_renew",
            State.REBINDING: "_rebind",
        }
    )


def _host(address: IPv4Address) -> bool:
    """Whether a machine can have this address."""
    return not (
        address.is_unspecified or address.is_multicast or address.is_loopback or address.is_reserved
    )


def _long_enough(message: Message) -> bool:
    return (message.seconds(Code.LEASE_TIME) or 0) >= SHORTEST_LEASE


def _times(ack: Message, seconds: int) -> tuple[float, float]:
    """T1 and T2: the server's if they make sense, else half and seven eighths of the lease."""
    renew = ack.seconds(Code.RENEWAL_TIME) or 0.5 * seconds
    rebind = ack.seconds(Code.REBINDING_TIME) or 0.875 * seconds
    return (renew, rebind) if 1 <= renew < rebind < seconds else (0.5 * seconds, 0.875 * seconds)


def _reached(now: float, deadline: float | None) -> bool:
    return deadline is not None and now >= deadline


def _refusal(nak: Message, server: IPv4Address) -> Refused:
    return Refused(server, nak.options.get(Code.MESSAGE, b"").decode("utf-8", "replace"))
