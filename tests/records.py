"""Event records for tests, such as the recorder hands to its sinks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Any

from fastpptp.events.catalogue import EVENTS, SEVERITIES, occur
from fastpptp.events.log import EventRecord

PEER = IPv4Address("171.69.89.129")
WALL = datetime(2003, 4, 9, 13, 45, 6, 70_000, timezone(timedelta(hours=-5), "EST"))

# A user's name that would like to be a line of its own, a header, and a terminal's command.
HOSTILE = (
    "bob\r\n<13>Apr  9 00:00:00 forged root: x\r\nBcc: all@example.com\r\n.\r\n\x00\x1b[2J\u2028ü"
    "\udc80"
)
SHOWN = (
    r"bob\r\n<13>Apr  9 00:00:00 forged root: x\r\nBcc: all@example.com\r\n.\r\n\x00\x1b[2J\u2028ü"
    r"\udc80"
)


def record(cls: str, number: int, *, sequence: int = 1, repeat: int = 1, wall: datetime = WALL,
           peer: IPv4Address | None = PEER, **fields: Any) -> EventRecord:  # fmt: skip
    return EventRecord(sequence, wall, repeat, occur(cls, number, peer=peer, **fields), frozenset())


def authenticated(user: str = "pptpuser", sequence: int = 1, **words: Any) -> EventRecord:
    """PPP/8, severity 5, of two lines."""
    return record("PPP", 8, sequence=sequence, user=user, method="PAP", **words)


def of_every_severity() -> list[EventRecord]:
    """One of each severity, in their order, whose fields are all `x`."""
    kinds = {kind.severity: key for key, kind in reversed(EVENTS.items())}
    made = []
    for severity in SEVERITIES:
        cls, number = kinds[severity]
        fields = dict.fromkeys(EVENTS[cls, number].names, "x")
        made.append(record(cls, number, sequence=severity, repeat=7, **fields))
    return made
