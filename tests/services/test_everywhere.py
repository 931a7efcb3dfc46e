"""A headend whose events go to every kind of sink at once, some of which are dead or deaf."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts
from tests.services.daemons import free_port
from tests.services.exim import Exim
from tests.services.rsyslog import Rsyslog
from tests.services.snmptrapd import TRAPS, Snmptrapd

SERVER = "192.0.2.1"
CONFIGURATION = """
[users.alice]
password = "secret12"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.20"

[events]
syslog = "1-5"
email = "1-5"
trap = "1-5"

[syslog_servers]
udp = {{ server = "127.0.0.1", port = {udp} }}
tcp = {{ server = "127.0.0.1", port = {tcp}, transport = "TCP" }}
unix = {{ server = "{folder}/rsyslog/log", transport = "unix" }}
deaf = {{ server = "{folder}/deaf", transport = "unix" }}
dead = {{ server = "127.0.0.1", port = {dead}, transport = "TCP" }}

[smtp_servers]
dead = {{ server = "127.0.0.1", port = {dead} }}
exim = {{ server = "127.0.0.1", port = {smtp} }}

[email_recipients]
"ops@example.com" = {{ max_severity = 5 }}

[trap_destinations]
nms = {{ destination = "127.0.0.1", port = {snmp}, community = "s3cret" }}
dead = {{ destination = "127.0.0.1", port = {dead} }}
"""


LIVE = {
    "event log", "console", "syslog server udp", "syslog server tcp", "syslog server unix",
    "trap destination nms",
}  # fmt: skip


class Everywhere:
    """The daemons on the headend's own host, and a headend that is told of them while it runs."""

    def __init__(self, folder: Path, headend: Headend) -> None:
        for name in ("rsyslog", "exim", "snmptrapd"):
            (folder / name).mkdir()
        self.rsyslog = Rsyslog(folder / "rsyslog", headend.host)
        self.exim = Exim(folder / "exim", headend.host)
        self.snmptrapd = Snmptrapd(folder / "snmptrapd", headend.host)
        self.headend = headend
        self._folder = folder

    def configure(self) -> None:
        text = CONFIGURATION.format(
            folder=self._folder,
            udp=self.rsyslog.udp,
            tcp=self.rsyslog.tcp,
            smtp=self.exim.port,
            snmp=self.snmptrapd.port,
            dead=free_port(),
        )
        self.headend.import_configuration(text)

    def sinks(self) -> dict[str, dict[str, Any]]:
        """Where each stands, by its name."""
        return {row["name"]: row for row in self.headend.json("events", "sinks")}

    def sequences(self, input_: str) -> list[int]:
        """Of the events that rsyslog got in this way, as they came."""
        lines = self.rsyslog.file.read_text().splitlines()
        return [int(line.split("\t")[-1].split()[0]) for line in lines if line.startswith(input_)]

    def trapped(self) -> list[int]:
        """The same of the traps that snmptrapd got."""
        text = self.snmptrapd.file.read_text()
        return [int(n) for n in re.findall(rf"{re.escape(TRAPS)}\.6\.0 = INTEGER: (\d+)", text)]

    def lives(self) -> set[str]:
        """The sinks with which all is well: nothing was lost and nothing waits."""
        well = (0, 0, "")
        return {
            name
            for name, row in self.sinks().items()
            if (row["lost"], row["waiting"], row["error"]) == well
        }


@pytest.fixture
def everywhere(hosts: Hosts, tmp_path: Path) -> Iterator[Everywhere]:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear,
        Headend(server, tmp_path / "state", SERVER) as headend,
    ):
        ear.bind(str(tmp_path / "deaf"))
        made = Everywhere(tmp_path, headend)
        with made.rsyslog, made.exim, made.snmptrapd:
            made.configure()
            yield made


def dial(client: Host, password: str) -> int:
    """The exit code of a dial that pings the headend, if it gets so far."""
    words = ("dial", SERVER, "--user", "alice", "--password", password, "--ping", INNER,
             "--count", "1")  # fmt: skip
    return client.run(sys.executable, "-m", "fastpptp", *words, check=False).returncode


def test_all_that_lives_gets_all(everywhere: Everywhere, hosts: Hosts) -> None:
    headend, client = everywhere.headend, hosts["client"]
    first = headend.last_event()
    assert [dial(client, password) for password in ("wrong", "secret12", "secret12")] == [1, 0, 0]
    headend.wait_for_sessions(0)
    events = [event for event in headend.json("events") if event["sequence"] > first]
    wanted = [event["sequence"] for event in events]
    assert len(wanted) > 12

    # The dead and the deaf hold up nobody. That they are dead is an event, too, and may come later.
    inputs = ("imudp", "imtcp", "imuxsock")
    everywhere.rsyslog.wait(
        lambda: all(wanted[-1] in everywhere.sequences(each) for each in inputs),
        "has not all events",
    )
    for each in inputs:
        assert [n for n in everywhere.sequences(each) if first < n <= wanted[-1]] == wanted
    headend.wait(lambda: everywhere.lives() >= LIVE, "has lost events, or they wait")
    sinks = everywhere.sinks()
    for name in ("syslog server dead", "trap destination dead"):
        assert sinks[name]["error"] == "Connection refused"
        assert sinks[name]["waiting"] >= len(wanted)
        assert sinks[name]["delivered"] == 0
    assert sinks["syslog server deaf"]["waiting"] > 0

    snmptrapd = everywhere.snmptrapd
    snmptrapd.wait(lambda: wanted[-1] in everywhere.trapped(), "has not all traps")
    assert [n for n in everywhere.trapped() if first < n <= wanted[-1]] == wanted
    assert f'{TRAPS}.8.0 = STRING: "alice"' in snmptrapd.file.read_text()

    # What waits for its message to be full is sent at the end.
    start = time.monotonic()
    assert headend.stop() == 0
    assert time.monotonic() - start < 15
    everywhere.exim.wait(lambda: everywhere.exim.count("ops"), "has no message")
    mailed = [
        int(number)
        for message in everywhere.exim.mailbox("ops", everywhere.exim.count("ops"))
        for number in re.findall(r"^(\d+) \d\d/", message.get_content(), re.MULTILINE)
    ]
    assert len(mailed) == len(set(mailed))
    assert set(wanted) <= set(mailed)
