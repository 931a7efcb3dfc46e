"""Every limit: what is refused, with which codes, and which event tells it."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from fastpptp.manager import Limits
from fastpptp.pptp.events import CallEnd, ControlEnd
from fastpptp.testing import MemoryHeadend, ScriptedClient
from tests.unit.manager.world import PEER, assert_clean, client, policy, world

OTHER = IPv4Address("171.69.89.130")


def told(memory: MemoryHeadend, number: int) -> str:
    (event,) = [e for e in memory.events if (e.cls, e.number) == ("PPTP", number)]
    return event.text()


def refused_call(dialled: ScriptedClient, place: int) -> tuple[int, int]:
    ended = dialled.calls[place].ended
    assert ended is not None
    assert ended.end is CallEnd.REFUSED_PEER
    return ended.result, ended.error


def refused_tunnel(dialled: ScriptedClient) -> tuple[int, int]:
    assert dialled.ended is not None
    assert dialled.ended.end is ControlEnd.REFUSED_PEER
    return dialled.ended.result, dialled.ended.error


def test_max_tunnels() -> None:
    memory = world(policy(pptp={"max_tunnels": 1}))
    first = memory.dial(client(), PEER)
    memory.run(1)
    second = memory.dial(client(), OTHER)
    memory.run(1)
    assert first.calls[0].is_up
    assert refused_tunnel(second) == (2, 4)
    assert told(memory, 100) == "Tunnel to peer 171.69.89.130 refused: Max. Tunnels (1) reached"
    assert memory.manager.statistics().refused_tunnels == 1
    memory.drop(first)
    third = memory.dial(client(), OTHER)
    memory.run(1)
    assert third.calls[0].is_up
    memory.drop(third)
    memory.run(10)
    assert_clean(memory)


def test_max_sessions_per_tunnel() -> None:
    memory = world(policy(pptp={"max_sessions_per_tunnel": 2}))
    dialled = memory.dial(client(calls=3), PEER)
    memory.run(1)
    assert [call.is_up for call in dialled.calls] == [True, True, False]
    assert refused_call(dialled, 2) == (2, 4)
    assert "Max. Sessions/Tunnel (2) reached" in told(memory, 101)
    assert memory.manager.statistics().refused_sessions == 1
    memory.drop(dialled)
    memory.run(10)
    assert_clean(memory)


@pytest.mark.parametrize("setting", ["handshakes_in_flight", "handshakes_per_source"])
def test_handshakes_in_flight(setting: str) -> None:
    memory = world(policy(system={setting: 2}))
    dialled = memory.dial(client(calls=3), PEER)
    memory.run(0)
    assert refused_call(dialled, 2) == (2, 4)
    assert "2 handshakes are in flight" in told(memory, 103)
    memory.run(5)
    assert memory.manager.statistics().handshakes == 0
    fourth = dialled.place_call(memory.clock())
    memory.run(5)
    assert fourth.is_up
    memory.drop(dialled)
    memory.run(10)
    assert_clean(memory)


def test_handshakes_of_one_source_leave_room_for_another() -> None:
    memory = world(policy(system={"handshakes_per_source": 1}))
    one = memory.dial(client(calls=2), PEER)
    other = memory.dial(client(), OTHER)
    memory.run(5)
    assert [call.is_up for call in one.calls] == [True, False]
    assert other.calls[0].is_up


def test_pptp_not_enabled() -> None:
    memory = world(policy(pptp={"enabled": False}))
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    assert refused_tunnel(dialled) == (4, 0)
    assert told(memory, 104) == "Tunnel to peer 171.69.89.129 refused: PPTP is not enabled"
    assert_clean(memory)


def silent(memory: MemoryHeadend, connection: int, peer: IPv4Address) -> list[str]:
    """A TCP connection whose peer says nothing; what was done about it."""
    made = memory.manager.connection_made(connection, IPv4Address("161.44.17.1"), peer, 0.0)
    return [type(effect).__name__ for effect in made]


@pytest.mark.parametrize(
    ("limits", "number"),
    [(Limits(half_open_per_source=2), 105), (Limits(half_open=2), 106)],
)
def test_half_open_connections(limits: Limits, number: int) -> None:
    memory = world(limits=limits)
    assert silent(memory, 101, PEER) == silent(memory, 102, PEER) == []
    assert silent(memory, 103, PEER) == ["Emit", "CloseControl"]
    # A flood is told once a second, not once a connection.
    assert silent(memory, 104, PEER) == ["CloseControl"]
    assert (silent(memory, 105, OTHER) == []) == (number == 105)
    memory.manager.connection_lost(101, 0.5)
    assert silent(memory, 106, PEER) == [] or number == 106


def test_a_connection_that_is_never_established_ends() -> None:
    memory = world()
    silent(memory, 101, PEER)
    deadline = memory.manager.get_timer()
    assert deadline is not None
    effects = memory.manager.handle_timer(deadline)
    assert [type(effect).__name__ for effect in effects] == ["Emit", "CloseControl"]
    assert memory.manager.idle
    assert memory.manager.get_timer() is None


def test_no_call_id_is_free() -> None:
    memory = world()
    while memory.manager._ids.take():
        pass
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    assert refused_call(dialled, 0) == (2, 4)
    assert told(memory, 102).endswith("no Call-ID is free")


def test_maximum_tunnel_idle_time() -> None:
    memory = world(policy(pptp={"maximum_tunnel_idle_time": 9}))
    dialled = memory.dial(client(calls=0), PEER)
    memory.run(8.9)
    assert dialled.ended is None
    memory.run(0.2)
    assert dialled.ended is not None
    assert told(memory, 120) == "Tunnel to peer 171.69.89.129 has had no session for 9 s"
    assert told(memory, 34).endswith("closed, reason: None (No additional info)")
    assert_clean(memory)


def test_the_idle_time_of_a_tunnel_does_not_run_while_it_has_a_session() -> None:
    memory = world(policy(pptp={"maximum_tunnel_idle_time": 1}))
    dialled = memory.dial(client(), PEER)
    memory.run(50)
    assert dialled.calls[0].is_up


def test_a_tunnel_whose_calls_are_refused_is_not_idle() -> None:
    """A redial storm must not cost a control connection that others' calls may share."""
    memory = world(policy(pptp={"maximum_tunnel_idle_time": 9}))
    while memory.manager._ids.take():
        pass
    dialled = memory.dial(client(calls=0), PEER)
    for _ in range(3):
        memory.run(8)
        dialled.place_call(memory.clock())
    memory.run(8.9)
    assert dialled.ended is None
    memory.run(0.2)
    assert dialled.ended is not None
