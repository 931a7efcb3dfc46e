"""A control connection in a trace: its messages, each as a TCP segment that could have carried it.

The kernel's own segments are not seen here. Addresses, ports and octets are real; sequence numbers
begin at 1 where the trace does and count what is in it alone, flags, window and TTL are made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct

from fastpptp.errors import RemoteProtocolError
from fastpptp.pptp.codes import CONTROL_MESSAGE, MAGIC_COOKIE
from fastpptp.pptp.messages import HEADER, MAXIMUM_LENGTH, MINIMUM_LENGTH, decode

_IP = Struct(">BBHHHBBH4s4s")
_TCP = Struct(">HHIIBBHHH")
_TTL = 64
_TCP_PROTOCOL = 6
_DONT_FRAGMENT = 0x4000
_PUSH_ACK = 0x18
_WINDOW = 0xFFFF

Endpoint = tuple[IPv4Address, int]


@dataclass(frozen=True, slots=True)
class ControlMessage:
    """A message, and the call that it is about: Call-IDs are None where it names none."""

    inbound: bool
    octets: bytes
    local_call_id: int | None = None
    peer_call_id: int | None = None

    @property
    def of_call(self) -> bool:
        return (self.local_call_id, self.peer_call_id) != (None, None)

    def concerns(self, local_call_id: int, peer_call_id: int) -> bool:
        """Whether it is about this call, or about the connection as a whole."""
        return self.local_call_id in (None, local_call_id) and self.peer_call_id in (
            None, peer_call_id,
        )  # fmt: skip


class ControlStream:
    """One control connection. `local` and `peer` are the ends of its TCP connection."""

    def __init__(self, local: Endpoint, peer: Endpoint) -> None:
        self._ends = local, peer
        self._next = [1, 1]  # sequence numbers: ours, the peer's
        self._identification = 0
        self._partial = b""

    @property
    def peer(self) -> IPv4Address:
        return self._ends[1][0]

    def received(self, data: bytes) -> Iterator[ControlMessage]:
        """The messages that are whole now. What does not begin like one is left out."""
        data = self._partial + data
        while len(data) >= HEADER.size:
            length, kind, cookie, _ = HEADER.unpack_from(data)
            if not _begins_message(length, kind, cookie):
                data = b""
            elif len(data) < length:
                break
            else:
                yield _message(True, data[:length])
                data = data[length:]
        self._partial = data

    @staticmethod
    def sent(data: bytes) -> Iterator[ControlMessage]:
        """The messages of one write of ours."""
        while data:
            length = int.from_bytes(data[:2], "big")
            yield _message(False, data[:length])
            data = data[length:]

    def segment(self, message: ControlMessage) -> bytes:
        """An IPv4 packet with the message, the next of its direction."""
        (source, source_port), (target, target_port) = (
            self._ends[::-1] if message.inbound else self._ends
        )
        sequence, acknowledged = self._next[::-1] if message.inbound else self._next
        self._next[message.inbound] += len(message.octets)
        self._identification = (self._identification + 1) & 0xFFFF
        fields = (
            source_port, target_port, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF,
            _TCP.size // 4 << 4, _PUSH_ACK, _WINDOW,
        )  # fmt: skip
        length = _TCP.size + len(message.octets)
        pseudo = source.packed + target.packed + bytes([0, _TCP_PROTOCOL]) + length.to_bytes(2)
        total = checksum(pseudo + _TCP.pack(*fields, 0, 0) + message.octets)
        return (
            ip_header(source, target, length, self._identification)
            + _TCP.pack(*fields, total, 0)
            + message.octets
        )


def ip_header(source: IPv4Address, target: IPv4Address, payload: int, identification: int) -> bytes:
    """Of a TCP segment of `payload` octets."""
    fields = (0x45, 0, _IP.size + payload, identification, _DONT_FRAGMENT, _TTL, _TCP_PROTOCOL)
    addresses = source.packed, target.packed
    return _IP.pack(*fields, checksum(_IP.pack(*fields, 0, *addresses)), *addresses)


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _begins_message(length: int, kind: int, cookie: int) -> bool:
    sized = MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH
    return sized and kind == CONTROL_MESSAGE and cookie == MAGIC_COOKIE


def _message(inbound: bool, octets: bytes) -> ControlMessage:
    try:
        message = decode(octets)
    except RemoteProtocolError:
        return ControlMessage(inbound, octets)
    # `call_id` is its sender's number of the call, `peer_call_id` the receiver's.
    senders = getattr(message, "call_id", None)
    receivers = getattr(message, "peer_call_id", None) or None  # 0 where a call was refused
    if inbound:
        return ControlMessage(inbound, octets, receivers, senders)
    return ControlMessage(inbound, octets, senders, receivers)
