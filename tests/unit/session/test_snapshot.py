"""A session that is snapshot and restored at any step goes on as if nothing had been."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.addresses.grant import AddressGrant
from fastpptp.errors import LocalProtocolError
from fastpptp.manager import HeadendSession
from fastpptp.manager.translate import link_config
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.events import LinkEnd, LinkEnded
from fastpptp.session import Encryption, Session
from fastpptp.session.plain import plain, revive
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, assert_clean, client, policy, world


def restored(memory: MemoryHeadend, session: HeadendSession, rng: Any) -> HeadendSession:
    """`session` through a snapshot and back, put in its place in the manager."""
    manager = memory.manager
    snapshot = json.loads(json.dumps(session.snapshot()))
    assert snapshot["logged_in"] == (session.identity is not None)
    again = HeadendSession.restore(
        snapshot,
        session.call,
        link_config(manager.policy, "fastpptp"),
        rng=rng,
        connection=session.connection,
        local=session.local,
        peer=session.peer,
        base=manager.policy.base,
        identity=session.identity,
        grant=session.grant,
        workers=session._workers,
        failures=session._failures,
        debugging=session.debugging,
        faults=session.diagnosis._telling,
    )
    assert again.snapshot() == session.snapshot()
    assert again.view() == session.view()
    assert again.get_timer() == session.get_timer()
    manager._sessions._sessions[again.id] = manager._sessions._handles[again.handle] = again
    manager._tunnels[again.connection].sessions[again.handle & 0xFFFF] = again
    return again


@given(steps=st.integers(0, 20), seed=st.integers(0, 1000))
def test_a_session_goes_on_after_a_snapshot(steps: int, seed: int) -> None:
    """The same run with and without a snapshot in the middle comes to the same, step by step."""

    def run(cut: bool) -> list[str]:
        memory = world(seed=seed)
        dialled = memory.dial(client(), PEER)
        for _ in range(steps):
            memory._step()
        for session in list(memory.manager._sessions):
            if cut:
                restored(memory, session, Random(seed).randbytes)
        memory.run(10)
        assert dialled.calls[0].is_up
        dialled.hang_up(dialled.calls[0], memory.clock())
        memory.run(100)
        assert_clean(memory)
        return [type(e).__name__ for e in memory.effects] + [e.text() for e in memory.events]

    assert run(cut=True) == run(cut=False)


def test_another_version_is_refused() -> None:
    memory = world()
    memory.dial(client(), PEER)
    memory.run(5)
    (session,) = memory.manager._sessions
    snapshot = {**session.snapshot(), "version": 99}
    with pytest.raises(LocalProtocolError, match="version 99"):
        Session.restore(
            snapshot,
            session.call,
            link_config(policy(), "fastpptp"),
            rng=Random(1).randbytes,
        )


@pytest.mark.parametrize(
    "value",
    [
        LinkEnded(LinkEnd.AUTHENTICATION_FAILED, "pptpuser", AuthMethod.PAP),
        LinkEnded(LinkEnd.LOCAL),
        CallPolicy(
            peer_address=IPv4Address("10.0.0.1"),
            peer_prefix=IPv6Network("2001:db8::/64"),
            peer_identifier=bytes(range(8)),
            routes=((IPv4Address("10.1.0.0"), 16), (IPv6Address("::"), 0)),
        ),
        CallPolicy(),
        CallSpec(7, IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")),
        Encryption(128, True, False),
        AddressGrant(
            IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), dns=(IPv4Address("10.0.0.3"),)
        ),
    ],
)
def test_dataclasses_through_json(value: Any) -> None:
    assert revive(type(value), json.loads(json.dumps(plain(value)))) == value


def test_nothing_stays_nothing() -> None:
    assert plain(None) is None
    assert revive(CallPolicy, None) is None
