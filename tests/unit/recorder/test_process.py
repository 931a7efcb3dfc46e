"""The recorder's loop, at the end of a socket pair as the headend has it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fastpptp.events.catalogue import occur
from fastpptp.events.log import EventQuery, EventRecord
from fastpptp.events.routing import Destination, Mail, MailRecipient, MailSecurity, MailServer
from fastpptp.recorder import outlets
from fastpptp.recorder.files import Console, LogFile
from fastpptp.recorder.process import Recorder
from fastpptp.recorder.query import read
from fastpptp.recorder.wire import Frames, Setup, frame, freeze, pack
from tests.unit.recorder.support import NOON

MAILED = frozenset({Destination.LOG, Destination.EMAIL})


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that says nothing to whom it lets in."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def mail(server: socket.socket) -> Mail:
    where = MailServer("127.0.0.1", server.getsockname()[1], MailSecurity.NONE)
    return Mail((where,), (MailRecipient("ops@example.com", 5),), "vpn@example.com")


def records(*numbers: int) -> list[Any]:
    happened = occur("SYSTEM", 123, problem="x")
    return [pack(EventRecord(number, NOON, 1, happened, MAILED)) for number in numbers]


def run(setup: Setup, headend: Callable[[socket.socket], None]) -> None:
    """A recorder from its beginning until `headend` has done all that it says."""
    ours, theirs = socket.socketpair()
    with theirs, ThreadPoolExecutor(1) as pool:
        running = pool.submit(Recorder(theirs).run)
        with ours:
            ours.sendall(frame("begin", freeze(setup)))
            headend(ours)
            ours.shutdown(socket.SHUT_WR)
            running.result()


def texts(folder: Path) -> list[tuple[int, int, str]]:
    found = read(folder / "events.db", EventQuery()).records
    return [(record.sequence, record.number, record.text()) for record in found]


def said(sink: Mail, count: int) -> str:
    return (
        f"{count} events that waited for the {sink} when it was closed are lost: "
        "it did not take them in time"
    )


def test_what_a_server_that_hangs_costs_at_the_end_is_told(
    tmp_path: Path,
    silent: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(outlets, "FINISH", (0.0, 60.0, 60.0))
    sink, log_file = mail(silent), tmp_path / "log"
    setup = Setup(tmp_path / "events.db", (LogFile(log_file), Console()), 1000, (sink,))

    def headend(end: socket.socket) -> None:
        end.sendall(frame("records", records(7, 8, 9)) + frame("stop"))

    run(setup, headend)
    logged = texts(tmp_path)
    assert [entry[:2] for entry in logged] == [(7, 123), (8, 123), (9, 123), (10, 137)]
    assert logged[-1][2] == said(sink, 3)
    assert said(sink, 3) in log_file.read_text()
    assert said(sink, 3) in capfd.readouterr().err


def test_what_a_sink_costs_that_the_policy_gives_up_is_told(
    tmp_path: Path, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends by itself, later; then the headend hears of it."""
    sink = mail(silent)
    setup = Setup(tmp_path / "events.db", (), 1000, (sink,))

    def headend(end: socket.socket) -> None:
        end.sendall(frame("records", records(1, 2)) + frame("follow", 1000, freeze(())))
        connection, _ = silent.accept()
        connection.close()
        frames = Frames()
        heard: list[Any] = []
        while not any(name == "tell" for name, *_ in heard):
            heard += frames.feed(end.recv(1 << 16))
        told = next(words for name, *words in heard if name == "tell")
        assert told[:2] == ["SYSTEM", 137]
        assert (told[2]["sink"], told[2]["count"]) == (str(sink), "2")
        assert "unexpectedly closed" in told[2]["problem"]

    run(setup, headend)
    assert [number for _, number, _ in texts(tmp_path)] == [123, 123]


def test_an_end_before_the_beginning_is_one(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        Recorder(theirs).run()
