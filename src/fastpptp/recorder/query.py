"""The reader of events.db: one page of what a query asks for, and how much there is.

Full blocks answer by their index, the rest is looked through. A text of more than three characters
lets the index pass events that have all its threes elsewhere: where few enough are left, each is
read and the answer is exact; else those on the page are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from fastpptp.errors import UnavailableError
from fastpptp.events.log import EVERY_CLIENT, EventPage, EventQuery, EventRecord, Told, turn_to
from fastpptp.events.routing import Destination
from fastpptp.obstacles import obstacle
from fastpptp.recorder import terms
from fastpptp.recorder.schema import ENDS, NewerError, holds, look
from fastpptp.recorder.terms import BLOCK, Bits
from fastpptp.recorder.wire import EPOCH, MICROSECOND, microseconds

# Events whose text is read to make an answer exact.
READ = 4096

# SQLite takes at least so many values in one statement.
VALUES = 500

LOGGED = frozenset({Destination.LOG})
COLUMNS = (
    "sequence, time, offset, zone, repeat, class, number, severity, client, shows_client, "
    "group_name, user_name, cause, text, account"
)


def read(path: Path, query: EventQuery) -> EventPage:
    """Answer a query from the database at `path`. UnavailableError says why it cannot be."""
    try:
        with closing(look(path)) as database:
            database.execute("BEGIN")  # all that is read is of one moment
            return _Search(database, query).page()
    except NewerError as error:
        raise UnavailableError(
            f"the event log {path} is of a newer fastpptp (schema {error})",
            "Use the fastpptp that made it.",
        ) from None
    except sqlite3.Error as error:
        why, remedy = obstacle(path, error) or (
            error, "If it is damaged, fastpptp events clear begins a new one.",
        )  # fmt: skip
        raise UnavailableError(f"the event log {path} cannot be read: {why}", remedy) from None


class _Search:
    """One query on one state of the database."""

    def __init__(self, database: sqlite3.Connection, query: EventQuery) -> None:
        self._db = database
        self._query = query
        self._any_of, self._all_of = _wanted(query)
        self._conditions = _conditions(query)
        self._folded = query.text.casefold()

    def page(self) -> EventPage:
        query = self._query
        if not holds(self._db, "events"):
            return EventPage((), 1, 1, 0)
        first, last = self._db.execute(ENDS).fetchone()
        if first is None:
            return EventPage((), 1, 1, 0)
        newest = self._db.execute("SELECT sequence FROM events WHERE place = ?", (last,))
        found = self._found(first, last)
        total = sum(bits.bit_count() for bits in found.values())
        exact = len(self._folded) <= terms.GRAM
        if not exact and total <= READ:
            found = {block: self._verified(block, bits) for block, bits in found.items()}
            total, exact = sum(bits.bit_count() for bits in found.values()), True
        page, pages, rank = turn_to(query, total)
        places = _ranked(found, rank, max(1, query.per_page), query.newest_first)
        records = self._records(places)
        if not exact:
            records = [record for record in records if query.has_text(record.text())]
        return EventPage(tuple(records), page, pages, total, exact, newest.fetchone()[0])

    def _found(self, first: int, last: int) -> dict[int, Bits]:
        """The places that match, or may match, by block."""
        bounds = self._bounds()
        found = {}
        for block in range(first // BLOCK, last // BLOCK + 1):
            start = block * BLOCK
            there = terms.span(max(first - start, 0), min(last - start, BLOCK - 1))
            bits = self._of_block(block, there, bounds.get(block))
            if bits:
                found[block] = bits
        return found

    def _bounds(self) -> dict[int, tuple[int, int, int, int]]:
        """First and last sequence number and time of each block that is indexed."""
        rows = self._db.execute("SELECT * FROM blocks")
        return {block: bounds for block, *bounds in rows}

    def _of_block(self, block: int, there: Bits, bounds: Sequence[int] | None) -> Bits:
        if bounds is None:
            return self._looked_through(block, self._conditions, self._folded)
        inside = _inside(self._query, bounds)
        if inside is False:
            return 0
        if inside is None:
            there &= self._looked_through(block, _window(self._query))
        return self._indexed(block, there) if there else 0

    def _looked_through(
        self, block: int, conditions: dict[str, list[Any]], folded: str = ""
    ) -> Bits:
        """The places of a block that fulfil conditions and have a text, row by row."""
        where = " AND ".join(["place >= ? AND place < ?", *conditions])
        values = [value for values in conditions.values() for value in values]
        start = block * BLOCK
        columns = "place, text" if folded else "place, ''"
        rows = self._db.execute(
            f"SELECT {columns} FROM events WHERE {where}", (start, start + BLOCK, *values)
        )
        return terms.bits_of(place - start for place, words in rows if folded in words.casefold())

    def _indexed(self, block: int, bits: Bits) -> Bits:
        needed = self._sets(block, self._all_of)
        if len(needed) < len(self._all_of):
            return 0
        for stored in sorted(needed.values(), key=len):  # what few have first
            bits &= terms.unpack(stored)
            if not bits:
                return 0
        for group in self._any_of:
            either = 0
            for stored in self._sets(block, group).values():
                either |= terms.unpack(stored)
            bits &= either
        if bits and 0 < len(self._folded) < terms.GRAM:
            bits &= self._short(block)
        return bits

    def _sets(self, block: int, wanted: list[str]) -> dict[str, bytes]:
        """What is stored of these terms; there are never many."""
        if not wanted:
            return {}
        marks = ",".join("?" * len(wanted))
        rows = self._db.execute(
            f"SELECT term, places FROM terms WHERE block = ? AND term IN ({marks})",
            (block, *wanted),
        )
        return dict(rows.fetchall())

    def _short(self, block: int) -> Bits:
        """Where a text of one or two characters stands."""
        text = self._folded
        rows = (
            self._db.execute("SELECT places FROM terms WHERE block = ? AND term = ?", (block, text))
            if len(text) == 1
            else self._db.execute(
                "SELECT places FROM terms WHERE block = ? AND term >= ? AND term < ?",
                (block, text, text + chr(0x10FFFF)),
            )
        )
        bits = 0
        for (places,) in rows:
            bits |= terms.unpack(places)
        return bits

    def _verified(self, block: int, bits: Bits) -> Bits:
        """Of these places those that have the text."""
        if not self._folded or not bits:
            return bits
        start = block * BLOCK
        having = []
        for place, words in self._rows("text", (start + at for at in terms.places_of(bits))):
            if self._query.has_text(words):
                having.append(place - start)
        return terms.bits_of(having)

    def _rows(self, columns: str, places: Iterator[int]) -> Iterator[Any]:
        """These columns, behind the place, of the places, in order of the places."""
        wanted = list(places)
        for at in range(0, len(wanted), VALUES):
            some = wanted[at : at + VALUES]
            marks = ",".join("?" * len(some))
            yield from self._db.execute(
                f"SELECT place, {columns} FROM events WHERE place IN ({marks}) ORDER BY place",
                some,
            )

    def _records(self, places: list[int]) -> list[EventRecord]:
        records = [_record(*row) for _, *row in self._rows(COLUMNS, iter(sorted(places)))]
        return records[::-1] if self._query.newest_first else records


def _wanted(query: EventQuery) -> tuple[list[list[str]], list[str]]:
    """The terms of which an event must have one of each list, and those that it must all have."""
    any_of = [
        [terms.of_class(cls) for cls in sorted(query.classes)],
        [terms.of_severity(severity) for severity in sorted(query.severities)],
    ]
    all_of = []
    if query.client != EVERY_CLIENT:
        all_of.append(terms.of_client(int(query.client)))
    if query.group:
        all_of.append(terms.of_group(query.group))
    if query.user:
        all_of.append(terms.of_user(query.user))
    if query.cause:
        all_of.append(terms.of_cause(query.cause))
    if len(query.text.casefold()) >= terms.GRAM:
        all_of += terms.to_find(query.text)
    return [group for group in any_of if group], all_of


def _window(query: EventQuery) -> dict[str, list[Any]]:
    """SQL conditions for times and sequence numbers, and their values."""
    found: dict[str, list[Any]] = {}
    if query.since is not None:
        found["time >= ?"] = [microseconds(query.since)]
    if query.until is not None:
        found["time <= ?"] = [microseconds(query.until)]
    if query.after is not None:
        found["sequence > ?"] = [query.after]
    if query.before is not None:
        found["sequence < ?"] = [query.before]
    return found


def _conditions(query: EventQuery) -> dict[str, list[Any]]:
    """SQL conditions for all but the text."""
    found = _window(query)
    for column, values in (("class", query.classes), ("severity", query.severities)):
        if values:
            found[f"{column} IN ({','.join('?' * len(values))})"] = list(values)
    if query.client != EVERY_CLIENT:
        found["client = ?"] = [int(query.client)]
    if query.group:
        found["group_name = ?"] = [query.group]
    if query.user:
        found["? IN (user_name, account)"] = [query.user]
    if query.cause:
        found["cause = ?"] = [query.cause]
    return found


def _inside(query: EventQuery, bounds: Sequence[int]) -> bool | None:
    """Whether a block lies inside what is asked for; None: some of it does."""
    first_sequence, last_sequence, first_time, last_time = bounds
    since = microseconds(query.since) if query.since is not None else first_time
    until = microseconds(query.until) if query.until is not None else last_time
    after = query.after if query.after is not None else first_sequence - 1
    before = query.before if query.before is not None else last_sequence + 1
    if last_time < since or first_time > until or last_sequence <= after:
        return False
    if first_sequence >= before:
        return False
    whole = first_time >= since and last_time <= until
    return True if whole and first_sequence > after and last_sequence < before else None


def _ranked(found: dict[int, Bits], rank: int, count: int, backwards: bool) -> list[int]:
    """`count` of the places that were found, from the `rank`-th on."""
    places: list[int] = []
    for block in sorted(found, reverse=backwards):
        here = found[block].bit_count()
        if rank >= here:
            rank -= here
            continue
        for at in terms.places_of(found[block], backwards):
            if rank:
                rank -= 1
                continue
            places.append(block * BLOCK + at)
            if len(places) == count:
                return places
    return places


def _record(
    sequence: int, at: int, offset: int, zone: str, repeat: int, cls: str, number: int,
    severity: int, client: int | None, shows_client: int, group: str, user: str, cause: str,
    words: str, account: str,
) -> EventRecord:  # fmt: skip
    fields = {"group": group, "user": user, "account": account, "code": cause}
    peer = None if client is None else IPv4Address(client)
    told = Told(cls, number, peer, fields, words, severity, bool(shows_client))
    return EventRecord(sequence, _wall(at, offset, zone), repeat, told, LOGGED)


def _wall(at: int, offset: int, zone: str) -> datetime:
    """The time in the zone in which it was told."""
    moment = EPOCH + at * MICROSECOND
    if not offset and zone == "UTC":
        return moment.astimezone(UTC)
    return moment.astimezone(timezone(timedelta(seconds=offset), zone))
