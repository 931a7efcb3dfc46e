"""kill -9 of the recorder and of the headend under a load of logins: what is lost and said."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.headend import Headend
from tests.hosts import Hosts
from tests.load import Load, configuration

pytestmark = pytest.mark.netns

JUNK = """
import socket
for _ in range(300):
    with socket.create_connection(("192.0.2.1", 1723)) as peer:
        peer.sendall(bytes(200))
        peer.recv(1)
"""
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"


def recorder_of(headend: Headend) -> int:
    """The process id of its recorder."""
    assert headend.process is not None
    (found,) = (
        int(task.name)
        for task in Path("/proc").iterdir()
        if task.name.isdigit() and _is_recorder(task, headend.process.pid)
    )
    return found


def _is_recorder(task: Path, parent: int) -> bool:
    try:
        stat = (task / "stat").read_text().rpartition(")")[2].split()
        return int(stat[1]) == parent and b"fastpptp.recorder" in (task / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def logged(headend: Headend, path: Path) -> list[dict[str, Any]]:
    """The whole event log."""
    headend.cli("events", "save", str(path), "--format", "json")
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_kill_9_under_load(hosts: Hosts, tmp_path: Path) -> None:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
    log = tmp_path / "log"
    headend = Headend(server, tmp_path / "state", SERVER, options=("--log-file", str(log)))
    words = ("--source", CLIENT, "--cycle", "clean", "--sessions", 3000, "--in-flight", 10)
    with headend:
        headend.import_configuration(configuration().replace("capacity = 100", "capacity = 100000"))
        load = Load(client, tmp_path / "load.log", SERVER, *words)
        with load:
            headend.wait(lambda: log.stat().st_size > 20_000, "logs no logins")
            os.kill(recorder_of(headend), signal.SIGKILL)
            headend.wait(lambda: "SYSTEM/131" in log.read_text(), "does not replace its recorder")
            grown = log.stat().st_size + 20_000
            headend.wait(lambda: log.stat().st_size > grown, "logs no more logins")
            assert headend.process is not None
            headend.process.kill()
            headend.process.wait(10)
            for process in client.processes:
                process.kill()
        (headend.state / "admin.sock").unlink()
        headend.start()
        events = logged(headend, tmp_path / "events.json")
        sequences = [event["sequence"] for event in events]
        assert sequences == sorted(set(sequences))
        in_file = [int(head) for head in re.findall(r"^(\d+) \d\d/", log.read_text(), re.MULTILINE)]
        assert len(in_file) == len(set(in_file))
        assert set(in_file) <= set(sequences)
        replaced = next(event for event in events if event["number"] == 131)
        assert replaced["text"].endswith(", which lacks at most 0")
        told = next(
            event for event in events if (event["class"], event["number"]) == ("SYSTEM", 130)
        )
        before = max(number for number in sequences if number < told["sequence"])
        started = next(e for e in events if e["number"] == 100 and e["sequence"] > before)
        assert started["class"] == "SYSTEM"
        # The recorder had what the headend told it until it died: log and file end alike.
        assert f"within a second after event {before} (" in told["text"]
        assert max(number for number in in_file if number <= before) == before
        assert headend.stop() == 0
        # Without a headend the log is the same, and the clean end is in it.
        left = logged(headend, tmp_path / "left.json")
        assert left[: len(events)] == events
        assert left[-1]["text"] == "fastpptp stopped: SIGTERM"
        headend.start()
        since = headend.json("events", "--since", left[-1]["time"])
        assert not any(event["number"] == 130 for event in since)


def test_one_that_hangs_is_seen_from_outside(hosts: Hosts, tmp_path: Path) -> None:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")

    def log() -> dict[str, Any]:
        return next(row for row in headend.json("events", "sinks") if row["name"] == "event log")

    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.wait(lambda: log()["delivered"] > 0, "logs nothing")
        before = log()["delivered"]
        os.kill(recorder_of(headend), signal.SIGSTOP)
        client.run(sys.executable, "-c", JUNK)
        problem = "the recorder does not answer"
        headend.wait(lambda: log()["error"] == problem, "does not see that its recorder hangs")
        assert log()["delivered"] == before
        headend.wait(lambda: log()["error"] != problem, "does not replace it", timeout=40)
        headend.wait(lambda: log()["delivered"] >= before + 300, "has lost what waited")
        (said,) = (e["text"] for e in headend.json("events") if e["number"] == 131)
        assert said.startswith("The recorder ended (killed, for it did not answer for 20 s) and ")
        assert log()["lost"] == 0
