"""Whole sessions: a client dials, logs in, is up, and hangs up."""

from __future__ import annotations

from ipaddress import IPv4Address
from random import Random

import pytest

from fastpptp.effects import (
    ArmKeys,
    ControlDone,
    Gate,
    Inject,
    OpenCall,
    SendControl,
    SetPolicy,
)
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole
from fastpptp.ppp.events import EncryptionUp, IpUp
from fastpptp.ppp.link import Link
from fastpptp.pptp import encode
from fastpptp.pptp.messages import WanErrorNotify
from fastpptp.session import Cause, SessionState
from fastpptp.settings.tree import UserEntry
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import (
    OPEN_BOXES,
    PEER,
    WORDS,
    assert_clean,
    client,
    only_session,
    policy,
    world,
)

MS_METHODS = (AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2)


def of(memory: MemoryHeadend, kind: type) -> list[int]:
    """The places of one kind of effect."""
    return [place for place, effect in enumerate(memory.effects) if type(effect) is kind]


def test_the_reference_session() -> None:
    """The event log of the reference, in its order."""
    memory = world(policy(methods=[AuthMethod.PAP], encryption=["40-bit", "128-bit"]))
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    assert dialled.calls[0].is_up
    view = only_session(memory)
    assert view.state is SessionState.UP
    assert view.assigned == IPv4Address("172.16.1.10")
    assert (view.user, view.group, view.method) == ("pptpuser", "pptpgroup", AuthMethod.PAP)
    assert view.encryption is None
    assert memory.manager.session(view.id) == view
    memory.dataplane.count(view.handle, rx_octets=312, tx_octets=2048)
    memory.run(22)
    dialled.hang_up(dialled.calls[0], memory.clock())
    memory.run(1)
    assert list(memory.manager.sessions()) == []
    memory.run(10)
    assert [t for t in memory.texts() if t not in ("PPP/120", "ADDRESS/101", "ADDRESS/102")] == [
        "PPTP/47",
        "PPTP/42",
        "PPP/8",
        "AUTH/22",
        "PPTP/35",
        "AUTH/28",
        "PPTP/120",
        "PPTP/34",
    ]
    texts = {f"{e.cls}/{e.number}": e.text() for e in memory.events}
    assert texts["PPP/8"] == "User [pptpuser]\nAuthenticated successfully with PAP"
    assert "Bytes xmt: 2048\nBytes rcv: 312\nReason: User Requested" in texts["AUTH/28"]
    assert "Duration: 0:00:2" in texts["AUTH/28"]
    assert texts["PPTP/35"].endswith("reason: User Requested (No additional info)")
    assert texts["PPTP/34"].endswith("closed, reason: None (No additional info)")
    assert_clean(memory)


@pytest.mark.parametrize("method", list(WORDS))
def test_every_method_without_encryption(method: AuthMethod) -> None:
    memory = world(policy(methods=[method], encryption=[]))
    dialled = memory.dial(client(bits=()), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    assert only_session(memory).method is method
    assert f"successfully with {method.value}" in memory.events[2].text()
    dialled.stop(memory.clock())
    memory.run(30)
    assert_clean(memory)


@pytest.mark.parametrize("method", MS_METHODS)
@pytest.mark.parametrize("bits", [40, 56, 128])
@pytest.mark.parametrize("stateless", [False, True])
def test_every_encryption(method: AuthMethod, bits: int, stateless: bool) -> None:
    boxes = ["Required", f"{bits}-bit"] + ["Require Stateless"] * stateless
    memory = world(policy(methods=[method], encryption=boxes))
    dialled = memory.dial(client(stateless=stateless), PEER)
    memory.run(10)
    assert dialled.calls[0].is_up
    encryption = only_session(memory).encryption
    assert (encryption.bits, encryption.stateless) == (bits, stateless)
    assert str(encryption) == f"MPPE {bits}-bit {'stateless' if stateless else 'stateful'}"
    up = dialled.calls[0].last(EncryptionUp)
    assert up is not None
    assert up.bits == bits
    (call,) = memory.dataplane.calls.values()
    assert call.policy.encryption_required
    assert len(call.keys) == 2
    assert ("PPP/111" in memory.texts()) == (method is AuthMethod.MSCHAP_V1)


def test_both_ends_have_the_same_keys() -> None:
    memory = world()
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    (call,) = memory.dataplane.calls.values()
    theirs = {e.direction: e.start_key for e in dialled.calls[0].events if hasattr(e, "start_key")}
    ours = {direction: key for direction, (key, _, _) in call.keys.items()}
    assert ours[0] == theirs[1]
    assert ours[1] == theirs[0]


def test_order_of_effects() -> None:
    """Keys and gates before the frames that let the peer use them; every punt is answered."""
    memory = world()
    memory.dial(client(), PEER)
    memory.run(5)
    opened = of(memory, OpenCall)[0]
    replied = of(memory, SendControl)[1]
    assert opened < of(memory, SetPolicy)[0] < replied < of(memory, Inject)[0]
    gate = of(memory, Gate)[0]
    assert max(of(memory, ArmKeys)) < gate
    last_policy = memory.effects[max(p for p in of(memory, SetPolicy) if p < gate)]
    assert isinstance(last_policy, SetPolicy)
    assert last_policy.policy.peer_address == IPv4Address("172.16.1.10")
    assert last_policy.policy.encryption_required
    assert last_policy.policy.idle_timeout == 30 * 60_000
    punts = sum(1 for command in memory.dataplane.commands if command[0] == "control_done")
    assert punts == len(of(memory, ControlDone)) > 5
    assert all(call.unanswered == 0 for call in memory.dataplane.calls.values())


def test_the_policy_of_an_open_link() -> None:
    memory = world(policy(system={"echo_interval": 7, "mru": 1300, "client_to_client": False}))
    memory.dial(client(), PEER)
    memory.run(5)
    (call,) = memory.dataplane.calls.values()
    assert call.lcp_owned
    assert call.policy.mru == 1300
    assert call.policy.echo_interval == 7000
    assert call.policy.local_magic != 0
    assert not call.policy.client_to_client


def test_an_anonymous_session_is_in_the_base_group() -> None:
    memory = world(policy(methods=[], encryption=[]))
    dialled = memory.dial(client(bits=()), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    assert "PPP/8" not in memory.texts()
    (connected,) = [e for e in memory.events if e.number == 22]
    assert connected.text() == "User [] Group [Base Group] connected, Session Type: PPTP"
    dialled.clear(dialled.calls[0], memory.clock())
    memory.run(30)
    assert_clean(memory)


def test_several_calls_on_one_tunnel() -> None:
    memory = world()
    dialled = memory.dial(client(calls=3), PEER)
    memory.run(5)
    assert [call.is_up for call in dialled.calls] == [True] * 3
    views = list(memory.manager.sessions())
    assert len({view.local_call_id for view in views}) == 3
    assert len({view.assigned for view in views}) == 3
    assert {view.connection for view in views} == {1}
    dialled.clear(dialled.calls[1], memory.clock())
    memory.run(1)
    assert len(list(memory.manager.sessions())) == 2
    statistics = memory.manager.statistics()
    assert (statistics.active_sessions, statistics.peak_sessions) == (2, 3)
    assert (statistics.active_tunnels, statistics.total_tunnels) == (1, 1)
    assert statistics.control_received_octets > 0 < statistics.control_sent_octets
    memory.drop(dialled)
    memory.run(30)
    assert_clean(memory)


def test_dns_and_wins_reach_the_client() -> None:
    memory = world(
        policy(primary_dns="10.0.0.1", secondary_dns="10.0.0.2", primary_wins="10.0.0.3")
    )
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    up = dialled.calls[0].last(IpUp)
    assert up is not None
    assert up.dns == (IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"))


def test_lcp_is_negotiated_anew() -> None:
    """The address and the claim come back before they are asked for again; AUTH/22 is said once."""
    memory = world(policy(simultaneous_logins=1))
    memory.dial(client(), PEER)
    memory.run(5)
    first = only_session(memory)
    # The client's Link follows when it sees the headend's Configure-Request.
    request = bytes.fromhex("c021 0163 000a 0506 12345678")
    (handle,) = memory.dataplane.calls
    memory.dataplane.receive_frame(handle, request)
    for punt in memory.dataplane.read_punts():
        memory.carry_out(memory.manager.frame_received(*punt, memory.clock()))
    assert only_session(memory).state is SessionState.ESTABLISHING
    (call,) = memory.dataplane.calls.values()
    assert not call.gates
    assert not call.keys
    assert call.policy.peer_address is None
    assert memory.answers.claims == memory.answers.leases == 0
    memory.run(10)
    assert only_session(memory).state is SessionState.UP
    assert only_session(memory).id == first.id
    assert only_session(memory).login_at == first.login_at
    assert memory.texts().count("AUTH/22") == 1
    assert memory.answers.claims == memory.answers.leases == 1


@pytest.mark.parametrize("cause", [Cause.ADMIN_LOGOUT, Cause.ACCOUNT_CHANGED])
def test_logout(cause: Cause) -> None:
    memory = world()
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    view = only_session(memory)
    memory.carry_out(memory.manager.terminate(view.id, cause, memory.clock()))
    assert only_session(memory).state is SessionState.CLOSING
    memory.run(1)
    assert dialled.calls[0].ended is not None
    (account,) = [e for e in memory.events if (e.cls, e.number) == ("AUTH", 28)]
    assert f"Reason: {cause.whole}" in account.text()
    assert memory.manager.terminate(view.id, cause, memory.clock()) == []
    memory.run(30)
    assert_clean(memory)


def test_decoded_messages_are_told_to_who_wants_them() -> None:
    memory = world(policy(events={"log": "1-13"}))
    memory.dial(client(), PEER)
    memory.run(5)
    texts = [e.text() for e in memory.events if e.cls in ("PPPDECODE", "PPTPDECODE")]
    assert any("rcvd [LCP ConfReq" in text and "pptpuser" not in text for text in texts)
    assert any(text.startswith("[171.69.89.129] rcvd") for text in texts)
    assert any("[pptpuser@171.69.89.129 call 0x" in text for text in texts)


def test_boxes_off_means_plain() -> None:
    memory = world(policy(methods=MS_METHODS, encryption=OPEN_BOXES))
    dialled = memory.dial(client(bits=()), PEER)
    memory.run(10)
    assert dialled.calls[0].is_up
    assert only_session(memory).encryption is None


def punt(memory: MemoryHeadend, frame: str) -> None:
    """A control frame on the only call, as hexadecimal."""
    (handle,) = memory.dataplane.calls
    memory.dataplane.receive_frame(handle, bytes.fromhex(frame))
    for each in memory.dataplane.read_punts():
        memory.carry_out(memory.manager.frame_received(*each, memory.clock()))


def test_ipv6_with_a_prefix_of_its_own() -> None:
    memory = world(policy(system={"ipv6_prefix": "2001:db8::/48"}))
    dialled = memory.dial(client(ipv6=True), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    (call,) = memory.dataplane.calls.values()
    assert call.gates == {4, 6}
    assert call.policy.peer_prefix == only_session(memory).prefix
    assert call.policy.peer_prefix.prefixlen == 64
    assert len(call.policy.peer_identifier) == 8
    (told,) = [e for e in memory.events if (e.cls, e.number) == ("PPP", 121)]
    assert str(call.policy.peer_prefix) in told.text()
    memory.drop(dialled)
    memory.run(10)
    assert_clean(memory)


def test_an_identification_is_told() -> None:
    memory = world()
    memory.dial(client(), PEER)
    memory.run(5)
    punt(memory, "c021 0c01 000f 00000000" + b"MSRASV5".hex())
    (told,) = [e for e in memory.events if (e.cls, e.number) == ("PPP", 114)]
    assert told.text() == "User [pptpuser] peer identifies itself as MSRASV5"


def test_a_renegotiated_link_cannot_become_somebody_else() -> None:
    users = {"pptpuser": UserEntry("cisco123"), "other": UserEntry("cisco456")}
    memory = world(policy(users=users))
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    dialled.calls[0].link.lower_down(memory.clock())
    config = LinkConfig(
        role=LinkRole.PEER,
        methods=(AuthMethod.MSCHAP_V2,),
        user="other",
        password="cisco456",
    )
    link = dialled.calls[0].link = Link(config, rng=Random(9).randbytes, now=memory.clock())
    dialled._link(dialled.calls[0], link.open(memory.clock()), memory.clock())
    memory.run(20)
    (told,) = [e for e in memory.events if (e.cls, e.number) == ("PPP", 9)]
    assert told.text().startswith("User [other]")
    assert memory.texts().count("AUTH/22") == 1
    (account,) = [e for e in memory.events if (e.cls, e.number) == ("AUTH", 28)]
    assert "Reason: Error" in account.text()
    memory.run(100)
    assert_clean(memory)


def test_wan_errors_of_the_peer_are_told() -> None:
    memory = world()
    memory.dial(client(), PEER)
    memory.run(5)
    message = WanErrorNotify(only_session(memory).local_call_id, crc_errors=3)
    memory.carry_out(memory.manager.data_received(1, encode(message), memory.clock()))
    (told,) = [e for e in memory.events if (e.cls, e.number) == ("PPTP", 115)]
    assert "crc 3" in told.text()


def test_a_frozen_tunnel_is_noticed_by_its_echo() -> None:
    memory = world(policy(pptp={"maximum_tunnel_idle_time": 3600}))
    dialled = memory.dial(client(calls=0), PEER)
    memory.run(5)
    memory.clients[1].connected = False
    dialled.data_to_send()
    memory.run(130)
    (told,) = [e for e in memory.events if (e.cls, e.number) == ("PPTP", 112)]
    assert told.text() == "Peer 171.69.89.129 sent no Echo-Reply in 60 s"
    assert_clean(memory)


def test_an_idle_session_has_no_timer() -> None:
    """60,000 of them cost nothing: only the control connection's echo is waited for."""
    memory = world()
    memory.dial(client(calls=2), PEER)
    memory.run(20)
    assert {kind.name for kind, _ in memory.manager._deadlines._deadlines} == {"CONTROL"}


def test_the_policy_can_be_asked_for() -> None:
    snapshot = policy()
    assert world(snapshot).manager.policy is snapshot
