"""Several processes at one store, some of them killed: what was acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from fastpptp.errors import UnavailableError
from fastpptp.settings import profiles
from fastpptp.store import Store
from tests.unit.store.conftest import Place
from tests.unit.store.writer import MANY

pytestmark = pytest.mark.slow

WRITERS = 4
SEED = 20_041


@pytest.fixture
def kills(soak: bool) -> int:
    return 200 if soak else 25


@pytest.fixture
def edits(soak: bool) -> int:
    """Of each writer."""
    return 300 if soak else 40


class Writer:
    """The other end of tests/unit/store/writer.py."""

    def __init__(self, place: Place) -> None:
        words = [sys.executable, "-m", "tests.unit.store.writer", place.url, str(place.key)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, job: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def lines(self) -> Iterator[str]:
        """What is said until the job ends."""
        while (line := self.line()) not in ("", "end"):
            yield line

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait(20)


@contextmanager
def writers(place: Place, count: int) -> Iterator[list[Writer]]:
    made = [Writer(place) for _ in range(count)]
    try:
        for writer in made:
            assert writer.line() == "ready"
        yield made
    finally:
        for writer in made:
            writer.close()


def acknowledged(lines: Iterator[str] | list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("done")]


def with_users(store: Store, count: int) -> None:
    with store.edit() as draft:
        for number in range(count):
            draft.add_user(f"user{number}", {"password": "secret99"})


def test_writers_at_once_lose_nothing(place: Place, store: Store, edits: int) -> None:
    """Of a setting that all of them count up, and of one of its own that each has."""
    with_users(store, WRITERS)
    before = store.revision()
    with writers(place, WRITERS) as made:
        for number, writer in enumerate(made):
            writer.ask(f"count {number} {edits}")
        for writer in made:
            assert acknowledged(writer.lines()) == list(range(1, edits + 1))
    tree = store.tree()
    assert tree.section("pptp")["max_tunnels"] == WRITERS * edits
    assert store.revision() == before + WRITERS * edits
    for number in range(WRITERS):
        assert tree.users[f"user{number}"].attributes["idle_timeout"] == edits
    counted = store.history(path="pptp.max_tunnels", limit=WRITERS * edits + 1)
    assert [change.new for change in counted] == [
        str(number) for number in range(WRITERS * edits, 0, -1)
    ]


def test_a_writer_waits_and_then_says_so(
    place: Place, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpptp.store.engine.BUSY_MS", 1)
    with place.open() as other, store.edit() as draft:
        draft.set_base({"idle_timeout": 1})
        with pytest.raises(UnavailableError) as caught, other.edit():
            pass
    assert caught.value.what == f"store {place.url}: database is locked"
    assert caught.value.remedy == "another process holds it for long: try again"


def killed(writer: Writer, job: str, rng: random.Random, longest: float) -> list[int]:
    """What a job acknowledged before SIGKILL struck it, at some moment of an edit."""
    writer.ask(job)
    pid = int(writer.line().removeprefix("pid "))
    lines = [writer.line() for _ in range(rng.randrange(4))] if "rise" in job else []
    time.sleep(rng.uniform(0, longest))  # no event tells where in an edit the other process is
    with suppress(ProcessLookupError):  # it was faster
        os.kill(pid, signal.SIGKILL)
    return acknowledged([*lines, *writer.lines()])


def test_killed_in_mid_write(place: Place, store: Store, kills: int) -> None:
    """It opens clean, with all that was acknowledged, and with no half of an edit."""
    with_users(store, MANY)
    store.close()
    rng, last = random.Random(SEED), 0
    with writers(place, 1) as (writer,):
        for _ in range(kills):
            done = killed(writer, f"rise {last + 1}", rng, 0.03)
            told = max(done, default=last)
            assert place.sql("PRAGMA integrity_check") == [("ok",)]
            with place.open() as again:
                tree, newest = again.tree(), again.history(path="pptp", limit=1)
            last = tree.section("pptp").get("max_tunnels", 0)
            assert told <= last <= told + 1
            assert last == 0 or newest[0].new == str(last)
            many = {
                tree.users[f"user{user}"].attributes.get("idle_timeout") for user in range(MANY)
            }
            assert many == {last // 3 * 3 or None}
    assert last > kills


def test_killed_while_it_is_made(place: Place, kills: int) -> None:
    """What is there is a store, or nothing that keeps one from being made."""
    rng = random.Random(SEED)
    place.file.parent.mkdir()
    with writers(place, 1) as (writer,):
        for _ in range(max(10, kills // 5)):
            for path in place.file.parent.iterdir():
                path.unlink()
            done = killed(writer, "create", rng, 0.2)
            with opened_or_made(place, done) as store:
                assert store.tree() == profiles.default()


def opened_or_made(place: Place, done: list[int]) -> Store:
    try:
        return place.open()
    except UnavailableError as error:
        if done or "run `fastpptp init`" not in error.remedy:
            raise
        return Store.create(place.url, place.key, profiles.default())
