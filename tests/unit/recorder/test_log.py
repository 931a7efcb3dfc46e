"""The writer of events.db: what it keeps, what it drops, and what it survives."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fastpptp.errors import UnavailableError
from fastpptp.events.log import EventQuery
from fastpptp.recorder import terms
from fastpptp.recorder.log import EventDatabase, Opened, peek
from fastpptp.recorder.past import read_ended, read_totals
from fastpptp.recorder.query import read
from fastpptp.recorder.schema import MIGRATIONS
from tests.unit.recorder.support import NOON, fill, opened, told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.db"


def sequences(path: Path) -> list[int]:
    return [record.sequence for record in read(path, EventQuery(per_page=10_000)).records]


def test_it_is_private_and_goes_on_where_it_ended(path: Path) -> None:
    with opened(path) as database:
        assert database.opened == Opened()
        database.deliver([told(3), told(5)])
        database.note(9)
        assert database.kept == 5
        files = [stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()]
        assert set(files) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with opened(path) as database:
        assert database.opened == Opened(sequence=9, kept=5)


def test_it_is_bounded(path: Path) -> None:
    with opened(path, capacity=10) as database:
        for first in range(0, 40, 4):
            database.deliver([told(first + more) for more in range(4)])
        assert sequences(path) == list(range(30, 40))
        database.resize(3)
        database.deliver([told(40)])
        assert sequences(path) == [38, 39, 40]


def test_the_index_goes_with_its_events(path: Path) -> None:
    block = terms.BLOCK
    with opened(path, capacity=block) as database:
        for first in range(0, 3 * block + 10, block):
            database.deliver([told(first + more, user=f"u{first}") for more in range(block)])
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT block FROM blocks").fetchall() == [(3,)]
        assert raw.execute("SELECT DISTINCT block FROM terms").fetchall() == [(3,)]


def test_who_dies_is_told_of_at_the_next_start(path: Path) -> None:
    database = EventDatabase(path, 100, patience=0.0)
    database.deliver([told(1), told(2)])
    database._db.close()  # as SIGKILL leaves it
    os.close(database._lock)
    with opened(path) as database:
        assert (database.opened.sequence, database.opened.kept) == (2, 2)
        local = NOON.astimezone().isoformat(" ", timespec="milliseconds")
        assert database.opened.unclean == local
    with opened(path) as database:
        assert database.opened.unclean == ""


def test_numbers_rise(path: Path) -> None:
    fill(path, [told(5), told(72)])
    with opened(path) as database:
        database.deliver([told(1), told(2)])
        database.go_on_above(90)
        database.deliver([told(3), told(120), told(121)])
        database.deliver([told(122)])
    assert sequences(path) == [5, 72, 73, 74, 91, 120, 121, 122]


def test_what_comes_for_the_second_time_is_there_once(path: Path) -> None:
    fill(path, [told(1), told(2), told(3)])
    with opened(path) as database:
        database.pass_over(5)
        database.deliver([told(1), told(2)])
        database.deliver([told(3), told(4), told(5)])
        database.deliver([told(6)])
    assert sequences(path) == [1, 2, 3, 4, 5, 6]


def test_a_glance_sees_what_was_not_folded_in(path: Path) -> None:
    assert peek(path) == Opened()
    database = EventDatabase(path, 100, patience=0.0)
    database.note(9)
    database.deliver([told(1), told(2)])
    local = NOON.astimezone().isoformat(" ", timespec="milliseconds")
    assert peek(path) == Opened(9, 2, local)
    database.clean = True
    database.close()
    assert peek(path) == Opened(9, 2)


def test_emptied(path: Path) -> None:
    with opened(path) as database:
        database.deliver([told(1), told(2)])
        database.clear()
        assert sequences(path) == []
    with opened(path) as database:
        assert database.opened.sequence == 2
        database.deliver([told(3)])
        assert sequences(path) == [3]
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("SELECT place FROM events").fetchall() == [(2,)]


def test_one_recorder_at_a_time(path: Path) -> None:
    with opened(path), pytest.raises(OSError, match="another recorder writes in"):
        EventDatabase(path, 100, patience=0.0)
    with opened(path):
        pass


def damage_head(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def damage_tables(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))


def spoil_first_page(path: Path) -> None:
    """Underneath who has it open, and of the journal all."""
    with path.open("r+b") as file:
        file.write(os.urandom(8192))
    os.truncate(f"{path}-wal", 0)


def be_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage_head, "damaged"),
        (damage_tables, "damaged"),
        (be_newer, f"schema-{len(MIGRATIONS) + 1}"),
    ],
)
def test_what_cannot_be_used_is_put_aside(path: Path, spoil: object, why: str) -> None:
    fill(path, [told(number) for number in range(200)])
    assert callable(spoil)
    spoil(path)
    spoilt = path.read_bytes()
    with opened(path) as database:
        assert database.opened.aside is not None
        name, aside, problem = database.opened.aside
        assert name == str(path)
        assert f"events.db.{why}." in aside
        assert problem
        assert Path(aside).read_bytes() == spoilt
        database.deliver([told(1)])
        assert sequences(path) == [1]


@pytest.mark.parametrize("notice", [EventDatabase.clear, EventDatabase.sync])
def test_damage_that_only_others_see(path: Path, notice: Callable[[EventDatabase], None]) -> None:
    with opened(path) as database:
        database.deliver([told(number) for number in range(1, 200)])
        database.keep({"total_sessions": 7}, ['{"id": 1}'], [])
        database._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        spoil_first_page(path)
        database.deliver([told(200)])
        with pytest.raises(UnavailableError, match="file is not a database"):
            sequences(path)
        notice(database)
        assert database.opened.aside is not None
        assert sequences(path) == []
        database.deliver([told(201)])
        assert sequences(path) == [201]
        assert read_totals(path) == {"total_sessions": 7}
        assert read_ended(path, lambda row: True, 1, 10).total == 1


@pytest.mark.parametrize("spoil", ["events", "version"])
def test_totals_are_taken_out_of_what_is_put_aside(path: Path, spoil: str) -> None:
    with opened(path) as database:
        database.keep({"total_sessions": 7}, ['{"id": 1}', '{"id": 2}'], [])
        database.deliver([told(number, "x" * 5000) for number in range(200)])
    if spoil == "version":
        be_newer(path)
    else:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(bytes(path.stat().st_size // 2))
    with opened(path) as database:
        assert database.opened.aside is not None
    assert read_totals(path) == {"total_sessions": 7}
    assert read_ended(path, lambda row: True, 1, 10).total == 2


def test_what_was_emptied_counts_as_kept(path: Path) -> None:
    with opened(path) as database:
        database.deliver([told(1)])
        database.clear(5)
        assert database.kept == 5
    with opened(path) as database:
        assert database.opened == Opened(5, 5)
        database.deliver([told(2)])
    assert sequences(path) == [6]


def test_damage_in_the_midst_of_work(path: Path) -> None:
    with opened(path) as database:
        database.deliver([told(number, "x" * 5000) for number in range(200)])
        database._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage_tables(path)
        database._db.execute("PRAGMA cache_size=0")
        with pytest.raises(OSError, match="is damaged and was put aside"):
            database.deliver([told(number, "x" * 5000) for number in range(200, 400)])
        database.deliver([told(400)])
        assert sequences(path) == [400]
        assert database.opened.aside is not None
