"""The log: order, RPT, routing, queries; and the three formats."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address

import pytest

from fastpptp.events import format as formats
from fastpptp.events.catalogue import occur
from fastpptp.events.log import EventLog, EventQuery
from fastpptp.events.routing import NONE, Destination, EventPolicy, Severities

PEER = IPv4Address("171.69.89.129")
OTHER = IPv4Address("10.0.0.7")
WALL = datetime(2003, 4, 9, 13, 45, 6, 70_000)
EASTERN = timezone(timedelta(hours=-5), "EST")


def established(log: EventLog, peer: IPv4Address = PEER) -> None:
    log.record(occur("PPTP", 47, peer=peer), WALL)


def test_sequence_and_repeats() -> None:
    log = EventLog()
    established(log)
    log.record(occur("PPTP", 42, peer=PEER), WALL)
    established(log)
    assert [(r.sequence, r.number, r.repeat) for r in log] == [(1, 47, 1), (2, 42, 1), (3, 47, 2)]
    assert log.repeats["PPTP", 47] == 2


def test_hidden_events_leave_gaps() -> None:
    log = EventLog()
    hidden = log.record(occur("PPTPDBG", 101, text="x"), WALL)
    established(log)
    assert hidden.destinations == frozenset()
    assert [record.sequence for record in log] == [2]


def test_default_destinations() -> None:
    log = EventLog()
    refused = log.record(occur("PPTP", 100, peer=PEER, limit=1), WALL)
    assert refused.destinations == {Destination.LOG, Destination.CONSOLE}
    assert log.record(occur("PPTP", 47, peer=PEER), WALL).destinations == {Destination.LOG}


def test_a_class_overrides_the_defaults() -> None:
    policy = EventPolicy(
        classes={"PPTP": {Destination.LOG: Severities(1, 13), Destination.SYSLOG: Severities(4, 4)}}
    )
    assert policy.destinations("PPTP", 13) == {Destination.LOG}
    assert policy.destinations("PPTP", 4) == {Destination.LOG, Destination.SYSLOG}
    assert policy.destinations("PPTP", 3) == {Destination.LOG}
    assert policy.destinations("PPP", 3) == {Destination.LOG, Destination.CONSOLE}


def test_the_ring_is_bounded_and_can_shrink() -> None:
    log = EventLog(EventPolicy(capacity=3))
    for _ in range(5):
        established(log)
    assert [record.sequence for record in log] == [3, 4, 5]
    log.update(EventPolicy(capacity=2))
    assert [record.sequence for record in log] == [4, 5]
    log.update(log.policy)
    log.clear()
    established(log)
    assert [(record.sequence, record.repeat) for record in log] == [(6, 6)]
    assert len(log) == 1


@pytest.fixture
def mixed() -> EventLog:
    log = EventLog()
    established(log)
    log.record(occur("AUTH", 22, peer=PEER, user="a", group="g"), WALL)
    established(log, OTHER)
    log.record(occur("PPTP", 100, peer=OTHER, limit=2), WALL)
    log.record(occur("AUTH", 22, peer=OTHER, user="b", group=""), WALL)
    return log


@pytest.mark.parametrize(
    ("query", "sequences"),
    [
        (EventQuery(), [1, 2, 3, 4, 5]),
        (EventQuery(newest_first=True), [5, 4, 3, 2, 1]),
        (EventQuery(classes=frozenset({"AUTH"})), [2, 5]),
        (EventQuery(severities=frozenset({3})), [4]),
        (EventQuery(client=OTHER), [3, 4, 5]),
        (EventQuery(client=IPv4Address("0.0.0.0")), [1, 2, 3, 4, 5]),
        (EventQuery(group="g"), [2]),
        (EventQuery(group="Base Group"), [5]),
        (EventQuery(per_page=2, page=2), [3, 4]),
        (EventQuery(per_page=2, page=9), [5]),
        (EventQuery(per_page=0, page=0), [1]),
    ],
)
def test_queries(mixed: EventLog, query: EventQuery, sequences: list[int]) -> None:
    assert [record.sequence for record in mixed.query(query).records] == sequences


def test_pages_are_counted(mixed: EventLog) -> None:
    page = mixed.query(EventQuery(per_page=2, page=3))
    assert (page.page, page.pages, page.total) == (3, 3, 5)
    empty = mixed.query(EventQuery(group="nobody"))
    assert (empty.records, empty.page, empty.pages, empty.total) == ((), 1, 1, 0)


def test_reference_format() -> None:
    record = EventLog().record(occur("PPP", 8, peer=PEER, user="pptpuser", method="PAP"), WALL)
    assert formats.reference(record) == (
        "1 04/09/2003 13:45:06.070 SEV=5 PPP/8 RPT=1 171.69.89.129\n"
        "User [pptpuser]\nAuthenticated successfully with PAP"
    )


def test_auth_22_has_no_address() -> None:
    record = EventLog().record(occur("AUTH", 22, peer=PEER, user="pptpuser", group="g"), WALL)
    assert formats.reference(record).startswith("1 04/09/2003 13:45:06.070 SEV=4 AUTH/22 RPT=1\n")


def test_original_format_is_one_line() -> None:
    record = EventLog().record(occur("PPP", 8, peer=PEER, user="u", method="PAP"), WALL)
    assert formats.original(record) == (
        "1 04/09/2003 13:45:06.070 SEV=5 PPP/8 RPT=1 171.69.89.129 "
        "User [u] Authenticated successfully with PAP"
    )


@pytest.mark.parametrize(
    ("wall", "zone"), [(WALL, "UTC +00:00"), (WALL.replace(tzinfo=EASTERN), "EST -05:00")]
)
def test_cisco_ios_format(wall: datetime, zone: str) -> None:
    record = EventLog().record(occur("PPTP", 47, peer=PEER), wall)
    assert formats.cisco_ios(record) == (
        f"1: 2003 Apr 09 13:45:06.070 {zone} %PPTP-4-47: RPT=1: "
        "Tunnel to peer 171.69.89.129 established"
    )


def test_severities_in_words() -> None:
    assert [str(s) for s in (NONE, Severities(3, 3), Severities(1, 13))] == ["none", "3", "1-13"]
