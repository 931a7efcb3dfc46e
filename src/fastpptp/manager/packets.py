"""Data packets of sessions that are debugged at severity 13: some a second told, the rest counted.

The dataplane hands on copies of inner packets (ports.TraceRecord) of calls that TraceData names. Of
a packet its headers are told and shown, never what is in it: that can be a password.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastpptp.effects import Effect, Emit, TraceData
from fastpptp.events.catalogue import DECODE_PACKET_HEX, occur
from fastpptp.hexdump import dump
from fastpptp.manager.filterlog import headers_of, packet_text
from fastpptp.manager.headend import HeadendSession
from fastpptp.ports import Trace, TraceRecord

# Packets a second that are told of one session, and of all together.
EACH, ALL = 25, 100

SECOND = 1_000_000_000  # ns


@dataclass(slots=True)
class Share:
    """How many were told in this second."""

    second: int = 0
    told: int = 0

    def has_room(self, second: int, most: int) -> bool:
        if second != self.second:
            self.second, self.told = second, 0
        return self.told < most


@dataclass(slots=True)
class Shown:
    """A session whose packets are told, and those left out: here since the last that was told, and
    in the dataplane before it."""

    session: HeadendSession
    share: Share
    here: int = 0
    below: int = 0


class DataDecodes:
    """The sessions whose data packets are told now."""

    def __init__(self) -> None:
        self._calls: dict[int, Shown] = {}
        self._all = Share()

    def __len__(self) -> int:
        return len(self._calls)

    def follow(self, session: HeadendSession) -> list[Effect]:
        """Begin or end, as the session is debugged."""
        wanted = session.attached and session.ears.forced >= DECODE_PACKET_HEX
        if wanted == (session.handle in self._calls):
            return []
        if not wanted:
            del self._calls[session.handle]
            return [TraceData(session.handle, 0)]
        self._calls[session.handle] = Shown(session, Share())
        return [TraceData(session.handle, EACH)]

    def decoded(self, record: TraceRecord) -> list[Effect]:
        """PPPDECODE/103 for a packet, if it is one of those that are told.

        A session's last packets may come when it has ended; Trace.ENDED comes after them.
        """
        shown = self._calls.get(record.handle)
        if shown is None or not record.kind & Trace.INNER:
            if record.kind == Trace.ENDED:
                self._calls.pop(record.handle, None)
            return []
        second = record.time // SECOND
        if not (shown.share.has_room(second, EACH) and self._all.has_room(second, ALL)):
            shown.here += 1
            return []
        shown.share.told += 1
        self._all.told += 1
        left_out = shown.here + record.suppressed - shown.below
        shown.here, shown.below = 0, record.suppressed
        return [_told(shown.session, record, left_out)]


def _told(session: HeadendSession, record: TraceRecord, left_out: int) -> Emit:
    about = session.about("rcvd " if record.kind & Trace.INNER_IN else "sent ")
    text = f"{about.where}data [{packet_text(record.packet)}, {record.length} octets]"
    if left_out:
        text += f"; {left_out:,} more before it are not told"
    octets = dump(headers_of(record.packet))
    return Emit(occur("PPPDECODE", 103, peer=about.peer, user=about.user, text=text, dump=octets))
