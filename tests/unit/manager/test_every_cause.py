"""Each cause happens for real; events, counters and ended sessions have the same code for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from random import Random
from typing import Any

import pytest

from fastpptp.effects import Inject, Lease
from fastpptp.events.catalogue import EVENTS
from fastpptp.events.causes import ACCT_TERMINATE_CAUSES, Cause, Of
from fastpptp.manager import Limits
from fastpptp.ports import CallEvent
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole, Timing
from fastpptp.ppp.events import LinkEvent, SendFrame
from fastpptp.ppp.frames import Code, Packet, Protocol, encode_frame
from fastpptp.ppp.link import Link
from fastpptp.pptp import ControlConfig, encode
from fastpptp.pptp.messages import (
    CallDisconnectNotify,
    IncomingCallRequest,
    OutgoingCallRequest,
    StartControlConnectionRequest,
)
from fastpptp.settings.tree import PoolRange, UserEntry
from fastpptp.testing import MemoryHeadend, ScriptedClient, Weather
from fastpptp.testing.client import ClientCall
from tests.unit.manager.world import PEER, client, only_session, policy, world

Scenario = Callable[[], MemoryHeadend]

COUNTERS = {
    Of.TUNNEL_REFUSED: "tunnels_refused",
    Of.TUNNEL_ENDED: "tunnels_ended",
    Of.CALL_REFUSED: "sessions_refused",
    Of.LOGIN_FAILED: "logins_failed",
    Of.SESSION_ENDED: "ended",
}


class Mute(ScriptedClient):
    """Neither says nor hears anything of some PPP protocols."""

    def __init__(self, config: LinkConfig, protocols: Sequence[int], **words: Any) -> None:
        super().__init__(config, **words)
        self._mute = frozenset(protocols)

    def receive_frame(self, call_id: int, frame: bytes, now: float) -> None:
        if int.from_bytes(frame[:2], "big") not in self._mute:
            super().receive_frame(call_id, frame, now)

    def _link(self, client_call: ClientCall, events: Sequence[LinkEvent], now: float) -> None:
        said = [e for e in events if not isinstance(e, SendFrame) or self._says(e.frame)]
        super()._link(client_call, said, now)

    def _says(self, frame: bytes) -> bool:
        return int.from_bytes(frame[:2], "big") not in self._mute


class Silent(ScriptedClient):
    """Has a TCP connection and says nothing on it."""

    def connect(self, now: float) -> None:
        """Nothing."""


def silent(**words: Any) -> ScriptedClient:
    patient = ControlConfig(establish_timeout=1000.0)
    return Silent(LinkConfig(role=LinkRole.PEER), control_config=patient, **words)


def mute(*protocols: int) -> Callable[..., ScriptedClient]:
    """A client that does without some protocols, and is patient."""
    config = LinkConfig(
        role=LinkRole.PEER,
        methods=(AuthMethod.MSCHAP_V2,),
        user="pptpuser",
        password="cisco123",
        establish_timeout=1000.0,
        timing=Timing(max_configure=100),
    )
    return partial(Mute, config, protocols)


def up(**kwargs: Any) -> tuple[MemoryHeadend, ScriptedClient]:
    memory = world(policy(**kwargs))
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    assert dialled.calls[0].is_up
    return memory, dialled


def dialled(
    maker: Callable[..., ScriptedClient] | None = None, seconds: float = 100, **kwargs: Any
) -> MemoryHeadend:
    """One client's call, from its beginning to its end."""
    memory = world(policy(**kwargs))
    memory.dial(maker or client(), PEER)
    memory.run(seconds)
    return memory


def ordered(order: str) -> MemoryHeadend:
    """A session that its client ends in one way or another."""
    memory, dialled = up()
    call = dialled.calls[0]
    orders: dict[str, Callable[[], object]] = {
        "hang up": lambda: dialled.hang_up(call, memory.clock()),
        "clear": lambda: dialled.clear(call, memory.clock()),
        "stop": lambda: dialled.stop(memory.clock()),
        "drop": lambda: memory.drop(dialled),
    }
    orders[order]()
    memory.run(20)
    return memory


def said(*messages: bytes, connected: bool = True) -> MemoryHeadend:
    """What a peer says on its control connection, in the middle of a session or at once."""
    memory = world()
    memory.dial(client() if connected else silent, PEER)
    memory.run(5)
    for message in messages:
        memory.carry_out(memory.manager.data_received(1, message, memory.clock()))
    memory.run(20)
    return memory


def disconnected() -> MemoryHeadend:
    memory, dialled = up()
    ours = dialled.calls[0].call.local_call_id
    message = encode(CallDisconnectNotify(ours))
    memory.carry_out(memory.manager.data_received(1, message, memory.clock()))
    memory.run(20)
    return memory


def no_echo_reply() -> MemoryHeadend:
    memory = world()
    maker = partial(client(), control_config=ControlConfig(echo_interval=0))
    dialled = memory.dial(maker, PEER)
    memory.run(5)
    dialled.receive_data = lambda data, now: None  # type: ignore[method-assign]
    memory.run(130)
    return memory


def silence() -> MemoryHeadend:
    """A TCP connection on which nothing comes."""
    memory = said(connected=False)
    memory.run(100)
    return memory


def no_gre(first: bytes = b"") -> MemoryHeadend:
    """No GRE comes in, but for one frame."""
    memory = world(gre=Weather(loss=1.0))
    memory.dial(client(timing=Timing(max_configure=20)), PEER)
    memory.run(2)
    if first:
        memory.dataplane.receive_frame(only_session(memory).handle, first)
    memory.run(110)
    return memory


ECHO = encode_frame(Protocol.LCP, Packet(Code.ECHO_REQUEST, 1, bytes(4)).encode())


def loopback() -> MemoryHeadend:
    """What the headend sends comes back to it."""
    memory = world(gre=Weather(loss=1.0))
    memory.dial(client(), PEER)
    memory.run(0.1)
    handle = only_session(memory).handle
    seen = 0
    for _ in range(60):
        frames = [effect.frame for effect in memory.effects if isinstance(effect, Inject)]
        for frame in frames[seen:]:
            memory.dataplane.receive_frame(handle, frame)
        seen = len(frames)
        memory.run(0.5)
    memory.run(20)
    return memory


def happened(event: CallEvent, seconds: float = 30, **kwargs: Any) -> MemoryHeadend:
    memory, _ = up(**kwargs)
    memory.dataplane.raise_event(only_session(memory).handle, event)
    memory.carry_out([])
    memory.run(seconds)
    return memory


def lasted(seconds: float, **kwargs: Any) -> MemoryHeadend:
    memory, _ = up(**kwargs)
    memory.run(seconds)
    return memory


def again_and_again(times: int) -> MemoryHeadend:
    """Somebody who guesses a password."""
    memory = world()
    for _ in range(times):
        memory.dial(client(password="wrong"), PEER)
        memory.run(0.1)
    memory.run(20)
    return memory


def twice(**kwargs: Any) -> MemoryHeadend:
    """Two clients, one after the other, that both want in."""
    memory = world(policy(**kwargs))
    for _ in range(2):
        memory.dial(client(), PEER)
        memory.run(5)
    memory.run(60)
    return memory


def expired(maker: Callable[..., ScriptedClient], method: AuthMethod) -> MemoryHeadend:
    users = {"pptpuser": UserEntry("cisco123", None, attributes={"password_expired": True})}
    return dialled(maker, methods=[method], encryption=[], users=users)


def outside_the_users_set() -> MemoryHeadend:
    own = {"pptp_authentication_protocols": ["MSCHAPv1"]}
    users = {"pptpuser": UserEntry("cisco123", None, attributes=own)}
    methods = [AuthMethod.PAP, AuthMethod.MSCHAP_V1]
    maker = client(methods=[AuthMethod.PAP])
    return dialled(maker, methods=methods, encryption=[], users=users)


def another_user() -> MemoryHeadend:
    users = {"pptpuser": UserEntry("cisco123"), "other": UserEntry("cisco456")}
    memory, dialled = up(users=users)
    call = dialled.calls[0]
    call.link.lower_down(memory.clock())
    config = LinkConfig(
        role=LinkRole.PEER, methods=(AuthMethod.MSCHAP_V2,), user="other", password="cisco456"
    )
    call.link = Link(config, rng=Random(9).randbytes, now=memory.clock())
    dialled._link(call, call.link.open(memory.clock()), memory.clock())
    memory.run(60)
    return memory


def no_answers() -> MemoryHeadend:
    """Whoever decides on logins does not answer."""
    memory = world(answering=Weather(loss=1.0))
    memory.dial(client(), PEER)
    memory.run(100)
    return memory


def address_lost() -> MemoryHeadend:
    memory, _ = up()
    (lease,) = [effect for effect in memory.effects if isinstance(effect, Lease)]
    memory.carry_out(memory.manager.address_lost(lease.token, memory.clock()))
    memory.run(30)
    return memory


def terminated(cause: Cause) -> MemoryHeadend:
    memory, _ = up()
    order = memory.manager.terminate(only_session(memory).id, cause, memory.clock())
    memory.carry_out(order)
    memory.run(30)
    return memory


def tunnels_stopped() -> MemoryHeadend:
    memory, _ = up()
    memory.carry_out(memory.manager.stop_tunnels(PEER, memory.clock())[1])
    memory.run(10)
    return memory


def turned_off() -> MemoryHeadend:
    memory, _ = up()
    memory.carry_out(memory.manager.update(policy(pptp={"enabled": False}), memory.clock()))
    memory.run(10)
    return memory


def stopped(then_dial: bool = False) -> MemoryHeadend:
    memory, _ = up()
    memory.carry_out(memory.manager.shutdown(memory.clock()))
    if then_dial:
        memory.dial(client(), PEER)
    memory.run(10)
    return memory


def half_open(limits: Limits) -> MemoryHeadend:
    memory = world(limits=limits)
    for _ in range(2):
        memory.dial(client(), PEER)
    return memory


def no_call_id() -> MemoryHeadend:
    memory = world()
    while memory.manager._ids.take():
        pass
    memory.dial(client(), PEER)
    memory.run(1)
    return memory


def calls(number: int, **kwargs: Any) -> MemoryHeadend:
    return dialled(client(calls=number), 5, **kwargs)


ONE_ADDRESS = PoolRange(IPv4Address("172.16.1.10"), IPv4Address("172.16.1.10"))
PAP = [AuthMethod.PAP]

SCENARIOS: dict[Cause | tuple[Cause, Of], Scenario] = {
    Cause.USER_REQUEST: lambda: ordered("hang up"),
    Cause.CALL_CLEARED: lambda: ordered("clear"),
    Cause.CALL_DISCONNECTED: disconnected,
    Cause.CONTROL_STOPPED: lambda: ordered("stop"),
    Cause.CONTROL_LOST: lambda: ordered("drop"),
    Cause.CONTROL_SILENT: no_echo_reply,
    Cause.CONTROL_ERROR: lambda: said(b"GET / HTTP/1.0\r\n\r\n"),
    Cause.NOT_ESTABLISHED: silence,
    Cause.TUNNEL_IDLE: lambda: dialled(client(calls=0)),
    Cause.LCP_NO_ANSWER: no_gre,
    Cause.LCP_NOT_CONVERGED: lambda: no_gre(ECHO),
    Cause.LOOPBACK: loopback,
    Cause.ECHO_TIMEOUT: lambda: happened(CallEvent.PEER_SILENT),
    Cause.NO_COMMON_AUTHENTICATION: lambda: dialled(client(methods=PAP)),
    Cause.METHOD_NOT_ALLOWED: outside_the_users_set,
    Cause.USER_NOT_FOUND: lambda: dialled(client(user="nobody")),
    Cause.WRONG_PASSWORD: lambda: dialled(client(password="wrong")),
    Cause.THROTTLED: lambda: again_and_again(7),
    Cause.LOGIN_DISABLED: lambda: dialled(simultaneous_logins=0),
    Cause.OUTSIDE_HOURS: lambda: dialled(access_hours="Never"),
    Cause.PASSWORD_EXPIRED: lambda: expired(client(bits=()), AuthMethod.PAP),
    Cause.PASSWORD_NOT_CHANGED: lambda: expired(
        client(bits=(), new_password="x"), AuthMethod.MSCHAP_V2
    ),
    Cause.LOGINS_EXCEEDED: lambda: twice(simultaneous_logins=1),
    Cause.TUNNELING_PROTOCOL: lambda: dialled(tunneling_protocols=["L2TP"]),
    Cause.ANOTHER_USER: another_user,
    Cause.AUTHENTICATION_FAILED: lambda: dialled(mute(Protocol.CHAP)),
    Cause.REQUEST_TIMED_OUT: no_answers,
    Cause.ENCRYPTION_REQUIRED: lambda: dialled(client(bits=())),
    Cause.NO_ADDRESS: lambda: twice(pool=ONE_ADDRESS),
    Cause.NO_NETWORK_PROTOCOL: lambda: dialled(mute(Protocol.IPCP), encryption=[]),
    Cause.IDLE_TIMEOUT: lambda: happened(CallEvent.IDLE),
    Cause.MAX_CONNECT_TIME: lambda: lasted(200, maximum_connect_time=3),
    # It is Monday noon when the session begins.
    Cause.ACCESS_HOURS_ENDED: lambda: lasted(5 * 3600 + 60, access_hours="Business Hours"),
    Cause.ADDRESS_LOST: address_lost,
    Cause.ADMIN_LOGOUT: lambda: terminated(Cause.ADMIN_LOGOUT),
    (Cause.ADMIN_LOGOUT, Of.TUNNEL_ENDED): tunnels_stopped,
    Cause.ACCOUNT_CHANGED: lambda: terminated(Cause.ACCOUNT_CHANGED),
    Cause.PPTP_DISABLED: turned_off,
    (Cause.PPTP_DISABLED, Of.TUNNEL_REFUSED): lambda: dialled(seconds=1, pptp={"enabled": False}),
    Cause.SHUTDOWN: stopped,
    (Cause.SHUTDOWN, Of.TUNNEL_REFUSED): lambda: stopped(then_dial=True),
    Cause.MAX_TUNNELS: lambda: twice(pptp={"max_tunnels": 1}),
    Cause.HALF_OPEN_PER_SOURCE: lambda: half_open(Limits(half_open_per_source=1)),
    Cause.HALF_OPEN: lambda: half_open(Limits(half_open=1)),
    Cause.BAD_VERSION: lambda: said(
        encode(StartControlConnectionRequest(version=0x0200)), connected=False
    ),
    Cause.MAX_SESSIONS_PER_TUNNEL: lambda: calls(2, pptp={"max_sessions_per_tunnel": 1}),
    Cause.NO_CALL_ID: no_call_id,
    Cause.MAX_HANDSHAKES: lambda: calls(2, system={"handshakes_in_flight": 1}),
    Cause.MAX_HANDSHAKES_PER_SOURCE: lambda: calls(2, system={"handshakes_per_source": 1}),
    Cause.CALL_ID_IN_USE: lambda: said(encode(OutgoingCallRequest(1))),
    Cause.INCOMING_CALL: lambda: said(encode(IncomingCallRequest(7))),
}

PROOFS = [(cause, of) for cause in Cause for of in Of if of in cause.of]


@pytest.mark.parametrize(("cause", "of"), PROOFS, ids=lambda value: str(getattr(value, "name", "")))
def test_it_happens_and_is_told_alike_everywhere(cause: Cause, of: Of) -> None:
    memory = (SCENARIOS.get((cause, of)) or SCENARIOS[cause])()
    assert getattr(memory.manager.statistics(), COUNTERS[of])[cause.code] >= 1
    assert cause.code in {event.cause for event in memory.events}
    if of is Of.SESSION_ENDED:
        assert cause in {departure.cause for departure in memory.manager.ended()}
        (closed, *_) = [
            event for event in memory.events
            if (event.cls, event.number, event.cause) == ("PPTP", 35, cause.code)
        ]  # fmt: skip
        info = cause.addition or "No additional info"
        assert closed.text().endswith(f"reason: {cause.text} ({info})")
    for event in memory.events:
        assert bool(event.cause) or not EVENTS[event.cls, event.number].caused


def test_what_every_cause_says_of_itself() -> None:
    codes = [cause.code for cause in Cause]
    assert len(set(codes)) == len(codes)
    for cause in Cause:
        assert cause.code == cause.code.lower()
        assert not set(cause.code) & set(" _/")
        assert cause.radius in ACCT_TERMINATE_CAUSES
        assert cause.acct
        assert cause.text
        assert cause.means.endswith(".")
        assert str(cause) == cause.code
        assert cause.words


def test_sessions_that_end_alike_are_told_apart() -> None:
    """By text and info where the product's words allow it, else by their code alone."""
    ends = [cause for cause in Cause if Of.SESSION_ENDED in cause.of and cause.info]
    assert len({cause.whole for cause in ends}) == len(ends)


def test_accounts_count_what_they_are_asked() -> None:
    """Every failed login counts once, however it failed."""
    memory = again_and_again(7)
    failed = memory.manager.statistics().logins_failed
    assert (failed["wrong-password"], failed["throttled"]) == (6, 1)
    assert memory.texts().count("AUTH/5") == 7
