"""The part of BER that SNMP uses (RFC 3417 section 8): definite lengths, tags of one octet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Oid: TypeAlias = tuple[int, ...]

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
IP_ADDRESS = 0x40
COUNTER32 = 0x41
GAUGE32 = 0x42
TIME_TICKS = 0x43
COUNTER64 = 0x46
NO_SUCH_OBJECT = 0x80
NO_SUCH_INSTANCE = 0x81
END_OF_MIB_VIEW = 0x82

# RFC 3416 section 4.1, RFC 2578 section 7.1.3.
MOST_ARCS = 128
LARGEST_ARC = 0xFFFFFFFF


class DecodeError(ValueError):
    """The octets are not what they should be."""


def tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A number in the fewest octets of two's complement."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, signed=True))


def octets(value: bytes) -> bytes:
    return tlv(OCTET_STRING, value)


def arcs(numbers: Iterable[int]) -> bytes:
    """Arcs after the first two of an object identifier."""
    found = bytearray()
    for number in numbers:
        if number < 0x80:
            found.append(number)
        else:
            groups = [number & 0x7F]
            while number := number >> 7:
                groups.append(number & 0x7F | 0x80)
            found += bytes(reversed(groups))
    return bytes(found)


def oid(value: Oid) -> bytes:
    """An object identifier of at least two arcs."""
    return tlv(OBJECT_IDENTIFIER, arcs((value[0] * 40 + value[1], *value[2:])))


class Reader:
    """Reads one level of a message. DecodeError: the octets are not what they should be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._data)

    def any(self) -> tuple[int, bytes]:
        """Tag and content of the next element."""
        data, place = self._data, self._place
        if len(data) < place + 2:
            raise DecodeError("an element is cut short")
        tag, length = data[place], data[place + 1]
        place += 2
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or len(data) < place + count:
                raise DecodeError("a length is malformed")
            length = int.from_bytes(data[place : place + count])
            place += count
        end = place + length
        if end > len(data):
            raise DecodeError("an element is cut short")
        self._place = end
        return tag, data[place:end]

    def content(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        found, content = self.any()
        if found != tag:
            raise DecodeError(f"tag {found:#04x} where {tag:#04x} should be")
        return content

    def sequence(self, tag: int = SEQUENCE) -> Reader:
        return Reader(self.content(tag))

    def integer(self, low: int = -(2**31), high: int = 2**31 - 1) -> int:
        """A number within these bounds."""
        return as_integer(self.content(INTEGER), low, high)

    def octets(self) -> bytes:
        return self.content(OCTET_STRING)

    def oid(self) -> Oid:
        return as_oid(self.content(OBJECT_IDENTIFIER))

    def end(self) -> None:
        if not self.at_end:
            raise DecodeError("there are octets after the end")


def as_integer(content: bytes, low: int = -(2**31), high: int = 2**31 - 1) -> int:
    if not 1 <= len(content) <= 9:
        raise DecodeError("a number is too long or empty")
    value = int.from_bytes(content, signed=True)
    if not low <= value <= high:
        raise DecodeError(f"{value} is not within {low} to {high}")
    return value


def as_oid(content: bytes) -> Oid:
    if not content or content[-1] & 0x80:
        raise DecodeError("an object identifier is cut short")
    numbers: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if value > LARGEST_ARC:
            raise DecodeError("an arc is too large")
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    if len(numbers) >= MOST_ARCS:
        raise DecodeError("an object identifier is too long")
    return first, numbers[0] - first * 40, *numbers[1:]
