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
from dataclasses import replace
from ipaddress import IPv4Address

import numpy as np
import pytest

from fastpptp.dataplane import DROP_TEXTS, STATS_DTYPE, Dataplane, DropReason
from fastpptp.ports import CallEvent
from fastpptp.ports import Dataplane as Port

from .rig import KEYS, POLICY, SPEC, Gre, Mppe, downward, drain, gre, ipv4, rig


@contextmanager
def farm(count: int) -> Iterator[tuple[Dataplane, list[socket.socket], list[socket.socket]]]:
    """Several workers; their outer and inner far ends."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2 * count)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
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
            assert (magic, version, calls, record) == (0x46505450, 2, 65536, STATS_DTYPE.itemsize)
            rows = np.frombuffer(view[-65536 * int(record) :], STATS_DTYPE)
            assert rows[wire.handle & 0xFFFF]["rx_packets"] == 1


def test_drop_reasons_have_one_text_each() -> None:
    assert len(DROP_TEXTS) == len(set(DROP_TEXTS)) == DropReason.DROP_REASONS
    assert DROP_TEXTS[DropReason.WRONG_ADDRESS] == "wrong address"
    with rig() as wire:
        assert wire.dataplane.drops.shape == (1, len(DROP_TEXTS))


def test_an_idle_session_is_small() -> None:
    with farm(1) as (dataplane, _, _):

        def resident() -> int:
            with open("/proc/self/smaps_rollup") as smaps:
                return next(int(line.split()[1]) for line in smaps if line.startswith("Pss:"))

        open_calls(dataplane, range(1, 101))
        while dataplane.poll_once(1000):
            pass
        before = resident()
        open_calls(dataplane, range(101, 10101))
        while dataplane.poll_once(1000):
            pass
        assert (resident() - before) * 1024 / 10000 < 2048 + 1200


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
