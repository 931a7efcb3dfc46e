"""The store: one Configuration in a database, changed whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.settings.check import check
from fastpptp.settings.draft import Draft
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import EMPTY, Configuration
from fastpptp.store.keyfile import create_key, load_key
from fastpptp.store.migrate import migrate, version
from fastpptp.store.rows import read_tree, write_tree
from fastpptp.store.schema import HEAD, meta
from fastpptp.store.sealing import Sealer

KEY_CHECK = "fastpptp"
BUSY_MS = 5000
WRITES = "fastpptp_writes"


class Store:
    """The Configuration tree in a database (SQLite, or PostgreSQL by URL).

    Every change goes through `edit`; each raises `revision`. Reads are served from memory
    until another process has changed the store. Not thread-safe. Anything the database
    refuses is an UnavailableError.
    """

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        """Use Store.open or Store.create."""
        self._engine = engine
        self._sealer = sealer
        self._known: tuple[int, Configuration] | None = None
        self._snapshot: PolicySnapshot | None = None

    @classmethod
    def open(cls, url: str, key_file: Path) -> Store:
        """Open an existing store, migrating it if it is older than this version.

        UnavailableError: no store, no key, or the key of another store; ConfigurationError: a
        URL that is none, or a key file that others can read.
        """
        parsed = _parse(url)
        path = _sqlite_path(parsed)
        if path is not None and not path.exists():
            raise UnavailableError(f"there is no store at {path}", "run `fastpptp init`")
        sealer = Sealer(load_key(key_file))
        with _engine_of(parsed) as engine:
            with _database(parsed):
                _bring_up(engine, sealer, key_file)
            return cls(engine, sealer)

    @classmethod
    def create(cls, url: str, key_file: Path, tree: Configuration | None = None) -> Store:
        """Make a new store, and a key file unless there is one; fill it with `tree`.

        UnavailableError when the database holds a store already; ConfigurationError for a
        `tree` that is refused: nothing is made then.
        """
        check(tree or EMPTY)
        parsed = _parse(url)
        sealer = Sealer(load_key(key_file) if key_file.exists() else create_key(key_file))
        path = _sqlite_path(parsed)
        if path is not None:
            _make_private(path)
        with _engine_of(parsed) as engine:
            with _database(parsed), _writing(engine) as connection:
                if version(connection) is not None:
                    raise UnavailableError(
                        f"{_shown(parsed)} holds a store already", "use it, or choose another place"
                    )
                migrate(connection)
                sealed = sealer.seal(KEY_CHECK, KEY_CHECK)
                connection.execute(insert(meta), {"id": 1, "revision": 1, "key_check": sealed})
            store = cls(engine, sealer)
            if tree is not None:
                with store.edit() as draft:
                    draft.replace(tree)
            return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def url(self) -> str:
        """Where the store is, without a password."""
        return _shown(self._engine.url)

    def revision(self) -> int:
        """Rises with every change, whoever made it."""
        with _database(self._engine.url), self._engine.connect() as connection:
            return _revision(connection)

    def tree(self) -> Configuration:
        """The Configuration as it is now."""
        with _database(self._engine.url), self._engine.connect() as connection:
            return self._read(connection)[1]

    def snapshot(self) -> PolicySnapshot:
        """The policy as it is now; the same object for as long as nothing changes."""
        with _database(self._engine.url), self._engine.connect() as connection:
            revision, tree = self._read(connection)
        if self._snapshot is None or self._snapshot.revision != revision:
            self._snapshot = PolicySnapshot(tree, revision)
        return self._snapshot

    @contextmanager
    def edit(self) -> Iterator[Draft]:
        """Change the Configuration in one transaction: all that the block does, or nothing.

        The end of the block checks the whole; ConfigurationError there or inside it leaves the
        store as it was. Other writers wait meanwhile.
        """
        with _database(self._engine.url), _writing(self._engine) as connection:
            revision, before = self._read(connection)
            draft = Draft(before)
            yield draft
            after = draft.finish()
            if after != before:
                write_tree(connection, self._sealer, before, after)
                connection.execute(update(meta).values(revision=revision + 1))
                revision += 1
        self._known = (revision, after)

    def change_password(self, user: str, password: str) -> None:
        """A user's own change of password (MS-CHAP); the rules of the group hold."""
        with self.edit() as draft:
            draft.set_user(user, {"password": password}, inherit=("password_expired",))

    def _read(self, connection: Connection) -> tuple[int, Configuration]:
        """Revision and tree, from memory if that is current."""
        revision = _revision(connection)
        if self._known is None or self._known[0] != revision:
            try:
                self._known = (revision, read_tree(connection, self._sealer))
            except ValueError as error:
                raise UnavailableError(
                    f"{self.url}: {error}", "restore the store and its key file from one backup"
                ) from None
        return self._known


def _revision(connection: Connection) -> int:
    return int(connection.execute(select(meta.c.revision)).scalar_one())


def _bring_up(engine: Engine, sealer: Sealer, key_file: Path) -> None:
    """Migrate a store that is behind, and hold the key against it."""
    with engine.connect() as connection:
        at = version(connection)
    if at is None:
        raise UnavailableError(f"{_shown(engine.url)} holds no store", "run `fastpptp init`")
    if at != HEAD:
        with _writing(engine) as connection:
            migrate(connection)
    with engine.connect() as connection:
        _check_key(connection, sealer, key_file)


def _check_key(connection: Connection, sealer: Sealer, key_file: Path) -> None:
    sealed = connection.execute(select(meta.c.key_check)).scalar_one()
    try:
        sealer.unseal(sealed, KEY_CHECK)
    except ValueError:
        raise UnavailableError(
            f"key file {key_file} is not the key of this store",
            "name the key file that `fastpptp init` made with it (key_file), or restore it",
        ) from None


def _parse(url: str) -> URL:
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


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite store, None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(Problem("store", "has no file", "sqlite:///PATH"))
    return Path(url.database)


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}", "choose another path") from None


@contextmanager
def _engine_of(url: URL) -> Iterator[Engine]:
    """An engine that is disposed of when the block fails."""
    try:
        engine = create_engine(url)
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


def _sqlite_connect(connection: Any, _record: object) -> None:
    # Transactions are begun by _sqlite_begin: the driver's own begin too late for reads.
    connection.isolation_level = None
    for pragma in ("foreign_keys=ON", f"busy_timeout={BUSY_MS}", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer's overlaps."""
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name != "sqlite" and version(connection) is not None:
            connection.execute(select(meta.c.id).with_for_update())
        yield connection


@contextmanager
def _database(url: URL) -> Iterator[None]:
    """What the database refuses, as UnavailableError."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).split("\n")[0]
        remedy = (
            "another process holds it for long: try again"
            if "locked" in said
            else "check that it is there, is a store, and may be written"
        )
        raise UnavailableError(f"store {_shown(url)}: {said}", remedy) from None
