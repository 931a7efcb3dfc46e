"""The packets of PAP (RFC 1334) and CHAP (RFC 1994): encoding, and decoding of hostile octets.

A decoder raises RemoteProtocolError and nothing else.
"""

from __future__ import annotations

from enum import IntEnum

from fastpptp.errors import RemoteProtocolError

MAXIMUM_NAME = 256


class PapCode(IntEnum):
    """RFC 1334 section 2.2."""

    AUTHENTICATE_REQUEST = 1
    AUTHENTICATE_ACK = 2
    AUTHENTICATE_NAK = 3


class ChapCode(IntEnum):
    """RFC 1994 section 4; 5 and 6 are RFC 2433's, 7 is RFC 2759's."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD_1 = 5
    CHANGE_PASSWORD_2 = 6
    CHANGE_PASSWORD_3 = 7


def take(octets: bytes, offset: int) -> tuple[bytes, int]:
    """The field at `offset` that starts with its length octet, and the offset behind it."""
    if offset >= len(octets):
        raise RemoteProtocolError("a length field is missing")
    end = offset + 1 + octets[offset]
    if end > len(octets):
        raise RemoteProtocolError("a length field runs past the packet")
    return octets[offset + 1 : end], end


def counted(value: bytes) -> bytes:
    """`value` behind its length octet. A longer one than 255 octets is cut."""
    return bytes((min(len(value), 255),)) + value[:255]


def decode_authenticate_request(data: bytes) -> tuple[str, bytes]:
    """Peer-ID and Password (RFC 1334 section 2.2.1)."""
    peer_id, offset = take(data, 0)
    password, _ = take(data, offset)
    return text_of(peer_id), password


def decode_value(data: bytes) -> tuple[bytes, str]:
    """Value and Name of a Challenge or Response (RFC 1994 section 4.1)."""
    value, offset = take(data, 0)
    if not value:
        raise RemoteProtocolError("a challenge or response without a value")
    if len(data) - offset > MAXIMUM_NAME:
        raise RemoteProtocolError("a name longer than 256 octets")
    return value, text_of(data[offset:])


def text_of(octets: bytes) -> str:
    """A name as text: no character set is agreed on, so UTF-8, or else ISO 8859-1."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def octets_of(text: str) -> tuple[bytes, ...]:
    """All that text_of may have read `text` from: one encoding, or two."""
    first = text.encode("utf-8", "surrogatepass")
    try:
        second = text.encode("latin-1")
    except UnicodeEncodeError:
        return (first,)
    return (first,) if first == second else (first, second)
