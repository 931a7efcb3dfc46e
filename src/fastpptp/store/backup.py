"""Copies of an SQLite store: consistent while others write to it, whole or not there at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fastpptp.errors import UnavailableError
from fastpptp.store.files import new_file


def copy(source: Path, target: Path) -> None:
    """Copy the database `source` to the new file `target`, of mode 0600.

    The copy is one file, is what the database held at one moment, has been checked, and is on
    the disk. UnavailableError where there is a `target` already, or it cannot be made.
    """
    with (
        _refusals(source, target),
        new_file(target) as part,
        closing(_connect(source)) as live,
        closing(_connect(part)) as made,
    ):
        live.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")  # no -wal file beside it
        _check_integrity(made)


def _check_integrity(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"is damaged: {' '.join(found.split())}")
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        raise sqlite3.DatabaseError("is damaged: a user is in a group that is not there")


def _connect(path: Path) -> sqlite3.Connection:
    """An existing database: SQLite would make one."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


@contextmanager
def _refusals(source: Path, target: Path) -> Iterator[None]:
    if not source.exists():
        raise UnavailableError(f"there is no {source}", "name a file that is there")
    try:
        yield
    except sqlite3.Error as error:
        raise UnavailableError(
            f"{source}: {error}", "it is no store, is damaged, or may not be read"
        ) from None
    except FileExistsError:
        raise UnavailableError(
            f"{target} exists already", "it is not overwritten: choose another name"
        ) from None
    except OSError as error:
        raise UnavailableError(f"{target}: {error.strerror}", "choose another place") from None
