"""Control messages as TCP segments, as scapy dissects them."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.pptp import PPTP, PPTPCallClearRequest, PPTPOutgoingCallReply

from fastpptp.pptp.messages import (
    CallClearRequest,
    CallDisconnectNotify,
    EchoRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionRequest,
    encode,
)
from fastpptp.trace.control import ControlMessage, ControlStream

LOCAL, PEER = (IPv4Address("192.0.2.1"), 1723), (IPv4Address("198.51.100.9"), 50000)
OURS, THEIRS = 0x1234, 0x4321
FROM_PEER: list[Message] = [
    StartControlConnectionRequest(host_name="client"),
    OutgoingCallRequest(call_id=THEIRS, serial=1),
    SetLinkInfo(peer_call_id=OURS),
    EchoRequest(identifier=7),
    CallClearRequest(call_id=THEIRS),
]
TO_PEER: list[Message] = [
    OutgoingCallReply(call_id=OURS, peer_call_id=THEIRS),
    EchoRequest(identifier=8),
    CallDisconnectNotify(call_id=OURS),
]


@pytest.fixture
def stream() -> ControlStream:
    return ControlStream(LOCAL, PEER)


def whole(message: ControlMessage, stream: ControlStream) -> IP:
    """The segment, whose checksums scapy makes anew."""
    made = stream.segment(message)
    packet = IP(made)
    del packet.chksum, packet[TCP].chksum
    assert bytes(packet) == made
    return IP(made)


@pytest.mark.parametrize("largest", [1, 30, 2000])
def test_messages_of_a_stream_in_any_pieces(stream: ControlStream, largest: int) -> None:
    rng = random.Random(largest)
    data = b"".join(map(encode, FROM_PEER))
    found: list[ControlMessage] = []
    while data:
        size = rng.randrange(1, largest + 1)
        found += stream.received(data[:size])
        data = data[size:]
    assert [message.octets for message in found] == list(map(encode, FROM_PEER))
    assert all(message.inbound for message in found)


def test_segments_follow_each_other_in_both_directions(stream: ControlStream) -> None:
    received = list(stream.received(b"".join(map(encode, FROM_PEER))))
    sent = list(stream.sent(b"".join(map(encode, TO_PEER))))
    there = back = 1
    for message in (received[0], sent[0], sent[1], *received[1:], sent[2]):
        packet = whole(message, stream)
        ends = (packet.src, packet.sport, packet.dst, packet.dport)
        ours, theirs = ((str(address), port) for address, port in (LOCAL, PEER))
        assert ends == ((*theirs, *ours) if message.inbound else (*ours, *theirs))
        assert (packet.seq, packet.ack) == ((there, back) if message.inbound else (back, there))
        assert bytes(packet[TCP].payload) == message.octets
        assert packet[TCP].payload.name.startswith("PPTP")
        if message.inbound:
            there += len(message.octets)
        else:
            back += len(message.octets)
    assert whole(sent[0], stream)[PPTPOutgoingCallReply].peer_call_id == THEIRS
    assert whole(received[4], stream)[PPTPCallClearRequest].call_id == THEIRS


def test_which_call_a_message_is_about(stream: ControlStream) -> None:
    received = list(stream.received(b"".join(map(encode, FROM_PEER))))
    sent = list(stream.sent(b"".join(map(encode, TO_PEER))))
    for message in (*received, *sent):
        assert message.concerns(OURS, THEIRS)
    about_one = [message.concerns(OURS + 1, THEIRS + 1) for message in (*received, *sent)]
    assert about_one == [True, False, False, True, False, False, True, False]


def test_a_trace_may_begin_in_the_middle_of_a_message(stream: ControlStream) -> None:
    first, second = encode(FROM_PEER[1]), encode(FROM_PEER[3])
    assert list(stream.received(first[40:])) == []
    assert [message.octets for message in stream.received(second)] == [second]


def test_a_malformed_message_is_shown_as_it_is(stream: ControlStream) -> None:
    wrong = bytearray(encode(FROM_PEER[3]))
    wrong[8:10] = (99).to_bytes(2, "big")
    (found,) = stream.received(bytes(wrong))
    assert found.octets == bytes(wrong)
    assert PPTP in whole(found, stream)
