"""A capture: the file of one trace, made block by block as packets come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from sys import maxsize

from fastpptp import __version__
from fastpptp.ports import Trace, TraceRecord
from fastpptp.trace import pcapng
from fastpptp.trace.control import ControlMessage, ControlStream

SMALLEST_SNAP, LARGEST_SNAP = 64, 2048

OUTER, INNER = 0, 1  # interfaces
_PLACES = {
    Trace.OUTER_IN: (OUTER, pcapng.INBOUND),
    Trace.OUTER_OUT: (OUTER, pcapng.OUTBOUND),
    Trace.INNER_IN: (INNER, pcapng.INBOUND),
    Trace.INNER_OUT: (INNER, pcapng.OUTBOUND),
}
_DESCRIPTIONS = {
    "outer": "between client and headend: enhanced GRE, and TCP made from the control connection's "
    "messages",
    "inner": "what went through the tunnel, decrypted, as the network behind this headend has it",
}

_WARNING = """\
CONFIDENTIAL: packets of {whom}, taken by {who} from {time} on.
Passwords may be in this file. PAP sends them in clear in the outer packets, and from what CHAP \
and MS-CHAP send there they can be cracked.{inner}
Keep it as you would keep their passwords, and delete it when it is not needed any more.
Not as on the wire: the outer IPv4 header to the client is ours, with identification 0, where the \
kernel makes it (raw socket). The TCP segments of port 1723 are made from the control messages of \
these sessions: octets, addresses and ports are real, the rest of their headers is not. Outer \
packets are shown before they are cut into fragments and after they are put together. A packet \
that this headend dropped is not among the inner ones."""
_INNER_WARNING = """ \
The inner packets are decrypted: all that the users sent and received can be read, passwords too."""


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """What is asked of a trace: `whom` and `who` in words, `inner` packets too, and its bounds.

    At most `snap` octets of a packet are kept. It ends after `count` packets, `seconds`, or before
    the file is larger than `size` octets; None is no bound.
    """

    whom: str
    who: str
    inner: bool = False
    snap: int = LARGEST_SNAP
    count: int | None = None
    seconds: float | None = None
    size: int | None = None

    @property
    def kinds(self) -> Trace:
        return Trace.OUTER | Trace.INNER if self.inner else Trace.OUTER


def warning(order: TraceOrder, time: str) -> str:
    """What whoever has the file must know."""
    inner = _INNER_WARNING if order.inner else ""
    return _WARNING.format(whom=order.whom, who=order.who, time=time, inner=inner)


@dataclass(slots=True)
class Losses:
    """What a call's trace had lost when this capture took it up, and by its last record."""

    before: tuple[int, int]
    now: tuple[int, int]


class Capture:
    """Blocks of one file. Packets wait until flush(), so that they can be put in order of time.

    `packets` and `dropped` count by interface; `full` turns true when a bound is reached.
    """

    def __init__(self, order: TraceOrder, now: int) -> None:
        self.order = order
        self.packets = [0, 0]
        self.full = False
        self._began = now
        # Interface and direction of what is taken. By plain numbers: this is of every packet.
        self._places = {int(kind): _PLACES[kind] for kind in order.kinds}
        self._size = 0
        self._losses: dict[int, Losses] = {}
        self._unread = [0, 0]
        self._waiting: list[tuple[int, int, int, int, bytes]] = []

    def head(self) -> bytes:
        """The first octets of the file."""
        time = datetime.fromtimestamp(self._began / 1e9, UTC).isoformat(timespec="seconds")
        blocks = pcapng.section(warning(self.order, time), f"fastpptp {__version__}")
        for name, description in list(_DESCRIPTIONS.items())[: 1 + self.order.inner]:
            blocks += pcapng.interface(name, description, self.order.snap)
        self._size = len(blocks) + len(self.tail(self._began))
        return blocks

    @property
    def dropped(self) -> list[int]:
        """Packets that belong here and are missing."""
        found = list(self._unread)
        for losses in self._losses.values():
            for number in (OUTER, INNER):
                found[number] += losses.now[number] - losses.before[number]
        return found

    def take_up(self, handle: int, lost: tuple[int, int]) -> None:
        """A call whose trace has lost so much before it was taken up here."""
        self.let_go(handle)
        self._losses[handle] = Losses(lost, lost)

    def let_go(self, handle: int) -> None:
        """No more comes of a call; what was lost of it stays counted."""
        losses = self._losses.pop(handle, None)
        if losses is not None:
            for number in (OUTER, INNER):
                self._unread[number] += losses.now[number] - losses.before[number]

    def add(self, record: TraceRecord) -> None:
        """A record of a call that was taken up."""
        self._losses[record.handle].now = record.lost_outer, record.lost_inner
        place = self._places.get(record.kind)
        if place is not None:
            packet = record.packet[: self.order.snap]
            self._waiting.append((record.time, *place, record.length, packet))

    def add_control(self, stream: ControlStream, message: ControlMessage, time: int) -> None:
        packet = stream.segment(message)
        direction = pcapng.INBOUND if message.inbound else pcapng.OUTBOUND
        kept = packet[: self.order.snap]
        self._waiting.append((time, OUTER, direction, len(packet), kept))

    def skip(self) -> None:
        """Whoever takes the file is too slow: what waits is lost, and counted."""
        for _, number, *_ in self._waiting:
            self._unread[number] += 1
        self._waiting.clear()

    def flush(self, until: int) -> bytes:
        """The blocks of the packets up to a time, oldest first."""
        self._waiting.sort(key=itemgetter(0))
        blocks: list[bytes] = []
        largest = self.order.size or maxsize
        left = (self.order.count or maxsize) - sum(self.packets)
        for time, number, direction, length, packet in self._waiting:
            if time > until or left == 0:
                break
            block = pcapng.packet(number, time, packet, length, direction)
            if self._size + len(block) > largest:
                left = 0
                break
            self._size += len(block)
            self.packets[number] += 1
            left -= 1
            blocks.append(block)
        del self._waiting[: len(blocks)]
        self.full = left == 0
        return b"".join(blocks)

    def tail(self, now: int) -> bytes:
        """The last octets: what there was, and what is missing."""
        return b"".join(
            pcapng.statistics(
                number, self._began, now,
                self.packets[number] + self.dropped[number], self.dropped[number],
            )
            for number in (OUTER, INNER)[: 1 + self.order.inner]
        )  # fmt: skip
