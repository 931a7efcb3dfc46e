"""The store in PostgreSQL: a server of the test's own, on a unix socket in its own directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from fastpptp.errors import UnavailableError
from fastpptp.settings import profiles, toml
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store, schema
from fastpptp.store.migrate import version
from tests.cannot import cannot
from tests.unit.settings.test_toml import FULL
from tests.unit.store import test_migrations as migrations
from tests.unit.store.test_writers import acknowledged, with_users, writers

pytestmark = pytest.mark.slow

SERVER_USER = "nobody"  # PostgreSQL refuses to run as root
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def programs(folder: Path) -> Path | None:
    """Where initdb and postgres are: Debian's, or those that the wheel pgserver brings, copied to
    where SERVER_USER may read them. None: there are none."""
    if DEBIAN:
        return DEBIAN[-1]
    wheel = find_spec("pgserver")
    if wheel is None or wheel.origin is None:
        return None
    whole = Path(wheel.origin).parent
    for part in ("pgserver", "pgserver.libs"):
        shutil.copytree(whole.with_name(part), folder / part)
    return folder / "pgserver" / "pginstall" / "bin"


class Server:
    """A PostgreSQL server in `folder`; `url` is its database of that name."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._words: dict[str, str] = {}
        if not os.getuid():
            self._words = {"user": SERVER_USER}
            shutil.chown(folder, SERVER_USER)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "--no-sync", "--auth=trust", "--username=fastpptp", "-D", data],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._words,
        )  # fmt: skip
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", str(folder)]
        self._process = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            stderr=subprocess.PIPE, text=True, cwd=folder, **self._words,
        )  # fmt: skip
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "ready to accept connections" in line:
                return
        raise AssertionError("PostgreSQL did not start")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://fastpptp@/{database}?host={self._folder}"

    def new_database(self, name: str) -> str:
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def stop(self) -> None:
        self._process.send_signal(2)  # fast: clients are thrown out
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="fastpptp-pg-"))  # /tmp: a socket's path is short
    try:
        found = programs(folder)
        if found is None:
            cannot("PostgreSQL is not here: pip install pgserver")
        made = Server(folder, found)
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder)


class Place:
    """A database of this test, as tests/unit/store/conftest.py has files."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.url = server.new_database(name)
        self.file = folder / "state" / "none"
        self.key = folder / "state" / "fastpptp.key"

    def open(self) -> Store:
        return Store.open(self.url, self.key)


@pytest.fixture
def place(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place(server, tmp_path, f"t{abs(hash(request.node.name))}")


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.create(place.url, place.key, profiles.default()) as made:
        yield made


@pytest.mark.parametrize("tree", [FULL, Configuration(), profiles.reference()])
def test_any_tree_comes_back(place: Place, store: Store, tree: Configuration) -> None:
    with store.edit() as draft:
        draft.replace(tree)
    with place.open() as again:
        assert again.tree() == tree
        assert toml.loads(toml.dumps(again.tree())) == tree


def test_edits_are_recorded_and_followed(place: Place, store: Store) -> None:
    first = store.snapshot()
    with place.open() as other, other.edit() as draft:
        draft.set_user("pptpuser", {"idle_timeout": 77})
    second = store.snapshot()
    assert second.revision == first.revision + 1
    assert store.history(path="users.pptpuser", limit=1)[0].new == "77 minutes"
    with pytest.raises(KeyError), store.edit() as draft:
        raise KeyError("not ours")
    assert store.revision() == second.revision


def test_the_migrations_make_what_is_declared(place: Place, store: Store) -> None:
    engine = create_engine(place.url)
    with engine.begin() as connection:
        assert version(connection) == schema.HEAD
        assert migrations.missing(connection, schema.metadata) == ""
        migrations.to_revision(connection, "base")
        assert version(connection) is None
    engine.dispose()


def test_the_first_schema_is_carried_over(place: Place) -> None:
    migrations.old_store(place)
    with place.open() as store:
        assert store.tree() == migrations.old_tree()


def test_writers_at_once_lose_nothing(place: Place, store: Store) -> None:
    count, edits = 3, 20
    with_users(store, count)
    with writers(place, count) as made:
        for number, writer in enumerate(made):
            writer.ask(f"count {number} {edits}")
        for writer in made:
            assert acknowledged(writer.lines()) == list(range(1, edits + 1))
    assert store.tree().section("pptp")["max_tunnels"] == count * edits


def test_a_writer_waits_and_then_says_so(
    place: Place, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpptp.store.engine.BUSY_MS", 50)
    with place.open() as other, store.edit() as draft:
        draft.set_base({"idle_timeout": 1})
        assert other.tree() == profiles.default()
        with pytest.raises(UnavailableError) as caught, other.edit():
            pass
    assert caught.value.remedy == "another process holds it for long: try again"


def test_reads_see_one_moment(place: Place, store: Store) -> None:
    from fastpptp.store.engine import reading
    from fastpptp.store.rows import read_tree

    with reading(store._engine) as connection:
        assert connection.execute(text("SELECT revision FROM meta")).scalar() == 2
        with place.open() as other, other.edit() as draft:
            draft.set_user("pptpuser", {"idle_timeout": 77})
        assert read_tree(connection, store._sealer) == profiles.default()


def test_there_and_not_there(server: Server, place: Place, store: Store) -> None:
    with pytest.raises(UnavailableError, match="holds a store already"):
        Store.create(place.url, place.key)
    with pytest.raises(UnavailableError, match="holds no store"):
        Store.open(server.url(), place.key)
    with pytest.raises(UnavailableError, match='database "nowhere" does not exist'):
        Store.open(server.url("nowhere"), place.key)


def test_backups_are_the_databases_own(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="pg_dump"):
        store.backup(tmp_path / "backup")
