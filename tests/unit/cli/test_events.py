"""fastpptp events while no headend runs: it reads what the last one left."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastpptp.events.log import EventQuery
from fastpptp.recorder.query import read
from tests.unit.cli.conftest import Installation
from tests.unit.recorder.support import NOON, fill, told

RECORDS = [
    told(1, "Tunnel to peer 0.0.0.7 established", client=7),
    told(2, "User [alice]\nAuthenticated", cls="PPP", severity=5, client=7, user="alice",
         seconds=60),
    told(5, "User [bob] Group [sales] connected", cls="AUTH", group="sales", user="bob",
         seconds=120),
    told(6, "Tunnel to peer 0.0.0.8 established", client=8, seconds=180),
]  # fmt: skip


@pytest.fixture
def left(installed: Installation) -> Installation:
    """An installation whose headend has run."""
    fill(installed.state / "events.db", RECORDS)
    return installed


def numbers(left: Installation, *words: str) -> list[int]:
    found: list[dict[str, int]] = left.json("events", *words)
    return [event["sequence"] for event in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", [1, 2, 5, 6]),
        ("--newest-first", [6, 5, 2, 1]),
        ("--class PPP,AUTH", [2, 5]),
        ("--severity 4", [1, 5, 6]),
        ("--severity 5-13", [2]),
        ("--client 0.0.0.7", [1, 2]),
        ("--client 0.0.0.0", [1, 2, 5, 6]),
        ("--group sales", [5]),
        ("--user alice", [2]),
        ("--text TUNNEL", [1, 6]),
        ("--text peer --client 0.0.0.8", [6]),
        ("--since 2026-01-02T12:01:00+00:00", [2, 5, 6]),
        ("--until 2026-01-02T12:01:00+00:00", [1, 2]),
        ("--since 1m", []),
        ("--per-page 2", [5, 6]),
        ("--per-page 2 --page first", [1, 2]),
        ("--per-page 3 --page 2", [6]),
        ("--per-page 3 --page last", [6]),
        ("--per-page 3 --page last --newest-first", [1]),
    ],
)
def test_filters_and_pages(left: Installation, words: str, found: list[int]) -> None:
    assert numbers(left, *words.split()) == found


def test_a_time_as_the_log_prints_it(left: Installation) -> None:
    local = NOON.astimezone()
    at = f"{local:%m/%d/%Y %H:%M}:59"
    assert numbers(left, "--since", at) == [2, 5, 6]
    assert numbers(left, "--until", f"{at}.500") == [1]


def test_people_see_the_products_lines(left: Installation) -> None:
    result = left.run("events", "--page", "1", "--per-page", "1")
    assert result.output.splitlines()[-2:] == [
        "Tunnel to peer 0.0.0.7 established", "page 1 of 4, 4 events",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--class", "PTPP"), "class: 'PTPP' is not valid (allowed: any of ADDRESS, AUTH"),
        (("--severity", "14"), "severity: '14' is not valid (allowed: 1 to 13"),
        (("--client", "x"), "client: 'x' is not valid (allowed: an IPv4 address"),
        (("--since", "soon"), "since: 'soon' is not valid (allowed: 2026-01-31T18:00"),
        (("--until", "13/32/2026 00:00:00"), "until: '13/32/2026 00:00:00' is not valid"),
        (("--since", "999999999d"), "since: '999999999d' is not valid"),
        (("--per-page", "0"), "per_page: '0' is not valid (allowed: 1 to 10000)"),
        (("--page", "next"), "page: 'next' is not valid (allowed: 1 to 1000000000, first, last)"),
    ],
)
def test_wrong_words_are_named(left: Installation, words: tuple[str, ...], said: str) -> None:
    assert said in left.failed(4, "events", *words)


def test_a_word_that_is_not_utf_8(left: Installation) -> None:
    assert r"an argument is not UTF-8: \udcff" in left.failed(2, "events", "--user", "\udcff")


def test_follow_is_no_page(left: Installation) -> None:
    assert "--follow goes neither" in left.failed(2, "events", "--follow", "--page", "1")


def test_saved_as_printed_as_json_and_as_csv(left: Installation, tmp_path: Path) -> None:
    text, listed, table = tmp_path / "text", tmp_path / "json", tmp_path / "csv"
    assert left.done("events", "save", str(text)) == f"4 events written to {text}.\n"
    assert text.read_text() == left.done("events")
    assert left.done("events", "save", "-") == left.done("events")
    left.done("events", "save", str(listed), "--format", "json", "--class", "PPP")
    assert json.loads(listed.read_text()) == left.json("events", "--class", "PPP")
    left.done("events", "save", str(table), "--format", "csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows] == ["1", "2", "5", "6"]
    assert rows[1]["text"] == "User [alice]\nAuthenticated"
    assert rows[0]["user"] == ""
    assert left.failed(1, "events", "save", str(text)) == (
        f"fastpptp: {text} exists: name another file, or remove it\n"
    )
    missing = tmp_path / "missing" / "events"
    said = f"fastpptp: {missing}: No such file or directory\nchoose another place\n"
    assert left.failed(3, "events", "save", str(missing)) == said
    left.done("events", "save", str(tmp_path / "none"), "--format", "json", "--user", "nobody")
    assert json.loads((tmp_path / "none").read_text()) == []


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_spreadsheet_calculates_what_a_peer_wrote(
    installed: Installation, tmp_path: Path, begin: str
) -> None:
    hostile, text = f'{begin}cmd|"/c calc",A1', f"{begin}1+1"
    records = [told(1, text, user=hostile, group=hostile), told(2, "Quiet", user=f"a{begin}1")]
    fill(installed.state / "events.db", records)
    table = tmp_path / "csv"
    installed.done("events", "save", str(table), "--format", "csv")
    with table.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["user"], first["group"]) == (f"'{hostile}", f"'{hostile}")
    assert second["user"] == f"a{begin}1"
    shown, _ = installed.json("events")
    assert (shown["user"], shown["group"]) == (hostile, hostile)
    assert first["text"] == (f"'{shown['text']}" if shown["text"][0] == begin else shown["text"])


def test_emptied_and_a_damaged_one_put_aside(left: Installation) -> None:
    path = left.state / "events.db"
    assert left.done("events", "clear") == "The event log is empty.\n"
    assert read(path, EventQuery()).total == 0
    path.write_bytes(b"not a database" * 1000)
    assert "cannot be read" in left.failed(3, "events")
    left.done("events", "clear")
    assert numbers(left) == []
    assert list(left.state.glob("events.db.damaged.*"))


def test_a_log_whose_numbers_began_again_is_read_to_its_end(
    installed: Installation, tmp_path: Path
) -> None:
    """Logs of versions that let them may be about."""
    path = installed.state / "events.db"
    fill(path, [told(number) for number in (70, 71, 72, 73, 74)])
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE events SET sequence = sequence - 72 WHERE sequence > 72")
        raw.commit()
    out = tmp_path / "out"
    assert installed.done("events", "save", str(out)) == f"5 events written to {out}.\n"


def test_sinks_want_a_headend(left: Installation) -> None:
    assert "no headend is running" in left.failed(3, "events", "sinks")
