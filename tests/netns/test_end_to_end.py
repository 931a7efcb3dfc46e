"""Our headend in one namespace, our own dial in another, packets through the tunnel between."""

from __future__ import annotations

import json
import signal
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
NO_ENCRYPTION: list[str] = []
MPPE_128 = ["Required", "128-bit"]
STATELESS = [*MPPE_128, "Require Stateless"]


class Site:
    """A headend and a client's host that has nothing but a way to it."""

    def __init__(self, headend: Headend, client: Host) -> None:
        self.headend = headend
        self.client = client

    def command(self, *words: str, password: str = "secret12") -> list[str]:
        return [
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", "alice",
            "--password", password, *words,
        ]  # fmt: skip

    def dial(self, *words: str, password: str = "secret12") -> subprocess.CompletedProcess[str]:
        return self.client.run(*self.command(*words, password=password), check=False, timeout=40)

    def said(self, *words: str) -> dict[str, Any]:
        """What a dial that must succeed says in JSON."""
        done = self.dial(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[Site]:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.configure(["MSCHAPv2"], STATELESS)
        yield Site(headend, client)


@pytest.mark.parametrize(
    ("protocols", "boxes", "options", "method", "encryption"),
    [
        (["MSCHAPv2"], STATELESS, [], "MSCHAP-V2", "MPPE 128-bit stateless"),
        (["MSCHAPv2"], MPPE_128, ["--stateful"], "MSCHAP-V2", "MPPE 128-bit stateful"),
        (["MSCHAPv2"], ["Required", "56-bit"], ["--mppe", "56"], "MSCHAP-V2",
         "MPPE 56-bit stateless"),
        (["MSCHAPv1"], ["Required", "40-bit"], ["--mppe", "40", "--methods", "MSCHAPv1"],
         "MSCHAP-V1", "MPPE 40-bit stateless"),
        (["PAP"], NO_ENCRYPTION, ["--mppe", "none", "--methods", "PAP"], "PAP", None),
        (["CHAP"], NO_ENCRYPTION, ["--mppe", "optional", "--methods", "CHAP"], "CHAP", None),
    ],
)  # fmt: skip
def test_ping(
    site: Site, protocols: list[str], boxes: list[str], options: list[str], method: str,
    encryption: str | None,
) -> None:  # fmt: skip
    site.headend.configure(protocols, boxes)
    seen = site.headend.last_event()
    said = site.said(*options, "--ping", INNER, "--count", "5")
    assert (said["method"], said["encryption"]) == (method, encryption)
    assert (said["address"], said["server_address"]) == ("172.16.1.10", INNER)
    assert said["ping"]["received"] == 5
    site.headend.wait_for_sessions(0)
    texts = site.headend.texts_since(seen)
    for text in ("PPTP/47", "PPTP/42", "PPP/8", "AUTH/22", "AUTH/28", "PPTP/35", "PPTP/34"):
        assert any(line.startswith(text) for line in texts), (text, texts)
    (account,) = [line for line in texts if line.startswith("AUTH/28")]
    assert "Bytes xmt: 420" in account
    assert "Bytes rcv: 420" in account


def test_the_largest_packet_and_one_that_is_too_large(site: Site) -> None:
    ping = f"ping -n -c 2 -i 0.2 -W 2 -M do -s 1368 {INNER}"  # 1396 octets, the tunnel's MTU
    assert site.dial("--exec", ping).returncode == 0
    assert site.dial("--exec", ping.replace("1368", "1369")).returncode == 1


def wait_until_up(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said: list[str] = []
    while not said or "The tunnel is up" not in said[-1]:
        said.append(process.stdout.readline())
        assert said[-1], f"dial ended: {''.join(said)}"


def test_a_tunnel_that_stays(site: Site) -> None:
    process = site.client.start(*site.command())
    wait_until_up(process)
    (row,) = site.headend.sessions()
    detail = site.headend.json("session", str(row["id"]))
    assert detail["user"] == "alice"
    site.client.run("ping", "-c", "3", "-i", "0.2", "-s", "1000", INNER)
    after = site.headend.json("session", str(row["id"]))
    assert after["rx_octets"] >= 3 * 1028
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    site.headend.wait_for_sessions(0)


def test_sessions_run_on_the_workers_of_their_group(hosts: Hosts, tmp_path: Path) -> None:
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with Headend(server, tmp_path / "state", SERVER, workers=2) as headend:
        headend.configure(["MSCHAPv2"], MPPE_128)
        site = Site(headend, client)
        for card in ("1", "2"):
            headend.cli("base-group", "set", "--sep-card-assignment", card)
            for _ in range(4):
                process = client.start(*site.command("--stateful", "--tun", "tun9"))
                wait_until_up(process)
                (row,) = headend.sessions()
                client.run("ping", "-c", "5", "-i", "0.01", "-s", "1000", INNER)
                detail = headend.json("session", str(row["id"]))
                assert detail["worker"] == int(card)
                assert detail["counters"]["mppe_resets_sent"] == 0
                process.send_signal(signal.SIGINT)
                assert process.wait(10) == 0
                headend.wait_for_sessions(0)


def test_the_administrator_ends_it(site: Site) -> None:
    process = site.client.start(*site.command())
    wait_until_up(process)
    site.headend.cli("logout", "--all")
    assert process.wait(10) == 1
    assert process.stdout is not None
    assert "terminated by the peer" in process.stdout.read()


def test_the_headend_stops(site: Site) -> None:
    process = site.client.start(*site.command())
    wait_until_up(process)
    assert site.headend.stop() == 0
    assert process.wait(10) == 1
    log = site.headend.log.read_text()
    assert "Traceback" not in log
    assert not (site.headend.state / "admin.sock").exists()
    assert "pptp0" not in site.headend.host.run("ip", "link").stdout
    assert "fastpptp" not in site.headend.host.run("nft", "list", "ruleset").stdout


def test_a_wrong_password(site: Site) -> None:
    done = site.dial("--ping", INNER, password="wrong")
    assert done.returncode == 1
    assert done.stderr == "fastpptp: authentication failed\n"


@pytest.mark.parametrize(
    ("server", "client"), [(["Required", "128-bit"], "none"), (["128-bit"], "40")]
)
def test_no_common_encryption(site: Site, server: list[str], client: str) -> None:
    site.headend.configure(["MSCHAPv2"], server)
    done = site.dial("--mppe", client, "--ping", INNER)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_nobody_listens(site: Site) -> None:
    done = site.dial("--port", "1724")
    assert done.returncode == 3
    assert done.stderr.startswith(f"fastpptp: no headend at {SERVER} port 1724: ")


def test_a_second_headend_is_told_what_is_wrong(site: Site, tmp_path: Path) -> None:
    second = Headend(site.headend.host, tmp_path / "second", SERVER)
    second.cli("init")
    done = second.host.run(*second.command("serve", "--listen", SERVER), check=False)
    assert done.returncode == 3
    assert f"fastpptp: TCP port 1723 on {SERVER} is taken by" in done.stderr
    done = second.host.run(
        *second.command("serve", "--listen", SERVER, "--port", "1724"), check=False
    )
    assert done.returncode == 3
    assert "fastpptp: GRE (IP protocol 47) is already used by" in done.stderr
