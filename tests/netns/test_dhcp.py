"""Leases from Debian's dnsmasq and kea, which stand inside and serve two subnets."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.cannot import cannot
from tests.headend import Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

OUTSIDE = "192.0.2.1"
SERVER = "172.16.1.3"
HERE, BRANCH, POOL = "172.16.1.100", "10.20.0.50", "172.16.1.10"
PASSWORDS = {"alice": "secret12", "bob": "secret34", "carol": "secret56"}

CONFIGURATION = f"""
[base_group]
idle_timeout = 0

[groups.branch]
dhcp_network_scope = "10.20.0.0/24"

[users.alice]
password = "secret12"
simultaneous_logins = 1

[users.bob]
group = "branch"
password = "secret34"

[users.carol]
password = "secret56"

[assignment]
dhcp = true

[dhcp]
servers = ["{SERVER}"]
timeout = 1
retries = 1

[[pools]]
first = "{POOL}"
last = "172.16.1.20"

[system]
server_address = "172.16.1.1"
forwarding = true

[events.classes.DHCP]
log = "1-6"
"""


class Server(Protocol):
    """A DHCP server on a test host; `program` is what must be installed for it."""

    program: str

    def __init__(self, host: Host, device: str, state: Path) -> None: ...

    def start(self) -> subprocess.Popen[str]: ...

    def leases(self) -> set[str]:
        """The addresses that its lease file tells to be out."""
        ...


class Dnsmasq:
    program = "dnsmasq"

    def __init__(self, host: Host, device: str, state: Path) -> None:
        self._host, self._device, self._file = host, device, state / "dnsmasq.leases"
        self._log = state / "dnsmasq.log"

    def start(self) -> subprocess.Popen[str]:
        return self._host.start(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-ping",
            "--user=root", "--group=root", "--pid-file=", "--log-dhcp", "--log-facility=-",
            f"--interface={self._device}", f"--dhcp-leasefile={self._file}",
            f"--dhcp-range={HERE},{HERE},255.255.255.0,2m",
            f"--dhcp-range={BRANCH},{BRANCH},255.255.255.0,2m",
            log=self._log,
        )  # fmt: skip

    def leases(self) -> set[str]:
        if not self._file.exists():
            return set()
        return {line.split()[2] for line in self._file.read_text().splitlines() if line}


class Kea:
    """Its leases are short: 3 s until they are renewed, 12 until they expire."""

    program = "kea-dhcp4"

    def __init__(self, host: Host, device: str, state: Path) -> None:
        self._host, self._state = host, state
        self._file = state / "kea.csv"
        self._config = state / "kea.json"
        self._config.write_text(json.dumps({"Dhcp4": self._settings(device)}))

    def _settings(self, device: str) -> dict[str, Any]:
        subnets = {"172.16.1.0/24": (HERE, HERE), "10.20.0.0/24": (BRANCH, BRANCH)}
        return {
            "interfaces-config": {"interfaces": [device], "dhcp-socket-type": "udp"},
            "lease-database": {"type": "memfile", "persist": True, "name": str(self._file),
                               "lfc-interval": 0},
            "valid-lifetime": 12, "renew-timer": 3, "rebind-timer": 8,
            "subnet4": [
                {"id": number, "subnet": subnet, "pools": [{"pool": f"{first} - {last}"}]}
                for number, (subnet, (first, last)) in enumerate(subnets.items(), 1)
            ],
        }  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        folders = {f"KEA_{name}_DIR={self._state}" for name in ("PIDFILE", "LOCKFILE")}
        return self._host.start(
            "env", *folders, "kea-dhcp4", "-c", str(self._config), log=self._state / "kea.log"
        )

    def leases(self) -> set[str]:
        """Of each address the last line counts; a lifetime of 0 is a lease given back."""
        if not self._file.exists():
            return set()
        with self._file.open() as file:
            last = {row["address"]: row["valid_lifetime"] for row in csv.DictReader(file)}
        return {address for address, lifetime in last.items() if lifetime != "0"}


@dataclass
class Site:
    headend: Headend
    clients: dict[str, Host]
    server: Server
    process: subprocess.Popen[str]

    def dial(self, user: str, host: str) -> tuple[subprocess.Popen[str], str]:
        """A dial that is up and stays, and its address."""
        process = self.clients[host].start(
            sys.executable, "-m", "fastpptp", "dial", OUTSIDE, "--user", user,
            "--password", PASSWORDS[user], "--route", "172.16.1.0/24",
        )  # fmt: skip
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))
        (found,) = [row for row in self.headend.sessions() if row["user"] == user]
        return process, found["address"]

    def hang_up(self, process: subprocess.Popen[str]) -> None:
        before = len(self.headend.sessions())
        process.terminate()
        process.wait(10)
        self.headend.wait_for_sessions(before - 1)

    def kill_server(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def wait_for_event(self, since: int, start: str) -> None:
        self.headend.wait(
            lambda: any(text.startswith(start) for text in self.headend.texts_since(since)),
            f"has not said {start}, but {self.headend.texts_since(since)}", timeout=30,
        )  # fmt: skip


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> type[Server]:
    wanted: type[Server] = getattr(request, "param", Kea)
    if shutil.which(wanted.program) is None:
        cannot(f"{wanted.program} is not installed")
    return wanted


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path, kind: type[Server]) -> Iterator[Site]:
    vpn, left, right, inside = (hosts.add(name) for name in ("vpn", "left", "right", "inside"))
    hosts.join(vpn, f"{OUTSIDE}/24", left, "192.0.2.2/24")
    hosts.join(vpn, "198.51.100.1/24", right, "198.51.100.2/24")
    right.route("192.0.2.0/24", "via", "198.51.100.1")
    _, device = hosts.join(vpn, "172.16.1.254/24", inside, f"{SERVER}/24")
    server = kind(inside, device, tmp_path)
    process = server.start()
    with Headend(vpn, tmp_path / "state", OUTSIDE) as headend:
        headend.import_configuration(CONFIGURATION)
        sockets = ("ss", "-lnuH", "sport", "=", ":67")
        headend.wait(lambda: inside.run(*sockets).stdout, "has no DHCP server")
        yield Site(headend, {"left": left, "right": right}, server, process)


@pytest.mark.parametrize("kind", [Dnsmasq, Kea], indirect=True)
def test_two_scopes_exhaustion_release_and_a_dead_server(site: Site) -> None:
    alice, address = site.dial("alice", "left")
    assert address == HERE
    bob, address = site.dial("bob", "right")
    assert address == BRANCH
    assert site.server.leases() == {HERE, BRANCH}
    ping = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "3", SERVER)
    assert site.clients["left"].run(*ping, check=False).returncode == 0, "proxy ARP for a lease"
    site.hang_up(bob)
    site.headend.wait(lambda: site.server.leases() == {HERE}, "has not released the lease")

    seen = site.headend.last_event()
    carol, address = site.dial("carol", "right")
    assert address == POOL, "the scope's only address is out"
    site.wait_for_event(seen, "DHCP/102 No DHCP server gave an address: 172.16.1.3 (1 since")
    site.hang_up(carol)
    site.hang_up(alice)
    site.headend.wait(lambda: site.server.leases() == set(), "has not released the lease")

    again, address = site.dial("alice", "left")
    assert address == HERE, "the identifier is the same"
    site.hang_up(again)
    site.kill_server()
    _, address = site.dial("bob", "right")
    assert IPv4Address(address) in map(IPv4Address, (POOL, "172.16.1.11"))


def test_a_short_lease_is_renewed_until_its_server_is_gone(site: Site) -> None:
    """Kea's: renewed each 3 s. Once kea is dead the lease expires, and the session with it."""
    seen = site.headend.last_event()
    process, _ = site.dial("alice", "left")
    for _ in range(2):
        site.wait_for_event(seen, f"DHCP/101 User [alice] address {HERE} extended")
        seen = site.headend.last_event()
    site.kill_server()
    site.wait_for_event(seen, f"DHCP/109 User [alice] address {HERE} is lost: the lease expired")
    assert process.wait(10) == 1
    site.headend.wait_for_sessions(0)
    assert site.headend.json("statistics")["holdings"]["dhcp_leases"] == 0


def test_a_clean_stop_gives_leases_back(site: Site) -> None:
    site.dial("alice", "left")
    assert site.server.leases() == {HERE}
    assert site.headend.stop() == 0
    assert site.server.leases() == set()
