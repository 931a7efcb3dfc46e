"""The database behind a store: its URL, its transactions, and its refusals in words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.obstacles import obstacle
from fastpptp.store.files import adopt
from fastpptp.store.migrate import version
from fastpptp.store.schema import meta

# How long a writer waits for another before it gives up, and how long at a time.
BUSY_MS = 5000
LOOK_MS = 20
WRITES = "fastpptp_writes"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def parse(url: str) -> URL:
    """ConfigurationError for what names no database that can hold a store."""
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError(
            Problem(
                "store", f"{url!r} is not a store", "sqlite:///PATH or postgresql+psycopg://..."
            )
        ) from None
    return parsed


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite store, None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(Problem("store", "has no file", "sqlite:///PATH"))
    return Path(url.database)


def make_private(path: Path) -> None:
    """An empty file of mode 0600, unless there is one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            adopt(path)
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}", "choose another path") from None


@contextmanager
def engine_of(url: URL) -> Iterator[Engine]:
    """An engine that is disposed of when the block fails."""
    try:
        engine = create_engine(url, **_options(url))
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{url.drivername} needs the module {error.name}",
            "pip install 'fastpptp[postgresql]'",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    try:
        yield engine
    except BaseException:
        engine.dispose()
        raise


def _options(url: URL) -> dict[str, Any]:
    """For PostgreSQL: reads see one moment, as they do in SQLite, and waiting is bounded."""
    if url.get_backend_name() != "postgresql":
        return {}
    return {"connect_args": {"options": f"-c lock_timeout={BUSY_MS}"}}


def _sqlite_connect(connection: Any, _record: object) -> None:
    # Transactions are begun by _sqlite_begin: the driver's own begin too late for reads.
    connection.isolation_level = None
    # With FULL a change that was acknowledged outlives a power failure, too.
    for pragma in (
        "foreign_keys=ON", f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    if not connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite's own waiting soon looks only every 100 ms: among busy writers one would starve.
    connection.exec_driver_sql(f"PRAGMA busy_timeout={LOOK_MS}")
    end = time.monotonic() + BUSY_MS / 1000
    try:
        while not _begun(connection, last=time.monotonic() > end):
            pass
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")


def _begun(connection: Connection, last: bool) -> bool:
    """Whether the write lock was had; the `last` try raises what it met."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if last or getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction in which all reads see the same moment."""
    with _refusals(engine.url):
        if engine.dialect.name != "sqlite":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer's overlaps: the second waits, but not for ever."""
    with (
        _refusals(engine.url),
        engine.execution_options(**{WRITES: True}).begin() as connection,
    ):
        if engine.dialect.name != "sqlite" and version(connection) is not None:
            connection.execute(select(meta.c.id).with_for_update())
        yield connection


@contextmanager
def _refusals(url: URL) -> Iterator[None]:
    """What the database refuses, as UnavailableError."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _refused(url, getattr(error, "orig", None) or error) from None


def _refused(url: URL, error: BaseException) -> UnavailableError:
    path = sqlite_path(url)
    if path is not None and (found := obstacle(path, error)):
        why, remedy = found
        return UnavailableError(f"store {path}: {why}", remedy)
    said = str(error).split("\n")[0]
    if "lock" in said:
        remedy = "another process holds it for long: try again"
    elif getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
        remedy = "put a backup in its place: fastpptp config restore FILE"
    else:
        remedy = "check that it is there, is a store, and may be written"
    return UnavailableError(f"store {shown(url)}: {said}", remedy)
