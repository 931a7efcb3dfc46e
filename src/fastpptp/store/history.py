"""Who changed what, when: written in the transaction of the change, kept for a bounded time."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from fastpptp.settings.diff import Change
from fastpptp.store.schema import changes

# The newest changes that are kept; the newest revision is kept whole, however large it is.
KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the store, and from where; `sudo_user` is whom sudo says it ran for."""

    who: str
    origin: str
    sudo_user: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One change of one value. `old` and `new` are words for people; `at` is in UTC."""

    revision: int
    at: datetime
    author: Author
    path: str
    old: str | None
    new: str | None


def this_process(environ: Mapping[str, str] = os.environ) -> Author:
    """The user whose process this is. What sudo says is believed of root alone."""
    uid = os.getuid()
    sudo_user = environ.get("SUDO_USER") if uid == 0 else None
    return Author(user_name(uid), f"uid {uid}, process {os.getpid()}", sudo_user)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def record(
    connection: Connection, revision: int, author: Author, found: Iterable[Change], at: datetime
) -> None:
    """Add what `revision` changed, and forget the oldest revisions."""
    common = {
        "revision": revision,
        "at": at.astimezone(UTC).replace(tzinfo=None),
        "who": author.who,
        "sudo_user": author.sudo_user,
        "origin": author.origin,
    }
    rows = [
        {**common, "path": change.path, "old": change.old, "new": change.new} for change in found
    ]
    if rows:
        connection.execute(insert(changes), rows)
    oldest = select(changes.c.revision).order_by(changes.c.id.desc()).offset(KEPT).limit(1)
    connection.execute(
        delete(changes).where(
            changes.c.revision <= oldest.scalar_subquery(), changes.c.revision < revision
        )
    )


def read(
    connection: Connection, *, path: str | None = None, by: str | None = None, limit: int = 100
) -> list[Recorded]:
    """The newest changes first: of `path` and what is below it, made by or for the user `by`."""
    wanted: list[ColumnElement[bool]] = []
    if path is not None:
        below = changes.c.path.startswith(f"{path}.", autoescape=True)
        wanted.append(or_(changes.c.path == path, below))
    if by is not None:
        wanted.append(or_(changes.c.who == by, changes.c.sudo_user == by))
    query = select(changes).where(*wanted).order_by(changes.c.id.desc()).limit(limit)
    return [
        Recorded(
            row.revision,
            row.at.replace(tzinfo=UTC),
            Author(row.who, row.origin, row.sudo_user),
            row.path,
            row.old,
            row.new,
        )
        for row in connection.execute(query)
    ]
