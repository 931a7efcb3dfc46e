"""The tables of events.db, and how an older one is brought to them.

`user_version` is how many of MIGRATIONS have been run: who needs a table or a column appends a
script. The database also keeps what else must outlive a restart.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

# A block's bit sets, of a kilobyte, must lie in the pages of the tree itself.
PAGE_OCTETS = 8192

# How long the log of what was written may get before readers have to let it be folded in. Octets.
JOURNAL_OCTETS = 64 << 20

BUSY_SECONDS = 5.0

# SQLite's primary codes where the disk has no room.
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})

# The oldest and the newest place. Asked for both at once SQLite would look at all between.
ENDS = "SELECT (SELECT min(place) FROM events), (SELECT max(place) FROM events)"
NEWEST = "SELECT sequence, time FROM events ORDER BY place DESC LIMIT 1"

EVENTS = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE events (
    place INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    zone TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    class TEXT NOT NULL,
    number INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    client INTEGER,
    shows_client INTEGER NOT NULL,
    group_name TEXT NOT NULL,
    user_name TEXT NOT NULL,
    cause TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL
);
CREATE TABLE terms (
    block INTEGER NOT NULL,
    term TEXT NOT NULL,
    places BLOB NOT NULL,
    PRIMARY KEY (block, term)
) WITHOUT ROWID;
"""

PAST = """
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE ended (place INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL);
"""

# The user that a name stands for, whose realm was stripped: `user_name` is as it was typed.
ACCOUNT = """
ALTER TABLE events ADD COLUMN account TEXT NOT NULL DEFAULT '';
"""

MIGRATIONS = (EVENTS, PAST, ACCOUNT)


class NewerError(Exception):
    """The database was made by a newer fastpptp; the argument is its schema's number."""


def connect(path: Path) -> sqlite3.Connection:
    """The database for its one writer, made or brought to this schema. sqlite3.Error, OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        connection.execute(f"PRAGMA page_size={PAGE_OCTETS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA journal_size_limit={JOURNAL_OCTETS}")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def look(path: Path) -> sqlite3.Connection:
    """The database for a reader, who on a disk that is read-only sees what was checkpointed."""
    read_only = path.exists() and os.statvfs(path.parent).f_flag & os.ST_RDONLY
    try:
        return _reader(path, "ro&immutable=1" if read_only else "rw")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in NO_ROOM:
            raise
        # On a full disk nobody can make the journal's index, and so nobody has the database open:
        # who has it alone needs no such file.
        with suppress(sqlite3.OperationalError):
            return _reader(path, "rw", alone=True)
        raise


def _reader(path: Path, mode: str, *, alone: bool = False) -> sqlite3.Connection:
    patience = 0.0 if alone else BUSY_SECONDS
    connection = sqlite3.connect(
        address(path, f"mode={mode}"), patience, isolation_level=None, uri=True
    )
    try:
        if alone:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA query_only=ON")
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise NewerError(version)
    except BaseException:
        connection.close()
        raise
    return connection


def holds(connection: sqlite3.Connection, table: str) -> bool:
    """Whether it is there: the disk may have had no room for it when the database was made."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise NewerError(version)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{script};PRAGMA user_version={number};COMMIT;")


def address(path: Path, how: str) -> str:
    """SQLite's URI of a file that is opened so."""
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?{how}"
