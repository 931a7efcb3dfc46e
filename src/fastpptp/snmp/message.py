"""SNMP messages: PDUs (RFC 3416 section 3), and SNMPv1 and v2c around them (RFC 1157, 1901)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fastpptp import ber
from fastpptp.snmp.reading import DecodeError, Oid, Reader

V1, V2C, V3 = 0, 1, 3

# A message in one IP packet of 1,500 octets.
UNFRAGMENTED = 1472
# What UDP carries over IPv4.
LARGEST = 65_507


class PduType(IntEnum):
    GET = 0xA0
    NEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    BULK = 0xA5
    REPORT = 0xA8


class ErrorStatus(IntEnum):
    """RFC 3416 section 3; up to GEN_ERR those of SNMPv1."""

    NO_ERROR = 0
    TOO_BIG = 1
    NO_SUCH_NAME = 2
    BAD_VALUE = 3
    READ_ONLY = 4
    GEN_ERR = 5
    NO_ACCESS = 6
    WRONG_TYPE = 7
    WRONG_VALUE = 10
    NO_CREATION = 11
    COMMIT_FAILED = 14
    NOT_WRITABLE = 17


@dataclass(frozen=True, slots=True)
class Binding:
    """A variable of a request, and the value that a Set has for it."""

    name: Oid
    tag: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Pdu:
    """A request. `first` and `second` are a GetBulk's non-repeaters and max-repetitions.

    `listed` is its variable bindings as they came.
    """

    type: PduType
    request_id: int
    first: int
    second: int
    bindings: tuple[Binding, ...]
    listed: bytes


@dataclass(frozen=True, slots=True)
class CommunityMessage:
    """A request of SNMPv1 or v2c."""

    version: int
    community: bytes
    pdu: Pdu


REQUESTS = frozenset({PduType.GET, PduType.NEXT, PduType.SET, PduType.BULK})


def version_of(data: bytes) -> tuple[int, Reader]:
    """The version that a message says, and the rest of it. DecodeError: it is no message."""
    outer = Reader(data)
    body = outer.sequence()
    outer.end()
    return body.integer(), body


def read_community_message(version: int, body: Reader) -> CommunityMessage:
    """The rest of a message of SNMPv1 or v2c; DecodeError if it is malformed, or no request."""
    community = body.octets()
    pdu = read_pdu(body)
    body.end()
    if version == V1 and pdu.type is PduType.BULK:
        raise DecodeError("SNMPv1 has no GetBulk")
    return CommunityMessage(version, community, pdu)


def read_pdu(body: Reader) -> Pdu:
    """The request that comes next."""
    tag, content = body.any()
    if tag not in REQUESTS:
        raise DecodeError(f"PDU {tag:#04x} is no request")
    reader = Reader(content)
    request_id, first, second = reader.integer(), reader.integer(), reader.integer()
    listed = reader.content(ber.SEQUENCE)
    reader.end()
    return Pdu(PduType(tag), request_id, first, second, tuple(_bindings(listed)), listed)


def _bindings(listed: bytes) -> list[Binding]:
    reader, found = Reader(listed), []
    while not reader.at_end:
        binding = reader.sequence()
        found.append(Binding(binding.oid(), *binding.any()))
        binding.end()
    return found


def pdu(kind: PduType, request_id: int, status: int, index: int, listed: bytes) -> bytes:
    """A PDU around encoded variable bindings."""
    head = ber.integer(request_id) + ber.integer(status) + ber.integer(index)
    return ber.tagged(kind, head + ber.tagged(ber.SEQUENCE, listed))


def community_message(version: int, community: bytes, body: bytes) -> bytes:
    return ber.tagged(ber.SEQUENCE, ber.integer(version) + ber.octet_string(community) + body)
