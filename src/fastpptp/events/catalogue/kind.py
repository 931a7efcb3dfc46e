"""What is declared of each kind of event, and the severities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from string import Formatter
from typing import TypeAlias

FAULT = 1
WARNING_HIGH = 2
WARNING = 3
INFORMATION_HIGH = 4
INFORMATION = 5
INFORMATION_LOW = 6
DEBUG_HIGH = 7
DEBUG = 8
DEBUG_LOW = 9
DECODE_HEADER = 10
DECODE_DETAIL = 11
DECODE_HEADER_HEX = 12
DECODE_PACKET_HEX = 13

SEVERITIES = range(FAULT, DECODE_PACKET_HEX + 1)

# Lines of hexadecimal that we made: no peer can forge a line by them.
DUMP = "dump"


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: the template of its words, what it means and what to do (docs/events.md).

    `shows_peer` puts the client's IP address into the header line. One that is `caused` always
    comes with the code of a cause (causes.py).
    """

    severity: int
    text: str
    means: str
    remedy: str = ""
    shows_peer: bool = True
    caused: bool = False
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        found = {name for _, name, _, _ in Formatter().parse(self.text) if name}
        object.__setattr__(self, "names", frozenset(found - {"peer"}))

    def words(self, peer: IPv4Address | None, fields: Mapping[str, str]) -> str:
        """The text with these fields in it, which may hold what a peer sent."""
        shown = {
            name: value if name == DUMP or value.isprintable() else printable(value)
            for name, value in fields.items()
        }
        return self.text.format(peer=peer or "(none)", **shown)


def printable(value: str) -> str:
    """`value` with all that could forge a line of the log or drive a terminal escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


# The events of a class, by number.
Kinds: TypeAlias = Mapping[int, EventType]
