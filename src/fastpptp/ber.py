"""The little of BER (X.690) that SNMP messages are written in.

What is read is read by snmp/ber.py. pysnmp encodes the same forty times more slowly, which would
take the interpreter from the other threads of the recorder where many events are traps, and make
a walk over many sessions take minutes; the tests hold this against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

INTEGER, OCTET_STRING, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS = 0x40, 0x41, 0x42, 0x43  # RFC 2578 7.1
# What stands for a value that there is not (RFC 3416 section 3).
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW = 0x80, 0x81, 0x82


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
    return tagged(OBJECT_IDENTIFIER, encoded_arcs((first * 40 + second, *rest)))


def encoded_arcs(arcs: Iterable[int]) -> bytes:
    """Arcs behind the first two: seven bits an octet, all but an arc's last with the eighth."""
    found = bytearray()
    for arc in arcs:
        if arc < 0x80:
            found.append(arc)
        else:
            octets = [arc & 0x7F]
            while arc := arc >> 7:
                octets.append(arc & 0x7F | 0x80)
            found += bytes(reversed(octets))
    return bytes(found)
