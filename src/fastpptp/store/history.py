"""Who changed what, when: written in the transaction of the change, kept for a bounded time."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from fastpptp.settings.diff import Change
from fastpptp.store.schema import changes

# The newest changes that are kept; the newest revision is kept whole, however large it is.
KEPT = 20_000

UCRED = Struct("3i")  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the store, and from where; `sudo_user` is whom sudo says it ran for."""

    who: str
    origin: str
    sudo_user: str | None = None

    def __str__(self) -> str:
        sudo = f", sudo by {self.sudo_user}" if self.sudo_user else ""
        return f"{self.who} ({self.origin}{sudo})"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One change of one value. `old` and `new` are words for people; `at` is in UTC."""

    revision: int
    at: datetime
    author: Author
    path: str
    old: str | None
    new: str | None


def this_process() -> Author:
    """The user whose process this is."""
    return _author(os.getuid(), os.getpid(), os.environ.get("SUDO_USER"))


def peer_of(connection: socket.socket) -> Author:
    """The user whose process is at the other end of a unix socket, as the kernel says (unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    process, uid, _gid = UCRED.unpack(credentials)
    return _author(uid, process, _environment(process).get("SUDO_USER"))


def _environment(process: int) -> dict[str, str]:
    """What a process was started with; nothing of one that is gone, or that we may not look at."""
    try:
        text = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def _author(uid: int, process: int, sudo_user: str | None) -> Author:
    """What sudo says is believed of root alone: others could say what they like."""
    told = sudo_user or None if uid == 0 else None
    return Author(user_name(uid), f"uid {uid}, process {process}", told)


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
    connection: Connection,
    *,
    path: str | None = None,
    by: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Recorded]:
    """The newest changes first: of `path` and below it, by or for `by`, after a revision."""
    wanted: list[ColumnElement[bool]] = []
    if after is not None:
        wanted.append(changes.c.revision > after)
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
