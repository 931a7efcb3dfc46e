"""The doctor on a real host: it finds what is wrong, and what it says to do mends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.headend import Headend
from tests.hosts import Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"

FIREWALL = """
table inet filter {
  chain input { type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname lo accept
    tcp dport 22 accept
  }
  chain forward { type filter hook forward priority 0; policy drop; }
}
"""


@pytest.fixture
def headend(hosts: Hosts, tmp_path: Path) -> Iterator[Headend]:
    """One with a store, on a host with an outer link, not started."""
    vpn, peer = hosts.add("vpn"), hosts.add("peer")
    hosts.join(vpn, f"{SERVER}/24", peer, "192.0.2.2/24")
    state = tmp_path / "state"
    made = Headend(vpn, state, SERVER)
    made.cli("init")
    (state / "fastpptp.toml").write_text(f'listen = ["{SERVER}"]\nstate_directory = "{state}"\n')
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def findings(headend: Headend) -> tuple[int, dict[str, list[Any]]]:
    """Exit code, and what is wrong by check: (state, what, remedy)."""
    words = ["doctor", "--json", "--config", str(headend.state / "fastpptp.toml")]
    done = headend.host.run(*headend.command(*words), check=False)
    assert done.stderr == ""
    wrong: dict[str, list[Any]] = {}
    for finding in json.loads(done.stdout):
        if finding["state"] != "ok":
            wrong.setdefault(finding["check"], []).append(finding)
    return done.returncode, wrong


def follow(headend: Headend, remedy: str) -> None:
    """Do as it says."""
    for command in remedy.split("; "):
        headend.host.run(*command.split())


def test_a_firewall_and_no_forwarding(headend: Headend, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text(FIREWALL)
    headend.host.run("nft", "-f", str(rules))
    code, wrong = findings(headend)
    assert code == 1
    assert [f["what"] for f in wrong["firewall"]] == [
        "nftables' chain inet filter input drops TCP port 1723",
        "nftables' chain inet filter input drops GRE",
        "nftables' chain inet filter forward drops what clients send to other networks",
    ]
    for finding in wrong["firewall"]:
        follow(headend, finding["remedy"])
    follow(headend, wrong["forwarding"][0]["remedy"].partition(", or ")[2])
    code, wrong = findings(headend)
    assert code == 0
    assert set(wrong) <= {"clock"}  # this machine's own


def test_pools_and_mtu(headend: Headend) -> None:
    headend.host.link("v1l", "mtu", "1420")
    headend.host.address("lo", "172.16.1.12/32")
    headend.host.route("172.16.1.16/30", "via", "192.0.2.2")
    code, wrong = findings(headend)
    assert code == 1
    assert "v1l has MTU 1420" in wrong["mtu"][0]["what"]
    assert "has 172.16.1.12, this machine's own address on lo" in wrong["pools"][0]["what"]
    assert "172.16.1.16/30 is routed to v1l" in wrong["pools"][1]["what"]


def test_a_key_that_others_can_read(headend: Headend) -> None:
    key = headend.state / "fastpptp.key"
    key.chmod(0o644)
    code, wrong = findings(headend)
    assert code == 1
    assert "mode 0644 lets others read the key" in wrong["store"][0]["what"]
    assert wrong["files"][0]["remedy"] == f"chmod 600 {key}"
    follow(headend, wrong["files"][0]["remedy"])
    code, wrong = findings(headend)
    assert code == 0
    assert not {"store", "files"} & set(wrong)


def test_another_server_and_ourselves(headend: Headend) -> None:
    taker = headend.host.start("socat", f"TCP-LISTEN:1723,bind={SERVER}", "STDOUT")
    headend.host.run("sh", "-c", "until ss -ltn | grep -q :1723; do sleep 0.05; done", timeout=10)
    code, wrong = findings(headend)
    assert code == 1
    assert wrong["port"][0]["what"].startswith(f"TCP port 1723 on {SERVER} is taken by socat")
    taker.terminate()
    taker.wait(10)
    headend.start()
    code, wrong = findings(headend)
    assert code == 0
    assert not {"port", "gre", "pools", "store"} & set(wrong)
