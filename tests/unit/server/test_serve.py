"""`serve` without a machine of its own: signals, control socket, systemd, reloads."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fastpptp.admin.client import AdminClient
from fastpptp.bootstrap import Bootstrap
from fastpptp.cli import cli
from fastpptp.errors import ConfigurationError
from fastpptp.events.catalogue import occur
from fastpptp.events.routing import EventPolicy
from fastpptp.manager.overruns import WANTED_BUFFER
from fastpptp.server.notify import keep_watchdog
from fastpptp.server.preflight import listen
from fastpptp.server.recording import Recording
from fastpptp.server.reloading import changes
from fastpptp.server.serve import Service
from fastpptp.settings import profiles
from fastpptp.store import Store
from tests.unit.server.support import LOOPBACK, LoopDataplane, until
from tests.unit.server.test_backends import Recorder, reach


class FakeMachine:
    """What Machine gives, without root."""

    def __init__(self) -> None:
        self.listeners = listen([LOOPBACK], 0)
        self.dataplane = LoopDataplane()
        self.reach = reach(Recorder())
        self.follow = self.reach.follow
        self.notices = [occur("SYSTEM", 122, feature="nftables", problem="absent")]
        self.receive_buffer = 2 * WANTED_BUFFER


class Running:
    """A service that is ready."""

    def __init__(self, service: Service, bootstrap: Bootstrap, said: list[str]) -> None:
        self.service = service
        self.bootstrap = bootstrap
        self.said = said
        self.client = AdminClient(bootstrap.admin_path)

    async def events(self) -> list[str]:
        found = await asyncio.to_thread(self.client.events)
        return [f"{e['class']}/{e['number']} {e['text']}" for e in found["events"]]

    async def seen(self, text: str) -> str:
        """The event that holds `text`, once it is there."""
        while True:
            for line in await self.events():
                if text in line:
                    return line


def serve(
    tmp_path: Path, test: Callable[[Running], Awaitable[None]], config: str = ""
) -> list[str]:
    """Run `test` on a service and end it by SIGTERM; what the service printed."""
    file = tmp_path / "fastpptp.toml"
    file.write_text(config)
    bootstrap = Bootstrap(state_directory=tmp_path)
    Store.create(bootstrap.store_url, bootstrap.key_path, profiles.default()).close()
    said: list[str] = []

    async def whole(store: Store, recording: Recording) -> None:
        service = Service(bootstrap, store, recording, file, said.append)
        machine: Any = FakeMachine()
        task = asyncio.create_task(service.run(machine))
        await until(lambda: bool(said) or task.done())
        if not task.done():
            await asyncio.wait_for(test(Running(service, bootstrap, said)), 10)
            os.kill(os.getpid(), signal.SIGTERM)
        await task
        machine.dataplane.close()

    with Recording(bootstrap.events_path, None, EventPolicy()) as recording:
        asyncio.run(whole(Store.open(bootstrap.store_url, bootstrap.key_path), recording))
    return said


def test_it_is_ready_and_goes_on_sigterm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(running: Running) -> None:
        assert await running.seen("nftables is not available: absent")
        assert systemd.recv(100) == b"READY=1"

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        said = serve(tmp_path, test)
        assert systemd.recv(100) == b"STOPPING=1"
    assert len(said) == 1
    assert said[0].startswith("127.0.0.1:")
    assert not (tmp_path / "admin.sock").exists()


def test_where_events_go_is_counted(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        sinks: list[dict[str, Any]] = []
        async with asyncio.timeout(10):
            while sum(sink["delivered"] for sink in sinks) < 4:
                sinks = await asyncio.to_thread(running.client.sinks)
        assert [sink["name"] for sink in sinks] == ["event log", "console"]
        assert all(sink["lost"] == 0 and sink["error"] == "" for sink in sinks)
        told = await asyncio.to_thread(CliRunner().invoke, cli, ["events", "sinks",
                                       "--state-dir", str(tmp_path)])  # fmt: skip
        assert told.output.splitlines()[0].split() == [
            "Sink", "Delivered", "Lost", "Waiting", "Error",
        ]  # fmt: skip
        (line,) = [line for line in told.output.splitlines() if line.startswith("event log")]
        assert line.split()[-3] == "0"

    serve(tmp_path, test)


def test_sighup_follows_the_store(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        bootstrap = running.bootstrap
        with Store.open(bootstrap.store_url, bootstrap.key_path) as store, store.edit() as draft:
            draft.add_user("alice", {"password": "secret12"})
        os.kill(os.getpid(), signal.SIGHUP)
        assert await running.seen("CONFIG/101") == "CONFIG/101 Configuration reloaded, revision 3"

    serve(tmp_path, test)


@pytest.mark.parametrize(
    ("config", "event"),
    [
        ("port = 99\n", "CONFIG/100 Configuration changed: port in the bootstrap file"),
        ("port = 0\n", "CONFIG/102 Configuration refused, nothing has changed: "),
    ],
)
def test_sighup_reads_the_bootstrap_file(tmp_path: Path, config: str, event: str) -> None:
    async def test(running: Running) -> None:
        (tmp_path / "fastpptp.toml").write_text(config)
        os.kill(os.getpid(), signal.SIGHUP)
        assert await running.seen(event)
        if "refused" in event:
            assert not any("CONFIG/101" in line for line in await running.events())

    serve(tmp_path, test)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("port = 0\nstate_directory = {state}\n", ()),
        ("port = 0\n", ("--state-dir", "{state}")),
        ("port = \n", ("--state-dir", "{state}")),
    ],
)
def test_the_command_line_has_a_wrong_bootstrap_file_refused(
    tmp_path: Path, text: str, options: tuple[str, ...]
) -> None:
    """By the headend, whose event log has it, as of SIGHUP."""

    async def test(running: Running) -> None:
        file = tmp_path / "fastpptp.toml"
        file.write_text(text.format(state=f'"{tmp_path}"'))
        words = ["reload", "--config", str(file), *(o.format(state=tmp_path) for o in options)]
        done = await asyncio.to_thread(CliRunner().invoke, cli, words)
        assert (done.exit_code, str(file) in done.output) == (4, True)
        assert await running.seen("CONFIG/102 Configuration refused, nothing has changed: ")
        assert not any("CONFIG/101" in line for line in await running.events())

    serve(tmp_path, test)


def told(systemd: socket.socket) -> list[str]:
    """What systemd was told since it was last looked."""
    systemd.setblocking(False)
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(systemd.recv(1000).decode())
    return found


def test_systemd_hears_of_a_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RELOADING=1 with the monotonic clock, then READY=1, well or not (Type=notify-reload)."""

    async def test(running: Running) -> None:
        assert told(systemd) == ["READY=1"]
        before = time.monotonic_ns() // 1000
        assert await asyncio.to_thread(running.client.reload) == {"revision": 2, "restart": []}
        reloading, ready = told(systemd)
        assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert before <= int(reloading.rpartition("=")[2]) <= time.monotonic_ns() // 1000
        assert ready == "READY=1\nSTATUS=Follows revision 2 of the store"
        (tmp_path / "fastpptp.toml").write_text("port = 99\nworkers = 3\n")
        done = await asyncio.to_thread(running.client.reload)
        assert done["restart"] == ["port", "workers"]
        told(systemd)
        (tmp_path / "fastpptp.toml").write_text("port = 0\n")
        with pytest.raises(ConfigurationError, match="port: 0 is not valid"):
            await asyncio.to_thread(running.client.reload)
        assert told(systemd)[1].startswith("READY=1\nSTATUS=Reload refused: ")
        assert not told(systemd)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        serve(tmp_path, test)


def test_systemd_hears_that_the_loop_turns_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(running: Running) -> None:
        for _ in range(3):
            assert await asyncio.to_thread(systemd.recv, 100) in (b"READY=1", b"WATCHDOG=1")
        told(systemd)
        assert select.select([systemd], [], [], 0.2) == ([], [], [])  # this holds the loop
        systemd.setblocking(True)
        assert await asyncio.to_thread(systemd.recv, 100) == b"WATCHDOG=1"

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        serve(tmp_path, test)


def test_systemd_watches_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
        asyncio.run(keep_watchdog())
        assert not told(systemd)


def test_events_from_other_threads(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        occurrence = occur("SYSTEM", 123, problem="routes")
        await asyncio.to_thread(running.service.record_later, occurrence)
        assert await running.seen("Internal error: routes")

    serve(tmp_path, test)


def test_what_changed() -> None:
    before = Bootstrap()
    assert changes(before, before) == []
    assert changes(before, replace(before, port=1, tun="x")) == ["port", "tun"]
