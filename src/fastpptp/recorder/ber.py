"""The little of BER (X.690) that SNMP messages are written in.

pysnmp encodes the same forty times more slowly, which would take the interpreter from the other
threads of the recorder where many events are traps; the tests hold this against it.
"""

from __future__ import annotations

from collections.abc import Sequence

INTEGER, OCTET_STRING, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x06, 0x30
IP_ADDRESS, TIME_TICKS = 0x40, 0x43  # RFC 2578 7.1


def tagged(tag: int, content: bytes) -> bytes:
    """An identifier, the length in its definite form (8.1.3), and the contents."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*items: bytes, tag: int = SEQUENCE) -> bytes:
    return tagged(tag, b"".join(items))


def integer(number: int, tag: int = INTEGER) -> bytes:
    """Two's complement in as few octets as can be (8.3)."""
    octets = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return tagged(tag, number.to_bytes(octets, "big", signed=True))


def octet_string(content: bytes, tag: int = OCTET_STRING) -> bytes:
    return tagged(tag, content)


def object_identifier(arcs: Sequence[int]) -> bytes:
    """8.19."""
    first, second, *rest = arcs
    return tagged(OBJECT_IDENTIFIER, b"".join(map(_arc, (first * 40 + second, *rest))))


def _arc(arc: int) -> bytes:
    """Seven bits an octet, all but the last with the eighth."""
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(arc & 0x7F | 0x80)
    return bytes(reversed(octets))
