"""What a login costs the store: nothing; with a change of password one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from fastpptp.backends.database import Database
from fastpptp.server.edits import TOLD
from fastpptp.settings import profiles
from fastpptp.store import Store
from fastpptp.store.history import Author
from tests.unit.server.support import Rig, link_config, running, until


@contextmanager
def transactions() -> Iterator[list[str]]:
    """Those of any database of this process, as they begin."""
    begun: list[str] = []

    def begin(_connection: object) -> None:
        begun.append("BEGIN")

    event.listen(Engine, "begin", begin)
    try:
        yield begun
    finally:
        event.remove(Engine, "begin", begin)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url, key = f"sqlite:///{tmp_path / 'fastpptp.db'}", tmp_path / "fastpptp.key"
    with Store.create(url, key, profiles.default()) as made:
        yield made


def with_rig(store: Store, test: Callable[[Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        database = Database(store)
        async with running(database=database) as rig:
            await test(rig)
        database.close()

    asyncio.run(main())


def test_logins_cost_nothing(store: Store) -> None:
    async def test(rig: Rig) -> None:
        with transactions() as begun:
            for _ in range(3):
                await rig.dial_up()
            await rig.dial(link_config(password="wrong"))
            await until(lambda: "PPP/9" in rig.texts())
            (first, *_) = rig.headend.manager.sessions()
            rig.headend.logout(lambda view: view.id == first.id)
            await until(lambda: rig.headend.manager.session(first.id) is None)
        assert begun == []

    with_rig(store, test)


def test_a_change_of_password_costs_one_transaction(store: Store) -> None:
    with store.edit() as draft:
        draft.set_user("pptpuser", {"password_expired": True})

    async def test(rig: Rig) -> None:
        with transactions() as begun:
            await rig.dial_up(replace(link_config(), new_password="another12"))
            await until(lambda: "CONFIG/101" in rig.texts())
            await rig.dial_up(link_config(password="another12"))
        assert len(begun) == 1

    with_rig(store, test)
    user = store.snapshot().user("pptpuser")
    assert user is not None
    assert (user.password, user.effective.password_expired) == ("another12", False)
    assert store.history(limit=1)[0].author.who == "pptpuser"


def test_an_edit_is_told_with_who_made_it(store: Store) -> None:
    async def test(rig: Rig) -> None:
        with store.edit(Author("root", "uid 0, process 9", "ann")) as draft:
            draft.set_user("pptpuser", {"idle_timeout": 3, "password": "another12"})
        with store.edit(Author("bob", "uid 7, process 8")) as draft:
            draft.set_section("events", {"capacity": 500})
        await rig.headend.reload()
        told = [r.text() for r in rig.log if r.cls == "CONFIG"]
        assert told == [
            "Configuration changed: revision 3 by root (uid 0, process 9, sudo by ann): "
            "users.pptpuser.password: ******** -> ********; "
            "users.pptpuser.idle_timeout: inherited -> 3 minutes",
            "Configuration changed: revision 4 by bob (uid 7, process 8): "
            "events.capacity: 10000 events, default -> 500 events",
            "Configuration reloaded, revision 4",
        ]
        await rig.headend.reload()
        assert [r.text() for r in rig.log if r.cls == "CONFIG"][3:] == told[2:]

    with_rig(store, test)


def test_of_a_large_edit_the_first_changes_are_told(store: Store) -> None:
    async def test(rig: Rig) -> None:
        with store.edit(Author("root", "uid 0, process 9")) as draft:
            for number in range(200):
                draft.add_group(f"g{number:03}", {"idle_timeout": 5})
        await rig.headend.reload()
        told = rig.event("CONFIG", 100).text()
        assert ": groups.g000" in told
        assert told.count(" -> ") == TOLD
        assert told.endswith(f"; and {len(store.history(after=2, limit=9999)) - TOLD} more")

    with_rig(store, test)
