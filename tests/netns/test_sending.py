"""Sending by AF_PACKET: that it is used where it can be, and left where it cannot."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event

import pytest

from fastpptp.backends.firewall import Firewall
from fastpptp.backends.nexthops import Adjacency, NextHops
from fastpptp.backends.nexthops import Path as NetworkPath
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import (
    CLIENT,
    HEADEND,
    INNER_CLIENT,
    End,
    tunnel,
    within,
)

pytestmark = pytest.mark.netns

PATH = (HEADEND, CLIENT)


def pings(host: Host, address: IPv4Address, *words: str) -> bool:
    done = host.run("ping", "-c1", "-W1", *words, str(address), check=False)
    return done.returncode == 0


def link_address(host: Host, device: str) -> bytes:
    text = host.run("cat", f"/sys/class/net/{device}/address").stdout
    return bytes.fromhex(text.strip().replace(":", ""))


def device_index(host: Host, device: str) -> int:
    return int(host.run("cat", f"/sys/class/net/{device}/ifindex").stdout)


def test_frames_take_the_adjacency_and_else_the_raw_socket(hosts: Hosts) -> None:
    with tunnel(hosts, "stateless", packets=True) as (headend, client):
        plane, handle = headend.dataplane, headend.handle
        index = device_index(headend.host, "v1l")
        peer, wrong = link_address(client.host, "v1r"), bytes.fromhex("020000000001")

        def works(adjacency: Adjacency | None, *words: str) -> bool:
            plane.set_adjacency(handle, adjacency)
            return pings(headend.host, INNER_CLIENT, *words)

        assert works(None)
        assert works(Adjacency(index, peer, 1500))
        assert works(Adjacency(index, peer, 1500), "-s", "1300")
        assert not works(Adjacency(index, wrong, 1500))
        # Too large for the next hop, or refused by its device: the raw socket sends it.
        assert works(Adjacency(index, wrong, 100))
        assert works(Adjacency(4242, peer, 1500))
        headend.host.link("v1l", "mtu", "1000")
        client.host.link("v1r", "mtu", "1000")
        assert works(Adjacency(index, peer, 1500), "-s", "1300")
        assert not {"send failed"} & headend.drops().keys()


def test_what_a_link_never_takes_holds_up_nobody(hosts: Hosts) -> None:
    """The far end of a link takes less than ours says: it never has room for such a packet."""
    with tunnel(hosts, "stateless", packets=True) as (headend, client):
        peer = link_address(client.host, "v1r")
        hop = Adjacency(device_index(headend.host, "v1l"), peer, 1500)
        headend.dataplane.set_adjacency(headend.handle, hop)
        client.host.link("v1r", "mtu", "1000")
        assert not pings(headend.host, INNER_CLIENT, "-s", "1300")
        assert pings(headend.host, INNER_CLIENT)


def stream(source: End, target: End) -> None:
    """Datagrams of three sizes, 100 to 1,100 octets, arrive as they were sent."""
    receiver = within(target.host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender = within(source.host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with receiver, sender:
        receiver.bind((str(INNER_CLIENT), 5000))
        receiver.settimeout(5)
        sender.connect((str(INNER_CLIENT), 5000))
        sent = [bytes([number]) * (100 + number % 3 * 500) for number in range(120)]
        for data in sent:
            sender.send(data)
        assert [receiver.recv(2000) for _ in sent] == sent


def test_many_packets_in_order(hosts: Hosts) -> None:
    """Some of one stream by this socket, some by the other: stateful MPPE misses none."""
    with tunnel(hosts, "stateful", packets=True) as (headend, client):
        index = device_index(headend.host, "v1l")
        hop = Adjacency(index, link_address(client.host, "v1r"), 700)
        headend.dataplane.set_adjacency(headend.handle, hop)
        stream(headend, client)
        row = client.dataplane.stats[client.handle & 0xFFFF]
        assert (row["lost"], row["out_of_sequence"]) == (0, 0)


def linked(hosts: Hosts) -> tuple[Host, Host]:
    left, right = hosts.add("headend"), hosts.add("client")
    hosts.join(left, f"{HEADEND}/24", right, f"{CLIENT}/24")
    return left, right


class Told:
    """What NextHops says."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[NetworkPath, Adjacency | None]] = SimpleQueue()

    def __call__(self, path: NetworkPath, adjacency: Adjacency | None) -> None:
        self.queue.put((path, adjacency))

    def next(self) -> Adjacency | None:
        path, adjacency = self.queue.get(timeout=10)
        assert path == PATH
        return adjacency


@contextmanager
def following(host: Host, allowed: Callable[[], bool]) -> Iterator[tuple[NextHops, Told]]:
    told = Told()
    hops = within(host, lambda: NextHops(allowed, told))
    try:
        yield hops, told
    finally:
        hops.close()


def test_next_hops_follow_the_kernel(hosts: Hosts) -> None:
    left, right = linked(hosts)
    assert pings(left, CLIENT)
    allowed = Event()
    allowed.set()
    with following(left, allowed.is_set) as (hops, told):
        hops.follow(PATH)
        index = device_index(left, "v1l")
        assert told.next() == Adjacency(index, link_address(right, "v1r"), 1500)
        left.run("ip", "neigh", "replace", str(CLIENT), "lladdr", "02:00:00:00:00:07",
                 "dev", "v1l", "nud", "permanent")  # fmt: skip
        assert told.next() == Adjacency(index, bytes.fromhex("020000000007"), 1500)
        left.link("v1l", "mtu", "1400")
        assert told.next() == Adjacency(index, bytes.fromhex("020000000007"), 1400)
        allowed.clear()
        assert told.next() is None
        allowed.set()
        assert told.next() is not None
        left.run("tc", "qdisc", "add", "dev", "v1l", "root", "tbf", "rate", "10mbit",
                 "burst", "10kb", "latency", "50ms")  # fmt: skip
        assert told.next() is None
        left.run("tc", "qdisc", "del", "dev", "v1l", "root")
        assert told.next() is not None
        left.link("v1l", "down")
        assert told.next() is None


def test_next_hops_keep_neighbours_alive(hosts: Hosts) -> None:
    left, right = linked(hosts)
    left.run("ip", "neigh", "replace", str(CLIENT), "lladdr",
             link_address(right, "v1r").hex(":"), "dev", "v1l", "nud", "stale")  # fmt: skip
    with following(left, lambda: True) as (hops, told):
        hops.follow(PATH)
        assert told.next() is not None
        end = time.monotonic() + 15
        states = ""
        while "REACHABLE" not in states and time.monotonic() < end:
            states = left.run("ip", "neigh", "show", "dev", "v1l").stdout
        assert "REACHABLE" in states
        hops.forget(PATH)
        assert told.next() is None
    with pytest.raises(Empty):
        told.queue.get_nowait()


def test_own_and_unreachable_peers_have_none(hosts: Hosts) -> None:
    left, _ = linked(hosts)
    rounds = SimpleQueue[None]()

    def allowed() -> bool:
        rounds.put(None)
        return True

    with following(left, allowed) as (hops, told):
        hops.follow((HEADEND, HEADEND))
        hops.follow((HEADEND, IPv4Address("203.0.113.9")))
        for _ in range(3):
            rounds.get(timeout=10)
        assert told.queue.empty()


def test_the_firewall_is_watched(hosts: Hosts) -> None:
    host = hosts.add("vpn")
    firewall = Firewall(("ip", "netns", "exec", host.name, "nft", "-j", "list", "ruleset"))
    try:
        assert within(host, firewall.leaves_gre_alone)
        host.run("nft", "add table inet filter")
        hook = "{ type filter hook output priority 0; policy accept; }"
        host.run("nft", f"add chain inet filter out {hook}")
        host.run("nft", "add rule inet filter out tcp dport 25 drop")
        assert firewall.leaves_gre_alone()
        host.run("nft", "add rule inet filter out meta l4proto gre counter")
        assert not firewall.leaves_gre_alone()
        host.run("nft", "flush ruleset")
        assert firewall.leaves_gre_alone()
    finally:
        firewall.close()


def test_ipsec_is_seen(hosts: Hosts) -> None:
    host = hosts.add("vpn")
    host.run("ip", "xfrm", "policy", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "dir", "out",
             "tmpl", "proto", "esp", "mode", "transport")  # fmt: skip
    command = ("ip", "netns", "exec", host.name, "nft", "-j", "list", "ruleset")
    firewall = Firewall(command)
    try:
        assert not within(host, firewall.leaves_gre_alone)
    finally:
        firewall.close()


def requests(host: Host) -> int:
    """Packets that the kernel's IP layer was asked to send."""
    names, values = host.run("grep", "^Ip:", "/proc/net/snmp").stdout.splitlines()
    return int(values.split()[names.split().index("OutRequests")])


def sends_past_ip(server: Host, client: Host) -> bool:
    """Whether an answer costs the server one packet of the IP layer, not two: its GRE also."""
    before = requests(server)
    assert pings(client, IPv4Address(INNER), "-c40", "-i0.002")
    return requests(server) - before < 60


@pytest.mark.parametrize(("outer", "filtered"), [("auto", True), ("raw", True), ("packet", False)])
def test_rules_are_obeyed(hosts: Hosts, tmp_path: Path, outer: str, filtered: bool) -> None:
    """A rule that comes while a tunnel is up; only `packet` is told to go past it."""
    left, right = linked(hosts)
    with Headend(left, tmp_path / "state", str(HEADEND), outer=outer) as headend:
        headend.configure(["MSCHAPv2"], ["Required", "128-bit"])
        dial = [sys.executable, "-m", "fastpptp", "dial", str(HEADEND), "--user", "alice"]
        client = right.start(*dial, "--password", "secret12", "--exec", "sleep 60")
        headend.wait(lambda: headend.sessions(), "has no session")
        headend.wait(lambda: pings(right, IPv4Address(INNER)), "does not answer")
        if outer != "raw":
            headend.wait(lambda: sends_past_ip(left, right), "sends by the raw socket")
        else:
            assert not sends_past_ip(left, right)
        left.run("nft", "add table ip block")
        left.run("nft", "add chain ip block out { type filter hook output priority 0; }")
        left.run("nft", "add rule ip block out meta l4proto gre drop")
        if filtered:
            headend.wait(lambda: not pings(right, IPv4Address(INNER)), "goes past the rule")
        else:
            assert all(pings(right, IPv4Address(INNER)) for _ in range(8))
        client.terminate()
        client.wait(20)
