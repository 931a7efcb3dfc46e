"""The index of the event log: for each block of events and each term, which of them have it.

A term is a class, a severity, a client, a group, a user, a character of the text or three of them
in a row. The events of a block that a filter lets through are then a few ANDs and ORs of bit sets,
however many events there are and whatever is asked for, and how many they are is known as well.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

BLOCK = 8192  # events
OCTETS = BLOCK // 8

# Fewer than these are listed, others are a bit each.
FEW = 64

GRAM = 3

# Terms of a text that are looked up; what they let through is read anyway.
LOOKED_UP = 8

# A block's bits as binary digits, the last place first.
ZEROS = b"0" * BLOCK
ONE = ord("1")

# One bit for each event of a block.
Bits: TypeAlias = int
ALL: Bits = (1 << BLOCK) - 1


def of_class(cls: str) -> str:
    return f"\0c{cls}"


def of_severity(severity: int) -> str:
    return f"\0s{severity}"


def of_client(client: int) -> str:
    return f"\0p{client}"


def of_group(group: str) -> str:
    return f"\0g{group}"


def of_user(user: str) -> str:
    return f"\0u{user}"


def of_cause(code: str) -> str:
    return f"\0x{code}"


def of_subject(
    cls: str, severity: int, client: int | None, group: str, user: str, account: str, cause: str
) -> list[str]:
    """Every term of what an event is about."""
    found = [of_class(cls), of_severity(severity), of_group(group), of_user(user)]
    if account not in ("", user):
        found.append(of_user(account))
    if cause:
        found.append(of_cause(cause))
    if client is not None:
        found.append(of_client(client))
    return found


def of_text(words: str) -> set[str]:
    """Every term of an event's words: characters, threes of them, and the last two.

    So all the terms that begin with a text of two characters find those two wherever they stand.
    """
    folded = words.casefold()
    found = {folded[at : at + GRAM] for at in range(len(folded) - GRAM + 1)}
    found.update(folded)
    found.add(folded[-2:])
    return found


def to_find(text: str) -> list[str]:
    """The terms that an event with this text, of three characters or more, must have."""
    folded = text.casefold()
    grams = list(dict.fromkeys(folded[at : at + GRAM] for at in range(len(folded) - GRAM + 1)))
    step = -(-len(grams) // LOOKED_UP)
    return grams[::step]


class Index:
    """Collects the places of a block that have a term.

    Who tells of many places at once, those of an event that happens again and again in the same
    words, has it nearly for nothing.
    """

    def __init__(self) -> None:
        self._lists: defaultdict[str, list[int]] = defaultdict(list)
        self._bits: defaultdict[str, Bits] = defaultdict(int)

    def add(self, found: Iterable[str], places: list[int]) -> None:
        """Every place of these has all of these terms."""
        if len(places) > FEW:
            bits = bits_of(places)
            for term in found:
                self._bits[term] |= bits
        else:
            for term in found:
                self._lists[term] += places

    def packed(self) -> Iterator[tuple[str, bytes]]:
        """Every term, in order, and its places as they are stored."""
        for term in sorted(self._lists.keys() | self._bits.keys()):
            places, bits = self._lists.get(term, []), self._bits.get(term, 0)
            if not bits and len(places) <= FEW:
                yield term, array("H", sorted(places)).tobytes()
            else:
                yield term, (bits | bits_of(places)).to_bytes(OCTETS, "little")


def unpack(stored: bytes) -> Bits:
    if len(stored) == OCTETS:
        return int.from_bytes(stored, "little")
    places: array[int] = array("H")
    places.frombytes(stored)
    bits = bytearray(OCTETS)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def bits_of(places: Iterable[int]) -> Bits:
    digits = bytearray(ZEROS)
    for place in places:
        digits[~place] = ONE
    return int(digits, 2)


def span(first: int, last: int) -> Bits:
    """The places from first to last."""
    return (1 << last + 1) - (1 << first)


def places_of(bits: Bits, backwards: bool = False) -> Iterator[int]:
    """The places whose bits are set, rising or falling."""
    octets = bits.to_bytes(OCTETS, "little")
    order = range(OCTETS - 1, -1, -1) if backwards else range(OCTETS)
    within = range(7, -1, -1) if backwards else range(8)
    for at in order:
        if octet := octets[at]:
            for bit in within:
                if octet >> bit & 1:
                    yield at << 3 | bit
