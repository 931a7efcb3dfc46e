"""What outlives a restart beside events: totals since the installation, and sessions that ended.

Totals are kept as they are now, by name, so that writing them twice does no harm. A session is a
line of JSON, as the control API shows it (admin/views.py). The newest ENDED_KEPT are kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fastpptp.errors import UnavailableError
from fastpptp.obstacles import obstacle
from fastpptp.recorder.schema import NewerError, holds, look

Row: TypeAlias = Mapping[str, Any]
Wanted: TypeAlias = Callable[[Row], bool]
Keep: TypeAlias = Callable[[Mapping[str, int], Sequence[str], Sequence[str]], object]

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


def write(
    database: sqlite3.Connection,
    totals: Mapping[str, int],
    ended: Sequence[str],
    again: Sequence[str] = (),
) -> None:
    """In the caller's transaction. `ended` are lines, oldest first; `again` may be there."""
    if again:
        known = {line for (line,) in database.execute("SELECT row FROM ended")}
        ended = [*(line for line in again if line not in known), *ended]
    database.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?)", totals.items())
    database.executemany("INSERT INTO ended (row) VALUES (?)", ((line,) for line in ended))
    if ended:
        oldest = "(SELECT max(place) FROM ended) - ?"
        database.execute(f"DELETE FROM ended WHERE place <= {oldest}", (ENDED_KEPT,))


def rescue(database: sqlite3.Connection) -> tuple[dict[str, int], list[str]]:
    """What can be read of totals and ended sessions in a database that is damaged."""
    totals: dict[str, int] = {}
    ended: list[str] = []
    with suppress(sqlite3.Error):
        for name, value in database.execute("SELECT name, value FROM totals"):
            if isinstance(name, str) and isinstance(value, int):
                totals[name] = value
    with suppress(sqlite3.Error):
        for (line,) in database.execute("SELECT row FROM ended ORDER BY place"):
            with suppress(TypeError, ValueError):
                if isinstance(json.loads(line), dict):
                    ended.append(line)
    return totals, ended


class Keeper:
    """Has a database keep what it is told, again and again until it does. Use it on one thread."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._changed: set[str] = set()
        self._ended: list[str] = []
        self._again: list[str] = []  # what the recorder before this one may have kept
        self.number = 0  # of the last message that brought anything

    @property
    def waits(self) -> bool:
        """Whether there is something that no database has taken."""
        return bool(self._changed or self._ended or self._again)

    def add(self, number: int, totals: Mapping[str, int], ended: Sequence[str]) -> None:
        """Totals as they are now, and lines of sessions that ended."""
        self._changed |= {name for name, n in totals.items() if self._totals.get(name) != n}
        self._totals |= totals
        if number > self.number:  # else `add_again` had them
            self.number = number
            self._ended += ended
            del self._ended[:-ENDED_KEPT]

    def add_again(self, number: int, ended: Sequence[str]) -> None:
        """All lines up to a message that the recorder before this one may not have kept."""
        self.number = number
        self._again += ended

    def begin_anew(self) -> None:
        """Another database has taken the place of the one that had the totals."""
        self._changed = set(self._totals)

    def hand_on(self, keep: Keep) -> None:
        """What waits; if `keep` raises, it waits on."""
        if self.waits:
            totals = {name: self._totals[name] for name in self._changed}
            keep(totals, self._ended, self._again)
            self._changed, self._ended, self._again = set(), [], []


def read_totals(path: Path) -> dict[str, int]:
    """What earlier runs have left; nothing where there is no database. UnavailableError."""
    if not path.exists():
        return {}
    return dict(_rows(path, "totals", "SELECT name, value FROM totals"))


def read_ended(path: Path, wanted: Wanted, page: int, per_page: int) -> EndedPage:
    """A page of the sessions that are wanted. UnavailableError."""
    lines = _rows(path, "ended", "SELECT row FROM ended ORDER BY place DESC")
    rows = [row for row in (json.loads(line) for (line,) in lines) if wanted(row)]
    return page_of(rows, page, per_page)


def _rows(path: Path, table: str, query: str) -> list[Any]:
    try:
        with closing(look(path)) as database:
            return database.execute(query).fetchall() if holds(database, table) else []
    except NewerError as error:
        raise UnavailableError(
            f"{path} is of a newer fastpptp (schema {error})", "Use the fastpptp that made it."
        ) from None
    except sqlite3.Error as error:
        why, remedy = obstacle(path, error) or (error, "")
        raise UnavailableError(f"{path} cannot be read: {why}", remedy) from None
