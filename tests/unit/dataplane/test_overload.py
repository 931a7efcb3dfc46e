"""A worker that has more than it can do: nobody has all of it, and control frames get through."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from fastpptp.ports import CallSpec

from .rig import (
    ASSIGNED,
    INSIDE,
    LOCAL,
    PEER,
    POLICY,
    SPEC,
    Gre,
    Rig,
    downward,
    gre,
    ip_header,
    ipv4,
    rig,
)

OTHER = IPv4Address("192.0.2.77")
CONFIGURE = b"\xff\x03\xc0\x21\x01\x01\x00\x04"
ECHO = b"\xff\x03\xc0\x21\x09\x01\x00\x08\0\0\0\0"
PUNT_BURST, SOURCE_BURST = 64, 256
FLOW_LOCAL = 1


def add(wire: Rig, call_id: int, peer: IPv4Address = PEER, *, gate: bool = True) -> int:
    """One more call, with an inner address of its own."""
    handle = 1 << 16 | call_id
    wire.dataplane.open_call(handle, CallSpec(call_id, LOCAL, peer))
    wire.dataplane.set_policy(handle, replace(POLICY, peer_address=inner(call_id)))
    if gate:
        wire.dataplane.open_gate(handle, 4)
    wire.poll()
    return handle


def inner(call_id: int) -> IPv4Address:
    return IPv4Address("10.0.0.0") + call_id


def test_one_source_does_not_fill_the_punt_ring(wire: Rig) -> None:
    """Python is behind; a peer with many calls sends all that each of them may."""
    for call_id in range(1, 61):
        add(wire, call_id)
    victim = add(wire, 100, OTHER)
    frame = CONFIGURE + bytes(1000)
    for number in range(PUNT_BURST):
        for call_id in range(1, 61):
            wire.outer.send(gre(frame, number, call_id=call_id))
        wire.poll()
    wire.outer.send(gre(frame, 0, call_id=100, source=OTHER))
    wire.poll()
    punts = wire.dataplane.read_punts(100000)
    assert [handle for handle, _ in punts].count(victim) == 1
    assert len(punts) < 60 * PUNT_BURST
    assert set(wire.drops()) == {"punt budget"}


def test_a_source_is_not_limited_while_python_keeps_up(wire: Rig) -> None:
    for call_id in range(1, 41):
        add(wire, call_id)
    punts = 0
    for number in range(PUNT_BURST):
        for call_id in range(1, 41):
            wire.outer.send(gre(CONFIGURE, number, call_id=call_id))
        wire.poll()
        punts += len(wire.dataplane.read_punts(100000))
    assert punts == 40 * PUNT_BURST > SOURCE_BURST
    assert wire.drops() == {}


@pytest.fixture
def vnet() -> Iterator[Rig]:
    with rig(vnet_header=True) as wire:
        wire.open()
        yield wire


def flood(wire: Rig) -> list[Gre]:
    """Super-packets of 800 tiny segments, until the outer socket is full in the middle of one.

    What the peer read meanwhile.
    """
    tcp = struct.pack(">HHIIBBHHH", 1, 2, 0, 0, 0x50, 0x10, 1000, 0, 0)
    whole = ip_header(INSIDE, ASSIGNED, 6, 20 + 40000) + tcp + bytes(40000)
    read = []
    while "send backlog" not in wire.drops():
        assert len(read) < 100_000
        wire.inner.send(struct.pack("<BBHHHH", 1, 1, 40, 50, 20, 16) + whole)
        if wire.poll() == 0:
            read += [Gre.parse(wire.outer.recv(2048)) for _ in range(600)]
    return read


def test_control_frames_find_room_while_the_socket_takes_nothing(vnet: Rig) -> None:
    sent = flood(vnet)
    lost = vnet.drops()["send backlog"]
    for k in range(32):
        vnet.dataplane.inject(vnet.handle, b"\xc0\x21" + bytes([k]))
        vnet.poll()
    while more := vnet.outside():
        sent += more
        vnet.poll()
    frames = [one.payload[4:] for one in sent if one.payload[:4] == b"\xff\x03\xc0\x21"]
    assert frames == [bytes([k]) for k in range(32)]
    assert [one.sequence for one in sent] == list(range(len(sent)))
    assert vnet.drops() == {"send backlog": lost}


def stall(wire: Rig) -> None:
    """Send for one call until the outer socket takes no more."""
    for number in range(100_000):
        wire.inner.send(downward(number.to_bytes(4, "big")))
        if number % 64 == 63:
            wire.poll()
            if wire.row("flow") & FLOW_LOCAL:
                return
    raise AssertionError("the socket never fills")


def served(wire: Rig) -> list[Gre]:
    """All that comes out once the peer reads again."""
    found = []
    while more := wire.outside():
        found += more
        wire.poll()
    return found


def test_sessions_have_their_turn_behind_a_full_socket(wire: Rig) -> None:
    """One floods, others send a packet now and then: those lose nothing and wait for nobody."""
    wire.open()
    others = [add(wire, call_id) & 0xFFFF for call_id in range(1, 9)]
    stall(wire)
    for number in range(20):
        for _ in range(60):
            wire.inner.send(downward(b"flood"))
        for call_id in others:
            wire.inner.send(downward(bytes([number]), target=inner(call_id)))
        wire.poll()
        wire.poll()
    lost = wire.drops()
    came = served(wire)
    for call_id in others:
        mine = [sent.payload[-1] for sent in came if sent.call_id == call_id]
        assert mine == list(range(20))
    places = [place for place, sent in enumerate(came) if sent.call_id in others]
    # In turn: nine calls with twenty packets each, from the first of them on.
    assert places[-1] - places[0] < 20 * 9
    assert set(lost) == {"send backlog"}
    assert wire.drops() == lost
    numbers = [sent.sequence for sent in came if sent.call_id == 0x4321]
    assert numbers == list(range(len(numbers)))
    assert wire.row("flow") == 0


def test_a_call_that_closes_leaves_its_turn(wire: Rig) -> None:
    wire.open()
    gone = add(wire, 5)
    stall(wire)
    for _ in range(5):
        wire.inner.send(downward(target=inner(5)))
    wire.poll()
    wire.dataplane.close_call(gone)
    wire.poll()
    assert [sent for sent in served(wire) if sent.call_id == 5] == []
    (sent,) = wire.down(downward(b"on"))
    assert wire.unseal(sent) == downward(b"on")


def test_a_session_behind_its_window_holds_nobody_up(wire: Rig) -> None:
    wire.open(replace(SPEC, peer_window=1, limit_transmit_to_window=True))
    add(wire, 5)
    others = 0
    for round_ in range(100):
        for k in range(20):
            wire.inner.send(downward(bytes([k]) * 1000))
        wire.inner.send(downward(round_.to_bytes(2, "big"), target=inner(5)))
        wire.poll()
        others += sum(sent.call_id == 5 for sent in wire.outside())
    assert others == 100
    assert set(wire.drops()) == {"window queue full"}


def test_sessions_that_wait_for_python_do_not_take_all_buffers() -> None:
    """Each may park 16 frames; together they must leave enough for traffic."""
    with rig(frames=1024) as wire:
        wire.open()
        for call_id in range(1, 201):
            add(wire, call_id, gate=False)
            wire.outer.send(gre(CONFIGURE, 0, call_id=call_id))
            wire.poll()
        for number in range(1, 17):
            for call_id in range(1, 201):
                packet = ipv4(source=inner(call_id))
                wire.outer.send(gre(b"\xff\x03\0\x21" + packet, number, call_id=call_id))
                if call_id % 8 == 0:
                    wire.poll()
            wire.give(wire.seal(ipv4(bytes([number]))))
            wire.poll()
            assert wire.inside() == [ipv4(bytes([number]))]
            assert [wire.unseal(sent) for sent in wire.down(downward()) if sent.payload] == [
                downward()
            ]
        assert set(wire.drops()) == {"park full"}


def test_echoes_are_answered_in_a_flood(wire: Rig) -> None:
    """One session sends all it can; another's echo is answered in the turn that it comes in."""
    wire.open()
    quiet = add(wire, 5, OTHER)
    wire.dataplane.own_lcp(quiet, True)
    for number in range(50):
        for _ in range(120):
            wire.give(wire.seal(ipv4(bytes(1000))))
        wire.outer.send(gre(ECHO, number, call_id=5, source=OTHER))
        wire.poll()
        wire.poll()
        answers = [sent for sent in wire.outside() if sent.call_id == 5 and sent.payload]
        assert [answer.payload[4:5] for answer in answers] == [b"\x0a"]
        assert len(wire.inside()) == 120
    assert wire.drops() == {}


def test_reset_requests_of_many_sessions(wire: Rig) -> None:
    """They cost Python nothing, and nobody else a packet."""
    wire.open()
    for call_id in range(1, 41):
        wire.dataplane.own_lcp(add(wire, call_id), True)
    for number in range(30):
        for call_id in range(1, 41):
            wire.outer.send(gre(b"\xff\x03\x80\xfd\x0e\x01\x00\x04", number, call_id=call_id))
        wire.give(wire.seal(ipv4()))
        wire.poll()
        assert wire.inside() == [ipv4()]
    assert wire.dataplane.read_punts() == []
    assert wire.drops() == {}


# Frames that are larger than ours.


def test_a_jumbo_frame_from_a_peer_is_counted_and_harms_nobody(call: Rig) -> None:
    call.outer.send(gre(call.seal(ipv4(bytes(8900))), 0))
    for _ in range(2):
        assert call.up(ipv4()) == [ipv4()]
    assert call.drops() == {"outer truncated": 1}


@pytest.mark.parametrize("df", [True, False])
def test_a_jumbo_frame_for_a_peer_is_answered_or_cut(vnet: Rig, df: bool) -> None:
    packet = bytearray(downward(bytes(range(250)) * 35))
    if not df:
        packet[6] = 0
        packet[10:12] = struct.pack(">H", (packet[10] << 8 | packet[11]) + 0x4000)
    vnet.inner.send(bytes(10) + packet)
    vnet.poll()
    if df:
        (answer,) = vnet.inside()
        assert answer[10 + 20 : 10 + 22] == b"\x03\x04"
        assert vnet.outside() == []
        return
    pieces = [vnet.unseal(sent) for sent in vnet.outside()]
    assert b"".join(piece[20:] for piece in pieces) == bytes(packet[20:])
    assert max(map(len, pieces)) <= POLICY.mru


def test_a_jumbo_frame_without_virtio_headers(call: Rig) -> None:
    assert call.down(downward(bytes(8900))) == []
    (sent,) = call.down(downward())
    assert call.unseal(sent) == downward()
    assert call.drops() == {"inner malformed": 1}
