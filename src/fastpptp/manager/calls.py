"""The calls of all tunnels: which are answered, and what their beginning and end is to sessions."""

from __future__ import annotations

from collections.abc import Sequence

from fastpptp.effects import Effect, Emit
from fastpptp.events.catalogue import occur
from fastpptp.manager.admission import Admission
from fastpptp.manager.call_ids import CallIds
from fastpptp.manager.sessions import Sessions
from fastpptp.manager.statistics import Statistics
from fastpptp.manager.terms import Terms
from fastpptp.manager.translate import call_spec
from fastpptp.manager.tunnel import Tunnel
from fastpptp.manager.tunnels import Tunnels
from fastpptp.pptp import GeneralError, OutgoingCallResult
from fastpptp.pptp.events import (
    CallConnected,
    CallEnded,
    CallRequested,
    CallTurnedDown,
    ControlEvent,
)
from fastpptp.session import Cause

# Told to the peer in OCRP; nothing depends on it.
CONNECT_SPEED = 100_000_000


class Calls:
    """What control connections say of them."""

    def __init__(
        self,
        terms: Terms,
        admission: Admission,
        statistics: Statistics,
        ids: CallIds,
        tunnels: Tunnels,
        sessions: Sessions,
    ) -> None:
        self._terms = terms
        self._admission = admission
        self._statistics = statistics
        self._ids = ids
        self._tunnels = tunnels
        self._sessions = sessions
        tunnels.on(CallRequested, self._requested)
        tunnels.on(CallTurnedDown, self._turned_down)
        tunnels.on(CallConnected, self._connected)
        tunnels.on(CallEnded, self._ended)

    def _requested(
        self, tunnel: Tunnel, event: CallRequested, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        call, policy = event.call, self._terms.policy
        if call.ended:  # given up in the same segment
            return []
        refusal = self._admission.session(policy, tunnel.peer, len(tunnel.sessions))
        handle = self._ids.take() if refusal is None else None
        if handle is None:
            refusal = refusal or occur("PPTP", 102, peer=tunnel.peer, code=Cause.NO_CALL_ID)
            self._statistics.sessions_refused[refusal.cause] += 1
            answer = tunnel.control.refuse_call(
                call, now, result=OutgoingCallResult.GENERAL_ERROR, error=GeneralError.NO_RESOURCE
            )
            self._tunnels.idle_from(tunnel, now)  # who keeps asking is not idle
            told = self._admission.tell(refusal, now)
            return told + self._tunnels.carry_out(tunnel, answer, now)
        self._sessions.begin(tunnel, call, handle, now)
        answer = tunnel.control.answer_call(
            call,
            handle & 0xFFFF,
            now,
            connect_speed=CONNECT_SPEED,
            receive_window=policy.pptp.packet_window_size,
            processing_delay=policy.pptp.packet_processing_delay,
        )
        return self._tunnels.carry_out(tunnel, answer, now)

    def _turned_down(
        self, tunnel: Tunnel, event: CallTurnedDown, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        cause = Cause.INCOMING_CALL if event.wrong_role else Cause.CALL_ID_IN_USE
        self._statistics.sessions_refused[cause.code] += 1
        told = occur("PPTP", 107, peer=tunnel.peer, reason=cause.text, code=cause)
        return self._admission.tell(told, now)

    def _connected(
        self, tunnel: Tunnel, event: CallConnected, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        session = tunnel.sessions[event.call.local_call_id]
        spec = call_spec(self._terms.policy, event.call, tunnel.local, tunnel.peer)
        effects = self._sessions.attach(session, spec, now)
        # The peer must know our Call ID before the first GRE packet reaches it.
        effects += self._tunnels.flush(tunnel)
        effects.append(Emit(occur("PPTP", 42, peer=tunnel.peer)))
        return effects + self._sessions.settle(session, session.start(now), now)

    def _ended(
        self, tunnel: Tunnel, event: CallEnded, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        session = tunnel.sessions.get(event.call.local_call_id)
        if session is None or session.call is not event.call:
            return []
        return self._sessions.finish(session, tunnel.call_cause(event, later), now)
