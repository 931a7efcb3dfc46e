"""A running headend follows every setting that is declared to hold at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fastpptp.session import Cause
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Touches
from fastpptp.testing import MemoryHeadend, ScriptedClient
from tests.unit.manager.world import PEER, client, only_session, policy, world


def follow(memory: MemoryHeadend, **wanted: Any) -> None:
    memory.carry_out(memory.manager.update(policy(**wanted), memory.clock()))


def up(**wanted: Any) -> tuple[MemoryHeadend, ScriptedClient]:
    memory = world(policy(**wanted))
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    assert dialled.calls[0].is_up
    return memory, dialled


def end(memory: MemoryHeadend) -> None:
    cause = Cause.ADMIN_LOGOUT
    memory.carry_out(memory.manager.terminate(only_session(memory).id, cause, memory.clock()))
    memory.run(10)


def enabled() -> None:
    memory, _ = up()
    follow(memory, pptp={"enabled": False})
    memory.run(10)
    assert memory.manager.idle


def maximum_tunnel_idle_time() -> None:
    memory, dialled = up(pptp={"maximum_tunnel_idle_time": 50})
    dialled.clear(dialled.calls[0], memory.clock())
    memory.run(20)
    follow(memory, pptp={"maximum_tunnel_idle_time": 30})
    memory.run(8)
    assert dialled.ended is None
    memory.run(3)
    assert dialled.ended is not None


def max_tunnels() -> None:
    memory, dialled = up()
    follow(memory, pptp={"max_tunnels": 1})
    second = memory.dial(client(), PEER)
    memory.run(1)
    assert second.ended is not None
    assert dialled.calls[0].is_up


def one_call_more_is_refused(section: str, name: str, value: int) -> None:
    memory, dialled = up()
    follow(memory, **{section: {name: value}})
    first, second = (dialled.place_call(memory.clock()) for _ in range(2))
    memory.run(1)
    assert second.ended is not None
    assert (first.ended is not None) == (section == "pptp")


def events(name: str, value: object) -> None:
    """The manager is asked whether decoded messages are wanted, also of sessions that stand."""
    memory, _ = up()
    assert "PPTPDECODE/100" not in memory.texts()
    follow(memory, events={name: value})
    end(memory)
    assert {"PPTPDECODE/100", "PPPDECODE/100"} <= set(memory.texts())


HELD_ELSEWHERE = {
    # tests/unit/server: the event log and the machine follow without the manager.
    "events.capacity", "events.syslog_format", "events.email_source_address", "system.proxy_arp",
    "system.forwarding", "system.nat",
    # tests/services/test_snmp.py
    *(f"snmp.{name}" for name in attributes.SECTIONS["snmp"]),
}  # fmt: skip
PROOFS: Mapping[str, Callable[[], None]] = {
    "pptp.enabled": enabled,
    "pptp.maximum_tunnel_idle_time": maximum_tunnel_idle_time,
    "pptp.max_tunnels": max_tunnels,
    "pptp.max_sessions_per_tunnel": lambda: one_call_more_is_refused(
        "pptp", "max_sessions_per_tunnel", 1
    ),
    "system.handshakes_in_flight": lambda: one_call_more_is_refused(
        "system", "handshakes_in_flight", 1
    ),
    "system.handshakes_per_source": lambda: one_call_more_is_refused(
        "system", "handshakes_per_source", 1
    ),
    **{
        f"events.{attribute.name}": lambda name=attribute.name: events(name, "1-13")  # type: ignore[misc]
        for attribute in attributes.DESTINATIONS
    },
}


def declared(touches: Touches) -> dict[str, Attribute]:
    return {
        f"{section}.{name}": attribute
        for section, named in attributes.SECTIONS.items()
        for name, attribute in named.items()
        if attribute.touches is touches
    }


def test_every_setting_that_holds_now_is_proven() -> None:
    assert PROOFS.keys() | HELD_ELSEWHERE == declared(Touches.NOW).keys()


@pytest.mark.parametrize("name", PROOFS)
def test_it_holds_now(name: str) -> None:
    PROOFS[name]()


def test_a_tunnel_that_is_idle_already_gets_the_longer_time() -> None:
    memory, dialled = up(pptp={"maximum_tunnel_idle_time": 5})
    dialled.clear(dialled.calls[0], memory.clock())
    memory.run(3)
    follow(memory, pptp={"maximum_tunnel_idle_time": 60})
    memory.run(50)
    assert dialled.ended is None
    memory.run(10)
    assert dialled.ended is not None


def test_messages_are_no_longer_decoded() -> None:
    memory, _ = up(events={"log": "1-13"})
    follow(memory)
    before = memory.texts().count("PPPDECODE/100")
    assert before
    end(memory)
    assert memory.texts().count("PPPDECODE/100") == before


@pytest.mark.parametrize(
    "wanted", [{"users": {}}, {"simultaneous_logins": 0}, {"idle_timeout": 1}], ids=str
)
def test_what_holds_from_the_next_session_leaves_this_one(wanted: dict[str, Any]) -> None:
    memory, _ = up()
    (call,) = memory.dataplane.calls.values()
    before = call.policy
    follow(memory, **wanted)
    memory.run(30)
    assert only_session(memory).account == "pptpuser"
    assert call.policy == before
