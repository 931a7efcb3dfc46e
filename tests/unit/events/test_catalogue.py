"""The catalogue's words, against the reference's, and what occur() refuses."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError
from fastpptp.events.catalogue import CLASSES, EVENTS, SEVERITIES, occur, printable
from fastpptp.events.catalogue.faults import PPP_FAULTS, PPTP_FAULTS, SYSTEM_FAULTS
from fastpptp.events.catalogue.ppp import PPP
from fastpptp.events.catalogue.pptp import PPTP
from fastpptp.events.catalogue.system import SYSTEM

PEER = IPv4Address("171.69.89.129")

REFERENCE = [
    ("PPTP", 47, 4, {}, "Tunnel to peer 171.69.89.129 established"),
    ("PPTP", 42, 4, {}, "Session started on tunnel 171.69.89.129"),
    (
        "PPTP",
        35,
        4,
        {"peer_call_id": 32768, "local_call_id": 22712, "serial": 40761, "reason": "Error"},
        "Session closed on tunnel 171.69.89.129 (peer 32768, local 22712, serial 40761), "
        "reason: Error (No additional info)",
    ),
    (
        "PPTP",
        34,
        4,
        {"reason": "None"},
        "Tunnel to peer 171.69.89.129 closed, reason: None (No additional info)",
    ),
    (
        "PPP",
        8,
        5,
        {"user": "pptpuser", "method": "MSCHAP-V1"},
        "User [pptpuser]\nAuthenticated successfully with MSCHAP-V1",
    ),
    (
        "PPP",
        9,
        5,
        {"user": "pptpuser", "method": "MSCHAP-V1"},
        "User [pptpuser]\ndisconnected.. failed authentication ( MSCHAP-V1 )",
    ),
    (
        "PPP",
        6,
        4,
        {"user": "pptpuser"},
        "User [pptpuser] disconnected\n"
        "PPTP Encryption configured as REQUIRED.. remote client not supporting it.",
    ),
    (
        "PPP",
        12,
        5,
        {"user": ""},
        "User [] disconnected. Authentication protocol not allowed.",
    ),
    (
        "AUTH",
        5,
        3,
        {"reason": "User was not found", "handle": 44, "user": "pptpusers"},
        "Authentication rejected: Reason = User was not found\n"
        "handle = 44, server = (none), user = pptpusers, domain = <not specified>",
    ),
    (
        "AUTH",
        22,
        4,
        {"user": "pptpuser", "group": None},
        "User [pptpuser] Group [Base Group] connected, Session Type: PPTP",
    ),
    (
        "AUTH",
        28,
        4,
        {
            "user": "pptpuser",
            "group": "pptpgroup",
            "duration": "0:01:02",
            "bytes_xmt": 10,
            "bytes_rcv": 20,
            "reason": "User Requested",
        },
        "User [pptpuser] Group [pptpgroup] disconnected:\nSession Type: PPTP\n"
        "Duration: 0:01:02\nBytes xmt: 10\nBytes rcv: 20\nReason: User Requested",
    ),
]


@pytest.mark.parametrize(("cls", "number", "severity", "fields", "text"), REFERENCE)
def test_reference_words(
    cls: str, number: int, severity: int, fields: dict[str, object], text: str
) -> None:
    occurrence = occur(cls, number, peer=PEER, **fields)
    assert occurrence.severity == severity
    assert occurrence.text() == text


@pytest.mark.parametrize(("cls", "number"), EVENTS)
def test_every_event_can_occur(cls: str, number: int) -> None:
    kind = EVENTS[cls, number]
    values = {name: f"<{name}>" for name in kind.names}
    text = occur(cls, number, peer=PEER, **values).text()
    assert kind.severity in SEVERITIES
    assert all(value in text for value in values.values())
    assert "{" not in text


def test_classes_are_those_of_the_events() -> None:
    assert {"PPTP", "PPTPDBG", "PPTPDECODE", "AUTH", "CONFIG", "SYSTEM"} <= set(CLASSES)


@pytest.mark.parametrize(
    ("cls", "number", "fields"),
    [
        ("PPTP", 1, {}),
        ("PPTP", 34, {}),
        ("PPTP", 47, {"reason": "x"}),
        ("PPP", 8, {"user": "x"}),
    ],
)
def test_wrong_fields_are_the_callers_fault(
    cls: str, number: int, fields: dict[str, object]
) -> None:
    with pytest.raises(LocalProtocolError, match=f"{cls}/{number}"):
        occur(cls, number, **fields)


def test_user_and_group_go_with_every_event() -> None:
    occurrence = occur("PPTP", 47, peer=PEER, user="u", group="g")
    assert occurrence.fields == {"user": "u", "group": "g"}


@given(st.text(max_size=80))
def test_a_name_cannot_forge_a_line(name: str) -> None:
    text = occur("PPP", 8, user=name, method="PAP").text()
    assert text.count("\n") == 1
    assert text.replace("\n", "").isprintable()
    assert printable(name).isprintable()
    assert occur("PPP", 8, user=name, method="PAP").fields["user"] == name


def test_no_number_is_given_twice() -> None:
    """The faults of the field are told by their own tables."""
    for table, faults in ((PPTP, PPTP_FAULTS), (PPP, PPP_FAULTS), (SYSTEM, SYSTEM_FAULTS)):
        assert not table.keys() & faults.keys()
