"""Every event that fastpptp can raise: its class, number, severity and words.

The reference's events keep the reference's numbers and exact words; numbers from 100 on
are ours. A text is a template over the event's fields and `peer`; a second line of the
text is a second line of the log. `PER_FIELD` says what stands for a field that is
absent or empty. docs/events.md is made from it (reference.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import MappingProxyType

from fastpptp.errors import LocalProtocolError
from fastpptp.events.catalogue.address import ADDRESS, DHCP, FILTER
from fastpptp.events.catalogue.auth import AUTH
from fastpptp.events.catalogue.debug import (
    AUTHDBG,
    AUTHDECODE,
    PPPDBG,
    PPPDECODE,
    PPTPDBG,
    PPTPDECODE,
)
from fastpptp.events.catalogue.faults import PPP_FAULTS, PPTP_FAULTS, SYSTEM_FAULTS
from fastpptp.events.catalogue.http import HTTP
from fastpptp.events.catalogue.kind import (
    DEBUG,
    DEBUG_HIGH,
    DEBUG_LOW,
    DECODE_DETAIL,
    DECODE_HEADER,
    DECODE_HEADER_HEX,
    DECODE_PACKET_HEX,
    FAULT,
    INFORMATION,
    INFORMATION_HIGH,
    INFORMATION_LOW,
    SEVERITIES,
    WARNING,
    WARNING_HIGH,
    EventType,
    Kinds,
    printable,
)
from fastpptp.events.catalogue.ppp import PPP
from fastpptp.events.catalogue.pptp import PPTP
from fastpptp.events.catalogue.snmp import SNMP
from fastpptp.events.catalogue.system import CONFIG, SYSTEM

__all__ = [
    "BASE_GROUP",
    "CLASSES",
    "DEBUG",
    "DEBUG_HIGH",
    "DEBUG_LOW",
    "DECODE_DETAIL",
    "DECODE_HEADER",
    "DECODE_HEADER_HEX",
    "DECODE_PACKET_HEX",
    "EVENTS",
    "FAULT",
    "INFORMATION",
    "INFORMATION_HIGH",
    "INFORMATION_LOW",
    "PER_FIELD",
    "SEVERITIES",
    "WARNING",
    "WARNING_HIGH",
    "EventType",
    "Occurrence",
    "occur",
    "printable",
]

BASE_GROUP = "Base Group"

# What the reference prints where there is nothing to tell.
PER_FIELD: Mapping[str, str] = MappingProxyType(
    {
        "domain": "<not specified>",
        "server": "(none)",
        "info": "No additional info",
        "group": BASE_GROUP,
        "checksum_errors": "not known",
        "again": "",
    }
)

# Who it is about (`user` as it was typed, `account` whom that stands for), and the code of its
# cause (causes.py): allowed on every event.
CONTEXT = frozenset({"account", "code", "group", "user"})

TABLES: Mapping[str, Kinds] = MappingProxyType(
    {
        "PPTP": {**PPTP, **PPTP_FAULTS},
        "PPTPDBG": PPTPDBG,
        "PPTPDECODE": PPTPDECODE,
        "PPP": {**PPP, **PPP_FAULTS},
        "PPPDBG": PPPDBG,
        "PPPDECODE": PPPDECODE,
        "AUTH": AUTH,
        "AUTHDBG": AUTHDBG,
        "AUTHDECODE": AUTHDECODE,
        "ADDRESS": ADDRESS,
        "DHCP": DHCP,
        "FILTER": FILTER,
        "HTTP": HTTP,
        "SNMP": SNMP,
        "CONFIG": CONFIG,
        "SYSTEM": {**SYSTEM, **SYSTEM_FAULTS},
    }
)

EVENTS: Mapping[tuple[str, int], EventType] = MappingProxyType(
    {(cls, number): kind for cls, kinds in TABLES.items() for number, kind in kinds.items()}
)

CLASSES = tuple(sorted(TABLES))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that happened, before it has a time and a sequence number.

    `fields` holds what the peer or the user typed, as it came; `text()` makes it printable.
    """

    cls: str
    number: int
    peer: IPv4Address | None
    fields: Mapping[str, str]

    @property
    def type(self) -> EventType:
        return EVENTS[self.cls, self.number]

    @property
    def severity(self) -> int:
        return self.type.severity

    @property
    def shows_peer(self) -> bool:
        """Whether the client's IP address stands in the header line."""
        return self.type.shows_peer

    @property
    def cause(self) -> str:
        """The code of its cause (causes.py), empty where it has none."""
        return self.fields.get("code", "")

    def text(self) -> str:
        """The event's words; lines are parted by `\\n`, values hold no control characters."""
        return self.type.words(self.peer, self.fields)


def occur(
    cls: str, number: int, *, peer: IPv4Address | None = None, **fields: object
) -> Occurrence:
    """An Occurrence of event `cls`/`number` with its template's fields.

    A field of PER_FIELD may be absent, None or empty; `group` and `user` may always be given,
    so that the log can be searched by them, and so may `code`, a Cause: it must where the event
    is `caused`. An unknown event, a missing field and one that the text does not use are the
    caller's fault: LocalProtocolError.
    """
    kind = EVENTS.get((cls, number))
    if kind is None:
        raise LocalProtocolError(f"there is no event {cls}/{number}")
    known = {name: "" if value is None else str(value) for name, value in fields.items()}
    for name in kind.names & PER_FIELD.keys():
        known[name] = known.get(name) or PER_FIELD[name]
    wrong: Set[str] = frozenset()
    if known.keys() != kind.names:  # mostly they are the same
        wrong = (kind.names - known.keys()) | (known.keys() - kind.names - CONTEXT)
    if wrong:
        names = ", ".join(sorted(wrong))
        raise LocalProtocolError(f"event {cls}/{number}: missing or unknown field {names}")
    return Occurrence(cls, number, peer, MappingProxyType(known))
