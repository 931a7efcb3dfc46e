"""How sessions end without a fault of the user: timers, the dataplane, the administrator."""

from __future__ import annotations

import pytest

from fastpptp.manager import CallCounters
from fastpptp.manager.accounting import ENDED_KEPT
from fastpptp.ports import CallEvent
from fastpptp.session import Cause, SessionState
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, assert_clean, client, only_session, policy, world


def up(**kwargs: object) -> tuple[MemoryHeadend, object]:
    memory = world(policy(**kwargs))
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    return memory, dialled


def happen(memory: MemoryHeadend, event: CallEvent) -> None:
    (handle,) = memory.dataplane.calls
    memory.dataplane.raise_event(handle, event)
    memory.carry_out([])


def reason(memory: MemoryHeadend) -> str:
    (event,) = [e for e in memory.events if (e.cls, e.number) == ("AUTH", 28)]
    return event.text().rpartition("Reason: ")[2]


def test_idle_timeout() -> None:
    memory, _ = up(idle_timeout=20)
    (call,) = memory.dataplane.calls.values()
    assert call.policy.idle_timeout == 20 * 60_000
    happen(memory, CallEvent.IDLE)
    happen_again = memory.manager.call_event(call.handle, CallEvent.IDLE, memory.clock())
    assert happen_again == []
    memory.run(30)
    assert "PPP/100" in memory.texts()
    assert reason(memory) == "Idle Timeout"
    assert_clean(memory)


def test_maximum_connect_time() -> None:
    memory, _ = up(maximum_connect_time=3)
    memory.run(170)
    assert only_session(memory).state is SessionState.UP
    memory.run(30)
    assert "PPP/101" in memory.texts()
    assert reason(memory) == "Max time exceeded"
    assert_clean(memory)


def test_a_silent_peer_is_lost_carrier() -> None:
    memory, _ = up()
    happen(memory, CallEvent.PEER_SILENT)
    memory.run(30)
    assert "PPP/102" in memory.texts()
    assert reason(memory) == "Lost Carrier (the peer stopped answering LCP echoes)"
    assert_clean(memory)


def test_mppe_out_of_step_is_negotiated_again() -> None:
    memory, _ = up()
    before = [c for c in memory.dataplane.commands if c[0] == "set_keys"]
    happen(memory, CallEvent.RESYNC_FAILED)
    memory.run(10)
    after = [c for c in memory.dataplane.commands if c[0] == "set_keys"]
    assert "PPP/110" in memory.texts()
    assert len(after) == 2 * len(before)
    assert only_session(memory).state is SessionState.UP
    (call,) = memory.dataplane.calls.values()
    assert call.gates == {4}


def test_dropped_parked_data_is_told() -> None:
    memory, _ = up()
    happen(memory, CallEvent.PARK_EXPIRED)
    assert "PPP/113" in memory.texts()


def test_no_gre_is_told_once_and_not_after_some_came() -> None:
    memory, _ = up(system={"no_gre_warning": 2})
    memory.run(20)
    assert "PPTP/114" not in memory.texts()


def test_first_gre_is_enough() -> None:
    memory = world(policy(system={"no_gre_warning": 2}))
    dialled = memory.dial(client(), PEER)
    memory.clients[1].client = dialled
    memory._carry_from_clients()
    memory._carry_from_clients()
    happen(memory, CallEvent.FIRST_GRE)
    memory.clock.advance(3)
    memory.carry_out(memory.manager.handle_timer(memory.clock()))
    assert "PPTP/114" not in memory.texts()


def test_the_tcp_connection_breaks() -> None:
    memory, dialled = up()
    memory.drop(dialled)
    memory.run(1)
    assert reason(memory) == "Lost Carrier"
    (closed,) = [e for e in memory.events if (e.cls, e.number) == ("PPTP", 34)]
    assert "reason: Error" in closed.text()
    assert_clean(memory)


def test_the_peer_stops_the_tunnel() -> None:
    memory, dialled = up()
    dialled.stop(memory.clock())
    memory.run(10)
    assert reason(memory) == "User Requested"
    assert_clean(memory)


def test_nonsense_on_the_control_connection() -> None:
    memory, _ = up()
    memory.carry_out(memory.manager.data_received(1, b"GET / HTTP/1.0\r\n\r\n", memory.clock()))
    memory.run(10)
    assert "PPTP/110" in memory.texts()
    assert_clean(memory)


def test_shutdown_tells_every_peer() -> None:
    memory = world(policy(simultaneous_logins=6))
    dialled = [memory.dial(client(calls=2), PEER) for _ in range(3)]
    memory.run(5)
    memory.carry_out(memory.manager.shutdown(memory.clock()))
    memory.run(1)
    for one in dialled:
        assert all(call.ended is not None for call in one.calls)
        assert one.ended is not None
    assert reason_of_all(memory) == {"Administrator Shutdown"}
    refused = memory.manager.connection_made(100, PEER, PEER, memory.clock())
    assert [type(effect).__name__ for effect in refused] == ["Emit", "CloseControl"]
    assert_clean(memory)


def reason_of_all(memory: MemoryHeadend) -> set[str]:
    accounts = [e for e in memory.events if (e.cls, e.number) == ("AUTH", 28)]
    assert len(accounts) == 6
    return {e.text().rpartition("Reason: ")[2] for e in accounts}


def test_terminate_all() -> None:
    memory = world()
    memory.dial(client(calls=3), PEER)
    memory.run(5)
    memory.carry_out(memory.manager.terminate_all(Cause.ADMIN_LOGOUT, memory.clock()))
    memory.run(30)
    assert memory.texts().count("AUTH/28") == 3
    assert_clean(memory)


def test_switching_pptp_off_ends_every_session() -> None:
    memory, _ = up()
    memory.carry_out(memory.manager.update(policy(pptp={"enabled": False}), memory.clock()))
    memory.run(10)
    assert reason(memory) == "Administrator Reset (PPTP is not enabled)"
    assert_clean(memory)


@pytest.mark.parametrize("late", [1.0, 60.0])
def test_final_counters_come_late(late: float) -> None:
    """Accounting waits for them, but not for ever; the Call-ID waits as long as it takes."""
    memory, dialled = up()
    memory.dataplane._instant_close = False
    handle = only_session(memory).handle
    dialled.clear(dialled.calls[0], memory.clock())
    memory.run(late)
    assert ("AUTH/28" in memory.texts()) == (late > 5)
    assert memory.manager._ids.in_use == 1
    memory.dataplane.finish_closing(handle)
    memory.dataplane.read_events()
    counters = CallCounters(received_octets=7, sent_octets=9)
    memory.carry_out(memory.manager.call_closed(handle, counters, memory.clock()))
    assert memory.texts().count("AUTH/28") == 1
    assert ("Bytes rcv: 7" in "".join(e.text() for e in memory.events)) == (late < 5)
    assert memory.manager.call_closed(handle, counters, memory.clock()) == []
    memory.run(10)
    assert_clean(memory)


def test_ended_sessions_are_remembered() -> None:
    """As they were while they were up; those of the longest ago are forgotten."""
    memory, dialled = up()
    before = only_session(memory)
    memory.dataplane.count(before.handle, rx_octets=312)
    dialled.clear(dialled.calls[0], memory.clock())
    memory.run(1)
    (departure,) = memory.manager.ended()
    assert departure.view.assigned == before.assigned is not None
    assert (departure.view.encryption, departure.view.id) == (before.encryption, before.id)
    assert departure.cause is Cause.CALL_CLEARED
    assert departure.counters.received_octets == 312
    memory.manager._departures._ended.extend([departure] * ENDED_KEPT)
    assert len(memory.manager.ended()) == ENDED_KEPT


def test_what_is_unknown_is_ignored() -> None:
    manager = world().manager
    assert manager.data_received(7, b"", 0.0) == []
    assert manager.connection_lost(7, 0.0) == []
    assert manager.frame_received(7, b"", 0.0) == []
    assert manager.call_event(7, 63, 0.0) == []
    assert manager.complete(7, None, 0.0) == []
    assert manager.session(7) is None
    assert manager.idle
