"""Children of the headend: start, end, start again, and a bounded stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from fastpptp.server import child as module
from fastpptp.server.child import Child

ECHO = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.socket(fileno=int(sys.argv[1])) as lifeline:
    lifeline.sendall(sys.argv[2].encode())
    while lifeline.recv(100):
        pass
    {end}
"""


class Watched:
    """A Child, and what it is told."""

    def __init__(self, name: str) -> None:
        self.sockets: list[socket.socket] = []
        self.reasons: list[str] = []
        self.child = Child(name, "word", started=self.sockets.append, ended=self.reasons.append)

    async def until(self, starts: int) -> None:
        async with asyncio.timeout(10):
            while len(self.sockets) < starts:
                await asyncio.sleep(0.01)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the child finds its modules."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "good_child.py").write_text(ECHO.format(end=""))
    (tmp_path / "deaf_child.py").write_text(ECHO.format(end="import time; time.sleep(60)"))
    (tmp_path / "bad_child.py").write_text("raise SystemExit(7)\n")
    return tmp_path


def test_it_hears_us_and_ends_with_us(made: Path) -> None:
    watched = Watched("good_child")
    watched.child.start()
    assert watched.sockets[0].recv(100) == b"word"
    pid = watched.child.pid
    assert pid is not None
    watched.child.stop()
    assert watched.child.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert watched.reasons == []


def test_one_that_does_not_end_is_ended(made: Path) -> None:
    watched = Watched("deaf_child")
    watched.child.start()
    assert watched.sockets[0].recv(100) == b"word"
    began = time.monotonic()
    watched.child.stop(0.2)
    assert 0.2 <= time.monotonic() - began < 5


def test_one_that_is_killed_is_started_again(made: Path) -> None:
    async def test() -> None:
        watched = Watched("good_child")
        watched.child.start()
        watched.child.supervise()
        assert watched.sockets[0].recv(100) == b"word"
        assert watched.child.pid is not None
        os.kill(watched.child.pid, signal.SIGKILL)
        await watched.until(2)
        assert watched.reasons == ["SIGKILL"]
        watched.child.detach()
        assert watched.sockets[1].recv(100) == b"word"
        watched.child.stop()

    asyncio.run(test())


def test_one_that_fails_at_once_is_tried_less_and_less(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART", 0.01)

    async def test() -> None:
        watched = Watched("bad_child")
        watched.child.start()
        watched.child.supervise()
        began = time.monotonic()
        await watched.until(4)
        assert time.monotonic() - began >= 0.02 + 0.04 + 0.08
        assert set(watched.reasons) == {"exit status 7"}
        watched.child.stop()

    asyncio.run(test())


def test_no_interpreter_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    watched = Watched("good_child")
    with pytest.raises(FileNotFoundError):
        watched.child.start()
    watched.child.stop()
