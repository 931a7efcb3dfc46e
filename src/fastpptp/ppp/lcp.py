"""The Link Control Protocol: its options (RFC 1661 6) and its own packets (5.7-5.9, RFC 1570)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Protocol

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.auth import lcp_value, method_of
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole
from fastpptp.ppp.frames import HEADER, Code, Packet
from fastpptp.ppp.frames import Protocol as Number
from fastpptp.ppp.fsm import ControlProtocol, Owner
from fastpptp.ppp.fsm_table import Event, Transition
from fastpptp.ppp.options import Judgement, OptionRule, OptionSet, Verdict

DEFAULT_MRU = 1500
# Below this an IPv4 datagram with options, or an MS-CHAP packet, no longer fits.
MINIMUM_MRU = 128

# How often our own Magic-Number may come back before the link counts as looped back.
LOOPS = 5
# How many Identifications of one peer are told: they could flood the log.
IDENTIFICATIONS = 8

# What a probe's Data begins with after the Magic-Number; the dataplane hands its answers on.
PROBE = b"fpTP"


class MaximumReceiveUnit(OptionRule):
    """RFC 1661 6.1. `local` is what we take, `peer` what the peer takes."""

    __slots__ = ("_asking", "_wanted", "local", "peer")

    type = 1
    FIELDS = ("local", "peer", "_asking")

    def __init__(self, mru: int) -> None:
        self._wanted = mru
        self.reset()
        self.peer = DEFAULT_MRU

    def reset(self) -> None:
        self.local = self._wanted
        self._asking = True

    def ask(self) -> bytes | None:
        return self.local.to_bytes(2, "big") if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        if len(data) != 2:
            return Verdict.REJECT, data
        if int.from_bytes(data, "big") < MINIMUM_MRU:
            return Verdict.NAK, MINIMUM_MRU.to_bytes(2, "big")
        return Verdict.ACK, data

    def agree(self, data: bytes | None) -> None:
        self.peer = DEFAULT_MRU if data is None else int.from_bytes(data, "big")

    def naked(self, data: bytes) -> None:
        mru = int.from_bytes(data, "big")
        if MINIMUM_MRU <= mru <= self._wanted:
            self.local = mru

    def rejected(self) -> None:
        self.local, self._asking = DEFAULT_MRU, False


class AsyncControlCharacterMap(OptionRule):
    """RFC 1662 7.1. Nothing is escaped inside GRE, so that any map will do."""

    __slots__ = ()

    type = 2

    def judge(self, data: bytes) -> Judgement:
        return (Verdict.ACK if len(data) == 4 else Verdict.REJECT), data


class DemandAuthentication(OptionRule):
    """RFC 1661 6.2 as authenticator: ask for the strongest method that the peer has not refused."""

    __slots__ = ("_left", "_methods")

    type = 3
    FIELDS = ("_left",)

    def __init__(self, methods: tuple[AuthMethod, ...]) -> None:
        self._methods = methods
        self._left: list[str] = []
        self.reset()

    @property
    def method(self) -> AuthMethod | None:
        """What we ask for; None: nobody has to authenticate."""
        return AuthMethod(self._left[0]) if self._left else None

    @property
    def hopeless(self) -> bool:
        return bool(self._methods) and not self._left

    def reset(self) -> None:
        self._left = [method.value for method in self._methods]

    def ask(self) -> bytes | None:
        return lcp_value(self.method) if self.method else None

    def naked(self, data: bytes) -> None:
        """The peer will not have our method; its own wish comes first if it is among the rest."""
        self._left.pop(0)
        wish = method_of(data)
        if wish is not None and wish.value in self._left:
            self._left.remove(wish.value)
            self._left.insert(0, wish.value)

    def rejected(self) -> None:
        self._left.clear()


class OfferAuthentication(OptionRule):
    """RFC 1661 6.2 as peer: what the authenticator may ask of us."""

    __slots__ = ("_agreed", "_methods")

    type = 3
    FIELDS = ("_agreed",)

    def __init__(self, methods: tuple[AuthMethod, ...]) -> None:
        self._methods = methods
        self._agreed = b""

    @property
    def method(self) -> AuthMethod | None:
        """What the authenticator wants of us; None: nothing."""
        return method_of(self._agreed)

    def judge(self, data: bytes) -> Judgement:
        if not self._methods:
            return Verdict.REJECT, data
        if method_of(data) in self._methods:
            return Verdict.ACK, data
        return Verdict.NAK, lcp_value(self._methods[0])

    def agree(self, data: bytes | None) -> None:
        self._agreed = data or b""


class MagicNumber(OptionRule):
    """RFC 1661 6.4, and the detection of a link that is looped back."""

    __slots__ = ("_asking", "_rng", "local", "loops", "peer")

    type = 5
    FIELDS = ("local", "peer", "loops", "_asking")

    def __init__(self, rng: Callable[[int], bytes]) -> None:
        self._rng = rng
        self.peer = 0
        self.loops = 0
        self.reset()

    @property
    def hopeless(self) -> bool:
        return self.loops >= LOOPS

    def reset(self) -> None:
        self.local = self._draw()
        self._asking = True

    def ask(self) -> bytes | None:
        return self.local.to_bytes(4, "big") if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        if len(data) != 4:
            return Verdict.REJECT, data
        magic = int.from_bytes(data, "big")
        if self.is_ours(magic) or magic == 0:
            return Verdict.NAK, self._draw().to_bytes(4, "big")
        return Verdict.ACK, data

    def agree(self, data: bytes | None) -> None:
        self.peer = int.from_bytes(data or b"", "big")

    def naked(self, data: bytes) -> None:
        self.local = self._draw()

    def rejected(self) -> None:
        self.local, self._asking = 0, False

    def is_ours(self, magic: int) -> bool:
        """Whether the peer sent our own number: counted, until it sends another."""
        ours = self._asking and magic == self.local
        self.loops = self.loops + 1 if ours else 0
        return ours

    def _draw(self) -> int:
        return int.from_bytes(self._rng(4), "big") or 1


class Compression(OptionRule):
    """A flag: RFC 1661 6.5 and 6.6. We take either form, so we ask; `peer` is its own wish."""

    __slots__ = ("_asking", "peer")

    FIELDS = ("peer", "_asking")

    def __init__(self) -> None:
        self.peer = False
        self._asking = True

    def reset(self) -> None:
        self._asking = True

    def ask(self) -> bytes | None:
        return b"" if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        return (Verdict.REJECT if data else Verdict.ACK), data

    def agree(self, data: bytes | None) -> None:
        self.peer = data is not None

    def naked(self, data: bytes) -> None:
        """A flag has no other value: it is not wanted."""
        self._asking = False

    def rejected(self) -> None:
        self._asking = False


class ProtocolFieldCompression(Compression):
    type = 7

    __slots__ = ()


class AddressAndControlFieldCompression(Compression):
    type = 8

    __slots__ = ()


class LcpOwner(Owner, Protocol):
    """What LCP needs of its Link besides."""

    def peer_rejects(self, protocol: int) -> None:
        """Protocol-Reject."""
        ...

    def peer_terminates(self) -> None:
        """Terminate-Request."""
        ...

    def peer_identifies(self, text: str) -> None:
        """Identification."""
        ...

    def peer_echoes(self, size: int) -> None:
        """The Echo-Reply to a probe of this size."""
        ...


class Lcp(ControlProtocol):
    """LCP. `unanswered` counts our Echo-Requests since the last Echo-Reply."""

    __slots__ = (
        "_identified",
        "_link",
        "_told",
        "address_compression",
        "authentication",
        "echoes",
        "magic",
        "mru",
        "protocol_compression",
        "unanswered",
    )

    protocol = Number.LCP
    FIELDS = (*ControlProtocol.FIELDS, "unanswered", "echoes", "_identified", "_told")

    def __init__(self, config: LinkConfig, owner: LcpOwner, *, rng: Callable[[int], bytes]) -> None:
        self.mru = MaximumReceiveUnit(config.mru)
        self.authentication = (
            DemandAuthentication(config.methods)
            if config.role is LinkRole.AUTHENTICATOR
            else OfferAuthentication(config.methods)
        )
        self.magic = MagicNumber(rng)
        self.protocol_compression = ProtocolFieldCompression()
        self.address_compression = AddressAndControlFieldCompression()
        rules = (
            self.mru,
            AsyncControlCharacterMap(),
            self.authentication,
            self.magic,
            self.protocol_compression,
            self.address_compression,
        )
        super().__init__(OptionSet(rules), config.timing, owner)
        self._link = owner
        self.unanswered = 0
        # Whether the peer knows Echo-Request.
        self.echoes = True
        self._identified = ""
        self._told = 0

    def send_echo_request(self) -> None:
        """Ask whether the peer lives (5.8)."""
        self.unanswered += 1
        self._send(Code.ECHO_REQUEST, self._next_identifier(), self._magic_octets())

    def send_probe(self, size: int) -> None:
        """An Echo-Request of `size` octets of PPP information field, which its answer tells."""
        head = self._magic_octets() + PROBE + size.to_bytes(2, "big")
        self._send(Code.ECHO_REQUEST, self._next_identifier(), head.ljust(size - HEADER, b"\0"))

    def send_protocol_reject(self, protocol: int, information: bytes) -> None:
        """Tell of a protocol that we do not speak (5.7)."""
        rejected = protocol.to_bytes(2, "big") + information
        self._send(Code.PROTOCOL_REJECT, self._next_identifier(), rejected)

    _CODES: ClassVar[Mapping[int, str]] = MappingProxyType(
        {
            **ControlProtocol._CODES,
            Code.PROTOCOL_REJECT: "_protocol_reject",
            Code.ECHO_REQUEST: "_echo",
            Code.ECHO_REPLY: "_echo",
            Code.DISCARD_REQUEST: "_echo",
            Code.IDENTIFICATION: "_identification",
            Code.TIME_REMAINING: "_time_remaining",
        }
    )

    def _terminate_request(self, packet: Packet, now: float) -> None:
        super()._terminate_request(packet, now)
        self._link.peer_terminates()

    def _code_rejected(self, code: int) -> None:
        """A peer that knows no echoes is not asked again; that it answers is life enough."""
        if code == Code.ECHO_REQUEST:
            self.echoes = False

    def _protocol_reject(self, packet: Packet, now: float) -> None:
        if len(packet.data) < 2:
            raise RemoteProtocolError("Protocol-Reject without a protocol")
        # In any other state it is silently discarded (5.7).
        if self.opened:
            self._link.peer_rejects(int.from_bytes(packet.data[:2], "big"))

    def _echo(self, packet: Packet, now: float) -> None:
        if len(packet.data) < 4:
            raise RemoteProtocolError("echo or discard without a Magic-Number")
        if self.magic.is_ours(int.from_bytes(packet.data[:4], "big")):
            if self.magic.hopeless:
                self._owner.layer_diverged(self)
            return
        if packet.code == Code.ECHO_REPLY:
            self.unanswered = 0
            if packet.data[4:8] == PROBE:
                self._link.peer_echoes(int.from_bytes(packet.data[8:10], "big"))
        self._run(Event.ECHO, now)

    def _send_echo_reply(self, now: float, transition: Transition) -> None:
        if self._received.code == Code.ECHO_REQUEST:
            data = self._magic_octets() + self._received.data[4:]
            self._send(Code.ECHO_REPLY, self._received.identifier, data)

    def _identification(self, packet: Packet, now: float) -> None:
        """RFC 1570 2.1: a Magic-Number, then a text for people."""
        text = "".join(chr(c) if 32 <= c < 127 else "." for c in packet.data[4:])
        if text and text != self._identified and self._told < IDENTIFICATIONS:
            self._told += 1
            self._identified = text
            self._link.peer_identifies(text)

    def _time_remaining(self, packet: Packet, now: float) -> None:
        """RFC 1570 2.2: advice that asks for nothing."""

    def _magic_octets(self) -> bytes:
        return self.magic.local.to_bytes(4, "big")
