"""What crosses the socket pair arrives, however it is cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from fastpptp.events.catalogue import occur
from fastpptp.events.format import reference
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import Destination
from fastpptp.recorder.wire import Frames, frame, pack, unpack

VALUES = st.one_of(st.integers(), st.text(), st.binary(), st.none(), st.lists(st.integers()))


@given(st.lists(st.lists(VALUES, min_size=1), max_size=5), st.integers(1, 40))
def test_messages_are_whole_again(messages: list[list[object]], size: int) -> None:
    stream = b"".join(frame(*message) for message in messages)
    frames, found = Frames(), []
    for at in range(0, len(stream), size):
        found += frames.feed(stream[at : at + size])
    assert [list(message) for message in found] == messages


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.frozensets(st.sampled_from(Destination)),
    st.one_of(st.none(), st.integers(0, 2**32 - 1).map(IPv4Address)),
    st.text(),
)
def test_a_record_is_the_same_at_the_other_end(
    wall: datetime, places: frozenset[Destination], peer: IPv4Address | None, user: str
) -> None:
    occurrence = occur("AUTH", 22, peer=peer, user=user, group="sales")
    record = EventRecord(9, wall, 3, occurrence, places)
    there = unpack(pack(record))
    assert (there.sequence, there.repeat, there.destinations) == (9, 3, places)
    assert there.wall == wall
    assert there.wall.utcoffset() == wall.astimezone().utcoffset()
    assert (there.user, there.group, there.peer) == (user, "sales", peer)
    assert (there.severity, there.text()) == (4, occurrence.text())
    here = EventRecord(9, wall.astimezone(), 3, occurrence, places)
    assert reference(there) == reference(here)
    assert unpack(pack(there)).wall - wall < timedelta(microseconds=1)
