"""The store: whole or not at all, revisions, migrations, keys, bulk."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastpptp.errors import ConfigurationError, UnavailableError
from fastpptp.settings import profiles, toml
from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store
from fastpptp.store.keyfile import create_key
from tests.unit.settings.test_toml import FULL
from tests.unit.store.conftest import Place


def test_create_and_open(place: Place, store: Store) -> None:
    assert store.tree() == profiles.default()
    assert store.url == place.url
    with place.open() as again:
        assert again.tree() == profiles.default()
        assert again.revision() == store.revision() == 2
    assert place.sql("PRAGMA journal_mode") == [("wal",)]


def test_files_are_private(place: Place, store: Store) -> None:
    for path in place.file.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.file.parent.stat().st_mode) == 0o700


def test_passwords_are_sealed(place: Place, store: Store) -> None:
    with store.edit() as draft:
        draft.set_group("pptpgroup", {"password": "group-secret"})
        draft.add_entry("trap_destinations", "nms", {"destination": "n", "community": "hush-hush"})
    store.close()
    stored = b"".join(path.read_bytes() for path in place.file.parent.iterdir())
    assert b"pptpuser" in stored
    assert b"cisco123" not in stored
    assert b"group-secret" not in stored
    assert b"hush-hush" not in stored


@pytest.mark.parametrize("tree", [FULL, Configuration(), profiles.reference()])
def test_any_tree_comes_back(place: Place, store: Store, tree: Configuration) -> None:
    with store.edit() as draft:
        draft.replace(tree)
    with place.open() as again:
        assert again.tree() == tree
        assert list(again.tree().users) == list(tree.users)
        text = toml.dumps(again.tree())
    assert toml.loads(text) == tree
    with store.edit() as draft:
        draft.replace(toml.loads(text))
    assert toml.dumps(store.tree()) == text


def test_edits_reach_the_tables(place: Place, store: Store) -> None:
    with store.edit() as draft:
        draft.add_group("g", {"password": "abcd"})
        draft.add_user("ann", {"password": "secret99", "group": "g", "ip_address": "10.0.0.9"})
        draft.set_user("pptpuser", {"group": "g", "idle_timeout": 7})
        draft.delete_group("pptpgroup")
        draft.add_pool({"first": "10.1.0.1", "last": "10.1.0.9", "server_address": "10.2.0.1"})
        draft.set_section("pptp", {"max_tunnels": 9})
    with place.open() as again:
        assert again.tree() == store.tree()
        with again.edit() as draft:
            draft.set_group("g", {}, inherit=("password",))
            draft.delete_user("ann")
            draft.set_user("pptpuser", {}, inherit=("group",))
    with place.open() as third:
        tree = third.tree()
    assert tree == store.tree()
    assert (list(tree.groups), tree.groups["g"].password) == (["g"], "")
    assert tree.users.keys() == {"pptpuser"}
    assert tree.users["pptpuser"].group is None


def test_revision_rises_with_each_change(store: Store) -> None:
    before = store.revision()
    with store.edit():
        pass
    assert store.revision() == before
    with store.edit() as draft:
        draft.set_base({"idle_timeout": 1})
        draft.set_section("pptp", {"max_tunnels": 1})
    assert store.revision() == before + 1


def refused_at_the_end(draft: Draft) -> None:
    draft.add_user("ann", {"password": "secret99"})
    draft.set_group("pptpgroup", {"pptp_authentication_protocols": ["PAP"]})


def refused_inside(draft: Draft) -> None:
    draft.add_user("ann", {"password": "secret99"})
    draft.set_user("nobody", {})


def failed(draft: Draft) -> None:
    draft.add_user("ann", {"password": "secret99"})
    raise KeyError("not ours")


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (refused_at_the_end, ConfigurationError),
        (refused_inside, ConfigurationError),
        (failed, KeyError),
    ],
)
def test_refused_whole(
    place: Place, store: Store, edit: Callable[[Draft], None], error: type[Exception]
) -> None:
    revision = store.revision()
    with pytest.raises(error), store.edit() as draft:
        edit(draft)
    with place.open() as again:
        assert again.tree() == store.tree() == profiles.default()
        assert again.revision() == revision


def test_snapshot_follows_other_writers(place: Place, store: Store) -> None:
    first = store.snapshot()
    assert store.snapshot() is first
    with place.open() as other, other.edit() as draft:
        draft.set_user("pptpuser", {"idle_timeout": 77})
    second = store.snapshot()
    assert second is not first
    assert second.revision == first.revision + 1
    user, old = second.user("pptpuser"), first.user("pptpuser")
    assert user is not None
    assert old is not None
    assert (user.effective.idle_timeout, old.effective.idle_timeout) == (77, 30)


def test_writers_wait_for_each_other(place: Place, store: Store) -> None:
    with place.open() as other:
        with store.edit() as draft:
            draft.set_base({"idle_timeout": 1})
            assert other.tree() == profiles.default()
        assert other.tree().base["idle_timeout"] == 1


def test_change_password(store: Store) -> None:
    with store.edit() as draft:
        draft.set_user("pptpuser", {"password_expired": True})
    store.change_password("pptpuser", "other456")
    user = store.snapshot().user("pptpuser")
    assert user is not None
    assert (user.password, user.effective.password_expired) == ("other456", False)
    with pytest.raises(ConfigurationError, match="has 5 characters"):
        store.change_password("pptpuser", "short")


def test_ten_thousand_users_in_one_transaction(place: Place, store: Store) -> None:
    with store.edit() as draft:
        for number in range(10_000):
            draft.add_user(f"user{number}", {"password": "cisco123", "group": "pptpgroup"})
    with place.open() as again:
        policy = again.snapshot()
        assert len(policy.user_names()) == 10_001
        last = policy.user("user9999")
    assert last is not None
    assert (last.password, last.group) == ("cisco123", "pptpgroup")


def test_a_refused_tree_makes_nothing(place: Place) -> None:
    tree = Configuration(sections={"assignment": {"dhcp": True}})
    with pytest.raises(ConfigurationError, match="no DHCP server to ask"):
        Store.create(place.url, place.key, tree)
    assert not place.file.exists()
    assert not place.key.exists()


def test_create_keeps_an_existing_key_and_store(place: Place, store: Store) -> None:
    with pytest.raises(UnavailableError, match="holds a store already"):
        Store.create(place.url, place.key)
    other = f"sqlite:///{place.file.with_name('two.db')}"
    with Store.create(other, place.key) as second:
        assert second.tree() == Configuration()


def test_a_wrong_key(place: Place, store: Store, tmp_path: Path) -> None:
    create_key(tmp_path / "wrong")
    with pytest.raises(UnavailableError) as caught:
        Store.open(place.url, tmp_path / "wrong")
    assert caught.value.what == f"key file {tmp_path / 'wrong'} is not the key of this store"
    assert "fastpptp init" in caught.value.remedy


def test_a_damaged_password(place: Place, store: Store) -> None:
    place.sql("UPDATE users SET password = x'00112233445566778899aabbccddeeff0011223344556677'")
    with place.open() as again, pytest.raises(UnavailableError, match="user:pptpuser does not"):
        again.tree()


def test_a_secret_of_another_entry(place: Place, store: Store) -> None:
    """Nobody gets the password of one server sent to another by changing the store's file."""
    with store.edit() as draft:
        for name in ("a", "b"):
            values = {"server": name, "security": "TLS", "user": "u", "password": f"secret-{name}"}
            draft.add_entry("smtp_servers", name, values)
    store.close()
    other = "(SELECT password FROM smtp_servers WHERE name = 'a')"
    place.sql(f"UPDATE smtp_servers SET password = {other} WHERE name = 'b'")
    with place.open() as again, pytest.raises(UnavailableError, match="smtp_servers:b:password"):
        again.tree()


def test_the_order_of_a_list_is_kept(place: Place, store: Store) -> None:
    with store.edit() as draft:
        for name in ("b", "a", "c"):
            draft.add_entry("smtp_servers", name, {"server": name})
    with store.edit() as draft:
        draft.move_entry("smtp_servers", "c", 1)
    with place.open() as again:
        assert [name for name, _ in again.tree().entries("smtp_servers")] == ["c", "b", "a"]
        assert again.revision() == store.revision() == 4


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("nonsense", ConfigurationError, "'nonsense' is not a store"),
        ("nosuchdb://x", ConfigurationError, "is not a store"),
        ("sqlite://", ConfigurationError, "store: has no file"),
        ("sqlite:////nowhere/x.db", UnavailableError, "there is no store at /nowhere/x.db"),
    ],
)
def test_urls(place: Place, url: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Store.open(url, place.key)


def test_a_driver_that_is_absent(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_url: object, **_words: object) -> None:
        raise ModuleNotFoundError(name="psycopg")

    create_key(place.key)
    monkeypatch.setattr("fastpptp.store.engine.create_engine", absent)
    with pytest.raises(UnavailableError, match=r"fastpptp\[postgresql\]"):
        Store.open("postgresql+psycopg://u:secret@h/d", place.key)


def test_files_that_are_no_store(place: Place, store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database" * 100)
    with pytest.raises(UnavailableError, match="file is not a database"):
        Store.open(f"sqlite:///{tmp_path / 'text'}", place.key)
    sqlite3.connect(tmp_path / "empty").close()
    with pytest.raises(UnavailableError, match="holds no store"):
        Store.open(f"sqlite:///{tmp_path / 'empty'}", place.key)
    with pytest.raises(UnavailableError, match="File exists"):
        Store.create(f"sqlite:///{tmp_path / 'text' / 'x.db'}", place.key)


def test_a_store_can_move_to_another_thread(store: Store) -> None:
    """The server opens it, then keeps it on a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(store.change_password, "pptpuser", "other456").result()
        snapshot = thread.submit(store.snapshot).result()
    user = snapshot.user("pptpuser")
    assert user is not None
    assert user.password == "other456"
