"""A raw socket whose buffer is full: the peer must not be told that GRE has no receiver."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from fastpptp.backends.nftables import OwnTable
from fastpptp.dataplane import Dataplane, DropReason
from fastpptp.server.net import open_gre, open_receiver_of_last_resort
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import within

pytestmark = pytest.mark.netns

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
GRE, ICMP = socket.IPPROTO_GRE, socket.IPPROTO_ICMP
EXPERIMENT = 253  # RFC 3692
ECHO_REPLY, UNREACHABLE, PROTOCOL_UNREACHABLE = 0, 3, 2
PACKETS = 20  # ICMP has a limit of its own, of 50 at once


@dataclass
class Overrun:
    """A headend's host where nobody reads the GRE socket, and a client's sockets."""

    server: Host
    gre: socket.socket
    icmp: socket.socket
    unknown: socket.socket  # of a protocol that nobody takes

    def answers(self) -> set[tuple[int, int]]:
        """Overrun the socket; type and code of all ICMP that came of it."""
        for number in range(PACKETS):
            packet = struct.pack(">HHHHI", 0x3001, 0x880B, 1000, 1, number) + bytes(1000)
            self.gre.sendto(packet, (SERVER, 0))
        # The answer to a ping comes after whatever was sent before it.
        self.icmp.sendto(struct.pack(">BBHHH", 8, 0, 0xF7FF - 1, 0, 1), (SERVER, 0))
        found = set()
        while (ECHO_REPLY, 0) not in found:
            message = self.icmp.recv(2048)[20:]
            found.add((message[0], message[1]))
        return found - {(ECHO_REPLY, 0)}


@pytest.fixture
def overrun(hosts: Hosts) -> Iterator[Overrun]:
    server, client = hosts.add("headend"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")

    unlimited = "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"
    server.run("sh", "-c", unlimited)

    def small() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, GRE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return made

    def raw(protocol: int) -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)

    with ExitStack() as stack:
        stack.enter_context(within(server, small))
        gre, icmp, unknown = within(client, lambda: [raw(p) for p in (GRE, ICMP, EXPERIMENT)])
        for made in (gre, icmp, unknown):
            stack.enter_context(made)
        icmp.settimeout(10)
        yield Overrun(server, gre, icmp, unknown)


def test_the_kernel_would_tell(overrun: Overrun) -> None:
    assert overrun.answers() == {(UNREACHABLE, PROTOCOL_UNREACHABLE)}


def test_our_table_keeps_it_quiet(overrun: Overrun) -> None:
    table = OwnTable("pptp0")
    within(overrun.server, table.install)
    try:
        assert overrun.answers() == set()
        ruleset = overrun.server.run("nft", "-j", "list", "ruleset").stdout
        assert '"packets": 0' not in ruleset
    finally:
        within(overrun.server, table.remove)
    assert overrun.answers() == {(UNREACHABLE, PROTOCOL_UNREACHABLE)}


def test_other_protocols_are_still_refused(overrun: Overrun) -> None:
    """The rule is about GRE alone."""
    table = OwnTable("pptp0")
    within(overrun.server, table.install)
    try:
        overrun.unknown.sendto(b"x", (SERVER, 0))
        assert overrun.answers() == {(UNREACHABLE, PROTOCOL_UNREACHABLE)}
    finally:
        within(overrun.server, table.remove)


def test_a_second_socket_keeps_it_quiet(overrun: Overrun) -> None:
    with within(overrun.server, open_receiver_of_last_resort):
        assert overrun.answers() == set()
    assert overrun.answers() == {(UNREACHABLE, PROTOCOL_UNREACHABLE)}


def test_what_the_buffer_has_no_room_for_is_counted(overrun: Overrun) -> None:
    """By the worker whose socket it was; what another worker's filter leaves out is no loss."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    outer = within(overrun.server, lambda: [open_gre() for _ in range(2)])
    with ExitStack() as stack:
        for end in (*outer, *(end for pair in pairs for end in pair)):
            stack.enter_context(end)
        fds = [[end.fileno() for end in ends] for ends in (outer, [pair[0] for pair in pairs])]
        dataplane = stack.enter_context(Dataplane(*fds))
        for end in outer:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        overrun.answers()
        lost = dataplane.drop_counts()["outer buffer full"]
        assert 0 < lost < PACKETS
        assert dataplane.drops[:, DropReason.OUTER_BUFFER_FULL].tolist() == [0, lost]  # Call-ID 1
        while dataplane.poll_once():
            pass
        assert dataplane.drop_counts() == {
            "outer buffer full": lost,
            "unknown call": PACKETS - lost,
        }
        overrun.answers()
        assert dataplane.drop_counts()["outer buffer full"] == 2 * lost
