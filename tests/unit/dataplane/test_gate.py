"""The data gate, parking, and the life of a handle."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from fastpptp.ports import CallEvent

from .rig import CALL_ID, KEYS, POLICY, RECEIVE, SEND, SPEC, Mppe, Rig, downward, gre, ipv4, rig

CONTROL = bytes.fromhex("ff03 8021 0201 0004")


@pytest.fixture
def closed(wire: Rig) -> Rig:
    """A call whose gate was never opened."""
    wire.dataplane.open_call(wire.handle, SPEC)
    wire.dataplane.set_policy(wire.handle, POLICY)
    wire.poll()
    return wire


def test_nothing_passes_before_the_gate_is_open(closed: Rig) -> None:
    assert closed.up(ipv4()) == []
    assert closed.down(downward()) == []
    assert closed.drops() == {"gate closed": 2}


def test_a_closed_gate_closes_both_ways(call: Rig) -> None:
    call.dataplane.close_gate(call.handle, 4)
    assert call.up(ipv4()) == []
    assert call.down(downward()) == []
    call.dataplane.open_gate(call.handle, 4)
    assert call.up(ipv4()) == [ipv4()]


def test_the_gates_are_apart(closed: Rig) -> None:
    closed.dataplane.open_gate(closed.handle, 6)
    assert closed.up(ipv4()) == []
    assert closed.down(downward()) == []


def test_data_behind_an_unanswered_control_frame_is_parked(closed: Rig) -> None:
    closed.give(CONTROL)
    for k in range(3):
        closed.give(closed.seal(ipv4(bytes([k]))))
    closed.poll()
    assert closed.inside() == []
    assert closed.control() == [CONTROL[2:]]
    closed.dataplane.open_gate(closed.handle, 4)
    closed.dataplane.control_done(closed.handle)
    closed.poll()
    assert closed.inside() == [ipv4(bytes([k])) for k in range(3)]
    assert closed.drops() == {}
    closed.poll(2000)
    assert not closed.events() & CallEvent.PARK_EXPIRED


def test_parked_data_keeps_its_place_before_later_data(closed: Rig) -> None:
    closed.give(CONTROL)
    closed.give(closed.seal(ipv4(b"one")))
    closed.poll()
    closed.dataplane.open_gate(closed.handle, 4)
    closed.give(closed.seal(ipv4(b"two")))
    closed.poll()
    assert closed.inside() == [ipv4(b"one"), ipv4(b"two")]


def test_parked_data_is_dropped_when_the_answer_was_no(closed: Rig) -> None:
    closed.give(CONTROL)
    closed.give(closed.seal(ipv4()))
    closed.poll()
    closed.dataplane.control_done(closed.handle)
    closed.poll()
    assert closed.inside() == []
    assert closed.drops() == {"gate closed": 1}


def test_parked_data_is_dropped_after_a_second(closed: Rig) -> None:
    closed.give(CONTROL)
    closed.give(closed.seal(ipv4()))
    closed.poll()
    closed.poll(999)
    assert closed.drops() == {}
    closed.poll(1)
    assert closed.drops() == {"park expired frame": 1}
    assert closed.events() == CallEvent.FIRST_GRE | CallEvent.PARK_EXPIRED
    closed.dataplane.open_gate(closed.handle, 4)
    closed.dataplane.control_done(closed.handle)
    closed.poll()
    assert closed.inside() == []


def test_parking_is_bounded(closed: Rig) -> None:
    closed.give(CONTROL)
    for k in range(20):
        closed.give(closed.seal(ipv4(bytes([k]))))
    closed.poll()
    assert closed.drops() == {"park full": 4}
    closed.dataplane.open_gate(closed.handle, 4)
    closed.poll()
    assert closed.inside() == [ipv4(bytes([k])) for k in range(16)]


@pytest.mark.parametrize("framing", ["ff0300fd", "00fd", "ff03fd", "fd"])
def test_encrypted_data_is_parked_until_the_key_is_there(closed: Rig, framing: str) -> None:
    peer = Mppe(128, stateless=True)
    closed.give(CONTROL)
    for k in range(3):
        closed.give(bytes.fromhex(framing) + peer.encrypt(b"\0\x21" + ipv4(bytes([k]))))
    closed.poll()
    for direction in (RECEIVE, SEND):
        closed.dataplane.set_keys(closed.handle, direction, KEYS[128], 128, True)
    closed.poll()
    assert closed.inside() == []
    closed.dataplane.open_gate(closed.handle, 4)
    closed.poll()
    assert closed.inside() == [ipv4(bytes([k])) for k in range(3)]
    assert closed.drops() == {}


def test_control_and_data_in_one_batch_with_the_gate_already_armed(closed: Rig) -> None:
    """The manager arms before its own last Ack: then nothing needs to be parked."""
    closed.dataplane.open_gate(closed.handle, 4)
    closed.poll()
    closed.give(CONTROL)
    closed.give(closed.seal(ipv4()))
    closed.poll()
    assert closed.inside() == [ipv4()]


# In the clear.


def test_nothing_in_the_clear_when_encryption_is_required(wire: Rig) -> None:
    wire.open(encryption_required=True)
    assert wire.up(ipv4()) == []
    assert wire.down(downward()) == []
    assert wire.drops() == {"cleartext": 1, "no keys": 1}


def test_nothing_in_the_clear_when_keys_are_armed(call: Rig) -> None:
    call.encrypt()
    call.give(b"\xff\x03\x00\x21" + ipv4())
    call.poll()
    assert call.inside() == []
    assert call.drops() == {"cleartext": 1}


@pytest.mark.parametrize("direction", [RECEIVE, SEND])
def test_one_armed_direction_closes_the_clear_in_both(call: Rig, direction: int) -> None:
    call.dataplane.set_keys(call.handle, direction, KEYS[128], 128, True)
    call.give(b"\xff\x03\x00\x21" + ipv4())
    call.inner.send(downward())
    call.poll()
    assert call.inside() == []
    assert all(sent.payload[2:4] == b"\0\xfd" for sent in call.outside())
    assert "cleartext" in call.drops()


def test_without_keys_encrypted_data_is_dropped(call: Rig) -> None:
    call.give(b"\xff\x03\x00\xfd" + Mppe(128, stateless=True).encrypt(b"\0\x21" + ipv4()))
    call.poll()
    assert call.drops() == {"no keys": 1}


def test_cleared_keys(call: Rig) -> None:
    call.encrypt()
    assert call.up(ipv4()) == [ipv4()]
    call.dataplane.clear_keys(call.handle)
    call.poll()
    sealed = call.seal(ipv4())
    call.give(sealed)
    call.poll()
    assert call.inside() == []
    call.to_us = call.from_us = None
    assert call.up(ipv4()) == [ipv4()]


# Handles.


def test_a_closed_call_is_gone_and_its_row_is_final(call: Rig) -> None:
    call.up(ipv4())
    call.encrypt()
    call.give(call.seal(ipv4()), 5)
    call.poll()
    call.events()
    call.dataplane.close_call(call.handle)
    call.give(call.seal(ipv4()))
    call.inner.send(downward())
    call.poll()
    assert call.inside() == []
    assert call.outside() == []
    assert call.events() == CallEvent.CLOSED
    assert call.drops() == {"unknown call": 1, "inner unknown": 1}
    assert call.row("rx_packets") == 1
    assert call.row("handle") == call.handle


def test_a_call_id_is_free_only_after_closed(call: Rig) -> None:
    again = 2 << 16 | CALL_ID
    call.dataplane.close_call(call.handle)
    with pytest.raises(ValueError, match="not free"):
        call.dataplane.open_call(again, SPEC)
    call.poll()
    with pytest.raises(ValueError, match="not free"):
        call.dataplane.open_call(again, SPEC)
    assert call.events() == CallEvent.CLOSED
    with pytest.raises(ValueError, match="twice in a row"):
        call.dataplane.open_call(call.handle, SPEC)
    call.handle = again
    call.sequence = 0
    call.open()
    assert call.up(ipv4()) == [ipv4()]
    assert call.row("rx_packets") == 1


@pytest.mark.parametrize("handle", [0, CALL_ID, 1 << 16, 1 << 32 | CALL_ID])
def test_malformed_handles(wire: Rig, handle: int) -> None:
    with pytest.raises(ValueError):
        wire.dataplane.open_call(handle, SPEC)


def test_commands_of_another_life_are_ignored(call: Rig) -> None:
    dead = 9 << 16 | CALL_ID
    dataplane = call.dataplane
    dataplane.set_policy(dead, replace(POLICY, peer_address=IPv4Address("172.16.9.9")))
    dataplane.set_keys(dead, RECEIVE, KEYS[128], 128, True)
    dataplane.clear_keys(dead)
    dataplane.close_gate(dead, 4)
    dataplane.own_lcp(dead, True)
    dataplane.inject(dead, CONTROL)
    dataplane.control_done(dead)
    dataplane.close_call(dead)
    call.poll()
    assert call.outside() == []
    assert call.up(ipv4()) == [ipv4()]


def test_closing_while_traffic_flows() -> None:
    """No packet of one life reaches the next, whatever waits where."""
    with rig() as wire:
        for life in range(1, 60):
            wire.handle = life << 16 | CALL_ID
            wire.sequence = 0
            wire.open(
                replace(SPEC, limit_transmit_to_window=True, peer_window=2),
                encryption_required=True,
            )
            wire.encrypt(stateless=bool(life % 2))
            for k in range(30):
                wire.inner.send(downward(bytes([life, k])))
                wire.give(wire.seal(ipv4(bytes([life, k]))), k + k // 10)
            if life % 3:
                wire.poll()
            wire.dataplane.close_call(wire.handle)
            wire.poll(life % 7)
            wire.poll()
            assert wire.events() & CallEvent.CLOSED
            for packet in wire.inside():
                assert packet[20] == life
            wire.outside()
        assert wire.drops().get("no frame") is None


def test_the_wrong_arguments() -> None:
    with rig() as wire:
        wire.open()
        for direction, key, bits in ((2, KEYS[128], 128), (0, KEYS[40], 128), (0, KEYS[128], 64)):
            with pytest.raises(ValueError):
                wire.dataplane.set_keys(wire.handle, direction, key, bits, True)
        with pytest.raises(ValueError):
            wire.dataplane.open_gate(wire.handle, 5)
        for bad in (replace(POLICY, mru=60), replace(POLICY, mss=70000)):
            with pytest.raises(ValueError):
                wire.dataplane.set_policy(wire.handle, bad)
        with pytest.raises(ValueError):
            wire.dataplane.open_call(1 << 16 | 5, replace(SPEC, reorder_packets=100))


def test_gre_for_a_call_not_yet_open(wire: Rig) -> None:
    wire.outer.send(gre(b"\xff\x03\x00\x21" + ipv4(), 0))
    wire.poll()
    assert wire.drops() == {"unknown call": 1}
