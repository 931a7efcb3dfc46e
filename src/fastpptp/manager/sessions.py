"""The sessions of one headend: from the call that is answered to the last thing given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fastpptp.effects import Effect, Emit, Examine, Look
from fastpptp.manager.accounting import Departures
from fastpptp.manager.admission import Admission
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.manager.debugging import Debugging
from fastpptp.manager.faults import Faults
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.packets import DataDecodes
from fastpptp.manager.requests import VoidRequests, session_id_of
from fastpptp.manager.statistics import Statistics
from fastpptp.manager.terms import Terms
from fastpptp.manager.tunnel import Tunnel, disconnect_result
from fastpptp.manager.tunnels import Tunnels
from fastpptp.manager.workers import Workers
from fastpptp.ports import CallSpec
from fastpptp.pptp import Call
from fastpptp.session import Cause, SessionState

# Each by the session's id.
TIMERS = (Timer.LINK, Timer.NO_GRE, Timer.PROBE, Timer.CONNECT_TIME, Timer.HOURS)


class Sessions:
    """Each by its id, oldest first, and by the handle of its call.

    Whatever is done to a session, `settle` comes after it.
    """

    def __init__(
        self,
        terms: Terms,
        deadlines: Deadlines,
        admission: Admission,
        statistics: Statistics,
        debugging: Debugging,
        data_decodes: DataDecodes,
        tunnels: Tunnels,
        departures: Departures,
        workers: Workers,
        rng: Callable[[int], bytes],
    ) -> None:
        self._terms = terms
        self._deadlines = deadlines
        self._admission = admission
        self._statistics = statistics
        self._debugging = debugging
        self._data_decodes = data_decodes
        self._tunnels = tunnels
        self._departures = departures
        self._workers = workers
        self._rng = rng
        self._faults = Faults()
        self._sessions: dict[int, HeadendSession] = {}
        self._handles: dict[int, HeadendSession] = {}
        self._last = 0
        self.void = VoidRequests(deadlines)
        deadlines.on(Timer.LINK, self._sessions.get, self._link_due)
        deadlines.on(Timer.PROBE, self._sessions.get, self._probe_due)
        deadlines.on(Timer.CONNECT_TIME, self._sessions.get, self._connect_time_due)
        deadlines.on(Timer.HOURS, self._sessions.get, self._hours_due)

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[HeadendSession]:
        return iter(self._sessions.values())

    def ids(self) -> list[int]:
        return list(self._sessions)

    def handles(self) -> Iterable[int]:
        return self._handles

    def get(self, session_id: int) -> HeadendSession | None:
        return self._sessions.get(session_id)

    def of_call(self, handle: int) -> HeadendSession | None:
        return self._handles.get(handle)

    # Its life.

    def begin(self, tunnel: Tunnel, call: Call, handle: int, now: float) -> None:
        """For a call of this tunnel that is let in."""
        self._last += 1
        session = HeadendSession(
            self._last,
            handle,
            call,
            self._terms.link,
            self._terms.call,
            connection=tunnel.connection,
            local=tunnel.local,
            peer=tunnel.peer,
            base=self._terms.policy.base,
            rng=self._rng,
            now=now,
            client_type=tunnel.info.vendor_name if tunnel.info else "",
            workers=self._workers,
            failures=self._statistics.logins_failed,
            debugging=self._debugging,
            faults=self._faults,
        )
        self._sessions[session.id] = self._handles[handle] = session
        self._admission.handshakes.add(tunnel.peer)
        self._tunnels.add(session)

    def attach(self, session: HeadendSession, spec: CallSpec, now: float) -> list[Effect]:
        """Its call is connected: from now on it counts, and GRE is waited for."""
        self._statistics.session_started()
        deadline = now + self._terms.policy.system.no_gre_warning
        self._deadlines.set((Timer.NO_GRE, session.id), deadline)
        return [*session.attach(spec), Examine(session.handle, Look.BEGUN)]

    def settle(self, session: HeadendSession, effects: list[Effect], now: float) -> list[Effect]:
        """After anything was done to a session: its end, its timers, the count of handshakes."""
        self.void.add(session.requests.take_void(), now)
        self._tunnels.listen(session)
        if session.ended:
            return effects + self._hang_up(session, now)
        if session.handshaking and session.link.reached:
            self._deadlines.cancel((Timer.NO_GRE, session.id))
            session.diagnosis.begun = None
        effects += self._data_decodes.follow(session)
        if session.state is SessionState.UP:
            if session.handshaking:
                self._statistics.setup.observe(now - session.started_at)
                session.diagnosis.probe_path(now)
            self._out_of_handshake(session)
        self._deadlines.set((Timer.LINK, session.id), session.get_timer())
        self._deadlines.set((Timer.CONNECT_TIME, session.id), session.connect_deadline)
        self._deadlines.set((Timer.HOURS, session.id), session.hours_deadline)
        self._deadlines.set((Timer.PROBE, session.id), session.diagnosis.deadline)
        return effects

    def terminate(self, session: HeadendSession, cause: Cause, now: float) -> list[Effect]:
        """End it in order: LCP Terminate, then the call."""
        return self.settle(session, session.terminate(cause, now), now)

    def finish(self, session: HeadendSession, cause: Cause, now: float) -> list[Effect]:
        """The call is over: give back all that the session holds, and account for it."""
        effects = session.carrier_lost(cause, now)
        effects += session.give_back()
        self.void.add(session.requests.take_void(), now)
        self._out_of_handshake(session)
        self._forget(session)
        self._departures.add(session.departure(now), now)
        effects += session.detach()
        effects.append(Emit(session.closed()))
        self._tunnels.remove(session, now)
        return effects

    def _hang_up(self, session: HeadendSession, now: float) -> list[Effect]:
        """The Link is dead: so is the call."""
        tunnel = self._tunnels[session.connection]
        effects = self.finish(session, session.why, now)
        result, error = disconnect_result(session.why)
        ended = tunnel.control.end_call(session.call, now, result=result, error=error)
        return effects + self._tunnels.carry_out(tunnel, ended, now)

    def _forget(self, session: HeadendSession) -> None:
        self._workers.end(session.worker)
        self._statistics.active_sessions -= 1
        del self._sessions[session.id]
        del self._handles[session.handle]
        for kind in TIMERS:
            self._deadlines.cancel((kind, session.id))

    def _out_of_handshake(self, session: HeadendSession) -> None:
        if session.handshaking:
            session.handshaking = False
            self._admission.handshakes.remove(session.peer)

    # What it hears.

    def frame_received(self, handle: int, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame of a call."""
        session = self._handles.get(handle)
        if session is None:
            return []
        session.diagnosis.gre_seen = True
        return self.settle(session, session.frame_received(frame, now), now)

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """The answer to a request, which may have come too late."""
        if token in self.void:
            return self.void.answered(token, result)
        session = self._sessions.get(session_id_of(token))
        if session is None or token not in session.requests:
            return []
        return self.settle(session, session.complete(token, result, now), now)

    # Timers.

    def _link_due(self, session: HeadendSession, now: float) -> list[Effect]:
        return self.settle(session, session.handle_timer(now), now)

    def _probe_due(self, session: HeadendSession, now: float) -> list[Effect]:
        return self.settle(session, session.diagnosis.handle_timer(now), now)

    def _connect_time_due(self, session: HeadendSession, now: float) -> list[Effect]:
        minutes, cause = session.effective.maximum_connect_time, Cause.MAX_CONNECT_TIME
        told: list[Effect] = [session.tell("PPP", 101, minutes=minutes, code=cause)]
        return told + self.terminate(session, cause, now)

    def _hours_due(self, session: HeadendSession, now: float) -> list[Effect]:
        hours, cause = session.effective.access_hours.name, Cause.ACCESS_HOURS_ENDED
        told: list[Effect] = [session.tell("PPP", 105, hours=hours, code=cause)]
        return told + self.terminate(session, cause, now)
