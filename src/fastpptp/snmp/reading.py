"""Reads the part of BER that SNMP uses (RFC 3417 section 8): definite lengths, short tags."""

from __future__ import annotations

from typing import TypeAlias

from fastpptp.ber import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE

Oid: TypeAlias = tuple[int, ...]

# RFC 3416 section 4.1, RFC 2578 section 7.1.3.
MOST_ARCS = 128
LARGEST_ARC = 0xFFFFFFFF


class DecodeError(ValueError):
    """The octets are not what they should be."""


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
