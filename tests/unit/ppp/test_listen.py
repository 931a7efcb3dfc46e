"""LinkConfig.listen: the peer may speak first, for a while."""

from __future__ import annotations

from dataclasses import replace

from fastpptp.ppp import Link
from fastpptp.ppp.events import LinkEnd, LinkEnded
from fastpptp.ppp.frames import Code, Protocol
from tests.unit.ppp.support import SERVER, configure, frame, kinds, last, packets, seeded

LISTENER = replace(SERVER, listen=0.25)
LCP = Protocol.LCP


def listening() -> Link:
    """A Link that was opened at 1.0 and has said nothing."""
    link = Link(LISTENER, rng=seeded(1), now=0.0)
    assert link.open(1.0) == []
    assert link.get_timer() == 1.25
    return link


def codes(events: list) -> list[int]:
    return [packet.code for packet in packets(events, LCP)]


def test_it_speaks_when_the_time_is_over() -> None:
    link = listening()
    assert link.handle_timer(1.2) == []
    assert codes(link.handle_timer(1.25)) == [Code.CONFIGURE_REQUEST]
    assert link.get_timer() == 4.25
    assert codes(link.handle_timer(4.25)) == [Code.CONFIGURE_REQUEST]


def test_it_speaks_when_the_peer_has_spoken() -> None:
    link = listening()
    told = link.receive_frame(configure(LCP, Code.CONFIGURE_REQUEST, 7), 1.1)
    assert codes(told) == [Code.CONFIGURE_REQUEST, Code.CONFIGURE_ACK]
    assert link.get_timer() == 4.1


def test_what_is_malformed_counts_as_speaking() -> None:
    assert codes(listening().receive_frame(b"\xff", 1.1)) == [Code.CONFIGURE_REQUEST]


def test_it_ends_without_having_spoken() -> None:
    link = listening()
    assert kinds(link.close(1.1)) == ["LinkEnded"]
    assert link.get_timer() is None
    end = last(listening().lower_down(1.1), LinkEnded)
    assert end is not None
    assert end.end is LinkEnd.LOWER_LAYER_DOWN
    link = listening()
    told = link.receive_frame(frame(LCP, Code.TERMINATE_REQUEST, 3), 1.1)
    assert last(told, LinkEnded) is not None
    assert link.get_timer() is None


def test_a_snapshot_goes_on_listening() -> None:
    link = Link.restore(listening().snapshot(), LISTENER, rng=seeded(2))
    assert link.get_timer() == 1.25
    assert codes(link.handle_timer(1.25)) == [Code.CONFIGURE_REQUEST]
