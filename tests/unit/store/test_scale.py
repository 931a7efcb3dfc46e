"""What grows with the number of users: rows, never statements or transactions.

The times are in bench/bench_store.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import EMPTY, Configuration
from fastpptp.store import Store
from tests.unit.store.conftest import Place


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those of any database of this process, as they are sent; many rows may be in one."""
    sent: list[str] = []

    def send(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", send)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", send)


def tree(users: int) -> Configuration:
    draft = Draft(EMPTY)
    for number in range(users // 10):
        draft.add_group(f"group{number}", {"idle_timeout": number})
        draft.add_pool({"first": f"10.{number}.0.1", "last": f"10.{number}.0.9"})
    for number in range(users):
        values = {"password": "secret99", "group": f"group{number // 10}"}
        draft.add_user(f"user{number}", values | {"idle_timeout": number})
    return draft.finish()


def made(place: Place, users: int) -> None:
    for path in place.file.parent.iterdir() if place.file.parent.exists() else ():
        path.unlink()
    Store.create(place.url, place.key, tree(users)).close()


def load(place: Place) -> None:
    with place.open() as store:
        user = store.snapshot().user("user9")
        assert user is not None
        assert user.effective.idle_timeout == 9


def edit_one(place: Place) -> None:
    with place.open() as store, store.edit() as draft:
        draft.set_user("user9", {"idle_timeout": 77})


def edit_all(place: Place) -> None:
    with place.open() as store, store.edit() as draft:
        for name in store.tree().users:
            draft.set_user(name, {"idle_timeout": 77})
            draft.set_group("group0", {"idle_timeout": 77})


def replace_all(place: Place) -> None:
    with place.open() as store, store.edit() as draft:
        draft.replace(Configuration())


@pytest.mark.parametrize("work", [load, edit_one, edit_all, replace_all])
def test_statements_do_not_grow(place: Place, work: Callable[[Place], None]) -> None:
    counts = []
    for users in (10, 300):
        made(place, users)
        with statements() as sent:
            work(place)
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert counts[0] < 60


def test_a_user_is_resolved_when_it_is_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all of them when the policy is loaded."""
    from fastpptp.settings.resolve import PolicySnapshot

    made(place, 100)
    resolved = []
    record = PolicySnapshot._record
    monkeypatch.setattr(
        PolicySnapshot, "_record", lambda self, *a: (resolved.append(a[0]), record(self, *a))[1]
    )
    with place.open() as store:
        policy = store.snapshot()
        assert resolved == []
        policy.user("user7")
        policy.user("user7")
        assert resolved == ["user7"]
