"""Whatever way a session ends, and at whatever step, nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastpptp.session import Cause
from fastpptp.testing import MemoryHeadend, ScriptedClient
from tests.unit.manager.world import PEER, assert_clean, client, policy, world

# Until a session is up.
STEPS = 20

Ending = Callable[[MemoryHeadend, ScriptedClient], None]


def hang_up(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    for call in dialled.calls:
        dialled.hang_up(call, memory.clock())


def clear(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    for call in dialled.calls:
        dialled.clear(call, memory.clock())


def stop(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    dialled.stop(memory.clock())


def drop(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    memory.drop(dialled)


def vanish(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    """The client's machine freezes: neither end of TCP notices."""
    memory.clients[1].connected = False
    memory.run(400)


def log_out(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    memory.carry_out(memory.manager.terminate_all(Cause.ADMIN_LOGOUT, memory.clock()))
    memory.run(30)
    if memory.clients[1].connected:
        memory.drop(dialled)


def shut_down(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    memory.carry_out(memory.manager.shutdown(memory.clock()))


def switch_off(memory: MemoryHeadend, dialled: ScriptedClient) -> None:
    memory.carry_out(memory.manager.update(policy(pptp={"enabled": False}), memory.clock()))


ENDINGS: list[Ending] = [hang_up, clear, stop, drop, vanish, log_out, shut_down, switch_off]


@pytest.mark.parametrize("calls", [0, 1, 2])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_end_at_every_step(ending: Ending, calls: int) -> None:
    for steps in range(STEPS + 1):
        end_at(steps, ending, calls)


def end_at(steps: int, ending: Ending, calls: int) -> None:
    memory = world()
    dialled = memory.dial(client(calls=calls), PEER)
    for _ in range(steps):
        memory._step()
    if ending in (hang_up, clear) and not dialled.calls:
        ending = drop
    ending(memory, dialled)
    memory.run(1000)
    assert_clean(memory)


def test_every_step_is_covered() -> None:
    """The session of the test above is up after its last step, so that it meets every state."""
    memory = world()
    dialled = memory.dial(client(), PEER)
    for _ in range(STEPS):
        memory._step()
    assert dialled.calls[0].is_up


@pytest.mark.parametrize("ending", [hang_up, drop])
def test_churn(ending: Ending, soak: bool) -> None:
    """1,000 sessions, one after the other."""
    memory = world(policy(simultaneous_logins=1))
    for _ in range(1000 if soak else 100):
        dialled = memory.dial(client(), PEER)
        memory.run(2)
        assert dialled.calls[0].is_up
        ending(memory, dialled)
        memory.run(20)
        memory.clients.clear()
        memory.effects.clear()
        memory.dataplane.commands.clear()
    memory.run(100)
    assert memory.texts().count("AUTH/22") == memory.texts().count("AUTH/28")
    assert_clean(memory)
    assert len(memory.manager._deadlines._heap) < 100


def test_many_sessions_at_once(soak: bool) -> None:
    count = 1000 if soak else 250
    memory = world(
        policy(simultaneous_logins=0xFFFF, pool=big_pool(), system={"handshakes_per_source": 2000})
    )
    dialled = [memory.dial(client(calls=50), PEER) for _ in range(count // 50)]
    memory.run(5)
    assert sum(call.is_up for one in dialled for call in one.calls) == count
    assert memory.manager.statistics().peak_sessions == count
    for one in dialled:
        memory.drop(one)
    memory.run(10)
    assert_clean(memory)


def big_pool() -> object:
    from ipaddress import IPv4Address

    from fastpptp.settings.tree import PoolRange

    return PoolRange(IPv4Address("10.0.0.1"), IPv4Address("10.0.15.255"))
