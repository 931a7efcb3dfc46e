"""Backup and restore of a live store: consistent, verified, all or nothing."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store, backup
from fastpptp.store.restore import Restored, back_up, key_of, restore
from tests.unit.store.conftest import Place


def with_ann(store: Store) -> Configuration:
    with store.edit() as draft:
        draft.add_user("ann", {"password": "secret99"})
    return store.tree()


def restored(place: Place, file: Path, key: Path | None = None, replace: bool = False) -> Restored:
    return restore(place.url, place.key, file, key or place.key, replace=replace)


def content(place: Place) -> dict[str, bytes]:
    """All files of the installation."""
    return {path.name: path.read_bytes() for path in place.file.parent.iterdir()}


def test_one_private_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    store.backup(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["backup.db"]
    with closing(sqlite3.connect(file)) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_there_and_back(place: Place, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    then = with_ann(store)
    store.backup(file)
    with store.edit() as draft:
        draft.delete_user("ann")
        draft.set_section("pptp", {"max_tunnels": 9})
    now, revision = store.tree(), store.revision()
    done = restored(place, file)
    assert store.tree() == done.tree == then
    assert store.revision() == revision + 1
    changes = store.history(limit=5)
    assert changes[-1].revision < changes[0].revision == revision + 1
    assert {"store", "pptp.max_tunnels"} <= {c.path for c in changes if c.revision == revision + 1}
    (kept,) = done.kept
    with Store.open(f"sqlite:///{kept}", place.key) as former:
        assert former.tree() == now
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_consistent_while_others_write(place: Place, store: Store, tmp_path: Path) -> None:
    """Two settings that are always changed together are never found apart."""
    rounds = 12
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(change_both, place, 60)
        for number in range(rounds):
            store.backup(tmp_path / f"{number}.db")
        writing.result()
    for number in range(rounds):
        with Store.open(f"sqlite:///{tmp_path / f'{number}.db'}", place.key) as copy:
            pptp = copy.tree().section("pptp")
        assert pptp.get("max_tunnels") == pptp.get("max_sessions_per_tunnel")


def change_both(place: Place, times: int) -> None:
    with place.open() as other:
        for number in range(1, times):
            with other.edit() as draft:
                draft.set_section(
                    "pptp", {"max_tunnels": number, "max_sessions_per_tunnel": number}
                )


def test_nothing_is_overwritten(place: Place, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("precious")
    with pytest.raises(UnavailableError, match="exists already"):
        store.backup(file)
    assert file.read_text() == "precious"
    other = tmp_path / "other.db"
    key_of(other).write_text("precious")
    with pytest.raises(UnavailableError, match="File exists"):
        back_up(store, other, place.key)
    assert not other.exists()
    with pytest.raises(UnavailableError, match="No such file or directory"):
        store.backup(tmp_path / "nowhere" / "x.db")
    assert {path.name for path in tmp_path.iterdir()} == {"state", "backup.db", "other.db.key"}


def test_with_its_key(place: Place, store: Store, tmp_path: Path) -> None:
    """On another machine, where there is nothing yet: store, key and history come back."""
    file = tmp_path / "backup.db"
    then = with_ann(store)
    back_up(store, file, place.key)
    assert stat.S_IMODE(key_of(file).stat().st_mode) == 0o600
    elsewhere = Place(tmp_path / "elsewhere")
    assert restored(elsewhere, file, key_of(file)).kept == ()
    with elsewhere.open() as again:
        assert again.tree() == then
        assert again.history()[0].new == f"restored from {file}"
        assert again.history(path="users.ann")
    assert {path.name for path in elsewhere.file.parent.iterdir()} == {
        elsewhere.file.name, elsewhere.key.name
    }  # fmt: skip


def test_a_backup_with_another_key(place: Place, store: Store, tmp_path: Path) -> None:
    """A store that works takes the users over and keeps its key."""
    other = Place(tmp_path / "other")
    with Store.create(other.url, other.key, profiles.reference()) as source:
        back_up(source, tmp_path / "backup.db", other.key)
    key = place.key.read_bytes()
    restored(place, tmp_path / "backup.db", key_of(tmp_path / "backup.db"))
    assert place.key.read_bytes() == key
    with place.open() as again:
        assert again.tree() == profiles.reference()


def test_passwords_that_rules_forbid_by_now(place: Place, store: Store, tmp_path: Path) -> None:
    """They are in force; so they can be restored."""
    with store.edit() as draft:
        draft.set_base({"minimum_password_length": 20})
    store.backup(tmp_path / "backup.db")
    then = store.tree()
    with store.edit() as draft:
        draft.replace(Configuration())
    restored(place, tmp_path / "backup.db")
    assert store.tree() == then


def edited(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scribbled(file: Path) -> None:
    """In the middle of a page that holds an index."""
    found = bytearray(file.read_bytes())
    for page in range(4096, len(found), 4096):
        if found[page] == 10:
            found[page + 8 : page + 200] = bytes(192)
    file.write_bytes(found)


BAD = {
    "text": (lambda file: file.write_text("no database " * 1000), "file is not a database"),
    "empty": (lambda file: file.write_bytes(b""), "holds no store"),
    "absent": (lambda file: file.unlink(), "there is no "),
    "truncated": (truncated, "malformed|is damaged"),
    "scribbled": (scribbled, "is damaged"),
    "newer": (
        lambda file: edited(file, "UPDATE alembic_version SET version_num = '9999'"),
        "at schema 9999",
    ),
    "orphan": (
        lambda file: edited(file, "UPDATE users SET group_id = 99"),
        "a group that is not there",
    ),
    "key": (lambda file: edited(file, "UPDATE meta SET key_check = x'00'"), "not the key of this"),
    "password": (
        lambda file: edited(file, "UPDATE users SET password = x'00'"),
        "password of user:pptpuser does not open",
    ),
    "refused": (
        lambda file: edited(file, "UPDATE users SET address = '255.255.255.255'"),
        "users.pptpuser.ip_address",
    ),
}


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_backup_changes_nothing(
    place: Place, store: Store, tmp_path: Path, case: str, replace: bool
) -> None:
    file = tmp_path / "backup.db"
    store.backup(file)
    with_ann(store)
    store.close()
    before = content(place)
    damage, says = BAD[case]
    damage(file)
    with pytest.raises(FastpptpError, match=says):
        restored(place, file, replace=replace)
    assert content(place) == before


def test_a_store_that_is_broken_is_replaced_when_asked(
    place: Place, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup.db"
    back_up(store, file, place.key)
    then = store.tree()
    store.close()
    place.file.write_bytes(b"broken" * 1000)
    place.key.unlink()
    place.key.touch(mode=0o600)
    before = content(place)
    with pytest.raises(UnavailableError, match="restore with --replace"):
        restored(place, file, key_of(file))
    assert content(place) == before
    place.key.write_text("00" * 32)
    done = restored(place, file, key_of(file), replace=True)
    assert [path.read_bytes()[:6] for path in done.kept] == [b"000000", b"broken"]
    with place.open() as again:
        assert again.tree() == then


def test_an_older_backup_is_migrated(place: Place, store: Store, tmp_path: Path) -> None:
    from tests.unit.store.test_migrations import old_store, old_tree

    old = Place(tmp_path / "old")
    (tmp_path / "old").mkdir()
    old_store(old)
    restored(place, old.file, old.key)
    assert store.tree() == old_tree()


def test_other_databases_have_their_own(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u:secret@h/d"
    with pytest.raises(UnavailableError, match=r"pg_dump and pg_restore.*config export"):
        restore(url, tmp_path / "key", tmp_path / "file", tmp_path / "key")


def test_a_copy_cut_short_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_check_integrity", fails)
    with pytest.raises(UnavailableError, match="No space left"):
        store.backup(tmp_path / "backup.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
