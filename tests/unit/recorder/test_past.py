"""Totals and ended sessions in events.db: written by the recorder, read by whoever comes next."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from fastpptp.errors import UnavailableError
from fastpptp.recorder.log import EventDatabase
from fastpptp.recorder.past import ENDED_KEPT, Keeper, read_ended, read_totals
from fastpptp.recorder.schema import EVENTS


def line(number: int, user: str = "alice") -> str:
    return json.dumps({"id": number, "user": user})


def ids(path: Path, page: int = 1, per_page: int = 10, user: str | None = None) -> list[int]:
    found = read_ended(path, lambda row: user in (None, row["user"]), page, per_page)
    return [row["id"] for row in found.rows]


def test_the_next_run_finds_them(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    assert read_totals(path) == {}
    with closing(EventDatabase(path, 10)) as database:
        database.keep({"total_sessions": 3, "ended.idle-timeout": 1}, [line(1), line(2)], [])
        database.keep({"total_sessions": 4}, [line(3, "bob")], [])
        assert read_totals(path) == {"total_sessions": 4, "ended.idle-timeout": 1}
    with closing(EventDatabase(path, 10)) as database:
        database.clear()  # the event log alone
        assert read_totals(path) == {"total_sessions": 4, "ended.idle-timeout": 1}
        assert ids(path) == [3, 2, 1]
        assert ids(path, user="alice") == [2, 1]


def test_pages(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with closing(EventDatabase(path, 10)) as database:
        database.keep({}, [line(number) for number in range(1, 8)], [])
    assert ids(path, 1, 3) == [7, 6, 5]
    assert ids(path, 3, 3) == [1]
    found = read_ended(path, lambda row: True, 9, 3)
    assert (found.page, found.pages, found.total) == (3, 3, 7)


def test_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with closing(EventDatabase(path, 10)) as database:
        database.keep({}, [line(number) for number in range(ENDED_KEPT)], [])
        database.keep({}, [line(ENDED_KEPT), line(ENDED_KEPT + 1)], [])
    found = read_ended(path, lambda row: True, 1, ENDED_KEPT + 10)
    assert (found.total, found.rows[0]["id"], found.rows[-1]["id"]) == (
        ENDED_KEPT,
        ENDED_KEPT + 1,
        2,
    )


def test_it_is_handed_on_until_it_is_kept() -> None:
    keeper = Keeper()
    taken: list[tuple[dict[str, int], list[str], list[str]]] = []

    def keep(totals: Mapping[str, int], ended: Sequence[str], again: Sequence[str]) -> None:
        taken.append((dict(totals), list(ended), list(again)))

    def refuse(totals: Mapping[str, int], ended: Sequence[str], again: Sequence[str]) -> None:
        raise OSError

    keeper.add(1, {"a": 1, "b": 1}, ["x"])
    with pytest.raises(OSError):
        keeper.hand_on(refuse)
    keeper.add(2, {"a": 2, "b": 1}, ["y"])
    assert keeper.waits
    keeper.hand_on(keep)
    assert not keeper.waits
    keeper.hand_on(keep)
    keeper.add(3, {"a": 2, "b": 3}, [])
    keeper.hand_on(keep)
    keeper.begin_anew()
    keeper.hand_on(keep)
    assert taken == [
        ({"a": 2, "b": 1}, ["x", "y"], []),
        ({"b": 3}, [], []),
        ({"a": 2, "b": 3}, [], []),
    ]


def test_what_comes_again_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    keeper = Keeper()
    with closing(EventDatabase(path, 10)) as database:
        database.keep({}, [line(1), line(2)], [])
        keeper.add_again(7, [line(2), line(3)])
        keeper.add(7, {}, [line(3)])
        keeper.add(8, {}, [line(4)])
        keeper.hand_on(database.keep)
    assert ids(path) == [4, 3, 2, 1]
    assert keeper.number == 8


def test_a_database_that_had_no_room_for_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.touch()
    assert read_totals(path) == {}
    assert ids(path) == []


def test_what_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_text("this is none" * 100)
    with pytest.raises(UnavailableError, match=r"events\.db cannot be read"):
        read_totals(path)


def test_a_log_from_before_there_were_any(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(f"PRAGMA journal_mode=WAL;{EVENTS};PRAGMA user_version=1;")
        raw.execute("INSERT INTO facts VALUES ('given', 41)")
        raw.commit()
    with closing(EventDatabase(path, 10)) as database:
        assert database.opened.sequence == 41
        assert database.opened.aside is None
        database.keep({"total_sessions": 1}, [line(1)], [])
    assert read_totals(path) == {"total_sessions": 1}
    assert ids(path) == [1]
