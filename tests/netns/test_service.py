"""What an administrator sets and a client sees, on the wire: the headend and our own dial."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastpptp.recorder.past import read_totals
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"

CONFIGURATION = """
[base_group]
idle_timeout = 0
primary_dns = "10.9.9.1"
secondary_dns = "10.9.9.2"
primary_wins = "10.9.9.3"

[groups.guests]
simultaneous_logins = 1
use_client_address = true

[users.alice]
password = "secret12"
ip_address = "172.16.9.9"

[users.bob]
group = "guests"
password = "secret34"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.20"

[assignment]
from_client = true
from_authentication_server = true

[system]
ipv6_prefix = "2001:db8:7::/48"
no_gre_warning = 1
"""


class Site:
    """A headend with CONFIGURATION, and a client's host."""

    def __init__(self, headend: Headend, client: Host) -> None:
        self.headend = headend
        self.client = client

    def command(self, *words: str, user: str = "alice") -> list[str]:
        password = {"alice": "secret12", "bob": "secret34"}[user]
        options = () if "--password" in words else ("--password", password)
        return [
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", user, *options, *words,
        ]  # fmt: skip

    def dial(self, *words: str, user: str = "alice") -> subprocess.CompletedProcess[str]:
        command = self.command(*words, "--ping", INNER, "--count", "1", user=user)
        return self.client.run(*command, check=False, timeout=40)

    def said(self, *words: str, user: str = "alice") -> dict[str, Any]:
        """What a dial that must succeed says in JSON."""
        done = self.dial(*words, "--json", user=user)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def stay(self, *words: str, user: str = "alice") -> subprocess.Popen[str]:
        """A dial that is up and stays."""
        process = self.client.start(*self.command(*words, user=user))
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))
        return process

    def events(self, since: int, start: str) -> list[str]:
        return [text for text in self.headend.texts_since(since) if text.startswith(start)]


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.import_configuration(CONFIGURATION)
        yield Site(headend, client)


def test_addresses_and_name_servers(site: Site) -> None:
    own = site.said()
    assert own["address"] == "172.16.9.9"
    assert own["ping"]["received"] == 1
    assert (own["dns"], own["wins"]) == (["10.9.9.1", "10.9.9.2"], ["10.9.9.3"])
    assert site.said(user="bob")["address"] == "172.16.1.10"
    assert site.said("--address", "172.16.50.50", user="bob")["address"] == "172.16.50.50"


def test_what_an_edit_touches_is_done(site: Site) -> None:
    """It says so, and a running headend does it: at once, to whom it is asked, or from the next."""
    headend = site.headend
    site.stay()
    assert headend.cli("user", "set", "alice", "--idle-timeout", "5") == (
        "User alice changed. It holds from the next session.\n"
    )
    headend.cli("user", "set", "alice", "--simultaneous-logins", "0")
    assert [row["user"] for row in headend.sessions()] == ["alice"]
    said = headend.cli("user", "delete", "alice", "--logout")
    assert said == "User alice deleted. It holds from the next session. Sessions ended: 1.\n"
    headend.wait_for_sessions(0)
    assert site.dial().returncode != 0
    site.stay(user="bob")
    assert headend.json("pptp", "set", "--enabled", "no")["takes_effect"] == "now"
    headend.wait_for_sessions(0)
    assert site.dial(user="bob").returncode != 0
    headend.cli("pptp", "set", "--reset", "enabled")
    assert site.dial(user="bob").returncode == 0


def test_ipv6_with_a_prefix_and_advertisements(site: Site) -> None:
    site.headend.host.address("lo", "2001:db8:8::1/128")
    ping = "ping -n -c 3 -i 0.2 -W 2 2001:db8:8::1"
    command = site.command("--ipv6", "--route", "2001:db8::/32", "--json", "--exec", ping)
    done = site.client.run(*command, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    link_local, address = json.loads(done.stdout)["ipv6"]
    assert link_local.startswith("fe80::")
    assert address.startswith("2001:db8:7:")
    assert address.endswith(link_local.removeprefix("fe80::"))


def test_an_expired_password_is_changed(site: Site, tmp_path: Path) -> None:
    site.headend.cli("user", "set", "alice", "--password-expired", "true")
    seen = site.headend.last_event()
    assert "the password has expired (648)" in site.dial().stderr
    assert "Password has expired" in site.events(seen, "AUTH/5")[0]
    wanted = tmp_path / "new"
    wanted.write_text("another56\n")
    assert site.said("--new-password-file", str(wanted))["ping"]["received"] == 1
    site.headend.wait(lambda: site.events(seen, "CONFIG/101"), "did not take the new password")
    assert site.dial().returncode == 1
    assert site.said("--password", "another56")["ping"]["received"] == 1


def test_limits(site: Site) -> None:
    process = site.stay(user="bob")
    seen = site.headend.last_event()
    assert site.dial(user="bob").stderr == "fastpptp: authentication failed\n"
    assert len(site.events(seen, "AUTH/5")) == 1
    site.headend.cli("config", "set", "pptp.max_tunnels", "1")
    refused = site.dial()
    assert "refused the control connection: No-Resource" in refused.stderr
    assert site.events(seen, "PPTP/100") == [
        "PPTP/100 Tunnel to peer 192.0.2.2 refused: Max. Tunnels (1) reached"
    ]
    site.headend.cli("config", "set", "pptp.enabled", "false")
    assert process.wait(10) == 1
    assert "not authorized" in site.dial().stderr


def test_a_firewall_that_drops_gre_is_named(site: Site) -> None:
    site.client.run("nft", "add table ip wall; add chain ip wall out { type filter hook output "
                    "priority 0; }; add rule ip wall out ip protocol 47 drop")  # fmt: skip
    process = site.client.start(*site.command())
    site.headend.wait(lambda: site.events(0, "PPTP/114"), "does not miss GRE")
    (told,) = site.events(0, "PPTP/114")
    assert "A firewall or NAT between blocks IP protocol 47" in told
    assert site.headend.json("logout", "--all")
    assert process.wait(10) == 1


def test_a_foreign_source_address_does_not_get_in(site: Site) -> None:
    site.client.address("lo", "172.16.77.1/32")
    ping = f"ping -n -c 3 -i 0.2 -W 1 -I 172.16.77.1 {INNER}"
    done = site.client.run(*site.command("--exec", ping), check=False)
    assert done.returncode == 1
    drops = site.headend.json("statistics")["drops"]
    assert drops["inner source"] >= 3


def test_sighup_follows_the_store(site: Site) -> None:
    process = site.stay()
    seen = site.headend.last_event()
    assert site.headend.process is not None
    site.headend.process.send_signal(signal.SIGHUP)
    site.headend.wait(lambda: site.events(seen, "CONFIG/101"), "did not follow")
    assert len(site.headend.sessions()) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_totals_and_ended_sessions_outlive_a_kill(site: Site) -> None:
    headend = site.headend
    assert site.said()["ping"]["received"] == 1
    headend.wait_for_sessions(0)
    before = headend.json("statistics")["since_installation"]
    assert before["total_sessions"] == 1
    database = headend.state / "events.db"
    kept = ("total_sessions", "peak_sessions", "payload_received_octets", "ended.user-request")
    headend.wait(
        lambda: (
            {name: read_totals(database).get(name) for name in kept}
            == {name: before[name] for name in kept}
        ),
        "does not keep its totals",
    )
    assert headend.process is not None
    headend.process.kill()
    headend.process.wait(10)
    (headend.state / "admin.sock").unlink()
    headend.start()
    after = headend.json("statistics")
    assert after["total_sessions"] == 0
    assert {name: after["since_installation"][name] for name in kept} == {
        name: before[name] for name in kept
    }
    (row,) = headend.json("sessions", "--ended")
    assert (row["user"], row["cause"], row["address"]) == ("alice", "user-request", "172.16.9.9")
    assert site.said(user="bob")["ping"]["received"] == 1
    headend.wait_for_sessions(0)
    headend.stop()
    assert read_totals(database)["total_sessions"] == 2
    assert read_totals(database)["peak_sessions"] == 1


def test_a_second_headend_leaves_the_first_its_control_socket(site: Site) -> None:
    words = ("serve", "--listen", SERVER, "--port", "1724", "--share-gre", "--tun", "pptp9")
    done = site.headend.host.run(*site.headend.command(*words), check=False)
    assert done.returncode == 3
    assert "a headend is already running" in done.stderr
    assert site.headend.sessions() == []
