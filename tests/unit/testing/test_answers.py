"""LocalAnswers and ScriptedClient refuse what a caller must not do."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import Lease
from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.settings.tree import UserEntry
from fastpptp.testing import LocalAnswers
from tests.unit.manager.world import PEER, assert_clean, client, policy, world


def test_what_is_not_out_cannot_come_back() -> None:
    answers = LocalAnswers(policy())
    with pytest.raises(LocalProtocolError, match="claim"):
        answers.logout(None)
    with pytest.raises(LocalProtocolError, match="lease"):
        answers.release(AddressGrant(PEER, PEER))
    with pytest.raises(LocalProtocolError, match="cannot hold"):
        answers.lease(Lease(1, 1, None, IPv4Address("0.0.0.0")), 0.0)


def test_a_password_is_changed_on_the_way_in() -> None:
    users = {"pptpuser": UserEntry("cisco123", attributes={"password_expired": True})}
    memory = world(policy(users=users))
    dialled = memory.dial(client(methods=[AuthMethod.MSCHAP_V2], new_password="cisco456"), PEER)
    memory.run(20)
    assert isinstance(memory.answers, LocalAnswers)
    assert memory.answers.passwords == {"pptpuser": "cisco456"}
    assert dialled.calls[0].is_up
    memory.drop(dialled)
    memory.run(100)
    assert_clean(memory)


def test_a_call_needs_a_control_connection() -> None:
    memory = world(policy(pptp={"enabled": False}))
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    with pytest.raises(LocalProtocolError):
        dialled.place_call(memory.clock())
