"""The IP Control Protocol (RFC 1332) with name server addresses (RFC 1877)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import zip_longest

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.config import AddressAnswer, Timing
from fastpptp.ppp.frames import Code, Packet, Protocol, decode_options, decode_packet
from fastpptp.ppp.fsm import ControlProtocol, Owner
from fastpptp.ppp.options import Judgement, OptionRule, OptionSet, Verdict

IP_ADDRESS = 3
# Primary and secondary (RFC 1877).
DNS = (129, 131)
NBNS = (130, 132)

_NONE = 0


def is_usable(address: int) -> bool:
    """Whether a host can have this address: not 0/8, loopback, multicast or above."""
    first = address >> 24
    return 0 < first < 224 and first != 127


class GivenAddress(OptionRule):
    """IP-Address (RFC 1332 3.3) for who assigns: our own is told, the peer's is given."""

    __slots__ = ("_asking", "_local", "_peer")

    type = IP_ADDRESS
    FIELDS = ("_local", "_peer", "_asking")

    def __init__(self) -> None:
        self._local = self._peer = _NONE
        self._asking = True

    @property
    def local(self) -> IPv4Address:
        return IPv4Address(self._local)

    @property
    def peer(self) -> IPv4Address:
        return IPv4Address(self._peer)

    def assign(self, local: IPv4Address, peer: IPv4Address) -> None:
        self._local, self._peer = int(local), int(peer)

    def reset(self) -> None:
        self._asking = True

    def ask(self) -> bytes | None:
        return self._local.to_bytes(4, "big") if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        if len(data) != 4:
            return Verdict.REJECT, data
        given = self._peer.to_bytes(4, "big")
        return (Verdict.ACK if data == given else Verdict.NAK), given

    def absent(self) -> bytes | None:
        return self._peer.to_bytes(4, "big")

    def rejected(self) -> None:
        self._asking = False


class WantedAddress(OptionRule):
    """IP-Address for who is assigned one: ours is asked for, the peer's is taken as it is."""

    __slots__ = ("_asking", "_local", "_peer", "_request")

    type = IP_ADDRESS
    FIELDS = ("_local", "_peer", "_asking")

    def __init__(self, request: IPv4Address | None) -> None:
        self._request = int(request or _NONE)
        self._peer = _NONE
        self.reset()

    @property
    def local(self) -> IPv4Address:
        return IPv4Address(self._local)

    @property
    def peer(self) -> IPv4Address:
        return IPv4Address(self._peer)

    @property
    def hopeless(self) -> bool:
        """An address that the peer will not discuss is of no use unless we brought one."""
        return not self._asking and not is_usable(self._local)

    def reset(self) -> None:
        self._local = self._request
        self._asking = True

    def ask(self) -> bytes | None:
        return self._local.to_bytes(4, "big") if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        usable = len(data) == 4 and is_usable(int.from_bytes(data, "big"))
        return (Verdict.ACK if usable else Verdict.REJECT), data

    def agree(self, data: bytes | None) -> None:
        self._peer = int.from_bytes(data or b"", "big")

    def naked(self, data: bytes) -> None:
        if len(data) == 4 and is_usable(int.from_bytes(data, "big")):
            self._local = int.from_bytes(data, "big")

    def rejected(self) -> None:
        self._asking = False


class GivenServer(OptionRule):
    """A name server that the peer may ask for; without one the option is rejected."""

    __slots__ = ("_address", "type")

    FIELDS = ("_address",)

    def __init__(self, kind: int) -> None:
        self.type = kind
        self._address = _NONE

    @property
    def address(self) -> IPv4Address | None:
        return IPv4Address(self._address) if self._address else None

    def assign(self, address: IPv4Address | None) -> None:
        self._address = int(address or _NONE)

    def judge(self, data: bytes) -> Judgement:
        given = self._address.to_bytes(4, "big")
        if not self._address or len(data) != 4:
            return Verdict.REJECT, data
        return (Verdict.ACK if data == given else Verdict.NAK), given


class WantedServer(OptionRule):
    """A name server that we ask for."""

    __slots__ = ("_address", "_asking", "type")

    FIELDS = ("_address", "_asking")

    def __init__(self, kind: int) -> None:
        self.type = kind
        self.reset()

    @property
    def address(self) -> IPv4Address | None:
        """None until the peer names it."""
        return IPv4Address(self._address) if self._address else None

    def reset(self) -> None:
        self._address = _NONE
        self._asking = True

    def ask(self) -> bytes | None:
        return self._address.to_bytes(4, "big") if self._asking else None

    def naked(self, data: bytes) -> None:
        if len(data) == 4:
            self._address = int.from_bytes(data, "big")

    def rejected(self) -> None:
        self._address = _NONE
        self._asking = False


class Ipcp(ControlProtocol):
    """IPCP in either role. VJ compression and IP-Addresses (types 2 and 1) are rejected.

    `local`, `peer`, `dns` and `nbns` are what was agreed on, once it is Opened.
    """

    __slots__ = ("_address", "_servers")

    protocol = Protocol.IPCP

    def __init__(
        self,
        address: GivenAddress | WantedAddress,
        servers: Sequence[GivenServer | WantedServer],
        timing: Timing,
        owner: Owner,
    ) -> None:
        self._address = address
        self._servers = servers
        super().__init__(OptionSet((address, *servers)), timing, owner)

    @property
    def local(self) -> IPv4Address:
        return self._address.local

    @property
    def peer(self) -> IPv4Address:
        return self._address.peer

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        return self._named(DNS)

    @property
    def nbns(self) -> tuple[IPv4Address, ...]:
        return self._named(NBNS)

    def _named(self, kinds: tuple[int, ...]) -> tuple[IPv4Address, ...]:
        """The known ones of these types, in the order of `kinds`."""
        known = {server.type: server.address for server in self._servers}
        return tuple(address for kind in kinds if (address := known.get(kind)))


class AssigningIpcp(Ipcp):
    """The authenticator's: it gives the peer its address."""

    __slots__ = ("_given", "_told")

    def __init__(self, timing: Timing, owner: Owner) -> None:
        self._given = GivenAddress()
        self._told = tuple(GivenServer(kind) for kind in (*DNS, *NBNS))
        super().__init__(self._given, self._told, timing, owner)

    def assign(self, answer: AddressAnswer) -> None:
        """What to give and to tell. Before Up."""
        self._given.assign(answer.local, answer.peer)
        for kinds, addresses in ((DNS, answer.dns), (NBNS, answer.nbns)):
            servers = [server for server in self._told if server.type in kinds]
            for server, address in zip_longest(servers, addresses[: len(kinds)]):
                server.assign(address)


class AskingIpcp(Ipcp):
    """The peer's: it asks for its address and for name servers."""

    __slots__ = ()

    def __init__(self, timing: Timing, owner: Owner, request: IPv4Address | None) -> None:
        servers = tuple(WantedServer(kind) for kind in (*DNS, *NBNS))
        super().__init__(WantedAddress(request), servers, timing, owner)

    def _configure_ack(self, packet: Packet, now: float) -> None:
        """A peer that acknowledges 0.0.0.0 has no address for us."""
        if is_usable(int(self.local)):
            super()._configure_ack(packet, now)
        else:
            self._owner.layer_diverged(self)


def requested_address(information: bytes) -> IPv4Address | None:
    """The address that a Configure-Request asks for, None where it names none."""
    try:
        packet = decode_packet(information)
        options = decode_options(packet.data)
    except RemoteProtocolError:
        return None
    if packet.code != Code.CONFIGURE_REQUEST:
        return None
    for option in options:
        if option.type == IP_ADDRESS and len(option.data) == 4:
            address = int.from_bytes(option.data, "big")
            return IPv4Address(address) if is_usable(address) else None
    return None
