"""What the dataplane tells of a call, and what its counters say when they are asked for.

The faults of the field that are seen by it are told here; faults.py has their rules and words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fastpptp.effects import Effect, Examine, Look, Reading
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.manager.faults import (
    UNHEARD_REQUESTS,
    UNHEARD_WAIT,
    Fault,
    growth,
    no_gre_cause,
    throttle_cause,
)
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.sessions import Sessions
from fastpptp.manager.terms import Terms
from fastpptp.ports import CallEvent
from fastpptp.session import Cause, SessionState


class CallEvents:
    """Bits of ports.CallEvent, but CLOSED; readings; and GRE that does not come."""

    def __init__(self, terms: Terms, deadlines: Deadlines, sessions: Sessions) -> None:
        self._terms = terms
        self._deadlines = deadlines
        self._sessions = sessions
        deadlines.on(Timer.NO_GRE, sessions.get, self._no_gre_due)
        self._handlers: Mapping[CallEvent, Callable[[HeadendSession, float], list[Effect]]] = (
            MappingProxyType(
                {
                    CallEvent.FIRST_GRE: self._first_gre,
                    CallEvent.PARK_EXPIRED: self._park_expired,
                    # Before the event that comes with it.
                    CallEvent.NEVER_DECRYPTED: self._never_decrypted,
                    CallEvent.RESYNC_FAILED: self._resync_failed,
                    CallEvent.CLEARTEXT: self._cleartext,
                    CallEvent.THROTTLED: self._throttled,
                    CallEvent.UNACKNOWLEDGED: self._unacknowledged,
                    CallEvent.PEER_SILENT: self._peer_silent,
                    CallEvent.IDLE: self._idle,
                }
            )
        )

    def happened(self, handle: int, bits: int, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for bit, handler in self._handlers.items():
            if not bits & bit:
                continue
            # What one bit does may end what another is of.
            session = self._sessions.of_call(handle)
            if session is not None:
                effects += handler(session, now)
        return effects

    def examined(self, handle: int, found: Reading, now: float) -> list[Effect]:
        """The answer to Examine."""
        session = self._sessions.of_call(handle)
        if session is None:
            return []
        if found.look is Look.BEGUN:
            session.diagnosis.begun = found
            return []
        if found.look is Look.REJECTS:
            return session.diagnosis.rejects_judged(found, now)
        if found.look is Look.THROTTLED:
            cause = throttle_cause(found, session.call.peer_window)
            return session.diagnosis.tell(Fault.THROTTLED, now, cause=cause)
        return session.diagnosis.tell(
            Fault.NO_GRE,
            now,
            seconds=self._terms.policy.system.no_gre_warning,
            local_call_id=handle & 0xFFFF,
            cause=no_gre_cause(session.diagnosis.begun, found, session.peer),
            checksum_errors=growth(session.diagnosis.begun, found),
        )

    def _first_gre(self, session: HeadendSession, now: float) -> list[Effect]:
        session.diagnosis.gre_seen = True
        return []

    def _peer_silent(self, session: HeadendSession, now: float) -> list[Effect]:
        effects: list[Effect] = [session.tell("PPP", 102, code=Cause.ECHO_TIMEOUT)]
        effects += session.carrier_lost(Cause.ECHO_TIMEOUT, now)
        return self._sessions.settle(session, effects, now)

    def _idle(self, session: HeadendSession, now: float) -> list[Effect]:
        if session.state is SessionState.CLOSING:
            return []
        minutes, cause = session.effective.idle_timeout, Cause.IDLE_TIMEOUT
        told: list[Effect] = [session.tell("PPP", 100, minutes=minutes, code=cause)]
        return told + self._sessions.terminate(session, cause, now)

    def _resync_failed(self, session: HeadendSession, now: float) -> list[Effect]:
        known = Fault.WRONG_KEY in session.diagnosis.faults
        told: list[Effect] = [] if known else [session.tell("PPP", 110)]
        return self._sessions.settle(session, [*told, *session.renegotiate_ccp(now)], now)

    def _never_decrypted(self, session: HeadendSession, now: float) -> list[Effect]:
        seen = "none of its packets could be decrypted"
        return session.diagnosis.tell(Fault.WRONG_KEY, now, seen=seen)

    def _cleartext(self, session: HeadendSession, now: float) -> list[Effect]:
        return session.diagnosis.tell(Fault.PLAINTEXT, now)

    def _throttled(self, session: HeadendSession, now: float) -> list[Effect]:
        return [Examine(session.handle, Look.THROTTLED)]

    def _unacknowledged(self, session: HeadendSession, now: float) -> list[Effect]:
        return self._sessions.settle(session, session.diagnosis.probe_reach(now), now)

    def _park_expired(self, session: HeadendSession, now: float) -> list[Effect]:
        return [session.tell("PPP", 113)]

    def _no_gre_due(self, session: HeadendSession, now: float) -> list[Effect]:
        """The peer answered nothing so far: it did not send, or it does not hear us."""
        if not session.diagnosis.gre_seen:
            return [Examine(session.handle, Look.NO_GRE)]
        requests = session.link.requests
        if requests < UNHEARD_REQUESTS:
            self._deadlines.set((Timer.NO_GRE, session.id), now + UNHEARD_WAIT)
            return []
        seen = f"{requests} LCP Configure-Requests came, and no answer to ours"
        local_call_id = session.handle & 0xFFFF
        return session.diagnosis.tell(Fault.ONE_WAY, now, local_call_id=local_call_id, seen=seen)
