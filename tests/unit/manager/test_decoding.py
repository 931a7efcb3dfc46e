"""Debug and decode events: who hears which, what they say, and that silence costs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fastpptp.events.catalogue import DECODE_HEADER, EVENTS
from fastpptp.events.catalogue.debug import PPPDBG, PPPDECODE, PPTPDBG
from fastpptp.manager import headend, tunnels
from fastpptp.manager.debugging import ears
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.pptp import encode
from fastpptp.pptp.messages import IncomingCallConnected
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, client, configuration, only_session, policy, world

FAMILIES = ("PPTP", "PPP", "AUTH")


def listening(**ranges: str) -> MemoryHeadend:
    """A session under a policy whose classes go to the log as told; nothing else does."""
    tree = configuration(methods=[AuthMethod.PAP], encryption=[], events={"log": "none"})
    classes = {cls: {"enable": True, "log": log} for cls, log in ranges.items()}
    memory = world(PolicySnapshot(with_classes(tree, classes)))
    memory.dial(client(bits=()), PEER)
    memory.run(5)
    return memory


def with_classes(tree: Configuration, classes: dict[str, Any]) -> Configuration:
    return Configuration(
        sections=tree.sections, event_classes=classes, base=tree.base, groups=tree.groups,
        users=tree.users, pools=tree.pools,
    )  # fmt: skip


def texts(memory: MemoryHeadend, cls: str, number: int) -> list[str]:
    return [e.text() for e in memory.events if (e.cls, e.number) == (cls, number)]


def made(memory: MemoryHeadend) -> set[tuple[str, int]]:
    """The debug and decode events there were."""
    found = {(e.cls, e.severity) for e in memory.events if e.severity > 6}
    assert all(cls.endswith(("DBG", "DECODE")) for cls, _ in found)
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("severity", range(10, 14))
def test_each_severity_of_decode_is_an_event_of_its_own(family: str, severity: int) -> None:
    memory = listening(**{f"{family}DECODE": str(severity)})
    assert made(memory) == {(f"{family}DECODE", severity)}


@pytest.mark.parametrize(
    ("family", "severity"),
    [
        ("PPTP", 7),
        ("PPTP", 8),
        ("PPP", 7),
        ("PPP", 8),
        ("PPP", 9),
        ("AUTH", 7),
        ("AUTH", 8),
        ("AUTH", 9),
    ],
)
def test_each_severity_of_debug_is_an_event_of_its_own(family: str, severity: int) -> None:
    memory = listening(**{f"{family}DBG": str(severity)})
    assert made(memory) == {(f"{family}DBG", severity)}


def test_what_pptp_says() -> None:
    memory = listening(PPTPDECODE="10-13", PPTPDBG="7-9")
    assert texts(memory, "PPTPDECODE", 100)[:2] == [
        "[171.69.89.129] rcvd [PPTP Start-Control-Connection-Request len=156]",
        "[171.69.89.129] sent [PPTP Start-Control-Connection-Reply len=156]",
    ]
    assert texts(memory, "PPTPDECODE", 101)[0].startswith(
        "[171.69.89.129] rcvd [PPTP Start-Control-Connection-Request <version 0x0100>"
    )
    assert texts(memory, "PPTPDECODE", 102)[0] == (
        "[171.69.89.129] rcvd 00 9c 00 01 1a 2b 3c 4d 00 01 00 00"
    )
    packet = texts(memory, "PPTPDECODE", 103)[0].split("\n")
    assert packet[0] == "[171.69.89.129] rcvd [PPTP Start-Control-Connection-Request len=156]"
    assert packet[1] == "0000  00 9c 00 01 1a 2b 3c 4d 00 01 00 00 01 00 00 00"
    assert len(packet) == 1 + 10
    assert texts(memory, "PPTPDBG", 100)[0].startswith(
        "[171.69.89.129] control connection idle -> established on Start-Control-Connection-Request"
    )
    assert any("wait_cs_ans -> established" in text for text in texts(memory, "PPTPDBG", 101))


def test_what_ppp_says() -> None:
    memory = listening(PPPDECODE="10-13", PPPDBG="7-9")
    headers = texts(memory, "PPPDECODE", 100)
    assert any("rcvd [LCP ConfReq id=0x" in text for text in headers)
    assert any("] sent [IPCP ConfAck id=0x" in text for text in headers)
    assert any(text.startswith("[pptpuser@171.69.89.129 call 0x") for text in headers)
    assert not any("PAP" in text for text in headers)
    assert any("<mru 1400>" in text for text in texts(memory, "PPPDECODE", 101))
    assert any("c0 21 01" in text for text in texts(memory, "PPPDECODE", 102))
    assert any("\n0000  c0 21 01" in text for text in texts(memory, "PPPDECODE", 103))
    assert any(
        text.endswith("phase authenticate -> network") for text in texts(memory, "PPPDBG", 100)
    )
    steps = texts(memory, "PPPDBG", 101)
    assert any(text.endswith("IPCP ACK_RCVD -> OPENED on RCR+ (sca, tlu)") for text in steps)
    judged = texts(memory, "PPPDBG", 102)
    assert any(
        "IPCP answers ConfReq" in text and "ConfNak <addr 172.16.1.10>" in text for text in judged
    )


def test_what_auth_says_and_does_not_say() -> None:
    memory = listening(AUTHDECODE="10-13", AUTHDBG="7-9")
    words = texts(memory, "AUTHDECODE", 101)
    assert any("rcvd [PAP AuthReq id=0x" in text and "password=<hidden>" in text for text in words)
    assert any("sent [PAP AuthAck" in text for text in words)
    packets = "\n".join(texts(memory, "AUTHDECODE", 103))
    assert "** ** ** ** ** ** ** **" in packets.replace("\n", " ")
    assert not any("cisco123" in event.text() for event in memory.events)
    assert b"cisco123".hex(" ") not in packets
    (stands,) = texts(memory, "AUTHDBG", 100)
    assert stands == (
        "Name [pptpuser] with PAP: user [pptpuser] of group [pptpgroup], found by exactly this name"
    )
    (state,) = texts(memory, "AUTHDBG", 101)
    assert state.startswith("Failed logins of this user from this address: none;")
    assert state.endswith(". Logins of [pptpuser]: 0 of 3")
    (attributes,) = texts(memory, "AUTHDBG", 102)
    assert attributes.startswith(
        "Attributes of [pptpuser]: Access Hours = No Restrictions (default);"
    )
    assert "PPTP Authentication Protocols = PAP (base group);" in attributes


def test_nothing_is_made_of_what_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off, neither words nor trace events come into being: the flags are down, and stay down."""
    touched: list[str] = []
    for module, name in (
        (headend, "frame_decoded"),
        (headend, "link_stepped"),
        (tunnels, "message_decoded"),
        (tunnels, "control_stepped"),
    ):
        monkeypatch.setattr(module, name, lambda *words, name=name: touched.append(name) or [])
    memory = world(policy(events={"log": "1-6"}))
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    (session,) = memory.manager._sessions
    (tunnel,) = memory.manager._tunnels
    assert (session.link.trace, session.link.debug) == (False, False)
    assert (tunnel.control.trace, tunnel.control.debug) == (False, False)
    assert not session.ears.hears("AUTHDBG")
    memory.drop(dialled)
    memory.run(5)
    assert touched == []
    assert made(memory) == set()


def test_sessions_share_what_they_hear_with() -> None:
    memory = world()
    memory.dial(client(calls=2), PEER)
    memory.run(5)
    first, second = memory.manager._sessions
    assert first.ears is second.ears


def test_a_change_of_policy_is_followed_by_sessions_that_are_up() -> None:
    memory = world()
    memory.dial(client(), PEER)
    memory.run(5)
    assert made(memory) == set()
    memory.carry_out(memory.manager.update(policy(events={"log": "1-13"}), memory.clock()))
    memory.run(70)  # a keep-alive of the control connection
    assert ("PPTPDECODE", DECODE_HEADER) in made(memory)


def test_what_is_ignored_is_told() -> None:
    memory = world(policy(events={"log": "1-9"}))
    memory.dial(client(), PEER)
    memory.run(5)
    call_id = only_session(memory).local_call_id
    message = encode(IncomingCallConnected(call_id))
    memory.carry_out(memory.manager.data_received(1, message, memory.clock()))
    assert texts(memory, "PPTPDBG", 102) == [
        f"[171.69.89.129] call {call_id:#x} (peer 0x1) established: Incoming-Call-Connected ignored"
    ]


def test_ears_hear_what_the_policy_sends_anywhere_and_what_is_forced() -> None:
    nothing = ears(policy(events={"log": "1-6"}).events)
    assert not any(nothing.wanted.values())
    assert set(nothing.wanted) == {cls for cls, _ in EVENTS if cls.endswith(("DBG", "DECODE"))}
    forced = ears(policy(events={"log": "1-6"}).events, 11)
    assert forced.wanted["PPPDBG"] == {7, 8, 9} == {kind.severity for kind in PPPDBG.values()}
    assert forced.wanted["PPPDECODE"] == {10, 11} < {kind.severity for kind in PPPDECODE.values()}
    assert forced.wanted["PPTPDBG"] == {kind.severity for kind in PPTPDBG.values()}
    console = ears(policy(events={"log": "none", "console": "7"}).events)
    assert console.hears("AUTHDBG")
    assert not console.hears("AUTHDECODE", "PPPDECODE")
