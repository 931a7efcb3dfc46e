"""What `serve` takes from a machine and gives back, and what it says when it cannot have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.headend import Headend
from tests.hosts import Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"


@pytest.fixture
def headend(hosts: Hosts, tmp_path: Path) -> Headend:
    """One with a store, not started."""
    host = hosts.add("vpn")
    host.address("lo", f"{SERVER}/32")
    made = Headend(host, tmp_path / "state", SERVER)
    made.cli("init")
    return made


def serve(headend: Headend, *words: str, wrapped: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and complaint of a `serve` that does not come up."""
    command = headend.command("serve", "--listen", SERVER, "--workers", "1", *words)
    done = headend.host.run(*wrapped, *command, check=False, timeout=20)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_what_it_takes_and_gives_back(headend: Headend) -> None:
    host = headend.host
    before = host.run("ip", "-4", "route", "show", "table", "all").stdout
    headend.start()
    headend.wait(lambda: "pptp0 proto static" in host.run("ip", "route").stdout, "routes nothing")
    assert "172.16.1.1/32" in host.run("ip", "address", "show", "dev", "pptp0").stdout
    assert "prot-unreachable" in host.run("nft", "list", "ruleset").stdout
    conf = "net.ipv4.conf.pptp0.send_redirects"
    assert host.run("cat", "/proc/sys/" + conf.replace(".", "/")).stdout == "0\n"
    assert host.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    headend.cli("pool", "add", "10.9.0.0", "10.9.0.255")
    headend.wait(lambda: "10.9.0.0/24" in host.run("ip", "route").stdout, "does not route")
    assert headend.stop() == 0
    assert host.run("ip", "-4", "route", "show", "table", "all").stdout == before
    assert "fastpptp" not in host.run("nft", "list", "ruleset").stdout
    assert len(host.run("cat", "/proc/net/raw").stdout.splitlines()) == 1


def test_without_nftables_a_second_socket_does_its_work(headend: Headend) -> None:
    empty = headend.state / "bin"
    empty.mkdir()
    words = headend.command("serve", "--listen", SERVER, "--workers", "1")
    headend.process = headend.host.start(
        "env", f"PATH={empty}", *words, log=headend.log
    )  # no nft there
    headend.wait(lambda: (headend.state / "admin.sock").exists(), "did not come up")
    sockets = headend.host.run("cat", "/proc/net/raw").stdout.splitlines()[1:]
    assert len(sockets) == 2
    (notice,) = [event for event in headend.json("events") if event["number"] == 122]
    assert notice["text"] == (
        "nftables is not available: nft is not installed; a second raw socket does its work"
    )
    assert headend.stop() == 0


def test_a_device_of_that_name(headend: Headend) -> None:
    headend.host.run("ip", "tuntap", "add", "dev", "pptp0", "mode", "tun")
    assert serve(headend) == (
        3,
        "fastpptp: there is a network device pptp0 already\n"
        "Stop the program that has it, or choose another name with --tun.\n",
    )


def test_no_capabilities(headend: Headend) -> None:
    without = ("setpriv", "--bounding-set", "-net_admin,-net_raw")
    code, said = serve(headend, wrapped=without)
    assert code == 3
    assert "fastpptp: this process lacks CAP_NET_ADMIN and CAP_NET_RAW\nRun as root" in said


def test_an_address_of_another_machine(headend: Headend) -> None:
    code, said = serve(headend, "--listen", "192.0.2.99")
    assert code == 3
    assert "fastpptp: 192.0.2.99 is not an address of this machine\n" in said
    assert "pptp0" not in headend.host.run("ip", "link").stdout
