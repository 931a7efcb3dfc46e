"""The writer of events.db: appends, drops the oldest beyond the capacity, and indexes.

Whoever dies loses at most what was not committed yet; `Opened` says at the next start what that may
be. Places number the events of the log without a gap and are never used again. Sequence numbers
rise, whoever gave them: an event whose number does not gets the next one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastpptp.events.log import EventRecord
from fastpptp.obstacles import obstacle
from fastpptp.recorder import past, terms
from fastpptp.recorder.schema import ENDS, NEWEST, NewerError, address, connect, look
from fastpptp.recorder.wire import EPOCH, MICROSECOND, microseconds

INSERT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"

# Of the events of a block.
SPAN = """SELECT min(sequence), max(sequence), min(time), max(time)
FROM events WHERE place >= ? AND place < ?"""
ABOUT = """SELECT place, class, severity, client, group_name, user_name, account, cause
FROM events WHERE place >= ? AND place < ?"""
WORDS = "SELECT place, text FROM events WHERE place >= ? AND place < ?"

# What may pass, by SQLite's primary error codes: all else is wrong with the database itself.
PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM,
    }
)  # fmt: skip

# What tells that a file is no database of this kind, or none any more.
UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

# How long another recorder, of a headend that has just died, is waited for. Seconds.
TAKEOVER = 8.0
LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening the log brought to light.

    `sequence` is the last number that was given, `kept` the newest in the log, `unclean` that one's
    time if nobody closed the log, `aside` what was put aside, where and why.
    """

    sequence: int = 0
    kept: int = 0
    unclean: str = ""
    aside: tuple[str, str, str] | None = None


class EventDatabase:
    """The sink that is the event log. Use it on one thread; OSError is what may pass."""

    def __init__(self, path: Path, capacity: int, patience: float = TAKEOVER) -> None:
        self._path = path
        self._capacity = capacity
        self._given = self._kept = 0
        self._last = self._passed_over = -1
        self._unsynced = False
        self._aside: tuple[str, str, str] | None = None  # until there is a new one
        self._rescued: tuple[dict[str, int], list[str]] = ({}, [])
        self.clean = False  # set before `close`: all that happened is in it
        self._lock = _locked(path.parent, patience)
        try:
            self.opened = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def kept(self) -> int:
        """The newest sequence number that is committed."""
        return self._kept

    def resize(self, capacity: int) -> None:
        """Keep so many events from the next on."""
        self._capacity = capacity

    def go_on_above(self, sequence: int) -> None:
        """Number all that comes higher than this."""
        self._last = max(self._last, sequence)

    def pass_over(self, sequence: int) -> None:
        """Records up to this number may come for the second time: those that are here stay out."""
        self._passed_over = min(sequence, self._kept)

    def deliver(self, records: Sequence[EventRecord]) -> None:
        """Append them, whole or not at all."""
        if records and records[0].sequence <= self._passed_over:
            records = [record for record in records if record.sequence > self._passed_over]
        try:
            self._append(self._rising(records))
        except sqlite3.Error as error:
            self._refuse(error)
            raise OSError(errno.EIO, f"{self._path} is damaged and was put aside") from None
        self._unsynced = True
        with suppress(sqlite3.OperationalError):  # what is not indexed is looked through
            self._index()

    @property
    def unsynced(self) -> bool:
        """Whether a failure of power would cost events that are committed: see `sync`."""
        return self._unsynced

    def sync(self) -> None:
        """Have the disk hold what is committed, and see that it does.

        SQLite does it seldom, and it may take a while.
        """
        self._unsynced = False
        with suppress(OSError):
            self.check()
        with suppress(OSError):
            journal = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(journal)
            finally:
                os.close(journal)

    def note(self, sequence: int) -> None:
        """A number that was given to an event which the log does not keep."""
        self._given = max(self._given, sequence)

    def keep(self, totals: Mapping[str, int], ended: Sequence[str], again: Sequence[str]) -> None:
        """Totals since the installation, and lines of sessions that ended (past.py)."""
        try:
            with _Transaction(self._db):
                past.write(self._db, totals, ended, again)
        except sqlite3.Error as error:
            self._refuse(error)
            raise OSError(errno.EIO, f"{self._path} is damaged and was put aside") from None

    def clear(self, sequence: int = 0) -> None:
        """Drop all events: up to this number they count as kept."""
        self.check()
        try:
            kept = max(self._kept, sequence)
            with _Transaction(self._db):
                for table in ("events", "blocks", "terms"):
                    self._db.execute(f"DELETE FROM {table}")
                self._remember(next=self._next, emptied=kept)
            self._first, self._kept = self._next, kept
        except sqlite3.Error as error:
            self._refuse(error)
        self.check()

    def check(self) -> None:
        """Put it aside if others cannot read it: what this connection has cached may hide that."""
        try:
            with closing(look(self._path)) as database:
                database.execute(ENDS).fetchone()
        except sqlite3.Error as error:
            if _code(error) in UNREADABLE:
                self._refuse(error)
        except (NewerError, OSError):
            pass

    def close(self) -> None:
        try:
            with _Transaction(self._db):
                self._remember(given=self._given, next=self._next, clean=int(self.clean))
        except sqlite3.Error:
            pass  # the next start says that it was not closed
        finally:
            self._db.close()
            os.close(self._lock)

    # Opening.

    def _open(self) -> Opened:
        try:
            self._db = connect(self._path)
            try:
                opened = self._take_up()
                with _Transaction(self._db):
                    past.write(self._db, *self._rescued)
                self._aside, self._rescued = None, ({}, [])
                return opened
            except BaseException:
                self._db.close()
                raise
        except NewerError as error:
            return self._anew(f"schema-{error}", f"a newer fastpptp made it (schema {error})")
        except sqlite3.Error as error:
            if self._aside is not None or not _is_damaged(error):
                raise _refused(self._path, error) from None
            return self._anew("damaged", str(error))

    def _anew(self, why: str, problem: str) -> Opened:
        """Begin a new one with what can be read of the past; `_db` is closed."""
        if self._aside is None:  # else the disk had no room for the new one
            if not any(self._rescued):
                self._rescued = _rescued(self._path)
            self._aside = (str(self._path), str(_moved(self._path, why)), problem)
        return self._open()

    def _refuse(self, error: sqlite3.Error) -> None:
        """Raise what may pass; put aside what cannot be used, and begin anew: see `opened`."""
        if not _is_damaged(error):
            raise _refused(self._path, error) from None
        if self._aside is None:
            self._rescued = past.rescue(self._db)  # its cache may know more than the file
        self._db.close()
        given = self._given
        self.opened = self._anew("damaged", str(error))
        self._given = given

    def _take_up(self) -> Opened:
        """Go on where the last recorder ended."""
        facts = dict(self._db.execute("SELECT name, value FROM facts"))
        first, last = self._db.execute(ENDS).fetchone()
        self._next = max(facts.get("next", 0), 0 if last is None else last + 1)
        self._first = self._next if first is None else first
        opened = _seen(self._db, self._aside)
        self._given, self._kept = opened.sequence, opened.kept
        if opened.kept:
            self._last = max(self._last, opened.kept)
        with _Transaction(self._db):
            self._remember(clean=0)
        done = self._db.execute("SELECT max(block) FROM blocks").fetchone()[0]
        self._indexed = self._first // terms.BLOCK if done is None else done + 1
        self._index()
        return opened

    def _remember(self, **facts: int) -> None:
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    # Appending.

    def _rising(self, records: Sequence[EventRecord]) -> Sequence[EventRecord]:
        """Those of a headend that began while the log could not be read may be numbered too low."""
        if not records or records[0].sequence > self._last:
            return records
        risen, last = [], self._last
        for record in records:
            last = max(last + 1, record.sequence)
            risen.append(record._replace(sequence=last))
        return risen

    def _append(self, records: Sequence[EventRecord]) -> None:
        first, after = self._first, self._next + len(records)
        rows = [_row(place, record) for place, record in enumerate(records, self._next)]
        kept = records[-1].sequence if records else self._kept
        with _Transaction(self._db):
            self._db.executemany(INSERT, rows)
            first = self._evict(max(first, after - self._capacity))
            self._remember(given=max(self._given, kept))
        self._first, self._next, self._kept = first, after, kept
        self._given = max(self._given, kept)
        self._last = max(self._last, kept)

    def _evict(self, first: int) -> int:
        """Drop what comes before this place."""
        if first > self._first:
            self._db.execute("DELETE FROM events WHERE place < ?", (first,))
            block = first // terms.BLOCK
            if block > self._first // terms.BLOCK:
                self._db.execute("DELETE FROM terms WHERE block < ?", (block,))
                self._db.execute("DELETE FROM blocks WHERE block < ?", (block,))
        return first

    def _index(self) -> None:
        """Index the blocks that are full by now."""
        self._indexed = max(self._indexed, self._first // terms.BLOCK)
        while (self._indexed + 1) * terms.BLOCK <= self._next:
            self._index_block(self._indexed)
            self._indexed += 1

    def _index_block(self, block: int) -> None:
        """Many events are about the same, often in the same words: each is looked at once."""
        start = block * terms.BLOCK
        after = start + terms.BLOCK
        span = self._db.execute(SPAN, (start, after)).fetchone()
        if span[0] is None:
            return
        index = terms.Index()
        for table, of in ((ABOUT, terms.of_subject), (WORDS, terms.of_text)):
            alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
            for place, *what in self._db.execute(table, (start, after)):
                alike[tuple(what)].append(place - start)
            for what, places in alike.items():
                index.add(of(*what), places)
        with _Transaction(self._db):
            self._db.execute("INSERT INTO blocks VALUES (?,?,?,?,?)", (block, *span))
            self._db.executemany(
                "INSERT INTO terms VALUES (?,?,?)", ((block, *packed) for packed in index.packed())
            )


def peek(path: Path) -> Opened:
    """What can be known of a log that cannot be opened for now, such as on a full disk."""
    try:
        with closing(look(path)) as database:
            return _seen(database)
    except (sqlite3.Error, NewerError, OSError):
        return Opened()


def _seen(database: sqlite3.Connection, aside: tuple[str, str, str] | None = None) -> Opened:
    facts = dict(database.execute("SELECT name, value FROM facts"))
    newest = database.execute(NEWEST).fetchone()
    kept = max(facts.get("emptied", 0), 0 if newest is None else newest[0])
    unclean = newest is not None and not facts.get("clean", 1)
    at = _moment(newest[1]) if unclean else ""
    return Opened(max(facts.get("given", 0), kept), kept, at, aside)


class _Transaction:
    """BEGIN IMMEDIATE, and COMMIT or ROLLBACK."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk may have ended it
            self._connection.execute("ROLLBACK")


def _row(place: int, record: EventRecord) -> tuple[Any, ...]:
    offset = record.wall.utcoffset()
    return (
        place,
        record.sequence,
        microseconds(record.wall),
        0 if offset is None else int(offset.total_seconds()),
        record.wall.tzname() or "UTC",
        record.repeat,
        record.cls,
        record.number,
        record.severity,
        None if record.peer is None else int(record.peer),
        record.occurrence.shows_peer,
        record.group,
        record.user,
        record.occurrence.cause,
        record.text(),
        record.account,
    )


def _moment(at: int) -> str:
    local: datetime = (EPOCH + at * MICROSECOND).astimezone()
    return local.isoformat(" ", timespec="milliseconds")


def _is_damaged(error: sqlite3.Error) -> bool:
    return _code(error) not in PASSING


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 is Python's own refusal, such as of a connection that is closed."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _refused(path: Path, error: sqlite3.Error) -> OSError:
    """What SQLite refuses, as what it is: something with the disk."""
    why, _ = obstacle(path, error) or (str(error), "")
    return OSError(errno.EIO, why)


def _locked(directory: Path, patience: float) -> int:
    """A descriptor that has the directory's lock: one recorder writes there at a time."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(descriptor)
                raise OSError(errno.EBUSY, f"another recorder writes in {directory}") from None
            time.sleep(LOOK)
        else:
            return descriptor


def _rescued(path: Path) -> tuple[dict[str, int], list[str]]:
    try:
        with closing(sqlite3.connect(address(path, "mode=ro"), uri=True)) as database:
            return past.rescue(database)
    except sqlite3.Error:
        return {}, []


def _moved(path: Path, why: str) -> Path:
    """Put a database that cannot be used aside, with what belongs to it; where it is now."""
    aside = path.with_name(f"{path.name}.{why}.{time.strftime('%Y%m%dT%H%M%S')}")
    while aside.exists():
        aside = aside.with_name(aside.name + "-2")
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside
