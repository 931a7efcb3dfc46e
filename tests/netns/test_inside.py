"""The reference's inside: hosts of 172.16.1.0/24 and clients whose addresses lie within it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.headend import Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"
INSIDE = "172.16.1.5"
BEHIND = "192.168.7.2"
FIRST = "172.16.1.10"

CONFIGURATION = """
[base_group]
idle_timeout = 0

[users.alice]
password = "secret12"
static_routes = ["192.168.7.0/24", "172.16.1.128/25"]

[users.bob]
password = "secret34"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.20"

[system]
server_address = "172.16.1.1"
ipv6_prefix = "2001:db8:0:10::/60"
forwarding = true
"""


@dataclass
class Site:
    """A client outside, a headend between, a host inside."""

    headend: Headend
    client: Host
    inside: Host

    def dial(
        self, *words: str, user: str = "alice", host: Host | None = None
    ) -> subprocess.Popen[str]:
        """A dial that is up and stays."""
        password = {"alice": "secret12", "bob": "secret34"}[user]
        process = (host or self.client).start(
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", user,
            "--password", password, "--route", "172.16.1.0/24", *words,
        )  # fmt: skip
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))
        return process

    def proxies(self, *family: str) -> str:
        return self.headend.host.run("ip", *family, "neigh", "show", "proxy").stdout

    def wait_for_proxies(self, wanted: str, *family: str) -> None:
        self.headend.wait(
            lambda: wanted in self.proxies(*family) if wanted else not self.proxies(*family),
            f"has not these proxies: {wanted or 'none'}, but {self.proxies(*family)}",
        )


def ping(host: Host, address: str) -> bool:
    words = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "3", address)
    return host.run(*words, check=False).returncode == 0


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    server, client, inside = (hosts.add(name) for name in ("server", "client", "inside"))
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    ours, theirs = hosts.join(server, "172.16.1.254/24", inside, f"{INSIDE}/24")
    server.run("ip", "addr", "add", "2001:db8::1/56", "dev", ours, "nodad")
    inside.run("ip", "addr", "add", "2001:db8::5/56", "dev", theirs, "nodad")
    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.import_configuration(CONFIGURATION)
        yield Site(headend, client, inside)


def test_a_host_inside_and_a_client_reach_each_other(site: Site) -> None:
    site.dial()
    site.wait_for_proxies(FIRST)
    assert ping(site.inside, FIRST)
    assert ping(site.client, INSIDE)
    site.headend.cli("logout", "--all")
    site.wait_for_proxies("")
    site.inside.run("ip", "neigh", "flush", "all")
    assert not ping(site.inside, FIRST)


def test_ipv6_inside_an_attached_network(site: Site) -> None:
    site.dial("--ipv6", "--route", "2001:db8::/56")
    site.wait_for_proxies("2001:db8:0:10", "-6")
    address = site.proxies("-6").split()[0]
    assert ping(site.inside, address)
    site.headend.cli("config", "set", "system.proxy_arp", "off")
    site.wait_for_proxies("", "-6")


def test_a_network_behind_a_client(site: Site, hosts: Hosts) -> None:
    """It is reached from the inside, is shown, and goes with the session. Other sources and
    networks that this machine has itself are not let through.
    """
    behind = hosts.add("behind")
    hosts.join(site.client, "192.168.7.1/24", behind, f"{BEHIND}/24")
    site.client.run("sysctl", "-q", "-w", "net.ipv4.conf.all.forwarding=1")
    behind.route("default", "via", "192.168.7.1")
    site.inside.route("192.168.0.0/16", "via", "172.16.1.254")
    seen = site.headend.last_event()
    site.dial()
    assert ping(site.inside, BEHIND)
    assert ping(behind, INSIDE)
    assert "192.168.7.0/24 dev pptp0" in site.headend.host.run("ip", "route").stdout
    (session,) = site.headend.sessions()
    shown = site.headend.json("session", str(session["id"]))
    assert (shown["networks"], shown["assigned_by"]) == (["192.168.7.0/24"], "pool")
    refused = "the network 172.16.1.128/25 behind it is not routed"
    assert any(refused in text for text in site.headend.texts_since(seen))

    behind.run("ip", "addr", "add", "192.168.8.2/32", "dev", "lo")
    spoof = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-I", "192.168.8.2", INSIDE)
    assert behind.run(*spoof, check=False).returncode == 1
    assert site.headend.json("statistics")["drops"]["inner source"] == 2

    site.headend.cli("logout", "--all")
    site.headend.wait(
        lambda: "192.168.7.0/24" not in site.headend.host.run("ip", "route").stdout,
        "still routes the network behind a client that is gone",
    )


def test_client_to_client_holds_for_networks_behind_clients(site: Site, hosts: Hosts) -> None:
    other = hosts.add("other")
    hosts.join(site.headend.host, "198.51.100.1/24", other, "198.51.100.2/24")
    other.route("192.0.2.0/24", "via", "198.51.100.1")
    site.client.run("ip", "addr", "add", "192.168.7.1/24", "dev", "lo")
    site.dial()
    for allowed in (True, False):
        site.headend.cli("config", "set", "system.client_to_client", str(allowed).lower())
        process = site.dial("--route", "192.168.7.0/24", user="bob", host=other)
        assert ping(other, "192.168.7.1") is allowed
        process.terminate()
        process.wait(10)


def test_what_a_crash_leaves_is_removed_by_the_next_start(site: Site) -> None:
    """Nobody else's: neither an entry of another program nor that of a headend that lives."""
    site.dial()
    site.wait_for_proxies(FIRST)
    device = site.proxies().split()[2]
    site.headend.host.run("ip", "neigh", "add", "proxy", "172.16.1.77", "dev", device)
    process = site.headend.process
    assert process is not None
    process.kill()
    process.wait(10)
    assert FIRST in site.proxies()
    (site.headend.state / "admin.sock").unlink()
    site.headend.start()
    assert FIRST not in site.proxies()
    assert "172.16.1.77" in site.proxies()
