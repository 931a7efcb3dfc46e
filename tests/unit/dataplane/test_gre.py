"""Enhanced GRE: what is taken, what is counted, and that nothing strange is answered."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import GRE_PPTP
from scapy.layers.ppp import PPP

from fastpptp.ports import CallEvent

from .rig import CALL_ID, PEER_CALL_ID, Rig, downward, drain, gre, ipv4


def only_drop(rig: Rig) -> str:
    (text,) = rig.drops()
    return text


def test_a_packet_goes_in_and_one_comes_out(call: Rig) -> None:
    assert call.up(ipv4()) == [ipv4()]
    (sent,) = call.down(downward())
    assert (sent.call_id, sent.sequence, sent.acknowledged) == (PEER_CALL_ID, 0, 0)
    assert call.unseal(sent) == downward()
    assert call.drops() == {}


def test_the_peer_may_pad_the_ip_packet(call: Rig) -> None:
    call.outer.send(gre(call.seal(ipv4()), 0, padding=b"\0" * 10))
    call.poll()
    assert call.inside() == [ipv4()]


def test_ip_options_are_stepped_over(call: Rig) -> None:
    packet = gre(call.seal(ipv4()), 0)
    head = b"\x47\0" + (len(packet) + 8).to_bytes(2, "big") + packet[4:20]
    call.outer.send(head + b"\x01" * 8 + packet[20:])
    call.poll()
    assert call.inside() == [ipv4()]


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, 0x65, "outer malformed"),
        (0, 0x44, "outer malformed"),
        (0, 0x4F, "outer malformed"),
        (9, 6, "outer malformed"),
        (2, 0xFF, "outer malformed"),
        (3, 20, "outer malformed"),
        (20, 0x10, "gre malformed"),
        (20, 0xB0, "gre malformed"),
        (20, 0x70, "gre malformed"),
        (21, 0x00, "gre version"),
        (21, 0x02, "gre version"),
        (22, 0x08, "gre version"),
        (24, 0xFF, "gre length"),
        (20, 0x20, "gre length"),
        (26, 0x11, "unknown call"),
        (12, 10, "wrong address"),
        (16, 10, "wrong address"),
    ],
)
def test_what_is_not_ours_is_counted_and_not_answered(
    call: Rig, offset: int, value: int, reason: str
) -> None:
    packet = bytearray(gre(call.seal(ipv4()), 0))
    packet[offset] = value
    call.outer.send(packet)
    call.poll(10_000)
    assert only_drop(call) == reason
    assert call.inside() == drain(call.outer) == []
    assert call.events() & CallEvent.FIRST_GRE == 0


@pytest.mark.parametrize("length", range(37))
def test_short_packets(call: Rig, length: int) -> None:
    packet = gre(call.seal(ipv4()), 0, 0)
    call.outer.send(packet[:2] + length.to_bytes(2, "big") + packet[4:length])
    call.outer.send(packet[:length])
    call.poll()
    assert call.inside() == drain(call.outer) == []
    assert sum(call.drops().values()) >= 1


def test_an_acknowledgement_alone_has_no_sequence_number(call: Rig) -> None:
    call.down(downward())
    call.outer.send(gre(acknowledged=0))
    call.poll()
    assert call.row("rx_zlb") == 1
    assert call.up(ipv4()) == [ipv4()]
    assert call.drops() == {}


def test_the_first_packet_is_told_once(call: Rig) -> None:
    assert call.events() == 0
    call.up(ipv4())
    call.up(ipv4())
    assert call.events() == CallEvent.FIRST_GRE
    call.up(ipv4())
    assert call.events() == 0


def test_scapy_reads_what_we_send(call: Rig) -> None:
    call.up(ipv4())
    call.inner.send(downward(b"x" * 100))
    call.poll()
    (data,) = drain(call.outer)
    packet = GRE_PPTP(data)
    assert (packet.version, packet.key_present, packet.seqnum_present) == (1, 1, 1)
    assert packet.proto == 0x880B
    assert (packet.payload_len, packet.call_id) == (len(data) - 16, PEER_CALL_ID)
    assert packet.ack_number == 0
    assert bytes(PPP(data[16:])[IP]) == downward(b"x" * 100)


def test_scapy_builds_what_we_read(call: Rig) -> None:
    ppp = bytes(PPP(proto=0x21)) + ipv4()
    header = IP(src="192.0.2.9", dst="192.0.2.1", proto=47)
    body = (
        b"\x30\x01\x88\x0b" + len(ppp).to_bytes(2, "big") + CALL_ID.to_bytes(2, "big") + b"\0" * 4
    )
    call.outer.send(bytes(header / (body + ppp)))
    call.poll()
    assert call.inside() == [ipv4()]


def test_a_longer_packet_than_a_buffer(call: Rig) -> None:
    call.outer.send(gre(b"\xff\x03\x00\x21" + b"x" * 2100, 0))
    call.poll()
    assert only_drop(call) == "outer truncated"


def test_behind_one_nat_peers_are_told_apart_by_our_call_id(wire: Rig) -> None:
    wire.open()
    second = 7 << 16 | 0x77
    wire.handle = second
    wire.open(peer_address=IPv4Address("172.16.1.11"))
    other = ipv4(source=IPv4Address("172.16.1.11"))
    wire.outer.send(gre(wire.seal(other), 0, call_id=0x77))
    wire.outer.send(gre(wire.seal(ipv4()), 0))
    wire.poll()
    assert wire.inside() == [other, ipv4()]
