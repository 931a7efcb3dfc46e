"""AF_XDP: that packets go by it where they can, and by the other sockets where they cannot."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import GRE_PPTP, Ether

from fastpptp.backends.nexthops import Adjacency
from fastpptp.dataplane import Dataplane
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import (
    CALL_IDS,
    CLIENT,
    HEADEND,
    INNER_CLIENT,
    INNER_HEADEND,
    End,
    transfer,
    tunnel,
    within,
)
from tests.netns.test_sending import device_index, link_address, linked, pings, requests, stream
from tests.unit.dataplane.rig import HANDLE, SPEC, gre

pytestmark = pytest.mark.netns

OURS, THEIRS = "v1l", "v1r"


def attach(end: End, device: str, peer: bytes, mtu: int = 1500) -> int:
    """Have an end use AF_XDP on its link; the answer is the link's number."""
    index = device_index(end.host, device)
    made = within(end.host, lambda: end.dataplane.open_xdp(index))
    assert (made.device, made.native) == (index, True)
    end.dataplane.set_adjacency(end.handle, Adjacency(index, peer, mtu))
    return index


def attach_both(headend: End, client: End) -> None:
    attach(headend, OURS, link_address(client.host, THEIRS))
    attach(client, THEIRS, link_address(headend.host, OURS))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def delivered(host: Host) -> int:
    """Packets that the kernel's IP layer got."""
    names, values = host.run("grep", "^Ip:", "/proc/net/snmp").stdout.splitlines()
    return int(values.split()[names.split().index("InReceives")])


@pytest.mark.parametrize("mode", ["plain", "stateless", "stateful"])
def test_ping_and_transfer(hosts: Hosts, mode: str) -> None:
    with tunnel(hosts, mode, xdp=True) as (headend, client):
        attach_both(headend, client)
        for size in ("56", "1360"):
            result = client.host.run("ping", "-c3", "-i0.01", "-s", size, str(INNER_HEADEND))
            assert " 0% packet loss" in result.stdout
        transfer(client.host, headend.host, INNER_HEADEND, 20 << 20)
        transfer(headend.host, client.host, INNER_CLIENT, 20 << 20)
        assert set(headend.drops()) <= {"inner unknown"}


def test_it_passes_the_kernels_ip_layer(hosts: Hosts) -> None:
    """A ping costs either host two packets of IP, the inner ones, not four."""
    with tunnel(hosts, "stateless", xdp=True) as (headend, client):

        def cost(host: Host) -> tuple[int, int]:
            sent, got = requests(host), delivered(host)
            assert pings(client.host, INNER_HEADEND, "-c40", "-i0.002")
            return requests(host) - sent, delivered(host) - got

        assert min(cost(headend.host)) >= 80
        attach_both(headend, client)
        assert max(cost(headend.host)) < 60


def test_many_packets_in_order(hosts: Hosts) -> None:
    """Of one stream some by AF_XDP, some too large for it: stateful MPPE misses none."""
    with tunnel(hosts, "stateful", xdp=True) as (headend, client):
        attach(headend, OURS, link_address(client.host, THEIRS), mtu=700)
        attach(client, THEIRS, link_address(headend.host, OURS))
        stream(headend, client)
        assert client.dataplane.stats[client.handle & 0xFFFF]["lost"] == 0


def test_fragments_go_by_the_raw_sockets(hosts: Hosts) -> None:
    with tunnel(hosts, "stateful", xdp=True) as (headend, client):
        attach(headend, OURS, link_address(client.host, THEIRS), mtu=1000)
        attach(client, THEIRS, link_address(headend.host, OURS), mtu=1000)
        headend.host.link(OURS, "mtu", "1000")
        client.host.link(THEIRS, "mtu", "1000")
        for size in ("56", "1360"):
            result = client.host.run("ping", "-c10", "-i0.01", "-s", size, str(INNER_HEADEND))
            assert " 0% packet loss" in result.stdout


@contextmanager
def listening(host: Host, device: str) -> Iterator[socket.socket]:
    """A packet socket that sees what arrives on a device."""
    sniffer = within(host, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with sniffer:
        sniffer.settimeout(5)
        within(host, lambda: sniffer.bind((device, 0x0800)))
        yield sniffer


@contextmanager
def sending(host: Host, device: str) -> Iterator[socket.socket]:
    """A packet socket that sends frames out of a device."""
    sender = within(host, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    with sender:
        within(host, lambda: sender.bind((device, 0)))
        yield sender


def test_frames_are_what_scapy_reads(hosts: Hosts) -> None:
    with tunnel(hosts, "plain", xdp=True) as (headend, client):
        peer = link_address(client.host, THEIRS)
        attach(headend, OURS, peer)
        with listening(client.host, THEIRS) as sniffer:
            assert pings(headend.host, INNER_CLIENT, "-s1000")
            while (frame := Ether(sniffer.recv(2000))).src == peer.hex(":"):
                pass
        assert frame.dst == peer.hex(":")
        assert frame.src == link_address(headend.host, OURS).hex(":")
        ip = frame[IP]
        assert (ip.src, ip.dst, ip.proto, ip.ttl) == (str(HEADEND), str(CLIENT), 47, 64)
        assert (ip.flags, ip.frag, ip.len) == (0, 0, len(frame) - 14)
        gre = ip[GRE_PPTP]
        assert (gre.version, gre.proto, gre.key_present) == (1, 0x880B, 1)
        assert (gre.call_id, gre.payload_len) == (CALL_IDS["client"], len(gre.payload))
        given = bytes(ip)
        del ip.chksum
        assert bytes(ip) == given


def test_a_broken_header_is_dropped(hosts: Hosts) -> None:
    """No kernel has checked the IPv4 header before us."""
    with tunnel(hosts, "plain", xdp=True) as (headend, client):
        attach(headend, OURS, link_address(client.host, THEIRS))
        key = CALL_IDS["headend"]
        gre = bytes.fromhex(f"3001880b0000{key:04x}00000000")
        link = Ether(dst=link_address(headend.host, OURS).hex(":"), type=0x0800)
        ip = IP(src=str(CLIENT), dst=str(HEADEND), proto=47)
        with sending(client.host, THEIRS) as sender:
            sender.send(bytes(link / ip / gre))
            sender.send(bytes(link / IP(bytes(ip / gre)[:10] + b"\0\0" + bytes(ip / gre)[12:])))
        until(lambda: headend.drops().get("outer malformed") == 1)


def test_the_interface_goes_down_and_comes_back(hosts: Hosts) -> None:
    with tunnel(hosts, "stateless", xdp=True) as (headend, client):
        attach_both(headend, client)
        assert pings(client.host, INNER_HEADEND)
        headend.host.link(OURS, "down")
        assert not pings(headend.host, INNER_CLIENT)
        headend.host.link(OURS, "up")
        until(lambda: pings(client.host, INNER_HEADEND))
        before = requests(headend.host)
        assert pings(client.host, INNER_HEADEND, "-c40", "-i0.002")
        assert requests(headend.host) - before < 60


def test_the_interface_vanishes(hosts: Hosts) -> None:
    """And another takes its place; nothing of the first is missing afterwards."""
    with tunnel(hosts, "stateless", xdp=True) as (headend, client):
        index = attach(headend, OURS, link_address(client.host, THEIRS))
        assert pings(client.host, INNER_HEADEND)
        headend.host.run("ip", "link", "del", OURS)
        headend.dataplane.close_xdp(index)
        hosts.join(headend.host, f"{HEADEND}/24", client.host, f"{CLIENT}/24")
        until(lambda: pings(client.host, INNER_HEADEND))
        attach(headend, "v2l", link_address(client.host, "v2r"))
        assert pings(client.host, INNER_HEADEND, "-c40", "-i0.002")


def test_another_program_on_the_interface(hosts: Hosts) -> None:
    with tunnel(hosts, "plain", xdp=True) as (headend, client):
        index = attach(headend, OURS, link_address(client.host, THEIRS))
        with bare(headend.host) as second:
            with pytest.raises(OSError, match="another XDP program is on the interface"):
                within(headend.host, lambda: second.open_xdp(index))
            headend.dataplane.close_xdp(index)
            within(headend.host, lambda: second.open_xdp(index))
        assert pings(client.host, INNER_HEADEND)


def test_what_cannot_be_opened(hosts: Hosts) -> None:
    host = hosts.add("vpn")
    with bare(host) as dataplane:
        within(host, lambda: dataplane.open_xdp(1))
        with pytest.raises(ValueError, match="open already"):
            dataplane.open_xdp(1)
        with pytest.raises(OSError, match="no interface"):
            within(host, lambda: dataplane.open_xdp(0x7FFFFFF0))
        with pytest.raises(OSError, match="in another network namespace"):
            dataplane.open_xdp(2)
        dataplane.close_xdp(1)
    with bare(host, xdp=False) as dataplane, pytest.raises(ValueError, match="xdp=True"):
        dataplane.open_xdp(1)


@contextmanager
def bare(host: Host, *, xdp: bool = True) -> Iterator[Dataplane]:
    """A dataplane of one worker on socket pairs, without a thread."""
    pairs = [
        within(host, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)) for _ in "ab"
    ]
    try:
        with Dataplane([pairs[0][0].fileno()], [pairs[1][0].fileno()], xdp=xdp) as dataplane:
            yield dataplane
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


def held() -> tuple[int, int]:
    """Descriptors of this process, and mapped rings and BPF maps."""
    gc.collect()  # the stats of a dataplane live as long as views of them
    maps = Path("/proc/self/maps").read_text()
    return len(os.listdir("/proc/self/fd")), maps.count("socket:") + maps.count("bpf-map")


def open_often(host: Host) -> None:
    with bare(host) as dataplane:
        for turn in range(5):
            within(host, lambda: dataplane.open_xdp(1))
            dataplane.poll_once(1_000_000 + turn * 10_000)
            dataplane.close_xdp(1)
            dataplane.poll_once(1_001_000 + turn * 10_000)
        within(host, lambda: dataplane.open_xdp(1))
        assert held()[1] == 5


def test_nothing_leaks(hosts: Hosts) -> None:
    host = hosts.add("vpn")
    open_often(host)
    before = held()
    for _ in range(5):
        open_often(host)
    assert held() == before == (before[0], 0)


def test_a_slow_worker_counts_what_it_missed(hosts: Hosts) -> None:
    left, right = linked(hosts)
    with bare(left) as dataplane, sending(right, THEIRS) as sender:
        within(left, lambda: dataplane.open_xdp(device_index(left, OURS)))
        dataplane.open_call(HANDLE, SPEC)
        dataplane.poll_once(1_000_000)
        link = Ether(dst=link_address(left, OURS).hex(":"), type=0x0800)
        acknowledgement = bytes(link) + gre(acknowledged=0)
        for now in (1_001_000, 1_002_000):
            for _ in range(5000):
                sender.send(acknowledgement)
            while dataplane.poll_once(now):
                pass
        missed = dataplane.drop_counts()["outer overrun"]
        assert missed > 4000
        assert dataplane.stats[HANDLE & 0xFFFF]["rx_zlb"] + missed == 10_000


@pytest.mark.parametrize("queues", [1, 2])
def test_two_workers(hosts: Hosts, queues: int) -> None:
    """Each has a queue, or the second only its sockets."""
    with tunnel(hosts, "stateless", workers=2, xdp=True, queues=queues) as (headend, client):
        attach_both(headend, client)
        (made,) = headend.dataplane.xdp_devices.values()
        assert made.queues == queues
        transfer(client.host, headend.host, INNER_HEADEND, 8 << 20)
        transfer(headend.host, client.host, INNER_CLIENT, 8 << 20)


# The service.


@contextmanager
def dialled(
    hosts: Hosts, folder: Path, before: Callable[[Host], object] = lambda host: None
) -> Iterator[tuple[Headend, Host]]:
    """Headend and dial with `outer = "xdp"`; `before` is done on the headend's host first."""
    left, right = linked(hosts)
    before(left)
    with Headend(left, folder / "state", str(HEADEND), outer="xdp") as headend:
        headend.configure(["MSCHAPv2"], ["Required", "128-bit"])
        start_dial(headend, right)
        yield headend, right


def start_dial(headend: Headend, host: Host) -> subprocess.Popen[str]:
    process = host.start(
        sys.executable, "-m", "fastpptp", "dial", str(HEADEND), "--user", "alice",
        "--password", "secret12", "--outer", "xdp", "--exec", "sleep 60",
    )  # fmt: skip
    headend.wait(lambda: pings(host, IPv4Address(INNER)), "does not answer")
    return process


def program(host: Host, device: str) -> str:
    """The number of the XDP program on an interface, empty if there is none."""
    found = re.search(r"prog/xdp id (\d+)", host.run("ip", "link", "show", "dev", device).stdout)
    return found[1] if found else ""


def has_program(host: Host, device: str) -> bool:
    return bool(program(host, device))


def test_headend_and_dial(hosts: Hosts, tmp_path: Path) -> None:
    with dialled(hosts, tmp_path) as (headend, right):
        headend.wait(lambda: has_program(headend.host, OURS), "has no program")
        headend.wait(lambda: has_program(right, THEIRS), "dial has no program")
        before = delivered(headend.host)
        assert pings(right, IPv4Address(INNER), "-c40", "-i0.002")
        assert delivered(headend.host) - before < 60
    assert not has_program(headend.host, OURS)


def test_it_says_where_it_cannot_and_can_later(hosts: Hosts, tmp_path: Path) -> None:
    """Somebody has the interface at first."""
    with ExitStack() as stack:
        others: list[Dataplane] = []

        def occupy(host: Host) -> None:
            others.append(stack.enter_context(bare(host)))
            within(host, lambda: others[0].open_xdp(device_index(host, OURS)))

        headend, right = stack.enter_context(dialled(hosts, tmp_path, occupy))
        headend.wait(
            lambda: any(
                "AF_XDP on v1l is not available: another XDP program" in text
                for text in headend.texts_since(0)
            ),
            "does not say so",
        )
        assert pings(right, IPv4Address(INNER), "-c20", "-i0.002")
        theirs = program(headend.host, OURS)
        others[0].close()
        headend.wait(lambda: program(headend.host, OURS) not in ("", theirs), "does not come back")
        headend.wait(
            lambda: any(
                "AF_XDP on v1l is available now" in text for text in headend.texts_since(0)
            ),
            "does not say that it is back",
        )
        before = delivered(headend.host)
        assert pings(right, IPv4Address(INNER), "-c40", "-i0.002")
        assert delivered(headend.host) - before < 60


def test_it_starts_again_after_a_kill(hosts: Hosts, tmp_path: Path) -> None:
    with dialled(hosts, tmp_path) as (headend, right):
        headend.wait(lambda: has_program(headend.host, OURS), "has no program")
        assert headend.process is not None
        headend.process.send_signal(signal.SIGKILL)
        headend.process.wait(10)
        assert not has_program(headend.host, OURS)
        (headend.state / "admin.sock").unlink(missing_ok=True)
        headend.start()
        start_dial(headend, right)
        headend.wait(lambda: has_program(headend.host, OURS), "has no program")
        assert not [text for text in headend.texts_since(0) if "AF_XDP" in text]
