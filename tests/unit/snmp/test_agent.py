"""Datagrams in, datagrams out: asked and read with pysnmp's messages."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto.api import v1, v2c
from pysnmp.proto.rfc1902 import Integer32, OctetString

from fastpptp import ber
from fastpptp.snmp.agent import Access
from fastpptp.snmp.message import UNFRAGMENTED
from fastpptp.snmp.mib import STATISTICS
from fastpptp.snmp.notices import INTERVAL, Ended, Failure, Refused
from fastpptp.snmp.usm import User
from tests.unit.snmp.support import (
    MANAGER,
    READ,
    WRITE,
    Site,
    grown,
    session,
    snapshot,
    tunnel,
)

Oid = tuple[int, ...]
SESSIONS: Oid = (*STATISTICS, 3, 3, 1)
TUNNELS: Oid = (*STATISTICS, 3, 2, 1)
EVENTS: Oid = (*STATISTICS, 4, 2, 1)
STATUS, ID, USER_NAME, OCTETS = 1, 2, 5, 17
UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
LAST: Oid = (*STATISTICS, 17, 5, 1, 16)
API = {0: v1, 1: v2c}
GET, NEXT, SET = "GetRequestPDU", "GetNextRequestPDU", "SetRequestPDU"
NO_ERROR, TOO_BIG, NO_SUCH_NAME, BAD_VALUE, GEN_ERR, NO_ACCESS = 0, 1, 2, 3, 5, 6
WRONG_TYPE, WRONG_VALUE, NO_CREATION, COMMIT_FAILED, NOT_WRITABLE = 7, 10, 11, 14, 17


def message(
    kind: str, *names: Oid, version: int = 1, community: str = READ, value: Any = None,
    repeat: tuple[int, int] | None = None,
) -> bytes:  # fmt: skip
    """A request as pysnmp makes it."""
    api = API[version]
    pdu = getattr(api, kind)()
    used = api.apiBulkPDU if repeat else api.apiPDU
    used.set_defaults(pdu)
    if repeat:
        used.set_non_repeaters(pdu, repeat[0])
        used.set_max_repetitions(pdu, repeat[1])
    nothing = api.Null("") if value is None else value
    used.set_varbinds(pdu, [(univ.ObjectIdentifier(name), nothing) for name in names])
    made = api.Message()
    api.apiMessage.set_defaults(made)
    api.apiMessage.set_community(made, community)
    api.apiMessage.set_pdu(made, pdu)
    octets: bytes = encoder.encode(made)
    return octets


def read(answer: bytes | None, version: int = 1) -> tuple[int, int, list[tuple[Oid, Any]]]:
    """Error status, its index, and variables as pysnmp reads them."""
    assert answer is not None
    api = API[version]
    found, rest = decoder.decode(answer, asn1Spec=api.Message())
    assert not rest
    pdu = api.apiMessage.get_pdu(found)
    bindings = [(tuple(name), value) for name, value in api.apiPDU.get_varbinds(pdu)]
    return (
        int(api.apiPDU.get_error_status(pdu)),
        int(api.apiPDU.get_error_index(pdu, muteErrors=True)),
        bindings,
    )


def values(site: Site, *names: Oid) -> list[Any]:
    status, _, bindings = read(site.ask(message(GET, *names)))
    assert status == NO_ERROR
    return [value for _, value in bindings]


def test_a_value_of_each_kind() -> None:
    site = Site(snapshot(session(3, rx_octets=2**32 + 5, flow=2), tunnels=(tunnel(9, 0x0A000001),)))
    found = values(
        site, (*SESSIONS, USER_NAME, 3), (*SESSIONS, OCTETS, 3), (*SESSIONS, 25, 3),
        (*SESSIONS, 26, 3), (*SESSIONS, 29, 3), (*TUNNELS, 8, 10, 0, 0, 1), UP_TIME,
        (*EVENTS, 3, 1, 42), (*EVENTS, 3, 7, 5),
    )  # fmt: skip
    assert [type(value).__name__ for value in found] == [
        "OctetString", "Counter32", "Integer", "Integer", "IpAddress", "OctetString",
        "TimeTicks", "Counter32", "Counter32",
    ]  # fmt: skip
    assert found[0] == b"user3"
    assert found[1] == 5, "it wraps"
    assert found[2:4] == [2, 1]
    assert found[4].prettyPrint() == "192.0.2.3"
    assert bytes(found[5]) == b"\x01\x00"
    assert found[6] == 100_000
    assert found[7:] == [7, 3]


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ((*SESSIONS, USER_NAME, 4), ber.NO_SUCH_INSTANCE),
        ((*SESSIONS, USER_NAME), ber.NO_SUCH_INSTANCE),
        ((*SESSIONS, USER_NAME, 3, 0), ber.NO_SUCH_INSTANCE),
        ((*SESSIONS, 99, 3), ber.NO_SUCH_OBJECT),
        ((1, 3), ber.NO_SUCH_OBJECT),
        ((2, 39, 2**32 - 1), ber.NO_SUCH_OBJECT),
    ],
)
def test_what_is_not_there(name: Oid, tag: int) -> None:
    site = Site(snapshot(session(3)))
    asked = message(GET, name)
    answer = site.ask(asked)
    assert answer is not None
    assert answer.endswith(bytes((tag, 0)))
    status, index, bindings = read(site.ask(message(GET, UP_TIME, name, version=0)), 0)
    assert (status, index, bindings[1][0]) == (NO_SUCH_NAME, 2, name)


def walk(site: Site, version: int) -> list[Oid]:
    """GetNext until the end."""
    names: list[Oid] = []
    name: Oid = (0, 0)
    while True:
        answer = site.ask(message(NEXT, name, version=version))
        status, _, ((found, _),) = read(answer, version)
        assert answer is not None
        if status == NO_SUCH_NAME or answer.endswith(bytes((ber.END_OF_MIB_VIEW, 0))):
            return names
        names.append(found)
        name = found


@pytest.mark.parametrize("version", [0, 1])
def test_a_walk(version: int) -> None:
    site = Site(snapshot(session(200), session(7), session(70_000), tunnels=(tunnel(1, 1),)))
    names = walk(site, version)
    assert names == sorted(set(names))
    column = [name[-1] for name in names if name[:-1] == (*SESSIONS, ID)]
    assert column == [7, 200, 70_000]
    # Every object has as many instances as there are rows.
    assert sum(name[: len(SESSIONS)] == SESSIONS for name in names) == 29 * 3
    assert sum(name[: len(TUNNELS)] == TUNNELS for name in names) == 12
    assert names[0] == (1, 3, 6, 1, 2, 1, 1, 1, 0)
    assert names[-1] == (*LAST, 3)


def bulk(site: Site, names: tuple[Oid, ...], once: int, most: int) -> list[Oid]:
    answer = site.ask(message("GetBulkRequestPDU", *names, repeat=(once, most)))
    assert answer is not None
    assert len(answer) <= UNFRAGMENTED
    status, _, bindings = read(answer)
    assert status == NO_ERROR
    return [name for name, _ in bindings]


def test_get_bulk() -> None:
    site = Site(snapshot(*(session(number) for number in range(1, 6))))
    at = (*SESSIONS, ID)
    assert bulk(site, (at,), 0, 3) == [(*at, 1), (*at, 2), (*at, 3)]
    two = (at, (*SESSIONS, OCTETS))
    assert bulk(site, two, 0, 2) == [
        (*at, 1), (*SESSIONS, OCTETS, 1), (*at, 2), (*SESSIONS, OCTETS, 2),
    ]  # fmt: skip
    assert bulk(site, two, 1, 2) == [(*at, 1), (*SESSIONS, OCTETS, 1), (*SESSIONS, OCTETS, 2)]
    assert bulk(site, two, 2, 5) == [(*at, 1), (*SESSIONS, OCTETS, 1)]
    assert bulk(site, two, 5, 0) == [(*at, 1), (*SESSIONS, OCTETS, 1)]
    # At the end it is told once.
    assert bulk(site, ((*LAST, 4),), 0, 9) == [(*LAST, 5), (*LAST, 5)]
    assert 40 < len(bulk(site, ((1, 3),), 0, 10_000)) < 200


def test_an_answer_that_does_not_fit() -> None:
    site = Site()
    names = (UP_TIME,) * 4000
    status, _, bindings = read(site.ask(message(GET, *names)))
    assert (status, bindings) == (TOO_BIG, [])
    status, index, bindings = read(site.ask(message(GET, *names, version=0)), 0)
    assert (status, index, len(bindings)) == (TOO_BIG, 0, 4000)


DESTROY = Integer32(6)
ROW: Oid = (*SESSIONS, STATUS, 3)


@pytest.mark.parametrize(
    ("name", "value", "community", "status", "in_v1"),
    [
        (ROW, DESTROY, READ, NO_ACCESS, NO_SUCH_NAME),
        (ROW, Integer32(1), WRITE, WRONG_VALUE, BAD_VALUE),
        (ROW, OctetString("6"), WRITE, WRONG_TYPE, BAD_VALUE),
        ((*SESSIONS, STATUS, 4), DESTROY, WRITE, NO_CREATION, NO_SUCH_NAME),
        ((*SESSIONS, ID, 3), DESTROY, WRITE, NOT_WRITABLE, NO_SUCH_NAME),
        (UP_TIME, DESTROY, WRITE, NOT_WRITABLE, NO_SUCH_NAME),
        ((1, 3, 5), DESTROY, WRITE, NO_CREATION, NO_SUCH_NAME),
    ],
)
def test_what_cannot_be_set(name: Oid, value: Any, community: str, status: int, in_v1: int) -> None:
    site = Site(snapshot(session(3)))
    asked = message(SET, name, value=value, community=community)
    assert read(site.ask(asked))[:2] == (status, 1)
    asked = message(SET, name, value=value, community=community, version=0)
    assert read(site.ask(asked, MANAGER_TWO), 0)[:2] == (in_v1, 1)
    assert site.admin.ended == []
    assert not any(isinstance(notice, Ended) for notice in site.told)


MANAGER_TWO = "192.0.2.10"


def test_ends() -> None:
    site = Site(snapshot(session(3), tunnels=(tunnel(1, 0x0A000001),)))
    for name in (ROW, (*TUNNELS, STATUS, 10, 0, 0, 1), (*STATISTICS, 6, 2, 1, 1, 3),
                 (*STATISTICS, 17, 2, 1, 1, 3)):  # fmt: skip
        assert read(site.ask(message(SET, name, value=DESTROY, community=WRITE)))[0] == NO_ERROR
    session_three = {"session": 3}
    assert site.admin.ended == [session_three, "10.0.0.1", session_three, session_three]
    assert site.told[1] == Ended("alPptpStatsTunnelRowStatus.10.0.0.1", MANAGER)
    # What was read is not kept after a Set.
    assert site.admin.asked == 4


def test_a_set_that_the_headend_does_not_carry_out() -> None:
    site = Site(snapshot(session(3)))
    values(site, UP_TIME)
    site.admin.fails = True
    asked = message(SET, ROW, value=DESTROY, community=WRITE)
    assert read(site.ask(asked))[:2] == (COMMIT_FAILED, 1)


def test_without_a_headend() -> None:
    site = Site()
    site.admin.fails = True
    assert read(site.ask(message(GET, UP_TIME)))[:2] == (GEN_ERR, 1)
    read(site.ask(message(GET, UP_TIME)))
    assert site.admin.asked == 1, "it is not asked again at once"
    site.admin.fails = False
    site.now += 2
    assert values(site, UP_TIME) == [100_000]


def test_values_are_kept_for_a_second() -> None:
    first = snapshot(session(3))
    site = Site(first, grown(first, rx_octets=9))
    octets = (*SESSIONS, OCTETS, 3)
    assert values(site, octets, UP_TIME) == [0, 100_000]
    site.now += 0.9
    assert values(site, octets, UP_TIME) == [0, 100_090]
    site.now += 0.2
    assert values(site, octets) == [9]


def test_asking_takes_the_headend_little_of_its_time() -> None:
    """Where an answer takes 0.5 s, it is kept for 10 s."""
    site = Site(snapshot(session(3)))
    answer = site.admin.snapshot

    def slow() -> Any:
        site.now += 0.5
        return answer()

    site.admin.snapshot = slow  # type: ignore[method-assign]
    for _ in range(20):
        values(site, UP_TIME)
        site.now += 1
    assert site.admin.asked == 2


def test_a_peer_with_several_tunnels_is_one_row() -> None:
    peer = 0x0A000001
    site = Site(snapshot(tunnels=(tunnel(4, peer, 2), tunnel(5, peer, 3), tunnel(6, 1, 1))))
    index = (10, 0, 0, 1)
    assert values(site, (*TUNNELS, 3, *index), (*TUNNELS, 12, *index)) == [4, 5]


def test_who_may_not_ask() -> None:
    access = Access("", WRITE, managers=(IPv4Network("192.0.2.0/25"),))
    site = Site(access=access)
    asked = message(GET, UP_TIME, community=WRITE)
    assert site.ask(asked, "192.0.2.200") is None
    assert site.ask(message(GET, UP_TIME, community=""), "192.0.2.1") is None
    assert site.ask(message(GET, UP_TIME, community="Write"), "192.0.2.1") is None
    assert site.ask(asked, "192.0.2.1") is not None
    assert site.failures() == [Failure.MANAGER, Failure.COMMUNITY]
    assert site.agent.counts["bad_community"] == 2


def test_failures_are_told_seldom() -> None:
    site = Site()
    wrong = message(GET, UP_TIME, community="x")
    for place in range(100):
        site.ask(wrong, f"192.0.2.{place}")
    assert site.told == [Refused(Failure.COMMUNITY, 1, "192.0.2.0")]
    site.now += INTERVAL
    site.ask(wrong, "192.0.2.250")
    assert site.told[1:] == [Refused(Failure.COMMUNITY, 100, "192.0.2.250")]


GOOD = message("GetBulkRequestPDU", UP_TIME, (*SESSIONS, ID), repeat=(1, 5))
ALL = Access(READ, WRITE, User("operator", "authentic1", "private12"))


@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    site = Site(access=ALL)
    assert site.ask(data) is None
    assert site.failures() == [Failure.MALFORMED]


@given(st.data())
def test_a_request_with_octets_changed(data: st.DataObject) -> None:
    """It is answered or not, and what is answered can be read."""
    site = Site(access=ALL)
    wrong = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(wrong) - 1))
        wrong[place] = data.draw(st.integers(0, 255))
    octets = bytes(wrong[: data.draw(st.integers(0, len(wrong)))])
    answer = site.ask(octets)
    assert answer is None or len(answer) <= max(UNFRAGMENTED, 2 * len(octets))
    assert values(site, UP_TIME) == [100_000]


def test_many_requests_leave_nothing_behind() -> None:
    site = Site()
    for place in range(300):
        site.ask(message(GET, UP_TIME, community=f"guess{place}"))
        site.ask(GOOD[:place])
    assert len(site.agent.counts) <= 6
    assert len(site.told) == 2
