"""What the XDP program takes, by the kernel's own test run, and what it leaves to the kernel."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, UDP, IPOption_RR
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.packet import Packet

from fastpptp.dataplane import Dataplane
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import within
from tests.unit.dataplane.rig import CALL_ID, HANDLE, LOCAL, PEER, SPEC, gre

BPF = 321  # the system call, x86-64
BPF_PROG_TEST_RUN = 10
XDP_PASS, XDP_REDIRECT = 2, 4
LOOPBACK = 1
OURS = bytes.fromhex("020000000001")
LINK = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="knows bpf(2) of x86-64"),
]


class Program:
    """The program on the loopback interface of a dataplane with the call HANDLE."""

    def __init__(self, dataplane: Dataplane, descriptor: int) -> None:
        self.dataplane = dataplane
        self._descriptor = descriptor

    def decide(self, frame: bytes | Packet) -> int:
        """XDP_REDIRECT or XDP_PASS for a frame that came on queue 0."""
        data = bytes(frame)
        octets = ctypes.create_string_buffer(data, len(data))
        attributes = bytearray(128)
        struct.pack_into("=IIIIQQII", attributes, 0, self._descriptor, 0, len(data), 0,
                         ctypes.addressof(octets), 0, 1, 0)  # fmt: skip
        argument = (ctypes.c_char * 128).from_buffer(attributes)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(BPF, BPF_PROG_TEST_RUN, argument, 128) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(struct.unpack_from("=I", attributes, 4)[0])


@contextmanager
def running(host: Host, workers: int) -> Iterator[Program]:
    count = range(2 * workers)
    pairs = within(host, lambda: [socket.socketpair(type=socket.SOCK_DGRAM) for _ in count])
    fds = [pair[0].fileno() for pair in pairs]
    try:
        with Dataplane(fds[:workers], fds[workers:], xdp=True) as dataplane:
            device = within(host, lambda: dataplane.open_xdp(LOOPBACK))
            assert not device.native
            dataplane.open_call(HANDLE, SPEC)
            dataplane.poll_once()
            yield Program(dataplane, device.fileno())
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


@pytest.fixture
def program(hosts: Hosts) -> Iterator[Program]:
    with running(hosts.add("vpn"), 1) as made:
        yield made


def frame(**changes: object) -> bytes:
    """A data packet of our call on an Ethernet."""
    return OURS + bytes.fromhex("020000000002") + b"\x08\x00" + gre(b"\0\x21text", 7, **changes)  # type: ignore[arg-type]


def test_our_gre_is_taken(program: Program) -> None:
    assert program.decide(frame()) == XDP_REDIRECT
    assert program.decide(frame(acknowledged=3)) == XDP_REDIRECT
    assert program.decide(frame(padding=bytes(20))) == XDP_REDIRECT
    # A ZLB of 42 octets, and the largest that a frame holds.
    assert program.decide(OURS * 2 + b"\x08\x00" + gre()) == XDP_REDIRECT
    assert program.decide(frame(padding=bytes(1792 - len(frame())))) == XDP_REDIRECT


def scapy_gre(**fields: int) -> Packet:
    """The same as scapy makes it: version 1, key, PPP."""
    usual = {"key_present": 1, "seqnum_present": 1, "version": 1, "proto": 0x880B, "key": CALL_ID}
    return GRE(**{**usual, **fields})


def outer(**fields: object) -> Packet:
    return IP(**{"src": str(PEER), "dst": str(LOCAL), "proto": 47, **fields})


def test_scapy_agrees(program: Program) -> None:
    assert program.decide(LINK / outer() / scapy_gre() / b"\0\x21text") == XDP_REDIRECT


@pytest.mark.parametrize(
    "packet",
    [
        LINK / outer(flags="MF") / scapy_gre() / b"text",
        LINK / outer(frag=1) / scapy_gre() / b"text",
        LINK / outer(options=[IPOption_RR()]) / scapy_gre() / b"text",
        LINK / outer(proto=17) / UDP() / b"some text of some length",
        LINK / outer(dst="192.0.2.2") / scapy_gre() / b"text",
        LINK / outer() / scapy_gre(key=CALL_ID + 1) / b"text",
        LINK / outer() / scapy_gre(version=0) / b"text",
        LINK / outer() / scapy_gre(key_present=0) / b"text",
        LINK / outer() / scapy_gre(proto=0x0800) / b"text",
        LINK / outer() / scapy_gre() / bytes(1800),
        LINK / Dot1Q(vlan=7) / outer() / scapy_gre() / b"text",
        LINK / IPv6() / scapy_gre() / b"some text of some length",
    ],
    ids=[
        "first fragment", "later fragment", "IP options", "UDP", "not our address",
        "not our call", "version 0", "no key", "not PPP", "too large", "VLAN", "IPv6",
    ],
)  # fmt: skip
def test_all_else_passes(program: Program, packet: Packet) -> None:
    assert program.decide(packet) == XDP_PASS


@pytest.mark.parametrize("length", range(14, 42))
def test_what_is_short_passes(program: Program, length: int) -> None:
    assert program.decide(frame()[:length]) == XDP_PASS


def test_a_call_is_taken_while_it_is_open(program: Program) -> None:
    program.dataplane.close_call(HANDLE)
    assert program.decide(frame()) == XDP_PASS
    program.dataplane.poll_once()
    program.dataplane.read_events()
    program.dataplane.open_call(HANDLE + (1 << 16), SPEC)
    assert program.decide(frame()) == XDP_REDIRECT
    assert program.decide(frame(target=IPv4Address("192.0.2.3"))) == XDP_PASS


def test_what_is_another_workers_passes(hosts: Hosts) -> None:
    """Queue 0 is worker 0's; the raw socket of worker 1 takes what comes there for it."""
    with running(hosts.add("vpn"), 2) as program:
        assert program.decide(frame()) == XDP_REDIRECT
        program.dataplane.open_call(HANDLE + 1, SPEC)
        assert program.decide(frame(call_id=CALL_ID + 1)) == XDP_PASS
