"""What keeps this process from an SQLite database: SQLite says that it cannot, and not why."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_OF_ACCESS = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    }
)  # fmt: skip

# What SQLite takes for the index of its journal, and some pages; octets.
_ROOM = 64 << 10


def obstacle(path: Path, error: BaseException | None) -> tuple[str, str] | None:
    """Why the database at `path` is closed to this user, and what to do.

    None where `error`, SQLite's, is of another kind or nothing can be seen that would explain it.
    """
    if _code(error) not in _OF_ACCESS:
        return None
    around = path.absolute().parent
    try:
        if path.is_dir():
            return "is a directory", "name a file"
        disk = os.statvfs(around)
        if disk.f_flag & os.ST_RDONLY:
            return "its disk is read-only", (
                "SQLite writes beside a database even to read it: have the disk writable again "
                f"(mount -o remount,rw {_mount(around)}), or copy {around} to another disk and "
                "name the copy (--state-dir)"
            )
        if _code(error) == sqlite3.SQLITE_FULL or (
            _code(error) == sqlite3.SQLITE_IOERR and disk.f_bavail * disk.f_frsize < _ROOM
        ):
            return f"its disk, mounted at {_mount(around)}, is full", (
                "make room on it: SQLite writes beside a database even to read it"
            )
        owner = f"run as root or as the user {_owner(path)}"
    except OSError:
        return None
    if not os.access(path, os.R_OK):
        return "this user may not read it", owner
    if not os.access(path, os.W_OK):
        return "this user may not write it", owner
    if not os.access(around, os.W_OK | os.X_OK):
        return f"this user may not write into {around}, as SQLite does even to read", owner
    return None


def _code(error: BaseException | None) -> int:
    """SQLite's primary code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _mount(directory: Path) -> Path:
    return next(place for place in (directory, *directory.parents) if place.is_mount())


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # this machine has no name for it
        return str(path.stat().st_uid)
