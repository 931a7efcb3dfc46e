"""The kinds of value by which a rule of a traffic filter matches packets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType

from fastpptp.settings.kinds import Kind, Plain

EVERY = "any"
MOST_PORTS = 65_535

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
PROTOCOLS: Mapping[str, int] = MappingProxyType(
    {
        "ICMP": ICMP, "IGMP": 2, "TCP": TCP, "EGP": 8, "IGP": 9, "UDP": UDP, "GRE": 47, "ESP": 50,
        "AH": 51, "ICMPv6": ICMPV6, "EIGRP": 88, "OSPF": 89,
    }
)  # fmt: skip
_NAMES = {number: name for name, number in PROTOCOLS.items()}
_NUMBERS = {name.casefold(): number for name, number in PROTOCOLS.items()}


def protocol_name(number: int) -> str:
    return _NAMES.get(number, str(number))


class IpProtocol(Kind[int | None]):
    """An IP protocol by name or number; None is any."""

    allowed = f"{EVERY}, {', '.join(PROTOCOLS)}, or a number 0 to 255"

    def load(self, raw: object) -> int | None:
        word = str(raw).casefold() if isinstance(raw, (str, int)) else ""
        if word == EVERY:
            return None
        if word in _NUMBERS:
            return _NUMBERS[word]
        if not (word.isascii() and word.isdigit() and int(word) <= 255):
            raise ValueError(self.allowed)
        return int(word)

    def dump(self, value: int | None) -> Plain:
        return EVERY if value is None else protocol_name(value)


class Span(Kind[tuple[int, int]]):
    """A range of numbers, both ends included, from 0 to `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.allowed = f"{EVERY}, a number, or a range such as 20-21, within 0-{most}"

    def load(self, raw: object) -> tuple[int, int]:
        text = str(raw) if isinstance(raw, (str, int)) else ""
        if text.casefold() == EVERY:
            return 0, self._most
        first, _, last = text.partition("-")
        ends = [part.strip() for part in (first, last or first)]
        if not all(end.isascii() and end.isdigit() for end in ends):
            raise ValueError(self.allowed)
        low, high = map(int, ends)
        if not low <= high <= self._most:
            raise ValueError(self.allowed)
        return low, high

    def dump(self, value: tuple[int, int]) -> Plain:
        low, high = value
        if value == (0, self._most):
            return EVERY
        return str(low) if low == high else f"{low}-{high}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses that agree with `address` in all bits but those of the wildcard mask.

    `version` 0 is any address.
    """

    version: int = 0
    address: int = 0
    wildcard: int = 0

    @property
    def width(self) -> int:
        return 32 if self.version == 4 else 128

    @property
    def mask(self) -> int:
        """The bits that must agree."""
        return ~self.wildcard & (1 << self.width) - 1 if self.version else 0

    def __str__(self) -> str:
        if not self.version:
            return EVERY
        make = IPv4Address if self.version == 4 else IPv6Address
        if self.wildcard & self.wildcard + 1:
            return f"{make(self.address)} {make(self.wildcard)}"
        length = self.width - self.wildcard.bit_length()
        return f"{make(self.address)}/{length}" if self.wildcard else str(make(self.address))


class Matching(Kind[Addresses]):
    """An address, a network, or an address and a wildcard mask (1 bits do not matter)."""

    allowed = (
        f"{EVERY}, an address, a network such as 172.16.1.0/24, or an address and a wildcard mask "
        "such as 172.16.1.0 0.0.0.255; IPv4 or IPv6; no bit set that does not matter"
    )

    def load(self, raw: object) -> Addresses:
        if not isinstance(raw, str):
            raise ValueError(self.allowed)
        if raw.strip().casefold() == EVERY:
            return Addresses()
        try:
            found = _with_length(raw) if "/" in raw else _with_mask(raw)
        except ValueError:
            raise ValueError(self.allowed) from None
        if found.address & found.wildcard:
            raise ValueError(self.allowed)
        return found

    def dump(self, value: Addresses) -> Plain:
        return str(value)


def _with_length(text: str) -> Addresses:
    word, _, length = text.partition("/")
    address = ip_address(word.strip())
    if not (length.isascii() and length.isdigit()) or int(length) > address.max_prefixlen:
        raise ValueError
    return Addresses(address.version, int(address), (1 << address.max_prefixlen - int(length)) - 1)


def _with_mask(text: str) -> Addresses:
    words = [ip_address(word) for word in text.split()]
    if len(words) == 1:
        return Addresses(words[0].version, int(words[0]))
    address, wildcard = words
    if address.version != wildcard.version:
        raise ValueError
    return Addresses(address.version, int(address), int(wildcard))
