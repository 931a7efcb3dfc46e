"""Data packets in the event log: of whom, how many, and in which words."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from fastpptp.manager.packets import ALL, EACH, SECOND
from fastpptp.ports import DATA_SNAP, Trace, TraceRecord
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.test_decoding import listening, texts
from tests.unit.manager.world import PEER, client, only_session, policy, world

SECRET = b"password=secret12"
NOW = 1_764_000_000 * SECOND
PING = bytes(IP(src="172.16.1.10", dst="172.16.1.1", id=7) / ICMP(seq=3))


def debugged(severity: int = 13, calls: int = 1, user: str | None = "pptpuser") -> MemoryHeadend:
    """Sessions that come up while an order holds."""
    memory = world(policy(events={"log": "none"}, simultaneous_logins=50))
    address = None if user else IPv4Network(PEER)
    memory.carry_out(
        memory.manager.debugging.start(user, address, severity, 1e9, "later", "root")[1]
    )
    for _ in range(calls):
        memory.dial(client(), PEER)
        memory.run(5)
    return memory


def packet(
    memory: MemoryHeadend, *, session: int = 0, kind: Trace = Trace.INNER_IN, at: int = NOW,
    octets: bytes = PING, length: int | None = None, suppressed: int = 0,
) -> None:  # fmt: skip
    """The dataplane copied a packet of a session."""
    view = list(memory.manager.sessions())[session]
    record = TraceRecord(
        view.handle, kind, at, length or len(octets), suppressed, 0, 0, octets[:DATA_SNAP]
    )
    memory.carry_out(memory.manager.packet_traced(record, memory.clock()))


def told(memory: MemoryHeadend) -> list[str]:
    return [text for text in texts(memory, "PPPDECODE", 103) if "data [" in text]


def test_a_packet_in_words_and_octets() -> None:
    memory = debugged()
    view = only_session(memory)
    assert memory.dataplane.traced == {view.handle: (Trace.INNER, DATA_SNAP, EACH)}
    packet(memory)
    packet(memory, kind=Trace.INNER_OUT, octets=bytes(IP(src="1.2.3.4") / UDP(sport=53, dport=9)))
    packet(memory, octets=bytes(IPv6(src="fe80::1", dst="ff02::2") / UDP()) + bytes(500))
    where = f"[pptpuser@{PEER} call {view.local_call_id:#x}]"
    assert told(memory)[0] == (
        f"{where} rcvd data [ICMP 172.16.1.10 -> 172.16.1.1, 28 octets]\n"
        "0000  45 00 00 1c 00 07 00 00 40 01 20 61 ac 10 01 0a\n"
        "0010  ac 10 01 01 08 00 f7 fc 00 00 00 03"
    ).replace("20 61", PING[10:12].hex(" "))
    assert told(memory)[1].startswith(
        f"{where} sent data [UDP 1.2.3.4 port 53 -> 127.0.0.1 port 9, 28 octets]\n"
    )
    long = told(memory)[2].split("\n")
    assert long[0].startswith(f"{where} rcvd data [UDP fe80::1 port 53 -> ff02::2 port 53, 548 ")
    assert len(long) == 1 + (40 + 8) // 16


@pytest.mark.parametrize(
    ("made", "headers"),
    [
        (IP() / TCP(options=[("NOP", None)] * 12) / SECRET, 20 + 32),
        (IP() / UDP() / SECRET, 28),
        (IP() / ICMP() / SECRET, 28),
        (IP(proto=253) / SECRET, 20),
        (IP(frag=100, proto=6) / SECRET, 20),
        (IPv6() / ICMPv6EchoRequest(data=SECRET), 48),
        (IPv6(nh=253) / SECRET, 40),
        (IP(options=[IPOption(bytes(4))]) / UDP() / SECRET, 32),
        (IP(proto=6), 20),
    ],
)
def test_what_a_packet_holds_does_not_show(made: Any, headers: int) -> None:
    """It can be a password."""
    memory = debugged()
    packet(memory, octets=bytes(made))
    octets = bytes.fromhex("".join(line[4:] for line in told(memory)[0].split("\n")[1:]))
    assert octets == bytes(made)[:headers]
    assert SECRET not in octets


def test_the_events_are_about_the_user() -> None:
    memory = debugged()
    packet(memory)
    (event,) = (e for e in memory.events if e.fields.get("text", "").find("data [") > 0)
    assert (event.peer, event.fields["user"]) == (PEER, "pptpuser")


@pytest.mark.parametrize("severity", [10, 11, 12])
def test_below_13_no_packet_is_asked_for(severity: int) -> None:
    memory = debugged(severity)
    assert memory.dataplane.traced == {}
    packet(memory)
    assert told(memory) == []


def test_a_policy_alone_has_no_data_packets() -> None:
    """It would be everybody's."""
    memory = listening(PPPDECODE="10-13")
    assert memory.dataplane.traced == {}
    packet(memory)
    assert told(memory) == []


def test_by_address_too() -> None:
    memory = debugged(user=None)
    assert len(memory.dataplane.traced) == 1


def test_some_a_second_are_told_and_the_rest_is_counted() -> None:
    memory = debugged()
    for second in range(3):
        for _ in range(EACH + 10):
            packet(memory, at=NOW + second * SECOND)
    first_of_each = told(memory)[::EACH]
    assert len(told(memory)) == 3 * EACH
    counted = [text.split("\n")[0].partition("; ")[2] for text in first_of_each]
    assert counted == ["", "10 more before it are not told", "10 more before it are not told"]


def test_what_the_dataplane_left_out_is_counted_with_it() -> None:
    memory = debugged()
    packet(memory, suppressed=0)
    packet(memory, suppressed=1200)
    packet(memory, suppressed=1200)
    packet(memory, suppressed=1201)
    counted = [text.split("\n")[0].partition("; ")[2] for text in told(memory)]
    assert counted == ["", "1,200 more before it are not told", "", "1 more before it are not told"]


def test_all_together_have_a_bound() -> None:
    sessions = ALL // EACH + 2
    memory = debugged(calls=sessions)
    assert len(memory.dataplane.traced) == sessions
    for session in range(sessions):
        for _ in range(EACH):
            packet(memory, session=session)
    assert len(told(memory)) == ALL


def test_it_begins_and_ends_with_the_debug_of_a_session_that_is_up() -> None:
    memory = world(policy(events={"log": "none"}))
    memory.dial(client(), PEER)
    memory.run(5)
    view = only_session(memory)
    manager, now = memory.manager, memory.clock()
    packet(memory)
    memory.carry_out(manager.debugging.start("pptpuser", None, 13, now + 60, "later", "root")[1])
    assert memory.dataplane.traced == {view.handle: (Trace.INNER, DATA_SNAP, EACH)}
    packet(memory)
    memory.carry_out(manager.debugging.stop("pptpuser", None, "root")[1])
    assert memory.dataplane.traced == {}
    packet(memory)
    assert len(told(memory)) == 1
    memory.carry_out(
        manager.debugging.start(None, IPv4Network(PEER), 13, now + 60, "later", "root")[1]
    )
    assert len(memory.dataplane.traced) == 1
    memory.run(61)
    assert memory.dataplane.traced == {}


def test_it_ends_with_the_call() -> None:
    memory = debugged()
    (dialled,) = memory.clients.values()
    memory.drop(dialled.client)
    memory.run(10)
    assert memory.dataplane.traced == {}
    assert len(memory.manager._data_decodes) == 0
