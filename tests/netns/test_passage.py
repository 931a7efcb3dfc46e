"""Clients behind this machine's address: forwarding and NAT, while the headend runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.headend import Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
OUR_SIDE, BEYOND = "198.51.100.1", "198.51.100.2"

CONFIGURATION = """
[base_group]
idle_timeout = 0
[users.alice]
password = "secret12"
[[pools]]
first = "172.16.1.10"
last = "172.16.1.20"
"""


class Site:
    """client - headend - a host beyond it, which has no route to the pool."""

    def __init__(self, hosts: Hosts, state: Path) -> None:
        self.client, self.vpn, self.beyond = (hosts.add(n) for n in ("client", "vpn", "beyond"))
        hosts.join(self.client, f"{CLIENT}/24", self.vpn, f"{SERVER}/24")
        hosts.join(self.vpn, f"{OUR_SIDE}/24", self.beyond, f"{BEYOND}/24")
        self.headend = Headend(self.vpn, state, SERVER)

    def dial(self) -> None:
        words = self.headend.command(
            "dial", SERVER, "--user", "alice", "--password", "secret12", "--route", f"{BEYOND}/32"
        )
        process = self.client.start(*words)
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))

    def reaches_beyond(self) -> bool:
        done = self.client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", BEYOND, check=False)
        return done.returncode == 0

    def forwards(self) -> str:
        return self.vpn.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip()

    def ruleset(self, host: Host | None = None) -> str:
        return (host or self.vpn).run("nft", "list", "ruleset").stdout


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    made = Site(hosts, tmp_path / "state")
    with made.headend:
        made.headend.import_configuration(CONFIGURATION)
        yield made


def test_nat_and_forwarding_come_and_go(site: Site) -> None:
    site.dial()
    assert not site.reaches_beyond()
    assert site.forwards() == "0"
    text = CONFIGURATION + "[system]\nforwarding = true\nnat = true\n"
    site.headend.import_configuration(text)
    site.headend.wait(lambda: "masquerade" in site.ruleset(), "does not translate")
    site.headend.wait(lambda: site.forwards() == "1", "does not forward")
    assert site.reaches_beyond()
    tracked = site.vpn.run("cat", "/proc/net/nf_conntrack", check=False).stdout
    assert "src=172.16.1.10" in tracked
    assert " gre " not in tracked  # our own GRE is not tracked
    site.headend.import_configuration(CONFIGURATION)
    site.headend.wait(lambda: "masquerade" not in site.ruleset(), "still translates")
    assert site.forwards() == "0"
    site.headend.import_configuration(text)
    site.headend.wait(lambda: site.forwards() == "1", "does not forward")
    assert site.headend.stop() == 0
    assert "fastpptp" not in site.ruleset()
    assert site.forwards() == "0"


def test_forwarding_that_was_on_stays_on(site: Site) -> None:
    site.vpn.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    site.headend.import_configuration(CONFIGURATION + "[system]\nforwarding = true\n")
    assert site.headend.stop() == 0
    assert site.forwards() == "1"
