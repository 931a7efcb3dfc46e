"""Session in the dialling client's role, against a plain Link on the other side."""

from __future__ import annotations

from ipaddress import IPv4Address
from random import Random

import pytest

from fastpptp.effects import (
    ArmKeys,
    CloseCall,
    ControlDone,
    DropKeys,
    Effect,
    Gate,
    Inject,
    OpenCall,
    OwnLcp,
    SetPolicy,
)
from fastpptp.errors import LocalProtocolError
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.ppp.auth.types import Accept, AuthMethod
from fastpptp.ppp.config import AddressAnswer, LinkConfig, LinkRole, MppePolicy
from fastpptp.ppp.events import (
    AddressRequest,
    AuthRequest,
    CloseGate,
    IpDown,
    Ipv6Down,
    Ipv6Up,
    LinkEnd,
    LinkEvent,
    OpenGate,
    SendFrame,
)
from fastpptp.ppp.link import Link
from fastpptp.pptp import Call, CallKind, Role
from fastpptp.session import CAUSE_OF_END, Cause, Session, SessionState
from fastpptp.session.cause import OWNERS

HANDLE = 1 << 16 | 9
SPEC = CallSpec(77, IPv4Address("10.0.0.2"), IPv4Address("10.0.0.1"))
ANSWER = AddressAnswer(
    IPv4Address("172.16.1.1"), IPv4Address("172.16.1.10"), dns=(IPv4Address("10.9.9.9"),)
)
KINDS = (OpenCall, SetPolicy, OwnLcp, ArmKeys, Gate)


class Pair:
    """A Session as client and a Link as authenticator, joined without loss."""

    def __init__(self, *, ipv6: bool = False, mru: int = 1400) -> None:
        self.now = 10.0
        config = LinkConfig(
            role=LinkRole.PEER,
            mppe=MppePolicy(bits=frozenset()),
            ipv6=ipv6,
            offload=True,
        )
        call = Call(Role.PNS, CallKind.OUTGOING, local_call_id=9, peer_call_id=77)
        policy = CallPolicy(mru=1390, routes=((IPv4Address("0.0.0.0"), 0),), idle_timeout=5000)
        rng = Random(1).randbytes
        self.session = Session(1, HANDLE, call, config, policy, rng=rng, now=self.now)
        server = LinkConfig(
            role=LinkRole.AUTHENTICATOR,
            mru=mru,
            mppe=MppePolicy(bits=frozenset()),
            ipv6=ipv6,
        )
        self.server = Link(server, rng=Random(2).randbytes, now=self.now)
        self.effects: list[Effect] = []

    def up(self) -> Session:
        self.effects += self.session.attach(SPEC)
        waiting = [*self.to_server(self.session.start(self.now))]
        waiting += self.to_client(self.server.open(self.now))
        while waiting:
            waiting = waiting.pop(0)() + waiting
        return self.session

    def to_server(self, effects: list[Effect]) -> list:
        self.effects += effects
        frames = [effect.frame for effect in effects if isinstance(effect, Inject)]
        return [lambda f=f: self.to_client(self.server.receive_frame(f, self.now)) for f in frames]

    def to_client(self, events: list[LinkEvent]) -> list:
        steps = []
        for event in events:
            if isinstance(event, SendFrame):
                steps.append(
                    lambda f=event.frame: self.to_server(self.session.frame_received(f, self.now))
                )
            elif isinstance(event, AuthRequest):
                answer = self.server.complete_auth(event.token, Accept(), self.now)
                steps += self.to_client(answer)
            elif isinstance(event, AddressRequest):
                answer = self.server.complete_address(event.token, ANSWER, self.now)
                steps += self.to_client(answer)
        return steps

    def of(self, *kinds: type) -> list[str]:
        return [type(effect).__name__ for effect in self.effects if isinstance(effect, kinds)]


def test_a_client_comes_up() -> None:
    pair = Pair()
    session = pair.up()
    assert session.state is SessionState.UP
    assert session.ip is not None
    assert (session.ip.local, session.ip.peer) == (ANSWER.peer, ANSWER.local)
    assert session.ip.dns == ANSWER.dns
    assert session.gates == {4}
    assert session.policy.peer_address == ANSWER.local
    assert session.policy.mru == 1390
    assert session.policy.routes
    assert session.policy.idle_timeout == 5000
    assert session.encryption is None
    kinds = pair.of(*KINDS)
    assert kinds[:2] == ["OpenCall", "SetPolicy"]
    assert kinds.index("OwnLcp") < kinds.index("Gate")
    assert pair.of(ControlDone)
    assert session.get_timer() is None


def test_a_peer_with_a_small_mru_decides() -> None:
    assert Pair(mru=1000).up().policy.mru == 1000


def test_ipv6_opens_its_own_gate() -> None:
    pair = Pair(ipv6=True)
    session = pair.up()
    assert session.gates == {4, 6}
    assert len(session.policy.peer_identifier) == 8
    assert len(session.policy.local_identifier) == 8
    gate = next(e for e in pair.effects if isinstance(e, Gate) and e.version == 6)
    before = pair.effects[: pair.effects.index(gate)]
    policies = [e.policy for e in before if isinstance(e, SetPolicy)]
    assert policies[-1] == session.policy


def test_terminate_tells_the_cause_and_the_first_one_stands() -> None:
    pair = Pair()
    session = pair.up()
    effects = session.terminate(Cause.USER_REQUEST, pair.now)
    frames = [effect.frame for effect in effects if isinstance(effect, Inject)]
    assert frames[0].endswith(b"User Requested")
    assert session.state is SessionState.CLOSING
    assert Gate(HANDLE, 4, False) in effects
    assert OwnLcp(HANDLE, False) in effects
    session.terminate(Cause.ADMIN_LOGOUT, pair.now)
    session.carrier_lost(Cause.CONTROL_LOST, pair.now)
    assert session.ended
    assert session.cause is Cause.USER_REQUEST
    assert session.terminate(Cause.ADMIN_LOGOUT, pair.now) == []
    assert session.carrier_lost(Cause.ADMIN_LOGOUT, pair.now) == []
    assert session.get_timer() is None
    assert session.detach() == [CloseCall(HANDLE)]
    assert session.detach() == []


def test_it_is_attached_once() -> None:
    pair = Pair()
    pair.up()
    with pytest.raises(LocalProtocolError, match="attached"):
        pair.session.attach(SPEC)


def test_a_call_that_never_connected() -> None:
    session = Pair().session
    assert session.carrier_lost(Cause.ADMIN_LOGOUT, 10.0) == []
    assert session.detach() == []
    assert session.cause is Cause.ADMIN_LOGOUT


def test_ncps_that_go_down_again() -> None:
    """What a Link says in this order, the Session says to the dataplane."""
    session = Pair(ipv6=True).up()
    identifier = bytes(8)
    effects = session._apply(
        [
            CloseGate(6),
            Ipv6Down(),
            OpenGate(6),
            Ipv6Up(bytes(8), identifier),
            CloseGate(4),
            IpDown(),
        ],
        11.0,
    )
    assert [type(effect).__name__ for effect in effects] == ["Gate", "SetPolicy", "Gate", "Gate"]
    assert session.ip is None
    assert session.gates == {6}


def test_keys_fall_with_lcp() -> None:
    from fastpptp.ppp.events import EncryptionUp, LcpClosed

    session = Pair().up()
    session._apply([EncryptionUp(128, True, True)], 11.0)
    effects = session._apply([LcpClosed()], 12.0)
    assert DropKeys(HANDLE) in effects
    assert session.encryption is None
    assert session.state is SessionState.ESTABLISHING


def test_every_end_of_a_link_has_a_cause() -> None:
    assert set(CAUSE_OF_END) | OWNERS == set(LinkEnd)
    assert not set(CAUSE_OF_END) & OWNERS


def test_a_session_that_lives_has_no_cause() -> None:
    with pytest.raises(LocalProtocolError, match="has not ended"):
        _ = Pair().session.why


def test_a_method_is_remembered() -> None:
    from fastpptp.ppp.events import Authenticated

    session = Pair().session
    session._apply([Authenticated(AuthMethod.CHAP, "me")], 1.0)
    assert (session.method, session.user) == (AuthMethod.CHAP, "me")
    assert session.state is SessionState.AUTHENTICATED
