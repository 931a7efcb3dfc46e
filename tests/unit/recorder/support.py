"""Event logs that tests fill themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from fastpptp.events.log import EventRecord, Told
from fastpptp.events.routing import Destination
from fastpptp.recorder.log import EventDatabase

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LOGGED = frozenset({Destination.LOG})


def told(
    sequence: int,
    words: str = "something happened",
    *,
    cls: str = "PPTP",
    severity: int = 4,
    client: int | None = None,
    group: str = "",
    user: str = "",
    account: str = "",
    code: str = "",
    seconds: float = 0.0,
) -> EventRecord:
    """A record `seconds` after noon."""
    fields = {"group": group, "user": user, "account": account, "code": code}
    peer = None if client is None else IPv4Address(client)
    happened = Told(cls, 47, peer, fields, words, severity, shown=True)
    return EventRecord(sequence, NOON + timedelta(seconds=seconds), 1, happened, LOGGED)


@contextmanager
def opened(path: Path, capacity: int = 1_000_000) -> Iterator[EventDatabase]:
    database = EventDatabase(path, capacity, patience=0.0)
    try:
        yield database
    finally:
        database.clean = True
        database.close()


def fill(path: Path, records: Sequence[EventRecord], capacity: int = 1_000_000) -> None:
    with opened(path, capacity) as database:
        database.deliver(records)
