"""A dataplane with many calls on socket pairs, turned by hand: what one packet costs, and where.

Both sockets are filled before the clock starts and drained after it stops, so a figure is the
worker's own CPU time, its system calls included. Packets go to the calls in turn, in a shuffled
order: no two packets of a batch are of one call, and nothing of a call is in a cache by luck.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpptp.dataplane import Dataplane
from fastpptp.dataplane.batch import Mppe, mppe_states
from fastpptp.ports import CallPolicy, CallSpec

LOCAL, PEER = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.9")
INSIDE = IPv4Address("198.51.100.7")
FIRST = int(IPv4Address("10.0.0.1"))
NOW = 1_000_000
PREFILL = 512  # packets a filling: eight turns
BUFFER = 64 << 20
MODES = ("stateless", "stateful", "none")

Octets = npt.NDArray[np.uint8]
Addresses = npt.NDArray[np.uint32]


def ip_headers(sources: npt.NDArray[np.uint32], targets: npt.NDArray[np.uint32],
               protocol: int, length: int) -> Octets:  # fmt: skip
    """IPv4 headers (RFC 791) of packets with `length` octets after them."""
    words = np.zeros((len(sources), 10), np.uint32)
    words[:, 0], words[:, 1], words[:, 3] = 0x4500, 20 + length, 0x4000
    words[:, 4] = 64 << 8 | protocol
    words[:, 6], words[:, 7] = sources >> 16, sources & 0xFFFF
    words[:, 8], words[:, 9] = targets >> 16, targets & 0xFFFF
    total = words.sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    words[:, 5] = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return words.astype(">u2").view(np.uint8)


class Field:
    """`sessions` calls that are up, and packets of `octets` between their peers and `inside`."""

    inside = INSIDE

    def __init__(self, dataplane: Any, outer: socket.socket, inner: socket.socket,
                 sessions: int, mode: str, octets: int, first: int = 1) -> None:  # fmt: skip
        self.dataplane, self.outer, self.inner = dataplane, outer, inner
        self.mode, self.now, self.first = mode, NOW, first
        rng = np.random.default_rng(1)
        self._payload = rng.integers(0, 256, octets - 20, np.uint8)
        self._order = rng.permutation(sessions).astype(np.uint32)
        self._at = 0
        self._sequence = np.zeros(sessions, np.uint32)
        self._keys = rng.integers(0, 256, (sessions, 16), np.uint8)
        self._states = mppe_states(self._keys, 128, mode == "stateless")
        self._mppe = Mppe()
        for number in range(sessions):
            self._open(number)
        self.poll()

    @property
    def own_octets(self) -> int:
        """What the peers' side of all calls takes in this process."""
        arrays = (self._order, self._sequence, self._keys, self._states)
        return sum(array.nbytes for array in arrays)

    def _open(self, number: int) -> None:
        call_id = self.first + number
        handle, address = 1 << 16 | call_id, IPv4Address(FIRST + call_id)
        self.dataplane.open_call(handle, CallSpec(call_id, LOCAL, PEER))
        self.dataplane.set_policy(
            handle,
            CallPolicy(mru=1500, peer_address=address, encryption_required=self.mode != "none"),
        )
        if self.mode != "none":
            for direction in (0, 1):
                key = self._keys[number].tobytes()
                self.dataplane.set_keys(handle, direction, key, 128, self.mode == "stateless")
        self.dataplane.open_gate(handle, 4)
        if number % 256 == 0:
            self.poll()

    def poll(self) -> int:
        """A turn. Time stands still but for `pass_time`."""
        done: int = self.dataplane.poll_once(self.now)
        return done

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.poll()
        drain(self.outer)

    def _next(self, count: int) -> npt.NDArray[np.uint32]:
        """The calls of the next `count` packets."""
        places = (self._at + np.arange(count)) % len(self._order)
        self._at += count
        return self._order[places]

    def packets_up(self, count: int) -> Octets:
        """What the peers send next, as a raw socket delivers it."""
        calls = self._next(count)
        inner = self._inner(calls, True)
        text = np.hstack([np.full((count, 4), (0, 0, 0x00, 0x21), np.uint8), inner])
        frame = text[:, 2:]
        if self.mode != "none":
            lengths = np.full(count, text.shape[1] - 2, np.uint32)
            self._mppe.encrypt_batch(self._states, calls, text, lengths)
            frame = np.hstack([np.full((count, 2), (0x00, 0xFD), np.uint8), text])
        frame = np.hstack([np.full((count, 2), (0xFF, 0x03), np.uint8), frame])
        return self._gre(calls, frame)

    def _gre(self, calls: npt.NDArray[np.uint32], frames: Octets) -> Octets:
        """Enhanced GRE (RFC 2637 4.1) of these frames, under an IPv4 header."""
        count, length = frames.shape
        gre = np.zeros((count, 12), np.uint8)
        gre[:, :6] = np.frombuffer(struct.pack(">HHH", 0x3001, 0x880B, length), np.uint8)
        gre[:, 6:8] = (calls + self.first).astype(">u2").view(np.uint8).reshape(-1, 2)
        gre[:, 8:] = self._numbers(calls).astype(">u4").view(np.uint8).reshape(-1, 4)
        source, target = (np.full(count, int(end), np.uint32) for end in (PEER, LOCAL))
        return np.hstack([ip_headers(source, target, 47, 12 + length), gre, frames])

    def _numbers(self, calls: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """The sequence number of each packet; a call may be there more than once."""
        numbers = np.empty(len(calls), np.uint32)
        for k, call in enumerate(calls):
            numbers[k] = self._sequence[call]
            self._sequence[call] += 1
        return numbers

    def packets_down(self, count: int) -> Octets:
        """What comes from the inside for the peers."""
        return self._inner(self._next(count), False)

    def _ends(self, calls: npt.NDArray[np.uint32], up: bool) -> tuple[Addresses, Addresses]:
        """Sources and targets of inner packets of these calls."""
        inside = np.full(len(calls), int(self.inside), np.uint32)
        peers = (FIRST + self.first + calls).astype(np.uint32)
        return (peers, inside) if up else (inside, peers)

    def _inner(self, calls: npt.NDArray[np.uint32], up: bool) -> Octets:
        """An inner packet of each of these calls."""
        head = ip_headers(*self._ends(calls, up), 253, len(self._payload))
        return np.hstack([head, np.tile(self._payload, (len(calls), 1))])

    def control(self, count: int) -> Octets:
        """The peers' LCP Echo-Requests (RFC 1661 5.8), which are left to the control plane."""
        calls = self._next(count)
        frame = struct.pack(">HHBBHI", 0xFF03, 0xC021, 9, 1, 8, 0)
        return self._gre(calls, np.tile(np.frombuffer(frame, np.uint8), (count, 1)))

    def turn(self) -> float:
        """Seconds of CPU time until everything that waits is done."""
        start = time.thread_time()
        while self.poll():
            pass
        return time.thread_time() - start

    def up(self, count: int) -> float:
        """Seconds for `count` packets from the peers."""
        return self._run(self.packets_up(count), self.outer, self.inner)

    def down(self, count: int) -> float:
        """Seconds for `count` packets to the peers."""
        return self._run(self.packets_down(count), self.inner, self.outer)

    def _run(self, packets: Octets, source: socket.socket, target: socket.socket) -> float:
        seconds, seen = 0.0, 0
        for at in range(0, len(packets), PREFILL):
            fill(source, packets[at : at + PREFILL])
            seconds += self.turn()
            seen += drain(target)
            drain(source)
        if seen != len(packets):
            lost = self.dataplane.drop_counts()
            raise RuntimeError(f"{len(packets)} packets went in, {seen} came out: {lost}")
        return seconds


def fill(end: socket.socket, packets: Octets) -> None:
    for packet in packets:
        end.send(packet.data)


def drain(end: socket.socket) -> int:
    """Packets that were there."""
    count, octets = 0, bytearray(2048)
    while True:
        try:
            end.recv_into(octets)
        except BlockingIOError:
            return count
        count += 1


@contextmanager
def field(sessions: int, mode: str = "stateless", octets: int = 64) -> Iterator[Field]:
    """`mode` is one of MODES. Sequenced-packet sockets: datagram ones hold ten packets."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    ends = [end for pair in pairs for end in pair]
    try:
        for end in ends:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), BUFFER)
        (outer, ours), (inner, ours_inner) = pairs
        with Dataplane([ours.fileno()], [ours_inner.fileno()], frames=8192) as dataplane:
            yield Field(dataplane, outer, inner, sessions, mode, octets)
    finally:
        for end in ends:
            end.close()
