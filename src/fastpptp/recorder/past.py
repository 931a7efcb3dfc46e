"""What outlives a restart beside events: totals since the installation, and sessions that ended.

Totals are kept as they are now, by name, so that writing them twice does no harm. A session is a
line of JSON, as the control API shows it (admin/views.py). The newest ENDED_KEPT are kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fastpptp.errors import UnavailableError
from fastpptp.recorder.schema import NewerError, look

Row: TypeAlias = Mapping[str, Any]
Wanted: TypeAlias = Callable[[Row], bool]

ENDED_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class EndedPage:
    """A page of sessions that ended, the newest first; `total` are on all pages."""

    rows: Sequence[Row]
    page: int
    pages: int
    total: int


def page_of(rows: Sequence[Row], page: int, per_page: int) -> EndedPage:
    """A page beyond the last is the last."""
    pages = max(1, -(-len(rows) // per_page))
    page = min(page, pages)
    return EndedPage(rows[(page - 1) * per_page : page * per_page], page, pages, len(rows))


def write(database: sqlite3.Connection, totals: Mapping[str, int], ended: Sequence[str]) -> None:
    """In the caller's transaction. `ended` are lines, oldest first."""
    database.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?)", totals.items())
    database.executemany("INSERT INTO ended (row) VALUES (?)", ((line,) for line in ended))
    if ended:
        oldest = "(SELECT max(place) FROM ended) - ?"
        database.execute(f"DELETE FROM ended WHERE place <= {oldest}", (ENDED_KEPT,))


def read_totals(path: Path) -> dict[str, int]:
    """What earlier runs have left; nothing where there is no database. UnavailableError."""
    if not path.exists():
        return {}
    found: dict[str, int] = _read(
        path, lambda database: dict(database.execute("SELECT name, value FROM totals"))
    )
    return found


def read_ended(path: Path, wanted: Wanted, page: int, per_page: int) -> EndedPage:
    """A page of the sessions that are wanted. UnavailableError."""
    lines = _read(path, lambda database: [
        line for (line,) in database.execute("SELECT row FROM ended ORDER BY place DESC")
    ])  # fmt: skip
    rows = [row for row in map(json.loads, lines) if wanted(row)]
    return page_of(rows, page, per_page)


def _read(path: Path, ask: Callable[[sqlite3.Connection], Any]) -> Any:
    try:
        with closing(look(path)) as database:
            return ask(database)
    except NewerError as error:
        raise UnavailableError(
            f"{path} is of a newer fastpptp (schema {error})", "Use the fastpptp that made it."
        ) from None
    except sqlite3.Error as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from None
