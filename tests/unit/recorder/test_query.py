"""The index against a model in plain Python: what EventLog says, events.db must say."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import UnavailableError
from fastpptp.events.log import EVERY_CLIENT, LAST_PAGE, EventLog, EventQuery, EventRecord
from fastpptp.events.routing import EventPolicy
from fastpptp.recorder import query as module
from fastpptp.recorder import terms
from fastpptp.recorder.query import read
from tests.unit.recorder.support import NOON, fill, opened, told

CLASSES = ("PPTP", "PPP", "AUTH")
WORDS = ("Tunnel to peer", "Session started", "ıİẞß", "User [äÖ]\nfailed", "a", "10.0.0.12", "")


def records(count: int, seed: int) -> list[EventRecord]:
    """Events with gaps in their numbers, and a clock that was set back now and then."""
    rng = Random(seed)
    made, sequence, seconds = [], 0, 0.0
    for _ in range(count):
        sequence += rng.choice((1, 1, 1, 5))
        seconds += rng.choice((0.0, 0.01, 1.0)) - (30 if rng.random() < 0.0005 else 0)
        words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))
        made.append(
            told(
                sequence, words, cls=rng.choice(CLASSES), severity=rng.randint(1, 13),
                client=rng.choice((None, 7, 8, 9)), group=rng.choice(("", "sales", "Base Group")),
                user=rng.choice(("", "alice", "bob", f"u{rng.randint(0, 99)}")),
                account=rng.choice(("", "alice", "u5", f"u{rng.randint(0, 99)}")),
                code=rng.choice(("", "", "throttled", "loopback")), seconds=seconds,
            )
        )  # fmt: skip
    return made


COUNT = 2 * terms.BLOCK + 1500
RECORDS = records(COUNT, 1)
FIRST = 700  # the oldest of the first block are gone


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some that were dropped, a block with some left, a whole block, and some of a third."""
    made = tmp_path_factory.mktemp("log") / "events.db"
    fill(made, RECORDS, capacity=COUNT - FIRST)
    return made


@pytest.fixture(scope="module")
def model() -> EventLog:
    log = EventLog(EventPolicy(capacity=COUNT - FIRST))
    for record in RECORDS:
        log.keep(record)
    return log


def some(values: tuple[object, ...]) -> st.SearchStrategy[object]:
    return st.frozensets(st.sampled_from(values), max_size=2)


MOMENTS = st.one_of(
    st.none(), st.integers(0, COUNT - 1).map(lambda at: RECORDS[at].wall),
    st.integers(-60, 20_000).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)  # fmt: skip
NUMBERS = st.one_of(st.none(), st.integers(0, RECORDS[-1].sequence + 2))
TEXTS = st.sampled_from(
    ("", "e", "E", "ß", "ee", "10", "a ", "]", "peer", "TUNNEL TO", "ÄÖ", "SS", "0.0.0.1",
     "started Tunnel", "peer a 10", "nowhere to be found", "\n", "r\n")
)  # fmt: skip
QUERIES = st.builds(
    EventQuery,
    classes=some(CLASSES),
    severities=some(tuple(range(1, 14))),
    client=st.sampled_from((EVERY_CLIENT, IPv4Address(7), IPv4Address(99))),
    group=st.sampled_from(("", "sales", "none")),
    user=st.sampled_from(("", "alice", "u5", "ALICE")),
    cause=st.sampled_from(("", "", "throttled", "shutdown")),
    since=MOMENTS,
    until=MOMENTS,
    text=TEXTS,
    after=NUMBERS,
    before=NUMBERS,
    newest_first=st.booleans(),
    per_page=st.sampled_from((1, 7, 100, 10_000)),
    page=st.sampled_from((1, 2, 3, 40, LAST_PAGE)),
)


def key(record: EventRecord) -> tuple[object, ...]:
    return (
        record.sequence, record.wall, record.repeat, record.cls, record.number, record.severity,
        record.peer, record.group, record.user, record.account, record.occurrence.cause,
        record.text(),
    )  # fmt: skip


@given(query=QUERIES)
def test_it_says_what_the_model_says(path: Path, model: EventLog, query: EventQuery) -> None:
    found, expected = read(path, query), model.query(query)
    if found.exact:
        assert list(map(key, found.records)) == list(map(key, expected.records))
        assert (found.page, found.pages, found.total) == (
            expected.page, expected.pages, expected.total,
        )  # fmt: skip
    else:
        assert found.total >= expected.total
        assert all(map(query.matches, found.records))
    assert found.newest == expected.newest


@pytest.mark.parametrize("text", ["0.0.0.1", "started Tunnel", "TUNNEL TO PEER"])
def test_where_not_all_is_read_no_event_is_missed(
    path: Path, model: EventLog, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ", 10)
    expected = model.query(EventQuery(text=text, per_page=10_000))
    first = read(path, EventQuery(text=text, per_page=100))
    assert not first.exact
    found = [
        record.sequence
        for page in range(1, first.pages + 1)
        for record in read(path, EventQuery(text=text, per_page=100, page=page)).records
    ]
    assert found[:10_000] == [record.sequence for record in expected.records]


def test_an_empty_log(tmp_path: Path) -> None:
    fill(tmp_path / "events.db", [])
    found = read(tmp_path / "events.db", EventQuery())
    assert (found.records, found.page, found.pages, found.total, found.newest) == ((), 1, 1, 0, 0)


def test_reading_while_it_is_written_and_emptied(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with opened(path) as database:
        database.deliver([told(1), told(2)])
        assert read(path, EventQuery()).total == 2
        database.clear()
        assert read(path, EventQuery()).total == 0
        database.deliver([told(3)])
        assert [record.sequence for record in read(path, EventQuery()).records] == [3]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with pytest.raises(UnavailableError, match="cannot be read"):
        read(path, EventQuery())
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(UnavailableError, match=r"cannot be read.*\n.*events clear begins"):
        read(path, EventQuery())
