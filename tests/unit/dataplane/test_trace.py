"""Copies of a traced call's packets, held against what was sent and what came out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, TCP

from fastpptp.ports import Dataplane as Port
from fastpptp.ports import Trace, TraceRecord

from .rig import (
    ASSIGNED,
    HANDLE,
    LOCAL,
    PEER,
    POLICY,
    SPEC,
    Gre,
    Mppe,
    Rig,
    checksum,
    downward,
    drain,
    gre,
    ipv4,
    rig,
)
from .test_offload import TCP4, Vnet, built, ip, payload, super_packet
from .test_workers import address, farm

EVERYTHING = Trace.OUTER | Trace.INNER
ECHO_REQUEST = bytes.fromhex("c021 0907 0008 00000000")
RING = 4 << 20


def read(wire: Rig) -> list[TraceRecord]:
    """All that was copied."""
    found: list[TraceRecord] = []
    while records := wire.dataplane.read_trace():
        found += [TraceRecord(*record) for record in records]
    return found


def packets(wire: Rig, kinds: Trace) -> list[bytes]:
    return [record.packet for record in read(wire) if record.kind & kinds]


def outer_payload(packet: bytes) -> bytes:
    """The GRE packet in an outer one whose IPv4 header is whole and ours."""
    assert checksum(packet[:20]) == 0
    header = IP(packet)
    assert (header.src, header.dst, header.proto) == (str(LOCAL), str(PEER), 47)
    assert header.len == len(packet)
    return packet[20:]


@pytest.fixture
def traced(call: Rig) -> Rig:
    call.dataplane.trace(call.handle, EVERYTHING)
    call.poll()
    return call


def test_it_is_a_port(wire: Rig) -> None:
    port: Port = wire.dataplane
    assert port.read_trace() == []


def test_nothing_is_copied_unless_it_is_asked_for(call: Rig) -> None:
    call.up(ipv4())
    call.down(downward())
    assert read(call) == []


@pytest.mark.parametrize("mode", ["none", "stateful", "stateless"])
def test_both_ways_outside_and_inside(traced: Rig, mode: str) -> None:
    if mode != "none":
        traced.encrypt(stateless=mode == "stateless")
    for k in range(300):
        up, down = ipv4(bytes([k & 0xFF]) * k), downward(bytes([k & 0xFF]) * k)
        frame = traced.seal(up)
        arrived = gre(frame, traced.sequence, padding=b"padding")
        traced.sequence += 1
        traced.outer.send(arrived)
        traced.inner.send(down)
        traced.poll()
        sent = drain(traced.outer)
        assert traced.inside() == [up]
        found = read(traced)
        by_kind = {
            kind: [record.packet for record in found if record.kind == kind] for kind in Trace
        }
        # The padding behind the IP packet is the socket's, not the peer's.
        assert [packet[20:] for packet in by_kind[Trace.OUTER_IN]] == [arrived[20:]]
        assert by_kind[Trace.INNER_IN] == [up]
        assert by_kind[Trace.INNER_OUT] == [down]
        assert [outer_payload(packet) for packet in by_kind[Trace.OUTER_OUT]] == sent
        assert traced.unseal(Gre.parse(sent[0])) == down
        assert all(record.length == len(record.packet) for record in found)
        assert all(record.handle == HANDLE for record in found)
    assert traced.drops() == {}


def test_times_are_the_wall_clocks_and_rise(traced: Rig) -> None:
    import time

    before = time.time_ns()
    for _ in range(20):
        traced.up(ipv4())
        traced.down(downward())
    times = [record.time for record in read(traced)]
    assert before <= times[0]
    assert times == sorted(times)
    assert times[-1] <= time.time_ns()


@pytest.mark.parametrize("kind", list(EVERYTHING))
def test_only_what_is_asked_for(call: Rig, kind: Trace) -> None:
    call.dataplane.trace(call.handle, kind)
    call.poll()
    call.up(ipv4())
    call.down(downward())
    assert [record.kind for record in read(call)] == [kind]


def test_control_frames_are_among_the_outer_packets(traced: Rig) -> None:
    """Punted, injected, answered by the worker, and acknowledgements alone."""
    traced.dataplane.own_lcp(traced.handle, True)
    traced.give(b"\xff\x03\xc0\x21\x01\x01\x00\x04")
    traced.poll()
    assert traced.control() == [b"\xc0\x21\x01\x01\x00\x04"]
    traced.dataplane.inject(traced.handle, b"\xc0\x21\x02\x01\x00\x04")
    traced.poll()
    traced.give(b"\xff\x03" + ECHO_REQUEST)
    traced.poll()
    traced.give(traced.seal(ipv4()))
    traced.poll()
    traced.poll(600)
    sent = drain(traced.outer)
    found = read(traced)
    received = [record.packet for record in found if record.kind == Trace.OUTER_IN]
    assert [packet[-len(ECHO_REQUEST) :] == ECHO_REQUEST for packet in received] == [
        False, True, False,
    ]  # fmt: skip
    copied = [outer_payload(record.packet) for record in found if record.kind == Trace.OUTER_OUT]
    assert copied == sent
    parsed = [Gre.parse(data) for data in sent]
    assert parsed[0].payload == b"\xff\x03\xc0\x21\x02\x01\x00\x04"
    assert parsed[1].payload[2:5] == b"\xc0\x21\x0a"
    assert parsed[2].payload == b""
    assert len(parsed) == 3


def test_what_comes_out_of_order_is_outside_as_it_came_and_inside_as_it_goes_on(
    traced: Rig,
) -> None:
    traced.encrypt()
    first, second, third = (ipv4(bytes([k])) for k in range(3))
    frames = [traced.seal(packet) for packet in (first, second, third)]
    for number in (0, 2, 1):
        traced.give(frames[number], number)
    traced.poll()
    found = read(traced)
    outer = [record.packet for record in found if record.kind == Trace.OUTER_IN]
    assert [packet[-len(frames[0]) :] for packet in outer] == [frames[k] for k in (0, 2, 1)]
    assert [record.packet for record in found if record.kind == Trace.INNER_IN] == [
        first, second, third,
    ]  # fmt: skip


def test_after_loss_the_trace_goes_on(traced: Rig) -> None:
    traced.encrypt()
    assert traced.up(ipv4(b"one")) == [ipv4(b"one")]
    for _ in range(20):
        traced.seal(ipv4())
        traced.sequence += 1
    traced.give(traced.seal(ipv4(b"two")))
    traced.poll()
    traced.poll(10)
    assert packets(traced, Trace.INNER_IN) == [ipv4(b"one"), ipv4(b"two")]


def test_what_is_not_let_through_is_outside_alone(traced: Rig) -> None:
    wrong = ipv4(source=IPv4Address("203.0.113.1"))
    assert traced.up(wrong) == []
    assert [record.kind for record in read(traced)] == [Trace.OUTER_IN]


def test_a_packet_that_is_cut_is_its_fragments(wire: Rig) -> None:
    wire.open(mru=576)
    wire.dataplane.trace(wire.handle, EVERYTHING)
    whole = bytearray(downward(payload(1300)))
    whole[6] = 0
    whole[10:12] = b"\0\0"
    whole[10:12] = checksum(bytes(whole[:20])).to_bytes(2, "big")
    sent = wire.down(bytes(whole))
    assert len(sent) == 3
    assert packets(wire, Trace.INNER_OUT) == [wire.unseal(one) for one in sent]


def test_super_packets_are_what_they_become() -> None:
    with rig(vnet_header=True, udp_offload=True) as wire:
        wire.open()
        wire.encrypt()
        wire.dataplane.trace(wire.handle, EVERYTHING)
        whole = ip(4, up=False) / TCP(sport=80, dport=5, flags="A") / payload(20_000)
        wire.inner.send(super_packet(whole, TCP4, 1300))
        wire.poll()
        sent = drain(wire.outer)
        found = read(wire)
        assert len(sent) == 16
        outer = [r.packet for r in found if r.kind == Trace.OUTER_OUT]
        assert [outer_payload(packet) for packet in outer] == sent
        inner = [r.packet for r in found if r.kind == Trace.INNER_OUT]
        assert inner == [wire.unseal(Gre.parse(data)) for data in sent]

        segments = [
            built(
                ip(4, up=True, flags="DF")
                / TCP(sport=5, dport=80, flags="A", seq=k * 1000)
                / payload(1000, k)
            )
            for k in range(8)
        ]
        for segment in segments:
            wire.give(wire.seal(segment))
        wire.poll()
        (joined,) = (Vnet.parse(data) for data in wire.inside())
        assert len(joined.packet) == 40 + 8 * 1000
        assert packets(wire, Trace.INNER_IN) == segments


def test_what_waits_for_the_peers_window_is_traced_when_it_goes(wire: Rig) -> None:
    wire.open(replace(SPEC, limit_transmit_to_window=True, peer_window=2))
    wire.dataplane.trace(wire.handle, EVERYTHING)
    for k in range(3):
        wire.inner.send(downward(bytes([k])))
    wire.poll()
    assert packets(wire, Trace.INNER_OUT) == [downward(b"\0")]
    wire.outer.send(gre(acknowledged=0))
    wire.poll()
    assert packets(wire, Trace.INNER_OUT) == [downward(b"\1"), downward(b"\2")]


@pytest.mark.parametrize("snap", [64, 100, 2048])
def test_a_bounded_start_of_each_packet(call: Rig, snap: int) -> None:
    call.dataplane.trace(call.handle, EVERYTHING, snap)
    call.poll()
    call.up(ipv4(payload(1000)))
    call.down(downward(payload(1000)))
    found = read(call)
    assert [len(record.packet) for record in found] == [
        min(snap, record.length) for record in found
    ]
    assert {record.length for record in found} == {1020, 20 + 12 + 4 + 1020, 20 + 16 + 4 + 1020}


def test_at_most_so_many_a_second(call: Rig) -> None:
    call.dataplane.trace(call.handle, Trace.INNER_IN, rate=10)
    call.poll()
    for _ in range(3):
        for k in range(40):
            call.up(ipv4(bytes([k])))
        call.poll(1000)
    found = read(call)
    assert len(found) == 30
    assert [record.suppressed for record in found[::10]] == [0, 30, 60]
    call.dataplane.trace(call.handle, 0)
    call.poll()
    (ended,) = read(call)
    assert (ended.kind, ended.suppressed) == (Trace.ENDED, 90)


def test_a_full_ring_loses_and_counts(traced: Rig) -> None:
    """Nothing waits for a reader that does not read."""
    packet = ipv4(payload(1300))
    sent = 0
    while sent < 2 * RING // 1400:
        for _ in range(50):
            traced.give(traced.seal(packet))
            sent += 1
        traced.poll()
        assert len(traced.inside()) == 50
    traced.dataplane.trace(traced.handle, 0)
    traced.poll()
    found = read(traced)
    ended = found.pop()
    assert ended.kind == Trace.ENDED
    outer = sum(bool(record.kind & Trace.OUTER) for record in found)
    inner = sum(bool(record.kind & Trace.INNER) for record in found)
    acknowledgements = len(drain(traced.outer))
    assert ended.lost_outer == sent + acknowledgements - outer
    assert ended.lost_inner == sent - inner
    assert ended.lost_outer > sent // 3
    assert RING * 9 // 10 < sum(len(record.packet) for record in found) < RING


def test_the_ring_takes_more_after_it_was_read(traced: Rig) -> None:
    """Past its end, many times."""
    packet = ipv4(payload(1300))
    for _ in range(4 * RING // (3000 * 50)):
        for _ in range(50):
            traced.give(traced.seal(packet))
        traced.poll()
        traced.inside()
        found = read(traced)
        assert [record.packet for record in found if record.kind == Trace.INNER_IN] == [packet] * 50
        assert found[-1].lost_outer == found[-1].lost_inner == 0
        drain(traced.outer)


def test_what_closing_sends_is_still_in_it(traced: Rig) -> None:
    terminate = b"\xc0\x21\x05\x01\x00\x04"
    traced.dataplane.inject(traced.handle, terminate)
    traced.dataplane.close_call(traced.handle)
    traced.poll()
    (sent,) = drain(traced.outer)
    found = read(traced)
    assert [record.kind for record in found] == [Trace.OUTER_OUT, Trace.ENDED]
    assert outer_payload(found[0].packet) == sent
    assert Gre.parse(sent).payload == b"\xff\x03" + terminate


def test_a_command_for_another_life_of_the_call_is_ignored(traced: Rig) -> None:
    traced.up(ipv4())
    traced.dataplane.close_call(traced.handle)
    traced.poll()
    traced.dataplane.read_events()
    traced.handle = 2 << 16 | HANDLE & 0xFFFF
    traced.open()
    traced.dataplane.trace(HANDLE, EVERYTHING)
    traced.poll()
    traced.outer.send(gre(b"\xff\x03\0\x21" + ipv4(b"second life"), 0))
    traced.poll()
    found = read(traced)
    assert {record.handle for record in found} == {HANDLE}
    assert found[-1].kind == Trace.ENDED
    assert not any(b"second life" in record.packet for record in found)


def test_off_and_on_again_counts_anew(traced: Rig) -> None:
    traced.up(ipv4(b"1"))
    traced.dataplane.trace(traced.handle, 0)
    traced.poll()
    traced.up(ipv4(b"2"))
    traced.dataplane.trace(traced.handle, Trace.INNER_IN)
    traced.poll()
    traced.up(ipv4(b"3"))
    found = read(traced)
    inner = [record.packet for record in found if record.kind == Trace.INNER_IN]
    assert inner == [ipv4(b"1"), ipv4(b"3")]
    assert [record.kind for record in found].count(Trace.ENDED) == 1
    traced.dataplane.close_call(traced.handle)
    traced.poll()
    assert [record.kind for record in read(traced)] == [Trace.ENDED]


def test_others_are_not_in_it(call: Rig) -> None:
    other = 1 << 16 | 0x777
    call.dataplane.open_call(other, replace(SPEC, peer_call_id=9))
    call.dataplane.set_policy(other, replace(POLICY, peer_address=ASSIGNED + 1))
    call.dataplane.open_gate(other, 4)
    call.dataplane.trace(other, EVERYTHING)
    call.poll()
    call.up(ipv4(b"mine"))
    call.down(downward(b"mine"))
    call.down(downward(b"other", target=ASSIGNED + 1))
    found = read(call)
    assert {record.handle for record in found} == {other}
    assert [record.kind for record in found] == [Trace.INNER_OUT, Trace.OUTER_OUT]


def test_the_oldest_first_whichever_worker_has_it() -> None:
    with farm(3) as (dataplane, outer, inner):
        handles = [1 << 16 | call_id for call_id in (3, 4, 5)]
        for handle in handles:
            dataplane.open_call(handle, SPEC)
            dataplane.set_policy(handle, replace(POLICY, peer_address=address(handle & 0xFFFF)))
            dataplane.open_gate(handle, 4)
            dataplane.trace(handle, EVERYTHING)
        dataplane.poll_once()
        order = [k * 7 % 3 for k in range(60)] + [2, 1, 0]
        for k in order:
            inner[k].send(downward(bytes([k]), target=address(3 + k)))
            dataplane.poll_once()
        found = [TraceRecord(*fields) for fields in dataplane.read_trace(1000)]
        assert [r.handle & 0xFFFF for r in found if r.kind == Trace.INNER_OUT] == [
            3 + k for k in order
        ]
        assert [r.time for r in found] == sorted(r.time for r in found)
        for end in (*outer, *inner):
            drain(end)


def test_a_call_that_moves_is_traced_on() -> None:
    with farm(2) as (dataplane, outer, inner):
        handle = 1 << 16 | 4
        dataplane.open_call(handle, SPEC)
        dataplane.set_policy(handle, replace(POLICY, peer_address=address(4)))
        dataplane.open_gate(handle, 4)
        dataplane.trace(handle, EVERYTHING)
        peer = Mppe(128, stateless=True)
        for direction in (0, 1):
            dataplane.set_keys(handle, direction, peer.start, 128, True)
        for worker in (0, 1, 0, 1):
            dataplane.move_call(handle, worker)
            for _ in range(4):
                dataplane.poll_once()
            inner[worker].send(downward(bytes([worker]), target=address(4)))
            dataplane.poll_once()
        dataplane.close_call(handle)
        for _ in range(4):
            dataplane.poll_once()
        found = [TraceRecord(*fields) for fields in dataplane.read_trace(1000)]
        inside = [r.packet for r in found if r.kind == Trace.INNER_OUT]
        assert inside == [downward(bytes([k]), target=address(4)) for k in (0, 1, 0, 1)]
        sealed = [Gre.parse(r.packet[20:]).payload for r in found if r.kind == Trace.OUTER_OUT]
        assert [peer.decrypt(data[4:])[2:] for data in sealed] == inside
        assert [r.kind for r in found].count(Trace.ENDED) == 1
        assert found[-1].kind == Trace.ENDED
        for end in (*outer, *inner):
            drain(end)


@pytest.mark.parametrize(
    "words", [(16, 2048, 0), (-1, 2048, 0), (3, 63, 0), (3, 2049, 0), (3, 64, -1), (3, 64, 65536)]
)
def test_what_cannot_be_asked_for(call: Rig, words: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="is allowed"):
        call.dataplane.trace(call.handle, *words)
