"""Sequence numbers, acknowledgements, the transmit window (RFC 2637 4.2, 4.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .rig import SPEC, Rig, downward, gre, ipv4, rig

ECHO = bytes.fromhex("ff03c021 0901 0008 01020304")


def numbered(number: int) -> bytes:
    return ipv4(number.to_bytes(4, "big"))


def send(rig: Rig, *numbers: int) -> None:
    for number in numbers:
        rig.give(rig.seal(numbered(number)), number & 0xFFFFFFFF)


def arrived(rig: Rig) -> list[int]:
    return [int.from_bytes(packet[20:24], "big") for packet in rig.inside()]


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_number_is_zero_or_one(call: Rig, first: int) -> None:
    send(call, first, first + 1)
    call.poll()
    assert arrived(call) == [first, first + 1]
    assert call.row("out_of_sequence") == 0


def test_a_first_number_above_one_is_waited_for(call: Rig) -> None:
    send(call, 3)
    call.poll()
    assert arrived(call) == []
    call.poll(6)
    assert arrived(call) == [3]
    assert call.row("lost") == 3


def test_reordered_packets_are_put_back(call: Rig) -> None:
    send(call, 0, 2, 4, 3, 1, 5)
    call.poll()
    assert arrived(call) == [0, 1, 2, 3, 4, 5]
    assert call.row("out_of_sequence") == 3
    assert call.row("lost") == 0


def test_a_gap_is_given_up_after_the_reorder_time(call: Rig) -> None:
    send(call, 0, 2, 3, 5)
    call.poll()
    assert arrived(call) == [0]
    call.poll(4)
    assert arrived(call) == []
    send(call, 7)
    call.poll(1)
    assert arrived(call) == [2, 3, 5]
    call.poll(5)
    assert arrived(call) == [7]
    assert call.row("lost") == 3


def test_a_gap_is_given_up_when_too_much_waits(call: Rig) -> None:
    send(call, 0, *range(2, 34))
    call.poll()
    assert arrived(call) == [0]
    send(call, 34)
    call.poll()
    assert arrived(call) == list(range(2, 35))
    assert call.row("lost") == 1


def test_without_reordering_a_gap_is_given_up_at_once(wire: Rig) -> None:
    wire.open(replace(SPEC, reorder_packets=0))
    send(wire, 0, 2, 1, 3)
    wire.poll()
    assert arrived(wire) == [0, 2, 3]
    assert wire.drops() == {"late": 1}
    assert wire.row("out_of_window") == 1


def test_late_and_double_packets_are_dropped(call: Rig) -> None:
    send(call, 0, 1, 1, 0, 3, 3, 2)
    call.poll()
    assert arrived(call) == [0, 1, 2, 3]
    assert call.drops() == {"late": 2, "duplicate": 1}
    assert call.row("out_of_window") == 3


def test_numbers_wrap(call: Rig) -> None:
    start = 0xFFFFFFF0
    send(call, 0)
    call.poll()
    # As after a long life: a packet from far ahead that makes sense moves the window.
    for number in (0x7FFFFFF0, start):
        send(call, number)
        call.poll()
    arrived(call)
    numbers = [(start + k) & 0xFFFFFFFF for k in range(1, 40)]
    send(call, *numbers[:20], *numbers[30:], *numbers[20:30])
    call.poll()
    assert arrived(call) == numbers
    assert call.drops() == {}


def test_what_comes_from_far_ahead_must_make_sense(call: Rig) -> None:
    send(call, 0)
    call.give(b"\xff\x03\x00\x21garbage", 5000)
    send(call, 1)
    call.poll()
    assert arrived(call) == [0, 1]
    send(call, 6000, 6001)
    call.poll()
    assert arrived(call) == [6000, 6001]
    assert call.row("lost") == 5998


def test_an_lcp_echo_is_let_through_even_late(call: Rig) -> None:
    send(call, 0, 1, 2)
    call.give(ECHO, 1)
    call.poll()
    assert call.control() == [ECHO[2:]]


def test_a_number_without_payload_keeps_the_order(call: Rig) -> None:
    send(call, 0)
    call.outer.send(gre(b"", 1))
    send(call, 2)
    call.poll()
    assert arrived(call) == [0, 2]


# Acknowledgements.


def test_an_acknowledgement_waits_for_data(call: Rig) -> None:
    call.up(ipv4(), 0)
    call.poll(499)
    assert call.outside() == []
    (sent,) = call.down(downward())
    assert sent.acknowledged == 0
    call.poll(1000)
    assert call.outside() == []
    assert call.row("ack_timeouts") == call.row("tx_zlb") == 0


def test_an_acknowledgement_goes_alone_after_the_delay(call: Rig) -> None:
    call.up(ipv4())
    call.poll(500)
    (sent,) = call.outside()
    assert (sent.sequence, sent.acknowledged, sent.payload) == (None, 0, b"")
    assert call.row("ack_timeouts") == call.row("tx_zlb") == 1
    call.poll(5000)
    assert call.outside() == []


def test_half_the_window_is_acknowledged_at_once(call: Rig) -> None:
    send(call, *range(7))
    call.poll()
    assert call.outside() == []
    send(call, 7)
    call.poll()
    (sent,) = call.outside()
    assert (sent.sequence, sent.acknowledged) == (None, 7)
    assert (call.row("tx_zlb"), call.row("ack_timeouts")) == (1, 0)


def test_no_delay_acknowledges_each_batch(wire: Rig) -> None:
    wire.open(replace(SPEC, ack_delay=0))
    send(wire, 0, 1, 2)
    wire.poll()
    assert [sent.acknowledged for sent in wire.outside()] == [2]


def test_a_peer_that_never_acknowledges_is_not_waited_for(call: Rig) -> None:
    for k in range(200):
        assert len(call.down(downward(bytes([k])))) == 1


# The window, when it is to be obeyed.

LIMITED = replace(SPEC, limit_transmit_to_window=True, peer_window=8)


def burst(rig: Rig, count: int) -> None:
    for k in range(count):
        rig.inner.send(downward(bytes([k])))


def test_the_window_starts_at_half_and_grows(wire: Rig) -> None:
    wire.open(LIMITED)
    burst(wire, 20)
    wire.poll()
    assert [sent.sequence for sent in wire.outside()] == [0, 1, 2, 3]
    assert wire.row("flow") == 2
    wire.outer.send(gre(acknowledged=3))
    wire.poll()
    assert [sent.sequence for sent in wire.outside()] == [4, 5, 6, 7, 8]
    wire.outer.send(gre(acknowledged=8))
    wire.poll()
    assert [sent.sequence for sent in wire.outside()] == [9, 10, 11, 12, 13, 14]


def test_packets_keep_their_order_behind_the_window(wire: Rig) -> None:
    wire.open(LIMITED)
    wire.encrypt()
    burst(wire, 10)
    wire.poll()
    got = [wire.unseal(sent) for sent in wire.outside()]
    wire.outer.send(gre(acknowledged=3))
    wire.poll()
    got += [wire.unseal(sent) for sent in wire.outside()]
    wire.outer.send(gre(acknowledged=8))
    wire.poll()
    got += [wire.unseal(sent) for sent in wire.outside()]
    assert got == [downward(bytes([k])) for k in range(10)]
    assert wire.row("flow") == 0


def test_the_window_reopens_after_the_time_out(wire: Rig) -> None:
    wire.open(LIMITED)
    burst(wire, 8)
    wire.poll()
    assert len(wire.outside()) == 4
    wire.poll(2999)
    assert wire.outside() == []
    wire.poll(1)
    assert [sent.sequence for sent in wire.outside()] == [4, 5]
    assert wire.row("window_reopens") == 1
    wire.poll(3000)
    assert [sent.sequence for sent in wire.outside()] == [6]
    wire.poll(3000)
    assert [sent.sequence for sent in wire.outside()] == [7]


def test_the_queue_behind_the_window_is_bounded(wire: Rig) -> None:
    wire.open(LIMITED)
    burst(wire, 4 + 64 + 3)
    wire.poll()
    wire.poll()
    assert wire.drops() == {"window queue full": 3}
    assert wire.row("tx_discards") == 3
    assert wire.row("flow") == 3


def test_control_frames_go_in_front_of_the_queue(wire: Rig) -> None:
    wire.open(LIMITED)
    burst(wire, 8)
    wire.poll()
    wire.outside()
    wire.dataplane.inject(wire.handle, ECHO[2:])
    wire.poll()
    (sent,) = wire.outside()
    assert sent.payload == ECHO


@pytest.mark.parametrize("number", [4, 1000, 0x80000000, 0xFFFFFFFF])
def test_an_acknowledgement_of_what_was_never_sent_is_ignored(wire: Rig, number: int) -> None:
    wire.open(LIMITED)
    burst(wire, 8)
    wire.poll()
    wire.outside()
    wire.outer.send(gre(acknowledged=number))
    wire.poll()
    assert wire.outside() == []


def test_what_the_socket_does_not_take_goes_out_later_unchanged() -> None:
    with rig() as wire:
        wire.open()
        wire.encrypt()
        sent = []
        for k in range(2000):
            wire.inner.send(downward(k.to_bytes(2, "big") * 400))
            if k % 32 == 0:
                wire.poll()
            if k % 500 == 499:
                sent += wire.outside()
        while True:
            wire.poll()
            more = wire.outside()
            if not more:
                break
            sent += more
        assert [wire.unseal(one) for one in sent] == [
            downward(k.to_bytes(2, "big") * 400) for k in range(2000)
        ]
