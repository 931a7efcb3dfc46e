"""What the machine does to a headend while sessions come up: children killed, disks full."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastpptp.recorder.past import read_totals
from tests.headend import Headend
from tests.hosts import Host, Hosts
from tests.load import Load, Watch, configuration

SERVER, CLIENT = "192.0.2.1", "192.0.2.11"
SESSIONS = 50

pytestmark = pytest.mark.netns


@dataclass
class Site:
    """A server's host, a host of many clients, and a small disk of the server's."""

    server: Host
    client: Host
    disk: Path
    folder: Path

    @contextmanager
    def headend(self) -> Iterator[Headend]:
        """With its state on the disk, and its console elsewhere."""
        made = Headend(self.server, self.disk, SERVER)
        made.log = self.folder / "console.log"
        with made:
            text = configuration().replace("capacity = 100", "capacity = 5000")
            made.import_configuration(text)
            yield made

    @contextmanager
    def clients(self) -> Iterator[Load]:
        """They dial, four at a time, and stay."""
        words = ("--source", CLIENT, "--sessions", SESSIONS, "--in-flight", 4)
        with Load(self.client, self.folder / "load.log", SERVER, *words) as load:
            yield load


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=True)
    try:
        yield Site(server, client, disk, tmp_path)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def children(process: Path) -> list[int]:
    found = (task / "children" for task in (process / "task").iterdir())
    return [int(pid) for path in found for pid in path.read_text().split()]


def logins(headend: Headend) -> list[int]:
    """Sequence numbers of AUTH/22 in the event log."""
    found: list[dict[str, Any]] = headend.json("events", "--class", "AUTH", "--per-page", "5000")
    return [event["sequence"] for event in found if event["number"] == 22]


def fill(disk: Path) -> Path:
    """Leave no room on it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def told(headend: Headend, number: int) -> list[str]:
    """Texts of SYSTEM/`number`."""
    found = headend.json("events", "--class", "SYSTEM", "--per-page", "5000")
    return [event["text"] for event in found if event["number"] == number]


def tried(headend: Headend, *words: str) -> tuple[int, str]:
    """A command's exit status and all that it says, which is never a traceback."""
    done = headend.host.run(*headend.command(*words), check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return done.returncode, said


ADD = ("user", "add", "x", "--password", "secret99")
UNAVAILABLE = 3


def test_children_are_killed(site: Site) -> None:
    with site.headend() as headend, site.clients() as load:
        process = Watch(headend).process
        rounds = (5, 20, 35)
        for count in rounds:
            headend.wait(lambda: len(headend.sessions()) >= count, "takes no calls")  # noqa: B023
            headend.wait(lambda: children(process), "has no children")
            for child in children(process):
                os.kill(child, signal.SIGKILL)
        load.wait_for("up")
        assert len(headend.sessions()) == SESSIONS
        headend.wait(lambda: len(logins(headend)) >= SESSIONS, "lost events")
        assert len(set(logins(headend))) == len(logins(headend)) == SESSIONS
        assert ["SIGKILL" in text for text in told(headend, 131)] == [True] * len(rounds)


def test_the_disk_is_full(site: Site) -> None:
    with site.headend() as headend:
        ballast = fill(site.disk)
        with site.clients() as load:
            load.wait_for("up")
            assert len(headend.sessions()) == SESSIONS
            status, said = tried(headend, *ADD)
            assert status == UNAVAILABLE
            assert f"its disk, mounted at {site.disk}, is full" in said
            assert tried(headend, "events")[0] == 0
            ballast.unlink()
            headend.wait(lambda: len(logins(headend)) == SESSIONS, "lost events", 40)
            headend.wait(lambda: told(headend, 135), "does not say that all is well")
            assert told(headend, 134)
            assert tried(headend, *ADD)[0] == 0


def test_killed_and_started_on_a_full_disk(site: Site) -> None:
    with site.headend() as headend:
        with site.clients() as load:
            load.wait_for("up")
        database = headend.state / "events.db"
        headend.wait(
            lambda: read_totals(database).get("total_sessions") == SESSIONS, "keeps no totals"
        )
        kill(headend)
        ballast = fill(site.disk)
        headend.start()
        assert counted(headend) == SESSIONS
        with site.clients() as load:
            load.wait_for("up")
        headend.wait(lambda: "SYSTEM/134" in headend.log.read_text(), "does not say it is full")
        ballast.unlink()
        headend.wait(lambda: told(headend, 135), "does not say that all is well", 40)
        (was_not_closed,) = told(headend, 130)
        assert "may be missing" in was_not_closed
        saved = json.loads(headend.cli("events", "save", "-", "--format", "json"))
        numbers = [event["sequence"] for event in saved]
        assert numbers == sorted(set(numbers))
        assert len(logins(headend)) == 2 * SESSIONS
        fill(site.disk)
        with site.clients() as load:
            load.wait_for("up")
        ballast.unlink()
        assert headend.stop() == 0
        headend.start()
        assert counted(headend) == 3 * SESSIONS
        ended = headend.json("sessions", "--ended", "--per-page", "1000")
        assert len(ended) == 3 * SESSIONS


def counted(headend: Headend) -> int:
    """Sessions since the installation."""
    found: int = headend.json("statistics")["since_installation"]["total_sessions"]
    return found


def kill(headend: Headend) -> None:
    """It and its children, at once."""
    assert headend.process is not None
    process = Watch(headend).process
    ends = [os.pidfd_open(pid) for pid in (int(process.name), *children(process))]
    for end in ends:
        signal.pidfd_send_signal(end, signal.SIGKILL)
    for end in ends:
        select.select([end], [], [], 20)
        os.close(end)
    headend.process.wait(20)
    (headend.state / "admin.sock").unlink()


def test_a_start_on_a_full_disk(site: Site) -> None:
    """With no index of the store's journal there, not even a reader can have it."""
    with site.headend() as headend:
        pass
    fill(site.disk)
    for words in (("user", "list"), ("serve", "--listen", SERVER)):
        status, said = tried(headend, *words)
        assert status == UNAVAILABLE
        assert f"{headend.state}/fastpptp.db: its disk, mounted at {site.disk}, is full" in said
        assert "make room on it" in said
    status, said = tried(headend, "events")
    assert status == 0
    assert "SYSTEM/101" in said


def test_the_disk_is_read_only(site: Site) -> None:
    with site.headend() as headend:
        pass
    subprocess.run(["mount", "-o", "remount,ro", site.disk], check=True)
    status, said = tried(headend, "events")
    assert status == 0
    assert "SYSTEM/101" in said
    for words in (ADD, ("user", "list"), ("config", "export"), ("serve", "--listen", SERVER)):
        status, said = tried(headend, *words)
        assert status == UNAVAILABLE
        assert f"{headend.state}/fastpptp.db: its disk is read-only" in said
        assert f"mount -o remount,rw {site.disk}" in said
