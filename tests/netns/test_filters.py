"""Traffic filters on a live session: real TCP through the tunnel, and what the rules count."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"
CLIENT = "172.16.1.10"
OPEN, SHUT = 7001, 7002

CONFIGURATION = f"""
[base_group]
idle_timeout = 0
filter = "closed"

[filters.closed]

[filters.ports]
default_action = "Forward"

[[filters.ports.rules]]
name = "up"
protocol = "TCP"
action = "Drop and Log"
destination_port = {SHUT}

[[filters.ports.rules]]
name = "down"
direction = "Outbound"
protocol = "TCP"
destination_port = {SHUT}

[groups.staff]
filter = "closed"

[users.alice]
group = "staff"
password = "secret12"
filter = "ports"

[users.bob]
group = "staff"
password = "secret34"

[[pools]]
first = "{CLIENT}"
last = "172.16.1.20"
"""

LISTEN = """
import socket, sys, threading
def serve(port):
    listener = socket.create_server((sys.argv[1], port))
    while True:
        listener.accept()[0].close()
for port in map(int, sys.argv[2:]):
    threading.Thread(target=serve, args=(port,)).start()
print("listening", flush=True)
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1.5)
except OSError as error:
    sys.exit(str(error) or "refused")
"""


class Site:
    """A headend with filters, and a client's host whose dial is up."""

    def __init__(self, headend: Headend, client: Host) -> None:
        self.headend = headend
        self.client = client

    def stay(self, user: str, password: str) -> subprocess.Popen[str]:
        process = self.client.start(
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", user,
            "--password", password,
        )  # fmt: skip
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))
        return process

    def listen(self, host: Host, address: str) -> None:
        made = host.start(sys.executable, "-c", LISTEN, address, str(OPEN), str(SHUT))
        assert made.stdout is not None
        assert made.stdout.readline() == "listening\n"

    def reaches(self, host: Host, address: str, port: int) -> bool:
        done = host.run(sys.executable, "-c", CONNECT, address, str(port), check=False)
        return done.returncode == 0

    def counts(self, name: str = "ports") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.headend.cli("filter", "show", name, "--json"))
        return dict(found["counts"])


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.import_configuration(CONFIGURATION)
        yield Site(headend, client)


def test_one_port_is_shut_both_ways(site: Site) -> None:
    """The user's own filter holds, not its group's, which lets nothing pass."""
    site.stay("alice", "secret12")
    site.listen(site.headend.host, INNER)
    site.listen(site.client, CLIENT)
    server = site.headend.host
    since = site.headend.last_event()
    assert site.reaches(site.client, INNER, OPEN)
    assert site.reaches(server, CLIENT, OPEN)
    assert not site.reaches(site.client, INNER, SHUT)
    assert not site.reaches(server, CLIENT, SHUT)
    counts = site.counts()
    assert counts["rules"]["up"][0] >= 1
    assert counts["rules"]["down"][0] >= 1
    assert counts["default"][0] >= 8
    (row,) = site.headend.sessions()
    detail = site.headend.json("session", str(row["id"]))
    assert detail["filter"] == "ports"
    assert detail["counters"]["rx_discards"] >= counts["rules"]["up"][0]
    (logged, *_) = [t for t in site.headend.texts_since(since) if t.startswith("FILTER/100")]
    assert "User [alice] Filter [ports] Rule [up]: inbound packet dropped" in logged
    assert f"TCP {CLIENT} port " in logged
    # The session follows a change at once, and what did not change counts on.
    site.headend.cli("filter", "rule", "set", "ports", "up", "--action", "forward")
    assert site.reaches(site.client, INNER, SHUT)
    assert not site.reaches(server, CLIENT, SHUT)
    after = site.counts()
    assert after["rules"]["down"][0] > counts["rules"]["down"][0]
    assert after["default"][0] >= counts["default"][0]
    site.headend.cli("user", "set", "alice", "--inherit", "filter")
    assert not site.reaches(site.client, INNER, OPEN)
    site.headend.cli("user", "set", "alice", "--filter", "none")
    assert site.reaches(server, CLIENT, SHUT)


def test_the_group_s_filter(site: Site) -> None:
    site.stay("bob", "secret34")
    ping = ("ping", "-n", "-c", "1", "-W", "1", INNER)
    assert site.client.run(*ping, check=False).returncode != 0
    assert site.counts("closed")["default"][0] >= 1
    words = ("filter", "rule", "add", "closed")
    site.headend.cli(*words, "in", "--action", "forward", "--protocol", "icmp")
    site.headend.cli(*words, "out", "--action", "forward", "--direction", "outbound",
                     "--protocol", "icmp", "--icmp-type", "0")  # fmt: skip
    assert site.client.run(*ping, check=False).returncode == 0
    assert site.counts("closed")["rules"] == {"in": [1, 84], "out": [1, 84]}
    # Fragments: the later ones have no type, and pass by their addresses.
    large = ("ping", "-n", "-c", "1", "-W", "2", "-s", "3000", INNER)
    assert site.client.run(*large, check=False).returncode == 0
    site.headend.cli("filter", "set", "closed", "--fragments", "no")
    assert site.client.run(*large, check=False).returncode != 0
    assert site.counts("closed")["unjudged"][0] >= 1
