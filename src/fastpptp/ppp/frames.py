"""PPP frames, control packets and options: encoding, and decoding of hostile octets.

Every decoder looks at lengths first and raises RemoteProtocolError and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from fastpptp.errors import RemoteProtocolError

HEADER = 4
OPTION_HEADER = 2


class Protocol(IntEnum):
    """PPP protocol numbers that a Link knows."""

    IP = 0x0021
    IPV6 = 0x0057
    COMPRESSED = 0x00FD
    IPCP = 0x8021
    IPV6CP = 0x8057
    CCP = 0x80FD
    LCP = 0xC021
    PAP = 0xC023
    CHAP = 0xC223
    EAP = 0xC227


class Code(IntEnum):
    """Codes of control packets: RFC 1661 5, RFC 1570 2 (12, 13), RFC 1962 3 (14, 15)."""

    CONFIGURE_REQUEST = 1
    CONFIGURE_ACK = 2
    CONFIGURE_NAK = 3
    CONFIGURE_REJECT = 4
    TERMINATE_REQUEST = 5
    TERMINATE_ACK = 6
    CODE_REJECT = 7
    PROTOCOL_REJECT = 8
    ECHO_REQUEST = 9
    ECHO_REPLY = 10
    DISCARD_REQUEST = 11
    IDENTIFICATION = 12
    TIME_REMAINING = 13
    RESET_REQUEST = 14
    RESET_ACK = 15


@dataclass(frozen=True, slots=True)
class Packet:
    """Code, Identifier and Data of RFC 1661 5; the Length field is derived."""

    code: int
    identifier: int
    data: bytes = b""

    def encode(self) -> bytes:
        length = HEADER + len(self.data)
        return bytes((self.code, self.identifier)) + length.to_bytes(2, "big") + self.data


@dataclass(frozen=True, slots=True)
class Option:
    """A Configuration Option: Type and Data (RFC 1661 6)."""

    type: int
    data: bytes = b""

    def encode(self) -> bytes:
        return bytes((self.type, OPTION_HEADER + len(self.data))) + self.data


def decode_frame(frame: bytes) -> tuple[int, bytes]:
    """Protocol and information field, whether or not the fields before them are compressed.

    Address and Control (FF 03) and a one-octet protocol field are taken whatever was
    negotiated: peers send either form.
    """
    start = 2 if frame[:2] == b"\xff\x03" else 0
    if len(frame) <= start:
        raise RemoteProtocolError("frame without a protocol field")
    if frame[start] & 1:
        return frame[start], frame[start + 1 :]
    if len(frame) < start + 2 or not frame[start + 1] & 1:
        raise RemoteProtocolError("frame with a malformed protocol field")
    return int.from_bytes(frame[start : start + 2], "big"), frame[start + 2 :]


def encode_frame(protocol: int, information: bytes) -> bytes:
    """A frame as SendFrame carries it: two octets of protocol, then the information field."""
    return protocol.to_bytes(2, "big") + information


def decode_packet(information: bytes) -> Packet:
    """A control packet; octets beyond its Length are padding (RFC 1661 5)."""
    if len(information) < HEADER:
        raise RemoteProtocolError("control packet shorter than its header")
    length = int.from_bytes(information[2:4], "big")
    if not HEADER <= length <= len(information):
        raise RemoteProtocolError("control packet with a wrong length")
    return Packet(information[0], information[1], information[HEADER:length])


def decode_options(data: bytes) -> tuple[Option, ...]:
    """The options of a Configure packet."""
    options = []
    offset = 0
    while offset < len(data):
        if len(data) - offset < OPTION_HEADER:
            raise RemoteProtocolError("option shorter than its header")
        length = data[offset + 1]
        if not OPTION_HEADER <= length <= len(data) - offset:
            raise RemoteProtocolError("option with a wrong length")
        options.append(Option(data[offset], data[offset + OPTION_HEADER : offset + length]))
        offset += length
    return tuple(options)


def encode_options(options: Iterable[Option]) -> bytes:
    return b"".join(option.encode() for option in options)
