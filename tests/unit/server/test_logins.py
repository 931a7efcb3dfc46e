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
from fastpptp.settings import profiles
from fastpptp.store import Store
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
