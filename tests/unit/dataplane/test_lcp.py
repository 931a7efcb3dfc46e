"""What the worker does for LCP and CCP by itself, and the clocks of a call."""

from __future__ import annotations

from fastpptp.ports import CallEvent

from .rig import POLICY, SPEC, Rig, downward, gre, ipv4

REQUEST = bytes.fromhex("ff03 c021 0907 000c aabbccdd 01020304")
REPLY = bytes.fromhex("ff03 c021 0a07 000c 11223344 01020304")


def payloads(rig: Rig) -> list[bytes]:
    return [sent.payload for sent in rig.outside() if sent.payload]


def owned(wire: Rig, interval: int = 10_000) -> Rig:
    wire.open(echo_interval=interval)
    wire.dataplane.own_lcp(wire.handle, True)
    wire.poll()
    return wire


def test_an_echo_is_answered_with_our_magic_number(wire: Rig) -> None:
    owned(wire).give(REQUEST)
    wire.poll()
    assert payloads(wire) == [REPLY]
    assert wire.control() == []


def test_an_echo_is_punted_while_link_owns_lcp(call: Rig) -> None:
    call.give(REQUEST)
    call.poll()
    assert payloads(call) == []
    assert call.control() == [REQUEST[2:]]


def test_an_echo_with_padding_is_answered_to_its_length(wire: Rig) -> None:
    owned(wire).give(REQUEST + b"pad")
    wire.poll()
    assert payloads(wire) == [REPLY]


def test_an_answer_is_never_longer_than_the_mru(wire: Rig) -> None:
    wire.open(mru=200)
    wire.dataplane.own_lcp(wire.handle, True)
    wire.give(bytes.fromhex("ff03 c021 0907 03f0 00000000") + b"x" * 1000)
    wire.poll()
    (sent,) = payloads(wire)
    assert len(sent) == 4 + 200
    assert sent[6:8] == (200).to_bytes(2, "big")


def test_other_lcp_frames_are_pythons(wire: Rig) -> None:
    owned(wire)
    frames = [
        "c021 0501 0004",
        "c021 0907 0006 0000",
        "c021 0907 ffff",
        "c021 09",
        "80fd 0101 0004",
    ]
    for frame in frames:
        wire.give(bytes.fromhex("ff03" + frame))
    wire.give(bytes.fromhex("ff03 c021 0a07 0008 00000000"))
    wire.give(bytes.fromhex("ff03 c021 0b07 0008 00000000"))
    wire.poll()
    assert wire.control() == [bytes.fromhex(frame) for frame in frames]


def test_a_quiet_peer_is_asked(wire: Rig) -> None:
    owned(wire)
    wire.poll(9_999)
    assert payloads(wire) == []
    wire.poll(1)
    assert payloads(wire) == [bytes.fromhex("ff03 c021 0901 0008 11223344")]


def test_a_busy_peer_is_not_asked(wire: Rig) -> None:
    owned(wire)
    for _ in range(20):
        wire.up(ipv4(), 5_000)
    assert payloads(wire) == []
    assert not wire.events() & CallEvent.PEER_SILENT


def test_a_silent_peer_is_told_of(wire: Rig) -> None:
    owned(wire)
    for asked in range(1, 4):
        wire.poll(10_000)
        assert [frame[5] for frame in payloads(wire)] == [asked]
        assert wire.events() == 0
    wire.poll(10_000)
    assert wire.events() == CallEvent.PEER_SILENT


def test_an_answer_quiets_the_alarm(wire: Rig) -> None:
    owned(wire)
    for _ in range(10):
        wire.poll(10_000)
        wire.give(bytes.fromhex("ff03 c021 0a01 0008 00000000"))
        wire.poll(1)
    assert not wire.events() & CallEvent.PEER_SILENT


def test_echoes_stop_with_the_ownership(wire: Rig) -> None:
    owned(wire)
    wire.dataplane.own_lcp(wire.handle, False)
    wire.poll()
    for _ in range(5):
        wire.poll(10_000)
    assert payloads(wire) == []


def test_the_idle_time(wire: Rig) -> None:
    wire.open(idle_timeout=60_000, echo_interval=10_000)
    wire.dataplane.own_lcp(wire.handle, True)
    wire.up(ipv4())
    wire.events()
    wire.poll(30_000)
    wire.down(downward())
    wire.poll(59_999)
    assert wire.events() & CallEvent.IDLE == 0
    wire.outer.send(gre(bytes.fromhex("ff03 c021 0a01 0008 00000000"), 1))
    wire.poll(1)
    assert wire.events() & CallEvent.IDLE
    wire.poll(30_000)
    assert wire.events() & CallEvent.IDLE == 0
    wire.poll(30_000)
    assert wire.events() & CallEvent.IDLE


def test_timers_of_many_calls(wire: Rig) -> None:
    """The wheel holds every call, near and beyond its horizon."""
    dataplane = wire.dataplane
    for call_id in range(1, 2001):
        handle = 1 << 16 | call_id
        dataplane.open_call(handle, SPEC)
        dataplane.set_policy(handle, POLICY.__class__(idle_timeout=10 * call_id))
    for _ in range(40):
        wire.poll()
    idle: list[int] = []
    for step in range(1, 201):
        wire.poll(100)
        found = [
            handle & 0xFFFF for handle, bits in dataplane.read_events(4096) if bits & CallEvent.IDLE
        ]
        idle += [call_id for call_id in found if call_id not in idle]
        assert set(idle) == set(range(1, 10 * step + 1))
