"""The dialling client without I/O: a ControlConnection as PNS, one call, one Session.

Like the SessionManager its methods take `now` and return effects, which the same Executor
carries out (server/executor.py). It works on one TCP connection, number CONNECTION.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import ClassVar

from fastpptp.effects import CloseControl, Effect, SendControl
from fastpptp.ports import CallEvent, CallPolicy, CallSpec
from fastpptp.ppp.config import LinkConfig
from fastpptp.ppp.events import LinkEnd, LinkEnded
from fastpptp.pptp import (
    Call,
    CallConnected,
    CallEnd,
    CallEnded,
    ControlConfig,
    ControlConnection,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    GeneralError,
    OutgoingCallResult,
    Role,
    StartResult,
    name_of,
)
from fastpptp.session import Cause, Session

CONNECTION = 1
GENERATION = 1
SESSION = 1

# Packets that the headend may send before it hears of us; LAN speed needs more than a few.
RECEIVE_WINDOW = 64

# How long to listen on a call that the headend has ended: GRE may come after TCP. Seconds.
LINGER = 0.25

# What MS-CHAP's codes mean to who logs in (RFC 2759 section 6).
REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        646: "not at this hour",
        647: "the account is disabled",
        648: "the password has expired",
        649: "no permission to dial in",
        709: "the password could not be changed",
    }
)

# Everything goes through the call, and anything may come out of it.
EVERYWHERE = ((IPv4Address(0), 0), (IPv6Address(0), 0))


class Dialer:
    """One dial, from the TCP connection to its end.

    `session` is there once the call is placed; `failure` says in words why the dial ended, if it
    was not our wish; `ended` turns true when nothing is left to be done.
    """

    _CONTROL_EVENTS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            ControlEstablished: "_established",
            CallConnected: "_connected",
            CallEnded: "_call_ended",
            ControlEnded: "_control_ended",
        }
    )

    def __init__(
        self,
        link_config: LinkConfig,
        policy: CallPolicy,
        *,
        local: IPv4Address,
        peer: IPv4Address,
        rng: Callable[[int], bytes],
        now: float,
    ) -> None:
        self._link_config = link_config
        self._policy = replace(policy, routes=EVERYWHERE, check_source=False)
        self._local = local
        self._peer = peer
        self._rng = rng
        self._control = ControlConnection(
            Role.PNS, ControlConfig(), now=now, local_address=local, peer_address=peer
        )
        self._wanted = True
        self._lost = ""
        self._linger: float | None = None
        self.session: Session | None = None
        self.failure = ""
        self.ended = False

    @property
    def up(self) -> bool:
        """Whether IPCP is Opened; IPv6CP may still be on its way."""
        return self.session is not None and self.session.ip is not None

    @property
    def interface(self) -> IPv6Address | None:
        """Our link-local address (RFC 5072 section 5) once IPv6CP is Opened."""
        if self.session is None or 6 not in self.session.gates:
            return None
        return IPv6Address(b"\xfe\x80".ljust(8, b"\0") + self.session.policy.local_identifier)

    @property
    def handle(self) -> int | None:
        return self.session.handle if self.session else None

    # What happens.

    def connection_made(self, now: float) -> list[Effect]:
        """The TCP connection is up."""
        return self._apply(self._control.initiate(now), now)

    def data_received(self, data: bytes, now: float) -> list[Effect]:
        return self._apply(self._control.receive_data(data, now), now)

    def connection_lost(self, now: float) -> list[Effect]:
        return self._apply(self._control.receive_eof(now), now)

    def frame_received(self, handle: int, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame of the call."""
        session = self.session
        if session is None or handle != session.handle or not session.attached:
            return []
        return self._settle(session, session.frame_received(frame, now), now)

    def call_event(self, handle: int, bits: int, now: float) -> list[Effect]:
        """Bits of ports.CallEvent."""
        session = self.session
        if session is None or handle != session.handle or session.ended:
            return []
        effects: list[Effect] = []
        if bits & CallEvent.RESYNC_FAILED:
            effects += session.renegotiate_ccp(now)
        if bits & CallEvent.PEER_SILENT:
            self._fail("the headend stopped answering LCP Echo-Requests")
            effects += session.carrier_lost(Cause.ECHO_TIMEOUT, now)
        return self._settle(session, effects, now)

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """Nothing is asked that needs an answer: the peer's end of a Link knows what it wants."""
        return []

    def get_timer(self) -> float | None:
        times = [self._control.get_timer(), self._linger]
        if self.session is not None:
            times.append(self.session.get_timer())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        session = self.session
        if session is not None and _due(session.get_timer(), now):
            effects += self._settle(session, session.handle_timer(now), now)
        if _due(self._linger, now):
            effects += self._let_go(now)
        if _due(self._control.get_timer(), now):
            effects += self._apply(self._control.handle_timer(now), now)
        return effects

    def hang_up(self, now: float) -> list[Effect]:
        """End in order: LCP Terminate-Request, Call-Clear-Request, Stop-Control-Connection."""
        self._wanted = False
        session = self.session
        if session is not None and not session.ended and session.attached:
            return self._settle(session, session.terminate(Cause.USER_REQUEST, now), now)
        return self._apply(self._control.stop(now), now)

    # The control connection's events.

    def _apply(self, events: Sequence[ControlEvent], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            name = self._CONTROL_EVENTS.get(type(event))
            if name is not None:
                effects += getattr(self, name)(event, now)
        return effects + self._flush()

    def _flush(self) -> list[Effect]:
        data = self._control.data_to_send()
        return [SendControl(CONNECTION, data)] if data else []

    def _established(self, event: ControlEstablished, now: float) -> list[Effect]:
        call_id = 1 + int.from_bytes(self._rng(4), "big") % 0xFFFF
        placed = self._control.place_call(
            call_id, now, serial=SESSION, receive_window=RECEIVE_WINDOW
        )
        call = self._control.find_call(call_id)
        if call is not None:
            self.session = self._make_session(call, now)
        return self._apply(placed, now)

    def _make_session(self, call: Call, now: float) -> Session:
        handle = GENERATION << 16 | call.local_call_id
        return Session(
            SESSION, handle, call, self._link_config, self._policy, rng=self._rng, now=now
        )

    def _connected(self, event: CallConnected, now: float) -> list[Effect]:
        session = self.session
        if session is None:
            return []
        spec = CallSpec(
            peer_call_id=event.call.peer_call_id,
            local_address=self._local,
            peer_address=self._peer,
            receive_window=RECEIVE_WINDOW,
            peer_window=event.call.peer_window,
        )
        return [*session.attach(spec), *self._settle(session, session.start(now), now)]

    def _settle(self, session: Session, effects: list[Effect], now: float) -> list[Effect]:
        """After anything was done to the session: when its Link is dead, so is the call."""
        if not session.ended or not session.attached:
            return effects
        if session.end is not None and session.end.end is not LinkEnd.LOCAL:
            self._fail(link_words(session.end))
        self._linger = None
        effects = [*effects, *session.detach()]
        effects += self._apply(self._control.end_call(session.call, now), now)
        return effects + self._apply(self._control.stop(now), now)

    def _call_ended(self, event: CallEnded, now: float) -> list[Effect]:
        """The call is over, but what was said last on it, and why, may still be on its way."""
        session = self.session
        if event.end is CallEnd.DISCONNECTED_PEER and session is not None and not session.ended:
            self._lost, self._linger = call_words(event), now + LINGER
            return []
        # What ended the control connection says more than that it ended.
        if event.end not in (CallEnd.ENDED_LOCAL, CallEnd.CONTROL_CLOSED):
            self._fail(call_words(event))
        return self._let_go(now)

    def _let_go(self, now: float) -> list[Effect]:
        """Leave the call and the control connection."""
        self._linger = None
        self._fail(self._lost)
        effects: list[Effect] = []
        if self.session is not None:
            effects += self.session.carrier_lost(Cause.CONTROL_LOST, now)
            effects += self.session.detach()
        return effects + self._apply(self._control.stop(now), now)

    def _control_ended(self, event: ControlEnded, now: float) -> list[Effect]:
        effects = [] if self._linger is None else self._let_go(now)
        if event.end is not ControlEnd.STOPPED_LOCAL:
            self._fail(control_words(event))
        self.ended = True
        return [*effects, *self._flush(), CloseControl(CONNECTION)]

    def _fail(self, why: str) -> None:
        """The first reason stands; after a wish to hang up none is a failure."""
        if self._wanted:
            self.failure = self.failure or why


def link_words(ended: LinkEnded) -> str:
    """Why a Link ended, with the code that the headend gave for a failed login."""
    if not ended.error:
        return ended.end.value
    return f"{ended.end.value}: {REFUSALS.get(ended.error, 'error')} ({ended.error})"


def call_words(event: CallEnded) -> str:
    """Why a call ended, with the headend's own reason if it gave one."""
    if event.end is not CallEnd.REFUSED_PEER:
        return str(event.end.value)
    said = name_of(OutgoingCallResult, event.result)
    if event.result == OutgoingCallResult.GENERAL_ERROR:
        said = name_of(GeneralError, event.error)
    return f"{event.end.value}: {said}"


def control_words(event: ControlEnded) -> str:
    """The same for a control connection."""
    if event.end is ControlEnd.REFUSED_PEER:
        said = name_of(StartResult, event.result)
        if event.result == StartResult.GENERAL_ERROR:
            said = name_of(GeneralError, event.error)
        return f"{event.end.value}: {said}"
    return event.detail or str(event.end.value)


def _due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now
