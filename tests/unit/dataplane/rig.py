"""A dataplane on socket pairs, and the peer on the other end, built from other people's parts.

The peer's MPPE is pycryptodome and hashlib, its GRE and PPP are struct. Time is an argument.
"""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

from Crypto.Cipher import ARC4

from fastpptp.dataplane import Dataplane
from fastpptp.ports import CallPolicy, CallSpec

LOCAL = IPv4Address("192.0.2.1")
PEER = IPv4Address("192.0.2.9")
INSIDE = IPv4Address("198.51.100.7")
ASSIGNED = IPv4Address("172.16.1.10")
CALL_ID = 0x1234
PEER_CALL_ID = 0x4321
HANDLE = 1 << 16 | CALL_ID
RECEIVE, SEND = 0, 1
KEYS = {40: bytes(range(8)), 56: bytes(range(8)), 128: bytes(range(16))}

SPEC = CallSpec(PEER_CALL_ID, LOCAL, PEER)
POLICY = CallPolicy(peer_address=ASSIGNED, local_magic=0x11223344)


class Mppe:
    """One direction of MPPE as a peer has it (RFC 3078). `linux`: FLUSHED changes the key."""

    def __init__(self, bits: int, *, stateless: bool, linux: bool = True) -> None:
        self.start = KEYS[bits]
        self.salt = {40: b"\xd1\x26\x9e", 56: b"\xd1", 128: b""}[bits]
        self.stateless = stateless
        self.linux = linux
        self.count = 4095
        self.flush = False
        self.key = self._salted(self._digest(self.start))
        self.rc4 = ARC4.new(self.key)

    def _digest(self, key: bytes) -> bytes:
        block = self.start + b"\0" * 40 + key + b"\xf2" * 40
        return hashlib.sha1(block).digest()[: len(self.start)]

    def _salted(self, key: bytes) -> bytes:
        return self.salt + key[len(self.salt) :]

    def change(self) -> None:
        interim = self._digest(self.key)
        self.key = self._salted(ARC4.new(interim).encrypt(interim))
        self.rc4 = ARC4.new(self.key)

    def encrypt(self, plain: bytes) -> bytes:
        """MPPE header and ciphertext of the next packet."""
        self.count = (self.count + 1) & 0xFFF
        flag = self.count & 0xFF == 0xFF
        flushed = self.stateless or flag or self.flush
        if self.stateless or flag or (self.flush and self.linux):
            self.change()
        elif self.flush:
            self.rc4 = ARC4.new(self.key)
        self.flush = False
        return struct.pack(">H", 0x1000 | (0x8000 * flushed) | self.count) + self.rc4.encrypt(plain)

    def decrypt(self, data: bytes) -> bytes:
        """The plaintext of the next packet, in order and without loss."""
        (header,) = struct.unpack_from(">H", data)
        assert header & 0x7000 == 0x1000
        self.count = (self.count + 1) & 0xFFF
        assert header & 0xFFF == self.count
        flag, flushed = self.count & 0xFF == 0xFF, bool(header & 0x8000)
        assert flushed or not (flag or self.stateless)
        if self.stateless or flag or (flushed and self.linux):
            self.change()
        elif flushed:
            self.rc4 = ARC4.new(self.key)
        return self.rc4.decrypt(data[2:])


def ip_header(source: IPv4Address, target: IPv4Address, protocol: int, length: int) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:]


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    payload: bytes = b"payload",
    *,
    source: IPv4Address = ASSIGNED,
    target: IPv4Address = INSIDE,
    protocol: int = 253,
) -> bytes:
    return ip_header(source, target, protocol, len(payload)) + payload


def downward(payload: bytes = b"payload", *, target: IPv4Address = ASSIGNED) -> bytes:
    """A packet from the inside to the peer."""
    return ipv4(payload, source=INSIDE, target=target)


@dataclass
class Gre:
    """What the dataplane sent."""

    call_id: int
    sequence: int | None
    acknowledged: int | None
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Gre:
        flags, protocol, length, call_id = struct.unpack_from(">HHHH", data)
        assert protocol == 0x880B
        assert flags & ~0x1080 == 0x2001
        at, sequence, acknowledged = 8, None, None
        if flags & 0x1000:
            (sequence,) = struct.unpack_from(">I", data, at)
            at += 4
        if flags & 0x80:
            (acknowledged,) = struct.unpack_from(">I", data, at)
            at += 4
        assert len(data) - at == length
        assert bool(length) == (sequence is not None)
        return cls(call_id, sequence, acknowledged, data[at:])


def gre(
    payload: bytes = b"",
    sequence: int | None = None,
    acknowledged: int | None = None,
    *,
    call_id: int = CALL_ID,
    source: IPv4Address = PEER,
    target: IPv4Address = LOCAL,
    padding: bytes = b"",
) -> bytes:
    """An IPv4 packet as a raw socket delivers it."""
    flags = 0x2001 | (0x1000 * (sequence is not None)) | (0x80 * (acknowledged is not None))
    head = struct.pack(">HHHH", flags, 0x880B, len(payload), call_id)
    for number in (sequence, acknowledged):
        head += b"" if number is None else struct.pack(">I", number & 0xFFFFFFFF)
    body = head + payload + padding
    return ip_header(source, target, 47, len(body)) + body


@dataclass
class Rig:
    """One dataplane with one worker, both its descriptors, and the state of the call's peer."""

    dataplane: Dataplane
    outer: socket.socket
    inner: socket.socket
    now: int = 1_000_000
    sequence: int = 0
    to_us: Mppe | None = None
    from_us: Mppe | None = None
    handle: int = HANDLE
    punts: list[tuple[int, bytes]] = field(default_factory=list)

    # The control plane.

    def open(self, spec: CallSpec = SPEC, policy: CallPolicy = POLICY, **changes: Any) -> None:
        """A call with its gate open; `changes` are of the policy."""
        self.dataplane.open_call(self.handle, spec)
        self.dataplane.set_policy(self.handle, replace(policy, **changes))
        self.dataplane.open_gate(self.handle, 4)
        self.poll()

    def encrypt(self, bits: int = 128, *, stateless: bool = True, linux: bool = True) -> None:
        """Arm both directions, here and at the peer."""
        for direction in (RECEIVE, SEND):
            self.dataplane.set_keys(self.handle, direction, KEYS[bits], bits, stateless)
        self.to_us = Mppe(bits, stateless=stateless, linux=linux)
        self.from_us = Mppe(bits, stateless=stateless, linux=linux)
        self.poll()

    def poll(self, milliseconds: int = 0) -> int:
        self.now += milliseconds
        return self.dataplane.poll_once(self.now)

    def events(self) -> int:
        """All event bits since the last time."""
        bits = 0
        for handle, found in self.dataplane.read_events():
            assert handle == self.handle
            bits |= found
        return bits

    def control(self) -> list[bytes]:
        return [frame for handle, frame in self.dataplane.read_punts() if handle == self.handle]

    def row(self, name: str) -> int:
        return int(self.dataplane.stats[self.handle & 0xFFFF][name])

    def drops(self) -> dict[str, int]:
        return self.dataplane.drop_counts()

    # The peer.

    def seal(self, packet: bytes, protocol: int = 0x0021) -> bytes:
        """A data packet as a PPP frame: encrypted when keys are armed."""
        plain = struct.pack(">H", protocol) + packet
        if self.to_us is None:
            return b"\xff\x03" + plain
        return b"\xff\x03\x00\xfd" + self.to_us.encrypt(plain)

    def give(
        self, frame: bytes, sequence: int | None = None, acknowledged: int | None = None
    ) -> None:
        """Hand a PPP frame to the socket, under the next sequence number."""
        if sequence is None:
            sequence = self.sequence
            self.sequence += 1
        self.outer.send(gre(frame, sequence))

    def up(self, packet: bytes, milliseconds: int = 0) -> list[bytes]:
        """Send one data packet from the peer; what came out inside."""
        self.give(self.seal(packet))
        self.poll(milliseconds)
        return self.inside()

    def inside(self) -> list[bytes]:
        return drain(self.inner)

    def outside(self) -> list[Gre]:
        return [Gre.parse(data) for data in drain(self.outer)]

    def down(self, packet: bytes, milliseconds: int = 0) -> list[Gre]:
        """Send one packet from the inside; what came out."""
        self.inner.send(packet)
        self.poll(milliseconds)
        return self.outside()

    def unseal(self, packet: Gre) -> bytes:
        """The inner packet in one that the dataplane sent, as the peer reads it."""
        payload = packet.payload
        if self.from_us is None:
            assert payload[:4] in (b"\xff\x03\x00\x21", b"\xff\x03\x00\x57")
            return payload[4:]
        assert payload[:4] == b"\xff\x03\x00\xfd"
        return self.from_us.decrypt(payload[4:])[2:]


def drain(end: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(end.recv(70000))
        except BlockingIOError:
            return found


@contextmanager
def rig(**options: Any) -> Iterator[Rig]:
    """A dataplane without threads on fresh socket pairs."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    ends = [end for pair in pairs for end in pair]
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    (outer, ours), (inner, ours_inner) = pairs
    try:
        with Dataplane([ours.fileno()], [ours_inner.fileno()], **options) as dataplane:
            yield Rig(dataplane, outer, inner)
    finally:
        for end in ends:
            end.close()
