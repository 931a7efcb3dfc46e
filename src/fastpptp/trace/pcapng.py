"""pcapng (draft-ietf-opsawg-pcapng), as much of it as a trace needs: one section, little-endian.

Interfaces count from 0 in the order of their blocks. Times are ns since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from fastpptp.errors import RemoteProtocolError

SECTION = 0x0A0D0D0A
INTERFACE = 1
STATISTICS = 5
PACKET = 6

LINKTYPE_RAW = 101  # IPv4 or IPv6, told by the first octet
INBOUND = 1
OUTBOUND = 2

_BYTE_ORDER = 0x1A2B3C4D
_NANOSECONDS = 9  # if_tsresol: a negative power of 10

# Options, by block.
_END = 0
_COMMENT = 1
_APPLICATION = 4
_NAME, _DESCRIPTION, _RESOLUTION = 2, 3, 9
_FLAGS = 2
_START, _STOP, _RECEIVED, _DROPPED = 2, 3, 4, 5

_FRAME = Struct("<II")
_OPTION = Struct("<HH")
_SECTION_HEAD = Struct("<IHHq")
_INTERFACE_HEAD = Struct("<HHI")
_STATISTICS_HEAD = Struct("<III")
_PACKET_HEAD = Struct("<IIIIIII")
_PACKET_TAIL = Struct("<HHIHHI")
_TIME = Struct("<II")
_COUNT = Struct("<Q")
_TEXT_LIMIT = 0xFFFF
_BLOCK_LIMIT = 1 << 20


def section(comment: str, application: str) -> bytes:
    """The head of the file."""
    options = _text(_COMMENT, comment) + _text(_APPLICATION, application)
    return _block(SECTION, _SECTION_HEAD.pack(_BYTE_ORDER, 1, 0, -1), options)


def interface(name: str, description: str, snap: int) -> bytes:
    """One whose packets are IP; at most `snap` octets of each are kept."""
    options = _text(_NAME, name) + _text(_DESCRIPTION, description)
    options += _option(_RESOLUTION, bytes([_NANOSECONDS]))
    return _block(INTERFACE, _INTERFACE_HEAD.pack(LINKTYPE_RAW, 0, snap), options)


def packet(number: int, time: int, data: bytes, length: int, direction: int) -> bytes:
    """What was kept of a packet of `length` octets on interface `number`."""
    padding = -len(data) % 4
    total = _PACKET_HEAD.size + len(data) + padding + _PACKET_TAIL.size
    head = _PACKET_HEAD.pack(
        PACKET, total, number, time >> 32, time & 0xFFFFFFFF, len(data), length
    )
    return head + data + bytes(padding) + _PACKET_TAIL.pack(_FLAGS, 4, direction, _END, 0, total)


def statistics(number: int, start: int, stop: int, received: int, dropped: int) -> bytes:
    """How many packets of an interface there were between two times, and were not kept."""
    options = b"".join(
        (
            _option(_START, _time(start)),
            _option(_STOP, _time(stop)),
            _option(_RECEIVED, _COUNT.pack(received)),
            _option(_DROPPED, _COUNT.pack(dropped)),
        )
    )
    return _block(STATISTICS, _STATISTICS_HEAD.pack(number, *divmod(stop, 1 << 32)), options)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    body += options + _OPTION.pack(_END, 0)
    total = _FRAME.size + len(body) + 4
    return _FRAME.pack(kind, total) + body + total.to_bytes(4, "little")


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def _text(code: int, text: str) -> bytes:
    return _option(code, text.encode()[:_TEXT_LIMIT])


def _time(time: int) -> bytes:
    return _TIME.pack(*divmod(time, 1 << 32))


class BlockReader:
    """Cuts a stream into whole blocks, and counts what is in them by interface.

    `comment` is the file's, `packets` those so far, `dropped` those that the last statistics say
    were lost.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.comment = ""
        self.packets: dict[int, int] = {}
        self.dropped: dict[int, int] = {}

    def feed(self, data: bytes) -> bytes:
        """The blocks that are whole now. RemoteProtocolError: this is no pcapng of ours."""
        self._buffer += data
        end = 0
        for at, kind, size in self._blocks():
            end = at + size
            self._count(kind, bytes(self._buffer[at:end]))
        whole = bytes(self._buffer[:end])
        del self._buffer[:end]
        return whole

    def _blocks(self) -> Iterator[tuple[int, int, int]]:
        at = 0
        while at + _FRAME.size <= len(self._buffer):
            kind, size = _FRAME.unpack_from(self._buffer, at)
            if size % 4 or not _FRAME.size + 4 <= size <= _BLOCK_LIMIT:
                raise RemoteProtocolError(f"a block of {size} octets")
            if at + size > len(self._buffer):
                return
            yield at, kind, size
            at += size

    def _count(self, kind: int, block: bytes) -> None:
        number = int.from_bytes(block[8:12], "little")
        if kind == SECTION:
            self.comment = _comment(block)
        elif kind == PACKET:
            self.packets[number] = self.packets.get(number, 0) + 1
        elif kind == STATISTICS:
            self.dropped[number] = _dropped(block)


def _options(block: bytes, head: Struct) -> Iterator[tuple[int, bytes]]:
    at = _FRAME.size + head.size
    while at + _OPTION.size <= len(block) - 4:
        code, size = _OPTION.unpack_from(block, at)
        at += _OPTION.size
        yield code, block[at : at + size]
        at += size + -size % 4


def _dropped(block: bytes) -> int:
    return int.from_bytes(dict(_options(block, _STATISTICS_HEAD))[_DROPPED], "little")


def _comment(block: bytes) -> str:
    return dict(_options(block, _SECTION_HEAD))[_COMMENT].decode()
