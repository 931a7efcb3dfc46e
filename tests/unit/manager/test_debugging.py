"""Debug at run time: whose events are made and covered, from when, until when, and who is told."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from fastpptp.errors import FastpptpError
from fastpptp.manager.debugging import MOST_ORDERS
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.settings.tree import UserEntry
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, client, policy, world

OTHER = IPv4Address("171.69.89.130")
USERS = {"alice": UserEntry("cisco123", "pptpgroup"), "bob": UserEntry("cisco456", "pptpgroup")}
QUIET = {"log": "none", "console": "none"}


def two(**words: Any) -> MemoryHeadend:
    return world(policy(users=USERS, events=QUIET, **words))


def start(memory: MemoryHeadend, severity: int = 13, seconds: float = 600, **whom: Any) -> None:
    user, address = whom.get("user"), whom.get("address")
    network = None if address is None else IPv4Network(address)
    until = memory.clock() + seconds
    _, effects = memory.manager.debugging.start(user, network, severity, until, "12:10", "root")
    memory.carry_out(effects)


def stop(memory: MemoryHeadend, **whom: Any) -> list[str]:
    address = whom.get("address")
    network = None if address is None else IPv4Network(address)
    ended, effects = memory.manager.debugging.stop(whom.get("user"), network, "root")
    memory.carry_out(effects)
    return [order.target for order in ended]


def dial(memory: MemoryHeadend, user: str, address: IPv4Address = PEER) -> Any:
    password = USERS[user.rpartition("\\")[2]].password
    dialled = memory.dial(client(user=user, password=password), address)
    memory.run(5)
    assert dialled.calls[0].is_up
    return dialled


def covered(memory: MemoryHeadend) -> list[Any]:
    """Debug and decode events that go into the log; there are none that do not."""
    found = [e for e in memory.events if e.severity > 6]
    assert all(memory.manager.debugging.covers(event) for event in found)
    return found


def classes(memory: MemoryHeadend) -> set[str]:
    return {event.cls for event in covered(memory)}


ALL = {"PPTPDBG", "PPTPDECODE", "PPPDBG", "PPPDECODE", "AUTHDBG", "AUTHDECODE"}


def test_an_address_from_the_first_octet_of_its_control_connection() -> None:
    memory = two()
    start(memory, address=str(PEER))
    dial(memory, "alice")
    dial(memory, "bob", OTHER)
    assert classes(memory) == ALL
    assert {event.peer for event in covered(memory)} == {PEER}
    first = covered(memory)[0]
    assert first.text().endswith("[PPTP Start-Control-Connection-Request len=156]")


def test_a_network() -> None:
    memory = two()
    start(memory, address="171.69.89.128/30")
    dial(memory, "alice")
    dial(memory, "bob", IPv4Address("171.69.89.140"))
    assert {event.peer for event in covered(memory)} == {PEER}


def test_a_user_and_nobody_else() -> None:
    """From when its name is known; its control connection too, since no other user shares it."""
    memory = two()
    start(memory, user="alice")
    dial(memory, "alice")
    dial(memory, "bob", OTHER)
    assert {"PPPDBG", "PPPDECODE", "AUTHDBG", "AUTHDECODE"} <= classes(memory)
    assert {event.fields["user"] for event in covered(memory)} == {"alice"}
    assert "[CHAP Response id=0x" in covered(memory)[0].text()  # what told the name
    memory.run(70)
    assert "PPTPDECODE" in classes(memory)  # a keep-alive
    assert {event.peer for event in covered(memory)} == {PEER}


def test_a_session_that_is_up_already() -> None:
    memory = two()
    dialled = dial(memory, "alice")
    assert covered(memory) == []
    start(memory, user="alice")
    dialled.hang_up(dialled.calls[0], memory.clock())
    memory.run(5)
    words = [event.text() for event in covered(memory)]
    assert any("rcvd [LCP TermReq" in text for text in words)
    assert any("LCP OPENED -> STOPPING on RTR" in text for text in words)


def test_the_account_counts_not_how_the_name_is_written() -> None:
    """By Strip Realm `DOMAIN\\alice` is alice, and whoever is alice@x by that very name is not."""
    users = {**USERS, "alice@x": UserEntry("cisco789")}
    memory = world(policy(users=users, events=QUIET, strip_realm=True))
    start(memory, user="alice")
    assert memory.manager.debugging.severity(None, "DOMAIN\\alice") == 13
    assert memory.manager.debugging.severity(None, "alice@x") == 0
    assert memory.manager.debugging.severity(None, "") == 0
    dialled = memory.dial(client(user="DOMAIN\\alice"), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    assert "PPPDECODE" in classes(memory)


def test_a_login_that_fails_is_debugged() -> None:
    memory = two()
    start(memory, user="alice")
    memory.dial(client(user="alice", password="wrong"), PEER)
    memory.run(20)
    assert {"AUTHDBG", "AUTHDECODE"} <= classes(memory)


def test_a_user_that_is_not_there_can_be_debugged() -> None:
    memory = two()
    start(memory, user="ghost")
    memory.dial(client(user="ghost"), PEER)
    memory.run(20)
    assert any("there is no such user" in event.text() for event in covered(memory))


def test_a_tunnel_of_two_users_is_neither_ones() -> None:
    memory = two(simultaneous_logins=3)
    start(memory, user="alice")
    dialled = dial(memory, "alice")
    assert "PPTPDECODE" not in classes(memory)
    config = client(user="bob", password="cisco456").args[0]
    dialled._link_config = config
    dialled.place_call(memory.clock())
    memory.run(5)
    del memory.events[:]
    memory.run(70)
    assert "PPTPDECODE" not in {event.cls for event in memory.events}


@pytest.mark.parametrize("severity", [1, 6, 7, 9, 10, 12])
def test_the_severity_bounds_it(severity: int) -> None:
    memory = two()
    start(memory, severity=severity, address=str(PEER))
    dial(memory, "alice")
    covers = memory.manager.debugging.covers
    made = {event.severity for event in memory.events if event.peer == PEER}
    assert {event.severity for event in memory.events if covers(event)} == {
        one for one in made if one <= severity
    }
    assert max(made, default=0) <= max(severity, 6)


def test_ordinary_events_of_the_session_are_covered_too() -> None:
    memory = two()
    start(memory, user="alice")
    dialled = dial(memory, "alice")
    dialled.hang_up(dialled.calls[0], memory.clock())
    memory.run(5)
    covers = memory.manager.debugging.covers
    told = {f"{e.cls}/{e.number}" for e in memory.events if covers(e)}
    assert {"AUTH/22", "PPP/8", "PPP/120", "PPTP/35", "AUTH/28", "ADDRESS/101"} <= told


def test_it_ends_by_itself_and_says_so() -> None:
    memory = two()
    start(memory, user="alice", seconds=60)
    (on,) = [e.text() for e in memory.events]
    assert on == "Debug of user [alice] at severity 13 is on until 12:10, by root"
    memory.run(59)
    assert len(memory.manager.debugging) == 1
    memory.run(2)
    assert len(memory.manager.debugging) == 0
    assert memory.events[-1].text() == "Debug of user [alice] by root is off: its time is over"
    assert memory.manager.get_timer() is None
    del memory.events[:]
    dial(memory, "alice")
    assert covered(memory) == []


def test_it_is_ended_and_flags_fall() -> None:
    memory = two()
    dial(memory, "alice")
    start(memory, user="alice")
    start(memory, address=str(OTHER))
    (session,) = memory.manager._sessions
    assert session.link.trace
    assert session.link.debug
    assert stop(memory, user="bob") == []
    assert stop(memory, user="alice") == ["user [alice]"]
    assert not session.link.trace
    assert not session.link.debug
    assert stop(memory, address=str(OTHER)) == [f"address {OTHER}"]
    assert memory.events[-1].text() == f"Debug of address {OTHER} by root is off: ended by root"
    start(memory, user="alice")
    start(memory, address="10.0.0.0/8")
    assert stop(memory) == ["user [alice]", "address 10.0.0.0/8"]
    assert memory.manager.get_timer() is not None  # the session's


def test_a_further_order_takes_the_place_of_the_one_before() -> None:
    memory = two()
    start(memory, user="alice", severity=13, seconds=10)
    start(memory, user="alice", severity=9, seconds=100)
    memory.run(50)
    (order,) = memory.manager.debugging
    assert order.severity == 9


def test_the_larger_of_two_orders_holds() -> None:
    memory = two()
    start(memory, user="alice", severity=9)
    start(memory, address=str(PEER), severity=11)
    debugging = memory.manager.debugging
    assert debugging.severity(PEER, "alice") == 11
    assert debugging.severity(OTHER, "alice") == 9
    assert debugging.severity(PEER, "bob") == 11
    assert debugging.severity(OTHER, "bob") == 0


def test_there_is_a_bound() -> None:
    memory = two()
    for number in range(MOST_ORDERS):
        start(memory, user=f"user{number}")
    with pytest.raises(FastpptpError, match="32 users and addresses are debugged already"):
        start(memory, user="one more")
    start(memory, user="user0", severity=9)
    assert len(memory.manager.debugging) == MOST_ORDERS


def test_a_change_of_policy_leaves_it_on() -> None:
    memory = two()
    dial(memory, "alice")
    start(memory, user="alice")
    memory.carry_out(memory.manager.update(policy(users=USERS, events=QUIET), memory.clock()))
    (session,) = memory.manager._sessions
    assert session.link.trace


def test_passwords_do_not_show_at_severity_13() -> None:
    memory = two(methods=[AuthMethod.PAP], encryption=[])
    start(memory, address=str(PEER))
    memory.dial(client(user="alice", bits=()), PEER)
    memory.run(5)
    everything = "\n".join(event.text() for event in memory.events)
    assert "AUTHDECODE" in classes(memory)
    assert "cisco123" not in everything
    assert b"cisco123".hex(" ") not in everything
