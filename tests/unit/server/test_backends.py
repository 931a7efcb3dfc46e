"""nftables, systemd, and routes, each against a stand-in of its world."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_interface
from pathlib import Path

import pytest

from fastpptp.addresses.grant import AddressGrant
from fastpptp.backends.attached import Attachment, Proxy
from fastpptp.backends.forwarding import BOOT, IPV4, IPV6, Forwarding
from fastpptp.backends.nftables import OwnTable, rules
from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import Occurrence
from fastpptp.server.notify import notify
from fastpptp.server.reach import NeighbourProxies, Reach
from fastpptp.server.routes import DeviceThread, InnerRoutes, Network
from fastpptp.settings import profiles, toml
from fastpptp.settings.resolve import PolicySnapshot
from tests.cannot import cannot


class TestOwnTable:
    @pytest.fixture
    def said(self, tmp_path: Path) -> Path:
        return tmp_path / "said"

    @pytest.fixture
    def table(self, said: Path) -> OwnTable:
        """One whose nft writes down what it is told."""
        return OwnTable("pptp0", ("sh", "-c", f"cat >>{said}"))

    def test_it_installs_and_removes_its_own_table(self, table: OwnTable, said: Path) -> None:
        table.remove()
        assert not said.exists()
        table.install()
        assert json.loads(said.read_text()) == {"nftables": rules("fastpptp_pptp0")}
        said.unlink()
        table.remove()
        assert json.loads(said.read_text()) == {
            "nftables": [{"delete": {"table": {"family": "ip", "name": "fastpptp_pptp0"}}}]
        }

    def test_it_is_made_anew_when_nat_changes_and_then_alone(
        self, table: OwnTable, said: Path
    ) -> None:
        table.install()
        said.unlink()
        table.install(nat=False)
        assert not said.exists()
        table.install(nat=True)
        assert json.loads(said.read_text()) == {"nftables": rules("fastpptp_pptp0", "pptp0")}

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (("/nonexistent/nft",), "nft is not installed"),
            (("sh", "-c", "echo Error: no >&2; exit 1"), "nft refused: Error: no"),
        ],
    )
    def test_it_says_what_is_wrong(self, command: tuple[str, ...], said: str) -> None:
        with pytest.raises(UnavailableError) as caught:
            OwnTable("x", command).install()
        assert caught.value.what == said

    @pytest.mark.parametrize("device", [None, "pptp0"])
    def test_nft_takes_its_rules(self, device: str | None) -> None:
        if shutil.which("nft") is None:
            cannot("nft is not installed (Debian: nftables)")
        done = subprocess.run(
            ["nft", "-c", "-j", "-f", "-"],
            input=json.dumps({"nftables": rules("fastpptp_x", device)}),
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        if "Operation not permitted" in done.stderr:
            cannot("nft needs CAP_NET_ADMIN even to check rules")
        assert done.returncode == 0, done.stderr


class TestForwarding:
    @pytest.fixture
    def sysctl(self, tmp_path: Path) -> Path:
        for switch in (IPV4, IPV6):
            (tmp_path / switch).parent.mkdir(parents=True)
            (tmp_path / switch).write_text("0\n")
        self.boot(tmp_path, "1f")
        return tmp_path

    def boot(self, sysctl: Path, number: str) -> None:
        (sysctl / BOOT).parent.mkdir(parents=True, exist_ok=True)
        (sysctl / BOOT).write_text(f"{number}\n")

    def run(self, sysctl: Path) -> Forwarding:
        return Forwarding(sysctl, note=sysctl / "note")

    def both(self, sysctl: Path) -> tuple[str, str]:
        return (sysctl / IPV4).read_text().strip(), (sysctl / IPV6).read_text().strip()

    def test_on_and_back(self, sysctl: Path) -> None:
        forwarding = self.run(sysctl)
        forwarding.set(ipv4=True, ipv6=False)
        assert self.both(sysctl) == ("1", "0")
        forwarding.set(ipv4=True, ipv6=True)
        assert self.both(sysctl) == ("1", "1")
        forwarding.restore()
        assert self.both(sysctl) == ("0", "0")

    def test_what_was_on_stays_on(self, sysctl: Path) -> None:
        (sysctl / IPV4).write_text("1\n")
        forwarding = self.run(sysctl)
        forwarding.set(ipv4=True, ipv6=True)
        forwarding.restore()
        assert self.both(sysctl) == ("1", "0")

    def test_a_run_that_was_killed(self, sysctl: Path) -> None:
        """The next one turns off what it turned on, whether it wants forwarding itself or not."""
        (sysctl / IPV6).write_text("1\n")
        for wanted in (True, False):
            self.run(sysctl).set(ipv4=True, ipv6=True)
            after = self.run(sysctl)
            after.set(ipv4=wanted, ipv6=False)
            assert self.both(sysctl) == (str(int(wanted)), "1")
            after.restore()
            assert self.both(sysctl) == ("0", "1")
            assert not (sysctl / "note").exists()

    def test_a_run_of_another_boot_has_left_nothing(self, sysctl: Path) -> None:
        self.run(sysctl).set(ipv4=True, ipv6=False)
        self.boot(sysctl, "2f")  # and sysctl.conf has it on, now
        self.run(sysctl).restore()
        assert self.both(sysctl) == ("1", "0")

    def test_a_note_that_cannot_be_kept(self, sysctl: Path) -> None:
        forwarding = Forwarding(sysctl, note=sysctl / "none" / "note")
        with pytest.raises(UnavailableError, match="note cannot be written: No such file"):
            forwarding.set(ipv4=True, ipv6=False)
        assert self.both(sysctl) == ("0", "0")

    def test_a_switch_that_is_not_there(self, tmp_path: Path) -> None:
        self.boot(tmp_path, "1f")
        with pytest.raises(UnavailableError) as caught:
            self.run(tmp_path).set(ipv4=True, ipv6=False)
        assert caught.value.remedy == "Set it yourself: sysctl -w net.ipv4.ip_forward=1"


class TestNotify:
    def test_without_systemd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        notify("READY=1")

    @pytest.mark.parametrize("abstract", [False, True])
    def test_with_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
        path = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        notify("READY=1")  # nobody listens yet
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind("\0" + path[1:] if abstract else path)
            notify("READY=1")
            assert systemd.recv(100) == b"READY=1"


class Recorder:
    """routes.Device that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[str]]] = []

    def add_addresses(self, addresses: list[IPv4Address]) -> None:
        self.said.append(("address", list(map(str, addresses))))

    def add_routes(self, networks: list[Network]) -> None:
        self.said.append(("add", list(map(str, networks))))

    def delete_routes(self, networks: list[Network]) -> None:
        self.said.append(("delete", list(map(str, networks))))

    def add_proxies(self, proxies: list[Proxy]) -> None:
        self.said.append(("proxy", [f"{proxy.address} {proxy.name}" for proxy in proxies]))

    def delete_proxies(self, proxies: list[Proxy]) -> None:
        self.said.append(("no proxy", [f"{proxy.address} {proxy.name}" for proxy in proxies]))

    def take(self) -> list[tuple[str, list[str]]]:
        taken, self.said = self.said, []
        return taken


class Nowhere:
    """reach.Neighbourhood of a machine that is attached to what `attached` says."""

    def __init__(self, *interfaces: str) -> None:
        self.changed: Callable[[], object] = lambda: None
        self.attached: tuple[Attachment, ...] = ()
        self.attach(*interfaces)

    def attach(self, *interfaces: str) -> None:
        """`eth0 172.16.1.1/24`, and so on."""
        parted = (text.split() for text in interfaces)
        self.attached = tuple(
            Attachment(number, name, ip_interface(address))
            for number, (name, address) in enumerate(parted, 1)
        )
        self.changed()


def reach(
    device: Recorder,
    neighbourhood: Nowhere | None = None,
    record: Callable[[Occurrence], object] = lambda occurrence: None,
    forwards: bool = True,
) -> Reach:
    around = neighbourhood or Nowhere()
    proxies = NeighbourProxies(device, around, record, lambda name, version: forwards)
    return Reach(device, proxies, around)


def policy(text: str) -> PolicySnapshot:
    return PolicySnapshot(toml.loads(text))


def grant(address: str) -> AddressGrant:
    return AddressGrant(IPv4Address(address), IPv4Address("172.16.1.1"))


class TestInnerRoutes:
    def test_the_pools_are_routed_whole(self) -> None:
        device = Recorder()
        routes = InnerRoutes(device)
        routes.follow(PolicySnapshot(profiles.default()))
        assert device.take() == [
            ("address", ["172.16.1.1"]),
            ("add", ["172.16.1.10/31", "172.16.1.12/30", "172.16.1.16/30", "172.16.1.20/32"]),
        ]
        routes.granted(grant("172.16.1.15"))
        routes.released(grant("172.16.1.15"))
        assert device.take() == []

    def test_an_address_from_elsewhere_is_routed_alone(self) -> None:
        device = Recorder()
        routes = InnerRoutes(device)
        routes.granted(grant("10.9.9.9"))
        routes.released(grant("10.9.9.9"))
        routes.released(grant("10.9.9.9"))
        assert device.take() == [("add", ["10.9.9.9/32"]), ("delete", ["10.9.9.9/32"])]

    def test_it_follows_another_policy(self) -> None:
        device = Recorder()
        routes = InnerRoutes(device)
        pools = "[[pools]]\nfirst = '10.0.0.0'\nlast = '10.0.0.3'\n"
        routes.follow(policy(pools))
        device.take()
        routes.follow(
            policy(
                "[[pools]]\nfirst = '10.0.1.0'\nlast = '10.0.1.3'\nserver_address = '10.0.1.254'\n"
                "[system]\nipv6_prefix = '2001:db8::/48'\n"
            )
        )
        assert device.take() == [
            ("address", ["10.0.1.254"]),
            ("add", ["10.0.1.0/30", "2001:db8::/48"]),
            ("delete", ["10.0.0.0/30"]),
        ]
        routes.follow(policy(pools))
        assert [kind for kind, _ in device.take()] == ["add", "delete"]

    def test_a_session_outlives_its_pool(self) -> None:
        device = Recorder()
        routes = InnerRoutes(device)
        whole = "[[pools]]\nfirst = '10.0.0.0'\nlast = '10.0.0.4'\n"
        routes.follow(policy(whole))
        for address in ("10.0.0.1", "10.0.0.4"):
            routes.granted(grant(address))
        device.take()
        routes.follow(policy("[[pools]]\nfirst = '10.0.1.0'\nlast = '10.0.1.3'\n"))
        assert device.take() == [
            ("add", ["10.0.1.0/30"]),
            ("add", ["10.0.0.1/32", "10.0.0.4/32"]),
            ("delete", ["10.0.0.0/30"]),
        ]
        routes.released(grant("10.0.0.1"))
        assert device.take() == [("delete", ["10.0.0.1/32"])]
        routes.follow(policy(whole))
        device.take()
        routes.released(grant("10.0.0.4"))
        assert device.take() == [], "the pool's route went with it"

    def test_networks_behind_a_user_stay_while_any_session_has_them(self) -> None:
        device = Recorder()
        routes = InnerRoutes(device)
        behind = (IPv4Network("192.168.7.0/24"), IPv6Network("2001:db8:7::/64"))
        first = replace(grant("10.9.9.9"), networks=behind)
        second = replace(grant("10.9.9.8"), networks=behind[:1])
        routes.granted(first)
        routes.granted(second)
        assert device.take() == [
            ("add", ["10.9.9.9/32", "192.168.7.0/24", "2001:db8:7::/64"]),
            ("add", ["10.9.9.8/32"]),
        ]
        routes.released(first)
        routes.released(second)
        assert device.take() == [
            ("delete", ["10.9.9.9/32", "2001:db8:7::/64"]),
            ("delete", ["10.9.9.8/32", "192.168.7.0/24"]),
        ]


def test_the_device_thread_tells_what_fails() -> None:
    failed: list[Exception] = []
    thread = DeviceThread("no such device", failed.append)
    thread.add_addresses([IPv4Address("10.0.0.1")])
    thread.add_routes([IPv4Network("10.0.0.0/8")])
    thread.delete_routes([IPv6Network("2001:db8::/48")])
    thread.close()
    assert len(failed) == 3
    assert "there is no network device no such device" in str(failed[0])
