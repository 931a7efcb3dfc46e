"""Logins that fail: the answer on the wire and the events, in the reference's words."""

from __future__ import annotations

import pytest

from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import Timing
from fastpptp.ppp.events import LinkEnd, LinkEnded
from fastpptp.testing import MemoryHeadend, ScriptedClient, Weather
from tests.unit.manager.world import PEER, WORDS, assert_clean, client, policy, world


def text(memory: MemoryHeadend, cls: str, number: int) -> str:
    (event,) = [e for e in memory.events if (e.cls, e.number) == (cls, number)]
    return event.text()


def ended(dialled: ScriptedClient) -> LinkEnd:
    end = dialled.calls[0].last(LinkEnded)
    assert end is not None
    return end.end


def settle(memory: MemoryHeadend) -> None:
    """Let everything come to its end."""
    memory.run(100)
    assert_clean(memory)
    assert "AUTH/22" not in memory.texts() or "AUTH/28" in memory.texts()


@pytest.mark.parametrize("method", list(WORDS))
@pytest.mark.parametrize("user", ["pptpuser", "nobody"])
def test_wrong_password_or_user(method: AuthMethod, user: str) -> None:
    memory = world(policy(methods=[method], encryption=[]))
    dialled = memory.dial(client(user=user, password="wrong", bits=()), PEER)
    memory.run(20)
    assert ended(dialled) is LinkEnd.AUTHENTICATION_FAILED
    assert text(memory, "PPP", 9) == (
        f"User [{user}]\ndisconnected.. failed authentication ( {method.value} )"
    )
    assert text(memory, "PPTP", 35).endswith("reason: Error (No additional info)")
    assert "AUTH/22" not in memory.texts()
    assert "AUTH/28" not in memory.texts()
    order = [t for t in memory.texts() if t in ("AUTH/5", "PPP/9", "PPTP/35", "PPTP/34")]
    assert order == ["AUTH/5", "PPP/9", "PPTP/35", "PPTP/34"]
    settle(memory)


def test_no_common_protocol() -> None:
    memory = world(policy(methods=[AuthMethod.MSCHAP_V2]))
    memory.dial(client(methods=[AuthMethod.PAP]), PEER)
    memory.run(60)
    assert text(memory, "PPP", 12) == ("User [] disconnected. Authentication protocol not allowed.")
    settle(memory)


def test_a_protocol_outside_the_users_set() -> None:
    from fastpptp.settings.tree import UserEntry

    users = {
        "pptpuser": UserEntry(
            "cisco123", None, attributes={"pptp_authentication_protocols": ["MSCHAPv1"]}
        )
    }
    memory = world(
        policy(methods=[AuthMethod.PAP, AuthMethod.MSCHAP_V1], encryption=[], users=users)
    )
    dialled = memory.dial(client(methods=[AuthMethod.PAP]), PEER)
    memory.run(20)
    assert ended(dialled) is LinkEnd.AUTHENTICATION_FAILED
    assert text(memory, "PPP", 12) == (
        "User [pptpuser] disconnected. Authentication protocol not allowed."
    )
    settle(memory)


@pytest.mark.parametrize("bits", [(), (40,)])
def test_required_encryption_that_the_client_cannot(bits: tuple[int, ...]) -> None:
    memory = world(policy(encryption=["Required", "128-bit"]))
    dialled = memory.dial(client(bits=bits), PEER)
    memory.run(60)
    assert not dialled.calls[0].is_up
    assert text(memory, "PPP", 6) == (
        "User [pptpuser] disconnected\n"
        "PPTP Encryption configured as REQUIRED.. remote client not supporting it."
    )
    assert text(memory, "PPTP", 35).endswith("reason: Error (No additional info)")
    settle(memory)


def test_encryption_required_by_the_client_alone() -> None:
    memory = world(policy(encryption=[]))
    dialled = memory.dial(client(required=True), PEER)
    memory.run(60)
    assert ended(dialled) is LinkEnd.ENCRYPTION_REQUIRED
    settle(memory)


def test_simultaneous_logins() -> None:
    memory = world(policy(simultaneous_logins=1))
    first = memory.dial(client(), PEER)
    memory.run(5)
    second = memory.dial(client(), PEER)
    memory.run(5)
    assert first.calls[0].is_up
    assert ended(second) is LinkEnd.AUTHENTICATION_FAILED
    memory.drop(first)
    third = memory.dial(client(), PEER)
    memory.run(5)
    assert third.calls[0].is_up
    memory.drop(third)
    settle(memory)


def test_no_address() -> None:
    from ipaddress import IPv4Address

    from fastpptp.settings.tree import PoolRange

    one = IPv4Address("172.16.1.10")
    memory = world(policy(pool=PoolRange(one, one)))
    first = memory.dial(client(), PEER)
    memory.run(5)
    second = memory.dial(client(), PEER)
    memory.run(60)
    assert first.calls[0].is_up
    assert not second.calls[0].is_up
    assert "ADDRESS/104" in memory.texts()
    memory.drop(first)
    settle(memory)


def test_a_firewall_that_blocks_gre() -> None:
    """The handshake is bounded in time, and the log names the firewall, once."""
    memory = world(gre=Weather(loss=1.0))
    patient = Timing(max_configure=20)  # else it gives up before us
    dialled = memory.dial(client(timing=patient), PEER)
    memory.run(9)
    assert "PPTP/114" not in memory.texts()
    memory.run(100)
    assert dialled.calls[0].ended is not None
    assert text(memory, "PPTP", 114).startswith(
        "No GRE received from peer 171.69.89.129 in 10 s on session of call "
    )
    assert text(memory, "PPTP", 35).endswith("reason: Lost Carrier (the peer did not answer LCP)")
    settle(memory)
