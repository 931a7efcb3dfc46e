"""The store: one Configuration in a database, changed whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, insert, select, update

from fastpptp.errors import UnavailableError
from fastpptp.settings.check import check
from fastpptp.settings.diff import Change, changes
from fastpptp.settings.draft import Draft
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import EMPTY, Configuration
from fastpptp.store import backup, history
from fastpptp.store.engine import (
    engine_of,
    make_private,
    parse,
    reading,
    shown,
    sqlite_path,
    writing,
)
from fastpptp.store.files import beside
from fastpptp.store.history import Author, Recorded
from fastpptp.store.keyfile import create_key, load_key
from fastpptp.store.migrate import migrate, version
from fastpptp.store.rows import read_tree, write_tree
from fastpptp.store.schema import HEAD, meta
from fastpptp.store.sealing import Sealer

KEY_CHECK = "fastpptp"


class Store:
    """The Configuration tree in a database (SQLite, or PostgreSQL by URL).

    Every change goes through `edit` or `replace`; each raises `revision` and is recorded with
    who made it. Reads are served from memory until another process has changed the store. Not
    thread-safe. Anything the database refuses is an UnavailableError.
    """

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        """Use Store.open or Store.create."""
        self._engine = engine
        self._sealer = sealer
        self._known: tuple[int, Configuration] | None = None
        self._snapshot: PolicySnapshot | None = None

    @classmethod
    def open(cls, url: str, key_file: Path) -> Store:
        """Open an existing store; an older one is migrated, and a copy of it is kept beside.

        UnavailableError: no store, no key, the key of another store, or a store that a newer
        version wrote; ConfigurationError: a URL that is none, or a key file that others can
        read.
        """
        parsed = parse(url)
        path = sqlite_path(parsed)
        if path is not None:
            _see_it(path)
        sealer = Sealer(load_key(key_file))
        with engine_of(parsed) as engine:
            _bring_up(engine, sealer, key_file)
            return cls(engine, sealer)

    @classmethod
    def create(cls, url: str, key_file: Path, tree: Configuration | None = None) -> Store:
        """Make a new store, and a key file unless there is one; fill it with `tree`.

        UnavailableError when the database holds a store already; ConfigurationError for a
        `tree` that is refused: nothing is made then.
        """
        check(tree or EMPTY)
        parsed = parse(url)
        sealer = Sealer(load_key(key_file) if key_file.exists() else create_key(key_file))
        path = sqlite_path(parsed)
        if path is not None:
            make_private(path)
        with engine_of(parsed) as engine:
            store = cls(engine, sealer)
            with writing(engine) as connection:
                if version(connection) is not None:
                    raise UnavailableError(
                        f"{shown(parsed)} holds a store already", "use it, or choose another place"
                    )
                migrate(connection)
                sealed = sealer.seal(KEY_CHECK, KEY_CHECK)
                connection.execute(insert(meta), {"id": 1, "revision": 1, "key_check": sealed})
                if tree is not None:
                    store._write(connection, 2, EMPTY, tree)
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
        return shown(self._engine.url)

    def revision(self) -> int:
        """Rises with every change, whoever made it."""
        with reading(self._engine) as connection:
            return _revision(connection)

    def tree(self) -> Configuration:
        """The Configuration as it is now."""
        with reading(self._engine) as connection:
            return self._read(connection)[1]

    def snapshot(self) -> PolicySnapshot:
        """The policy as it is now; the same object for as long as nothing changes."""
        with reading(self._engine) as connection:
            revision, tree = self._read(connection)
        return self._resolved(revision, tree)

    @contextmanager
    def edit(self, author: Author | None = None) -> Iterator[Draft]:
        """Change the Configuration in one transaction: all that the block does, or nothing.

        The end of the block checks the whole; ConfigurationError there or inside it leaves the
        store as it was. Other writers wait meanwhile, for some seconds. `author` is this
        process's user if not given.
        """
        with writing(self._engine) as connection:
            revision, before = self._read(connection)
            draft = Draft(before)
            yield draft
            after = draft.finish()
            if after != before:
                revision += 1
                self._write(connection, revision, before, after, author)
        self._known = (revision, after)

    def replace(self, tree: Configuration, note: str, author: Author | None = None) -> None:
        """Put a Configuration that has been in force in the place of all; `note` is recorded.

        Its passwords are not judged anew: a group's rules may have become stricter since.
        """
        check(tree, tree)
        with writing(self._engine) as connection:
            revision, before = self._read(connection)
            noted = Change("store", "", note)
            self._write(connection, revision + 1, before, tree, author, (noted,))
        self._known = (revision + 1, tree)

    def change_password(self, user: str, password: str) -> PolicySnapshot:
        """A user's own change of password (MS-CHAP); the rules of the group hold."""
        with self.edit(Author(user, "the user's own change of password (MS-CHAP)")) as draft:
            draft.set_user(user, {"password": password}, inherit=("password_expired",))
        assert self._known is not None
        return self._resolved(*self._known)

    def history(
        self,
        *,
        path: str | None = None,
        by: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Recorded]:
        """The newest changes first: of `path` and below it, by or for `by`, after a revision."""
        with reading(self._engine) as connection:
            return history.read(connection, path=path, by=by, after=after, limit=limit)

    def backup(self, file: Path) -> None:
        """Copy the store as it is now to a new `file`, whoever writes to it meanwhile.

        UnavailableError for a store in another database than SQLite.
        """
        backup.copy(file_of(self.url), file)

    def _write(
        self,
        connection: Connection,
        revision: int,
        before: Configuration,
        after: Configuration,
        author: Author | None = None,
        notes: tuple[Change, ...] = (),
    ) -> None:
        write_tree(connection, self._sealer, before, after)
        connection.execute(update(meta).values(revision=revision))
        found = (*notes, *changes(before, after))
        history.record(
            connection, revision, author or history.this_process(), found, datetime.now(UTC)
        )

    def _resolved(self, revision: int, tree: Configuration) -> PolicySnapshot:
        if self._snapshot is None or self._snapshot.revision != revision:
            self._snapshot = PolicySnapshot(tree, revision)
        return self._snapshot

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


def file_of(url: str) -> Path:
    """The file of a store in SQLite; UnavailableError for one in another database."""
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is None:
        raise UnavailableError(
            f"the store {shown(parsed)} is in a database with backups of its own",
            "use pg_dump and pg_restore, and keep the key file with them; "
            "or `fastpptp config export` and `import`",
        )
    return path


def _see_it(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise UnavailableError(f"there is no store at {path}", "run `fastpptp init`") from None
    except OSError as error:
        raise UnavailableError(
            f"store {path}: {error.strerror}", "run as root or as its directory's owner"
        ) from None


def _revision(connection: Connection) -> int:
    return int(connection.execute(select(meta.c.revision)).scalar_one())


def _bring_up(engine: Engine, sealer: Sealer, key_file: Path) -> None:
    """Migrate a store that is behind, and hold the key against it."""
    with reading(engine) as connection:
        at = version(connection)
    if at is None:
        raise UnavailableError(f"{shown(engine.url)} holds no store", "run `fastpptp init`")
    if at != HEAD:
        path = sqlite_path(engine.url)
        with writing(engine) as connection:
            migrate(connection, None if path is None else lambda at: _keep(path, at))
    with reading(engine) as connection:
        _check_key(connection, sealer, key_file)


def _keep(path: Path, schema: str) -> None:
    """A copy of the store before it is migrated."""
    backup.copy(path, beside(path, f"schema-{schema}"))


def _check_key(connection: Connection, sealer: Sealer, key_file: Path) -> None:
    sealed = connection.execute(select(meta.c.key_check)).scalar_one()
    try:
        sealer.unseal(sealed, KEY_CHECK)
    except ValueError:
        raise UnavailableError(
            f"key file {key_file} is not the key of this store",
            "name the key file that `fastpptp init` made with it (key_file; of a backup: --key)",
        ) from None
