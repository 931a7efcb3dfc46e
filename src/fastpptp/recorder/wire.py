"""What headend and recorder say to each other over their socket pair.

A message is a tuple whose first item is its name, as marshal writes it behind its length: both ends
are one installation's, run by one interpreter, and nobody else has the socket.

| headend | |
|---|---|
| begin | a Setup, pickled: the first of all |
| follow | how many events are kept from now on, and the specs of the sinks, pickled |
| records | a list of records, as `pack` makes them |
| again | records that the recorder before this one may not have kept in the event log |
| flush | a token, and whether files are meant, too: answered by `done` |
| clear | a token: answered by `done` |
| pulse | nothing: answered by `pulse`, at once |
| past | its number, totals by name, and lines of sessions that ended: see past.py |
| departed | a number of `past`, and lines up to it that an earlier recorder may not have kept |
| stop | no more will come, and all is well |

| recorder | |
|---|---|
| ready | the last sequence number it knows of, and what a start must tell: see `log.Opened` |
| done | the token, and what went wrong or an empty string |
| status | the newest number in the log, the newest that was read, a `sinks.SinkRow` a thread |
| pulse | the loop runs, whatever the sinks wait for |
| past | up to which number of `past` all is kept |
| tell | an event: class, number, fields |
"""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from struct import Struct
from typing import Any, TypeAlias

from fastpptp.events.catalogue import EVENTS
from fastpptp.events.log import EventRecord, Told
from fastpptp.events.routing import Destination
from fastpptp.localtime import local

Message: TypeAlias = tuple[Any, ...]

LENGTH = Struct("!I")
EPOCH = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)

_BITS = {place: 1 << bit for bit, place in enumerate(Destination)}
_PLACES = {
    bits: frozenset(place for place, bit in _BITS.items() if bits & bit)
    for bits in range(1 << len(_BITS))
}
MASKS = {places: bits for bits, places in _PLACES.items()}
LOGGED = frozenset({Destination.LOG})


@dataclass(frozen=True, slots=True)
class Setup:
    """What a recorder is to do. `sinks` are specs: see recorder/sinks.py."""

    database: Path
    files: tuple[Any, ...]
    capacity: int
    sinks: tuple[Any, ...]


def frame(*message: Any) -> bytes:
    body = marshal.dumps(message)
    return LENGTH.pack(len(body)) + body


class Frames:
    """Messages out of what came over a stream."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole with this."""
        self._data += data
        at = 0
        while len(self._data) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._data, at)
            end = at + LENGTH.size + length
            if len(self._data) < end:
                break
            yield marshal.loads(memoryview(self._data)[at + LENGTH.size : end].tobytes())
            at = end
        del self._data[:at]


def freeze(thing: object) -> bytes:
    return pickle.dumps(thing)


def thaw(data: bytes) -> Any:
    return pickle.loads(data)


def microseconds(wall: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (wall - EPOCH) // MICROSECOND


def pack(record: EventRecord) -> Message:
    """A record as plain objects; its text is made at the other end."""
    occurrence = record.occurrence
    return (
        record.sequence,
        microseconds(record.wall),
        record.repeat,
        occurrence.cls,
        occurrence.number,
        None if occurrence.peer is None else int(occurrence.peer),
        dict(occurrence.fields),
        MASKS[record.destinations],
    )


def unpack(packed: Message) -> EventRecord:
    """The record, its text made once for all sinks, its time in this machine's zone."""
    sequence, at, repeat, cls, number, client, fields, mask = packed
    kind = EVENTS[cls, number]
    peer = None if client is None else IPv4Address(client)
    told = Told(cls, number, peer, fields, kind.words(peer, fields), kind.severity, kind.shows_peer)
    return EventRecord(sequence, local(at / 1e6), repeat, told, _PLACES[mask])
