"""Workers: threads, shards, the side door, arenas."""

from __future__ import annotations

import gc
import mmap
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import numpy as np
import pytest

from fastpptp.dataplane import DROP_TEXTS, STATS_DTYPE, Dataplane, DropReason
from fastpptp.ports import CallEvent, CallSpec
from fastpptp.ports import Dataplane as Port

from .rig import KEYS, POLICY, SPEC, Gre, Mppe, downward, drain, gre, ipv4, rig


@contextmanager
def farm(
    count: int, room: int = 1 << 22
) -> Iterator[tuple[Dataplane, list[socket.socket], list[socket.socket]]]:
    """Several workers; their outer and inner far ends. `room` in octets: what a socket may hold."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2 * count)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    outer, inner = pairs[:count], pairs[count:]
    try:
        with Dataplane([p[1].fileno() for p in outer], [p[1].fileno() for p in inner]) as dataplane:
            yield dataplane, [p[0] for p in outer], [p[0] for p in inner]
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


def address(call_id: int) -> IPv4Address:
    return IPv4Address("10.0.0.0") + call_id


def open_calls(dataplane: Dataplane, call_ids: range) -> None:
    for call_id in call_ids:
        handle = 1 << 16 | call_id
        dataplane.open_call(handle, SPEC)
        dataplane.set_policy(handle, replace(POLICY, peer_address=address(call_id)))
        dataplane.open_gate(handle, 4)


def count(end: socket.socket, totals: list[int], index: int) -> int:
    """Data packets that came out of this end so far."""
    totals[index] += sum(bool(packet.payload) for packet in map(Gre.parse, drain(end)))
    return totals[index]


def gone(dataplane: Dataplane, closed: set[int]) -> set[int]:
    """The handles that were closed so far."""
    events = dataplane.read_events(100000)
    closed |= {handle for handle, bits in events if bits & CallEvent.CLOSED}
    return closed


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        select.select([], [], [], 0.001)


def test_it_is_the_port() -> None:
    with rig() as wire:
        port: Port = wire.dataplane
        assert port.fileno() >= 0


def test_a_worker_takes_its_own_calls_whatever_socket_they_come_on() -> None:
    with farm(2) as (dataplane, outer, inner):
        open_calls(dataplane, range(1, 5))
        for call_id in range(1, 5):
            packet = gre(b"\0\x21" + ipv4(source=address(call_id)), 0, call_id=call_id)
            for end in outer:
                end.send(packet)
        dataplane.poll_once(1000)
        assert [len(drain(end)) for end in inner] == [2, 2]
        assert dataplane.drop_counts() == {}


def test_packets_read_by_the_wrong_worker_go_through_the_side_door() -> None:
    with farm(3) as (dataplane, outer, inner):
        open_calls(dataplane, range(1, 7))
        for end in inner:
            for call_id in range(1, 7):
                end.send(downward(target=address(call_id)))
        for moment in range(3):
            dataplane.poll_once(1000 + moment)
        assert [len(drain(end)) for end in outer] == [6, 6, 6]
        assert dataplane.drop_counts() == {}


def test_threads_carry_traffic_while_calls_come_and_go() -> None:
    with farm(2) as (dataplane, outer, inner):
        dataplane.start()
        with pytest.raises(ValueError, match="already started"):
            dataplane.start()
        with pytest.raises(ValueError, match="by themselves"):
            dataplane.poll_once()
        seen: dict[int, int] = {}

        def collect() -> bool:
            for handle, bits in dataplane.read_events(100000):
                seen[handle] = seen.get(handle, 0) | bits
            return True

        for life in range(1, 6):
            handles = [life << 16 | call_id for call_id in range(1, 101)]
            for handle in handles:
                call_id = handle & 0xFFFF
                dataplane.open_call(handle, SPEC)
                dataplane.set_policy(handle, replace(POLICY, peer_address=address(call_id)))
                for direction in (0, 1):
                    dataplane.set_keys(handle, direction, KEYS[128], 128, True)
                dataplane.open_gate(handle, 4)
                sealed = Mppe(128, stateless=True).encrypt(
                    b"\0\x21" + ipv4(source=address(call_id))
                )
                outer[call_id % 2].send(gre(b"\xff\x03\0\xfd" + sealed, 0, call_id=call_id))
            wait(
                lambda: collect() and all(seen.get(h, 0) & CallEvent.FIRST_GRE for h in handles)  # noqa: B023
            )
            for handle in handles:
                inner[handle % 2].send(downward(target=address(handle & 0xFFFF)))
            outs = [0, 0]
            wait(lambda: [count(outer[k], outs, k) for k in (0, 1)] == [50, 50])  # noqa: B023
            for handle in handles:
                dataplane.close_call(handle)
            wait(lambda: collect() and all(seen.get(h, 0) & CallEvent.CLOSED for h in handles))  # noqa: B023
            assert [len(drain(end)) for end in inner] == [50, 50]
        dataplane.stop()
        assert dataplane.drop_counts() == {}
        dataplane.poll_once()


def test_a_sleeping_worker_hears_commands_and_packets() -> None:
    with rig(spin_microseconds=0) as wire:
        wire.dataplane.start()
        wire.dataplane.open_call(wire.handle, SPEC)
        wire.dataplane.set_policy(wire.handle, POLICY)
        wire.dataplane.open_gate(wire.handle, 4)
        for k in range(20):
            select.select([], [], [], 0.002)
            wire.give(wire.seal(ipv4(bytes([k]))))
            wait(lambda: bool(select.select([wire.inner], [], [], 0)[0]))
            assert wire.inside() == [ipv4(bytes([k]))]
            wire.dataplane.inject(wire.handle, b"\xc0\x21" + bytes([k]))
            wait(lambda: bool(select.select([wire.outer], [], [], 0)[0]))
            assert [sent.payload[4:] for sent in wire.outside() if sent.payload] == [bytes([k])]


def test_more_commands_than_the_ring_holds() -> None:
    with rig() as wire:
        wire.open()
        frame = b"\xc0\x21" + b"x" * 1800
        for started in (False, True):
            if started:
                wire.dataplane.start()
            for _ in range(1500):
                wire.dataplane.inject(wire.handle, frame)
                drain(wire.outer)
        wire.dataplane.stop()


def test_every_call_id_at_once() -> None:
    with farm(2) as (dataplane, outer, inner):
        open_calls(dataplane, range(1, 65536))
        while dataplane.poll_once(1000):
            pass
        for call_id in (1, 2, 40000, 65534, 65535):
            inner[0].send(downward(target=address(call_id)))
            packet = gre(b"\0\x21" + ipv4(source=address(call_id)), 0, call_id=call_id)
            outer[call_id % 2].send(packet)
        for moment in range(3):
            dataplane.poll_once(1001 + moment)
        assert sum(len(drain(end)) for end in inner) == 5
        assert sum(len(drain(end)) for end in outer) == 5
        for call_id in range(1, 65536):
            dataplane.close_call(1 << 16 | call_id)
        while dataplane.poll_once(1100):
            pass
        closed = [
            handle for handle, bits in dataplane.read_events(1 << 20) if bits & CallEvent.CLOSED
        ]
        assert sorted(closed) == [1 << 16 | call_id for call_id in range(1, 65536)]
        inner[0].send(downward(target=address(5)))
        dataplane.poll_once(1200)
        assert dataplane.drop_counts() == {"inner unknown": 1}


# Moving a call to another worker.


@dataclass
class Mover:
    """One call on a farm, and its peer, whose packets come to the socket of worker `door`."""

    dataplane: Dataplane
    outer: list[socket.socket]
    inner: list[socket.socket]
    door: int = 0
    now: int = 1000
    sequence: int = 0

    @property
    def handle(self) -> int:
        """Worker 0 has it at first."""
        return 1 << 16 | len(self.outer)

    @property
    def last(self) -> int:
        return len(self.outer) - 1

    def open(self, spec: CallSpec = SPEC, *, gate: bool = True) -> None:
        self.dataplane.open_call(self.handle, spec)
        self.dataplane.set_policy(self.handle, replace(POLICY, local_magic=1))
        if gate:
            self.dataplane.open_gate(self.handle, 4)
        self.poll()

    def poll(self, milliseconds: int = 0) -> None:
        self.now += milliseconds
        for _ in range(3):
            self.dataplane.poll_once(self.now)

    def move(self, worker: int) -> None:
        self.dataplane.move_call(self.handle, worker)
        self.poll()

    def up(
        self, frame: bytes, sequence: int | None = None, acknowledged: int | None = None
    ) -> None:
        if sequence is None:
            sequence = self.sequence
            self.sequence += 1
        self.outer[self.door].send(gre(frame, sequence, acknowledged, call_id=self.handle & 0xFFFF))

    def row(self, name: str) -> int:
        return int(self.dataplane.stats[self.handle & 0xFFFF][name])

    def inside(self) -> dict[int, list[bytes]]:
        """What came out, by worker."""
        return {k: found for k, end in enumerate(self.inner) if (found := drain(end))}

    def outside(self) -> dict[int, list[Gre]]:
        came = ((k, drain(end)) for k, end in enumerate(self.outer))
        return {k: [Gre.parse(data) for data in found] for k, found in came if found}


@pytest.fixture(params=[2, 3, 4])
def mover(request: pytest.FixtureRequest) -> Iterator[Mover]:
    with farm(request.param) as made:
        yield Mover(*made)


def clear(payload: bytes) -> bytes:
    return b"\xff\x03\0\x21" + ipv4(payload)


@pytest.mark.parametrize("stateless", [True, False])
def test_keys_counters_and_numbers_move_along(mover: Mover, stateless: bool) -> None:
    to_us, from_us = (Mppe(128, stateless=stateless) for _ in range(2))
    mover.open()
    for direction in (0, 1):
        mover.dataplane.set_keys(mover.handle, direction, KEYS[128], 128, stateless)
    for worker in (0, mover.last, mover.last, 0):
        mover.move(worker)
        mover.door = worker
        mover.up(b"\xff\x03\0\xfd" + to_us.encrypt(b"\0\x21" + ipv4(b"up")))
        mover.inner[0].send(downward(b"down"))
        mover.poll()
        assert mover.dataplane.worker_of(mover.handle) == worker
        assert mover.inside() == {worker: [ipv4(b"up")]}
        ((place, (sent,)),) = mover.outside().items()
        assert place == worker
        assert from_us.decrypt(sent.payload[4:])[2:] == downward(b"down")
        assert sent.acknowledged == mover.sequence - 1
    assert (mover.row("rx_packets"), mover.row("tx_packets")) == (4, 4)
    assert mover.dataplane.drop_counts() == {}


def test_parked_frames_move_along(mover: Mover) -> None:
    mover.open(gate=False)
    mover.up(b"\xff\x03\x80\x21\x02\x01\0\x04")
    for k in range(5):
        mover.up(clear(bytes([k])))
    mover.poll()
    assert mover.inside() == {}
    mover.move(mover.last)
    mover.dataplane.open_gate(mover.handle, 4)
    mover.dataplane.control_done(mover.handle)
    mover.poll()
    assert mover.inside() == {mover.last: [ipv4(bytes([k])) for k in range(5)]}
    assert mover.dataplane.drop_counts() == {}


def test_parked_frames_still_expire(mover: Mover) -> None:
    mover.open(gate=False)
    mover.up(b"\xff\x03\x80\x21\x02\x01\0\x04")
    mover.up(clear(b"late"))
    mover.poll()
    mover.move(mover.last)
    mover.poll(1001)
    assert mover.dataplane.drop_counts() == {"park expired frame": 1}
    assert (mover.handle, CallEvent.PARK_EXPIRED) in [
        (handle, bits & CallEvent.PARK_EXPIRED) for handle, bits in mover.dataplane.read_events()
    ]


def test_packets_ahead_of_their_turn_move_along(mover: Mover) -> None:
    mover.open()
    for number in (0, 3, 2):
        mover.up(clear(bytes([number])), number)
    mover.poll()
    assert mover.inside() == {0: [ipv4(b"\0")]}
    mover.move(mover.last)
    mover.door = mover.last
    mover.up(clear(b"\1"), 1)
    mover.poll()
    assert mover.inside() == {mover.last: [ipv4(bytes([k])) for k in (1, 2, 3)]}
    assert mover.row("lost") == 0
    assert mover.dataplane.drop_counts() == {}


def test_the_queue_behind_the_window_moves_along(mover: Mover) -> None:
    mover.open(replace(SPEC, peer_window=2, limit_transmit_to_window=True))
    for k in range(6):
        mover.inner[0].send(downward(bytes([k])))
    mover.poll()
    sent = [packet.payload[-1] for packet in mover.outside()[0]]
    mover.move(mover.last)
    for number in range(6):
        mover.up(b"", None, number)  # a ZLB would do: it has no number of its own
        mover.poll()
        sent += [packet.payload[-1] for packet in mover.outside().get(mover.last, [])]
    assert sent == list(range(6))


def test_timers_move_along(mover: Mover) -> None:
    mover.open()
    mover.dataplane.set_policy(mover.handle, replace(POLICY, echo_interval=5000, local_magic=1))
    mover.dataplane.own_lcp(mover.handle, True)
    mover.up(clear(b"to be acknowledged"))
    mover.poll()
    mover.move(mover.last)
    mover.poll(SPEC.ack_delay)
    assert {k: [p.acknowledged for p in sent] for k, sent in mover.outside().items()} == {
        mover.last: [0]
    }
    mover.poll(5000)
    assert {k: [p.payload[2:5] for p in sent] for k, sent in mover.outside().items()} == {
        mover.last: [b"\xc0\x21\x09"]
    }


def test_commands_keep_their_order_across_a_move(mover: Mover) -> None:
    mover.open()
    lcp = b"\xc0\x21"
    mover.dataplane.inject(mover.handle, lcp + b"before")
    mover.dataplane.move_call(mover.handle, mover.last)
    mover.dataplane.inject(mover.handle, lcp + b"after")
    mover.dataplane.poll_once(mover.now, worker_index=mover.last)
    assert mover.outside() == {}
    mover.poll()
    assert {k: [p.payload[4:] for p in sent] for k, sent in mover.outside().items()} == {
        0: [b"before"],
        mover.last: [b"after"],
    }


def test_what_still_comes_to_the_old_worker_is_passed_on(mover: Mover) -> None:
    mover.open()
    mover.move(mover.last)
    mover.up(clear(b"straggler"))
    mover.poll()
    assert mover.inside() == {mover.last: [ipv4(b"straggler")]}
    mover.poll(1000)
    mover.up(clear(b"a copy: sockets may be given all packets"))
    mover.poll()
    assert mover.inside() == {}
    assert mover.dataplane.drop_counts() == {}


def encrypted(mover: Mover, peer: Mppe, first: int, count: int) -> None:
    """So many packets of the peer's to its door, numbered inside as well."""
    for number in range(first, first + count):
        mover.up(b"\xff\x03\0\xfd" + peer.encrypt(b"\0\x21" + ipv4(number.to_bytes(2))))


def test_no_packet_overtakes_those_that_the_old_worker_still_has(mover: Mover) -> None:
    """The old worker, its socket full, gets no turn for longer than a gap is waited for."""
    peer = Mppe(128, stateless=False)
    mover.open(replace(SPEC, reorder_time=5))
    mover.dataplane.set_keys(mover.handle, 0, KEYS[128], 128, False)
    encrypted(mover, peer, 0, 150)
    mover.dataplane.move_call(mover.handle, mover.last)
    mover.dataplane.poll_once(mover.now, worker_index=0)
    mover.door = mover.last
    encrypted(mover, peer, 150, 100)
    for _ in range(20):
        mover.now += 5
        mover.dataplane.poll_once(mover.now, worker_index=mover.last)
    mover.poll()
    mover.poll()
    assert mover.dataplane.drop_counts() == {}
    assert mover.inside() == {mover.last: [ipv4(n.to_bytes(2)) for n in range(250)]}
    assert (mover.row("lost"), mover.row("mppe_resets_sent")) == (0, 0)


def test_a_gap_is_not_given_up_while_the_old_worker_may_fill_it(mover: Mover) -> None:
    mover.open(replace(SPEC, reorder_time=5))
    for number in (0, 2):
        mover.up(clear(bytes([number])), number)
    mover.poll()
    # What is missing lies in the old worker's socket, behind more than a batch.
    for _ in range(100):
        mover.up(clear(b"late"), 0)
    mover.up(clear(b"\1"), 1)
    mover.dataplane.move_call(mover.handle, mover.last)
    mover.dataplane.poll_once(mover.now, worker_index=0)
    for _ in range(10):
        mover.now += 5
        mover.dataplane.poll_once(mover.now, worker_index=mover.last)
    mover.poll()
    assert mover.inside() == {0: [ipv4(b"\0")], mover.last: [ipv4(b"\1"), ipv4(b"\2")]}
    assert mover.row("lost") == 0


@pytest.fixture
def narrow() -> Iterator[Mover]:
    """Sockets that are full after some 170 packets."""
    with farm(2, room=1 << 16) as made:
        yield Mover(*made)


def overfill(mover: Mover) -> int:
    """Send down more than the outer socket takes; returns how many packets."""
    mover.open()
    for number in range(300):
        mover.inner[0].send(downward(number.to_bytes(2)))
        if number % 60 == 59:
            mover.poll()
    return 300


def test_a_move_waits_for_what_the_old_worker_has_not_sent(narrow: Mover) -> None:
    total = overfill(narrow)
    narrow.dataplane.move_call(narrow.handle, 1)
    narrow.dataplane.inject(narrow.handle, b"\xc0\x21after")
    narrow.poll(50)
    numbers: list[int] = []
    rounds = 0
    while 1 not in (came := narrow.outside()):
        numbers += [int.from_bytes(p.payload[-2:]) for p in came.get(0, [])]
        rounds += 1
        narrow.poll()
    numbers += [int.from_bytes(p.payload[-2:]) for p in came.get(0, [])]
    assert rounds > 0
    assert numbers == list(range(total))
    assert [p.payload[4:] for p in came[1]] == [b"after"]


def test_a_socket_that_stays_full_does_not_hold_a_move_up_for_ever(narrow: Mover) -> None:
    overfill(narrow)
    narrow.dataplane.move_call(narrow.handle, 1)
    narrow.dataplane.inject(narrow.handle, b"\xc0\x21after")
    narrow.poll()
    narrow.poll(99)
    assert drain(narrow.outer[1]) == []
    narrow.poll(1)
    (packet,) = map(Gre.parse, drain(narrow.outer[1]))
    assert packet.payload[4:] == b"after"


def test_a_full_side_door_loses_nothing(mover: Mover) -> None:
    mover.open(replace(SPEC, reorder_packets=0))
    mover.dataplane.move_call(mover.handle, mover.last)
    read = True
    while read:
        for _ in range(150):
            mover.up(clear(mover.sequence.to_bytes(2)))
        turns = [mover.dataplane.poll_once(mover.now, worker_index=0) for _ in range(4)]
        read = any(turns)
    inside: list[bytes] = []
    while len(inside) < mover.sequence:
        mover.poll()
        came = mover.inside()
        assert list(came) == [mover.last]
        inside += came[mover.last]
    assert inside == [ipv4(n.to_bytes(2)) for n in range(mover.sequence)]
    assert mover.dataplane.drop_counts() == {}


def test_a_call_that_was_moved_ends_and_its_number_begins_anew(mover: Mover) -> None:
    mover.open()
    mover.move(mover.last)
    mover.dataplane.close_call(mover.handle)
    mover.dataplane.move_call(mover.handle, 0)
    mover.poll()
    ((handle, bits),) = mover.dataplane.read_events()
    assert (handle, bits & CallEvent.CLOSED) == (mover.handle, CallEvent.CLOSED)
    again = 2 << 16 | mover.handle & 0xFFFF
    mover.dataplane.open_call(again, SPEC)
    mover.dataplane.set_policy(again, POLICY)
    mover.dataplane.open_gate(again, 4)
    mover.up(clear(b"again"))
    mover.poll()
    assert mover.inside() == {0: [ipv4(b"again")]}


def test_calls_that_cross(mover: Mover) -> None:
    """Moves both ways at once, and each worker has to wait for the other."""
    dataplane = mover.dataplane
    count = len(mover.outer)
    open_calls(dataplane, range(1, 201))
    for k in range(1, 201):
        dataplane.move_call(1 << 16 | k, (k + 1) % count)
    for _ in range(400):
        mover.poll()
    for k in range(1, 201):
        mover.outer[(k + 1) % count].send(
            gre(b"\xff\x03\0\x21" + ipv4(source=address(k)), 0, call_id=k)
        )
    mover.poll()
    mover.poll()
    assert sum(map(len, mover.inside().values())) == 200
    assert dataplane.drop_counts() == {}


@pytest.mark.parametrize("worker", [-1, 2])
def test_no_such_worker(worker: int) -> None:
    with farm(2) as (dataplane, _, _), pytest.raises(ValueError, match="worker"):
        dataplane.move_call(1 << 16 | 1, worker)


def test_one_worker_moves_nothing() -> None:
    with farm(1) as (dataplane, _, _):
        assert not dataplane.movable


def test_calls_move_under_load(mover: Mover) -> None:
    """Threads run, packets come and go while calls move: none is lost or doubled."""
    dataplane, count_ = mover.dataplane, len(mover.outer)
    calls, each = range(1, 41), 3
    up, down = [0], [0]
    each_life = each * len(calls)

    def sent_up(total: int) -> bool:
        up[0] += sum(len(drain(end)) for end in mover.inner)
        return up[0] >= total

    def sent_down(total: int) -> bool:
        for end in mover.outer:
            count(end, down, 0)
        return down[0] >= total

    def send(handle: int, peer: Mppe, number: int) -> None:
        """One packet each way; the peer's come where the call began."""
        call_id = handle & 0xFFFF
        sealed = peer.encrypt(b"\0\x21" + ipv4(source=address(call_id)))
        frame = b"\xff\x03\0\xfd" + sealed
        mover.outer[call_id % count_].send(gre(frame, number, call_id=call_id))
        mover.inner[number % count_].send(downward(target=address(call_id)))

    dataplane.start()
    for life in range(1, 11):
        handles = [life << 16 | call_id for call_id in calls]
        for handle in handles:
            dataplane.open_call(handle, SPEC)
            dataplane.set_policy(handle, replace(POLICY, peer_address=address(handle & 0xFFFF)))
            for direction in (0, 1):
                dataplane.set_keys(handle, direction, KEYS[128], 128, False)
            dataplane.open_gate(handle, 4)
            dataplane.inject(handle, b"\xc0\x21ready")
        wait(lambda: sent_down((life - 1) * each_life + life * len(calls)))  # noqa: B023
        for handle in handles:
            peer = Mppe(128, stateless=False)
            send(handle, peer, 0)
            dataplane.move_call(handle, (handle + life) % count_)
            for number in range(1, each):
                send(handle, peer, number)
        wait(lambda: sent_up(life * each_life))  # noqa: B023
        wait(lambda: sent_down(life * (each_life + len(calls))))  # noqa: B023
        rows = dataplane.stats[1 : len(calls) + 1]
        assert list(rows["rx_packets"]) == list(rows["tx_packets"]) == [each] * len(calls)
        for handle in handles:
            dataplane.close_call(handle)
        closed: set[int] = set()
        wait(lambda: len(gone(dataplane, closed)) == len(calls))  # noqa: B023
    assert dataplane.drop_counts() == {}


# Arenas.


def test_stats_are_a_live_read_only_array_that_outlives_the_dataplane() -> None:
    with rig() as wire:
        wire.open()
        stats = wire.dataplane.stats
        assert stats.dtype == STATS_DTYPE
        assert stats.shape == (65536,)
        with pytest.raises(ValueError, match="read-only"):
            stats[1]["rx_packets"] = 1
        before = int(stats[wire.handle & 0xFFFF]["rx_packets"])
        wire.up(ipv4())
        assert stats[wire.handle & 0xFFFF]["rx_packets"] == before + 1
        assert stats[wire.handle & 0xFFFF]["rx_octets"] == len(ipv4())
        assert stats[wire.handle & 0xFFFF]["last_data"] == wire.now
    gc.collect()
    assert stats[wire.handle & 0xFFFF]["rx_packets"] == 1


def test_others_may_map_the_stats() -> None:
    with rig() as wire:
        wire.open()
        wire.up(ipv4())
        fd = wire.dataplane.stats_fileno()
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
            magic, version, calls, record = np.frombuffer(view[:16], "<u4")
            assert (magic, version, calls, record) == (0x46505450, 3, 65536, STATS_DTYPE.itemsize)
            rows = np.frombuffer(view[-65536 * int(record) :], STATS_DTYPE)
            assert rows[wire.handle & 0xFFFF]["rx_packets"] == 1


def test_drop_reasons_have_one_text_each() -> None:
    assert len(DROP_TEXTS) == len(set(DROP_TEXTS)) == DropReason.DROP_REASONS
    assert DROP_TEXTS[DropReason.WRONG_ADDRESS] == "wrong address"
    with rig() as wire:
        assert wire.dataplane.drops.shape == (1, len(DROP_TEXTS))


def test_nothing_leaks() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with rig():
        pass
    before = descriptors()
    for k in range(5):
        with rig() as wire:
            wire.open()
            if k % 2:
                wire.dataplane.start()
            wire.dataplane.close()
            wire.dataplane.close()
            with pytest.raises(ValueError, match="closed"):
                wire.dataplane.read_punts()
        del wire
    assert descriptors() == before


@pytest.mark.parametrize("arguments", [([], []), ([0], []), ([0, 0], [0])])
def test_descriptors_come_in_pairs(arguments: tuple[list[int], list[int]]) -> None:
    with pytest.raises(ValueError):
        Dataplane(*arguments)


def test_what_is_no_socket_is_refused() -> None:
    with socket.socket() as inner, open("/dev/null") as null, pytest.raises(OSError):
        Dataplane([null.fileno()], [inner.fileno()])


def test_frames_are_never_lost() -> None:
    """After any mixture of traffic every buffer is back in the pool: another burst fits."""
    with rig(frames=1024) as wire:
        wire.open()
        for round_ in range(30):
            for k in range(60):
                wire.give(wire.seal(ipv4(bytes([k]))), round_ * 100 + k * 2 % 61)
                wire.inner.send(downward(b"x" * (k * 30)))
            wire.poll(3)
            wire.inside()
            wire.outside()
        assert "no frame" not in wire.drops()
