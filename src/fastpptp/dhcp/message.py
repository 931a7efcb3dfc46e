"""DHCP messages (RFC 2131 section 2, RFC 2132 and 3396): a Message to octets and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address

from fastpptp.errors import LocalProtocolError, RemoteProtocolError

REQUEST = 1
REPLY = 2
ETHERNET = 1
COOKIE = b"\x63\x82\x53\x63"
NOWHERE = IPv4Address(0)

# op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_OPTIONS = _HEADER.size + len(COOKIE)
CHADDR_OCTETS = 6

# A relay or server may drop what is shorter than BOOTP's messages were.
SHORTEST = 300


class MessageType(IntEnum):
    """Option 53."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Code(IntEnum):
    """The options that are used here. RELAY_AGENT is RFC 3046's, SUBNET_SELECTION RFC 3011's."""

    PAD = 0
    SUBNET_MASK = 1
    DNS = 6
    HOST_NAME = 12
    NBNS = 44
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_IDENTIFIER = 54
    PARAMETERS = 55
    MESSAGE = 56
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    CLIENT_IDENTIFIER = 61
    RELAY_AGENT = 82
    SUBNET_SELECTION = 118
    END = 255


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `options` are all but the message type, in the order in which they are sent.

    `chaddr` is 6 octets (Ethernet's kind), `secs` seconds.
    """

    op: int
    type: MessageType
    xid: int
    chaddr: bytes
    secs: int = 0
    ciaddr: IPv4Address = NOWHERE
    yiaddr: IPv4Address = NOWHERE
    giaddr: IPv4Address = NOWHERE
    options: Mapping[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The datagram. LocalProtocolError for an option of more than 255 octets."""
        header = _HEADER.pack(
            self.op, ETHERNET, CHADDR_OCTETS, 0, self.xid, min(self.secs, 0xFFFF), 0,
            self.ciaddr.packed, self.yiaddr.packed, bytes(4), self.giaddr.packed,
            self.chaddr, b"", b"",
        )  # fmt: skip
        options = {Code.MESSAGE_TYPE: bytes([self.type]), **self.options}
        data = header + COOKIE + b"".join(map(_option, options, options.values()))
        return (data + bytes([Code.END])).ljust(SHORTEST, b"\0")

    def address(self, code: int) -> IPv4Address | None:
        """An option that is one address, None if it is absent."""
        data = self._sized(code, 4)
        return None if data is None else IPv4Address(data)

    def seconds(self, code: int) -> int | None:
        """An option that is a time."""
        data = self._sized(code, 4)
        return None if data is None else int.from_bytes(data, "big")

    def addresses(self, code: int) -> tuple[IPv4Address, ...]:
        """An option that is a list of addresses."""
        data = self.options.get(code, b"")
        if len(data) % 4:
            raise RemoteProtocolError(f"option {code} has {len(data)} octets")
        return tuple(IPv4Address(data[at : at + 4]) for at in range(0, len(data), 4))

    def _sized(self, code: int, size: int) -> bytes | None:
        data = self.options.get(code)
        if data is not None and len(data) != size:
            raise RemoteProtocolError(f"option {code} has {len(data)} octets, not {size}")
        return data


def _option(code: int, data: bytes) -> bytes:
    if len(data) > 255:
        raise LocalProtocolError(f"option {code} has {len(data)} octets")
    return bytes([code, len(data)]) + data


def decode(data: bytes) -> Message:
    """A datagram as a Message. RemoteProtocolError, and nothing else, for one that is none."""
    if len(data) < _OPTIONS:
        raise RemoteProtocolError(f"{len(data)} octets are no message")
    (
        op, htype, hlen, _hops, xid, secs, _flags, ciaddr, yiaddr, _siaddr, giaddr, chaddr, sname,
        file,
    ) = _HEADER.unpack_from(data)  # fmt: skip
    if op not in (REQUEST, REPLY) or (htype, hlen) != (ETHERNET, CHADDR_OCTETS):
        raise RemoteProtocolError(f"op {op}, htype {htype}, hlen {hlen}")
    if data[_HEADER.size : _OPTIONS] != COOKIE:
        raise RemoteProtocolError("the magic cookie is wrong")
    options = _read_options(data[_OPTIONS:], file, sname)
    kind = options.pop(Code.MESSAGE_TYPE, b"")
    if len(kind) != 1 or kind[0] not in MessageType.__members__.values():
        raise RemoteProtocolError(f"message type {kind.hex() or 'none'}")
    return Message(
        op, MessageType(kind[0]), xid, chaddr[:CHADDR_OCTETS], secs,
        IPv4Address(ciaddr), IPv4Address(yiaddr), IPv4Address(giaddr), options,
    )  # fmt: skip


def _read_options(data: bytes, file: bytes, sname: bytes) -> dict[int, bytes]:
    """The options of a message, those in the file and sname fields with them (RFC 2132 9.3).

    What is split over several options of one code is put together (RFC 3396).
    """
    options: dict[int, bytes] = {}
    _gather(data, options)
    overload = options.pop(Code.OVERLOAD, b"")
    if overload not in (b"", b"\1", b"\2", b"\3"):
        raise RemoteProtocolError(f"option overload {overload.hex()}")
    use = overload[0] if overload else 0
    for bit, field_ in ((1, file), (2, sname)):
        if use & bit:
            _gather(field_, options)
    return options


def _gather(data: bytes, options: dict[int, bytes]) -> None:
    for code, value in _walk(data):
        options[code] = options.get(code, b"") + value


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != Code.END:
        code = data[at]
        at += 1
        if code == Code.PAD:
            continue
        if at >= len(data) or at + 1 + data[at] > len(data):
            raise RemoteProtocolError(f"option {code} is cut off")
        yield code, data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
