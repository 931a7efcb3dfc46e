"""The SessionManager: a whole headend without any I/O, put together of its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from fastpptp.effects import Effect, Reading
from fastpptp.manager.accounting import Departure, Departures
from fastpptp.manager.admission import Admission, Limits
from fastpptp.manager.call_events import CallEvents
from fastpptp.manager.call_ids import CallIds
from fastpptp.manager.calls import Calls
from fastpptp.manager.deadlines import Deadlines
from fastpptp.manager.debugging import Debugging
from fastpptp.manager.filterlog import filter_fields
from fastpptp.manager.packets import DataDecodes
from fastpptp.manager.requests import session_id_of
from fastpptp.manager.sessions import Sessions
from fastpptp.manager.statistics import CallCounters, Statistics
from fastpptp.manager.terms import Terms
from fastpptp.manager.tunnel import Tunnel
from fastpptp.manager.tunnels import Tunnels
from fastpptp.manager.workers import Workers
from fastpptp.ports import FilterLog, TraceRecord
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.session import Cause, SessionView
from fastpptp.session.view import Encryption
from fastpptp.settings.resolve import PolicySnapshot


class SessionManager:
    """Admission, limits, logins, terminate, update. Methods return effects, in order.

    `connection` is the caller's number for a TCP connection, never used twice; `rng` gives
    random octets; `now` is monotonic seconds. Nothing a peer does raises.
    """

    def __init__(
        self,
        policy: PolicySnapshot,
        *,
        rng: Callable[[int], bytes],
        host_name: str = "fastpptp",
        limits: Limits | None = None,
        workers: Workers | None = None,
    ) -> None:
        terms = self._terms = Terms(policy, host_name)
        deadlines = self._deadlines = Deadlines()
        admission = self._admission = Admission(limits or Limits())
        statistics = self._statistics = Statistics()
        ids = self._ids = CallIds(rng)
        self.debugging = Debugging(policy.events, terms.account_of, deadlines, self._listen)
        self._data_decodes = DataDecodes()
        self._departures = Departures(deadlines, ids, statistics)
        self._tunnels = Tunnels(terms, deadlines, admission, statistics, self.debugging)
        self._sessions = Sessions(
            terms,
            deadlines,
            admission,
            statistics,
            self.debugging,
            self._data_decodes,
            self._tunnels,
            self._departures,
            workers or Workers(),
            rng,
        )
        self._call_events = CallEvents(terms, deadlines, self._sessions)
        # It hears of calls by the tunnels alone.
        Calls(terms, admission, statistics, ids, self._tunnels, self._sessions)

    # What the administrator asks.

    @property
    def policy(self) -> PolicySnapshot:
        return self._terms.policy

    def sessions(self) -> Iterator[SessionView]:
        """Every session, oldest first."""
        return (session.view() for session in self._sessions)

    def session(self, session_id: int) -> SessionView | None:
        found = self._sessions.get(session_id)
        return found.view() if found else None

    def session_of(self, handle: int) -> SessionView | None:
        """The session of a call that is open."""
        found = self._sessions.of_call(handle)
        return found.view() if found else None

    def protections(self) -> Counter[tuple[AuthMethod | None, Encryption | None]]:
        """How many sessions there are of each authentication protocol and encryption."""
        return Counter((each.method, each.encryption) for each in self._sessions)

    def session_ids(self) -> list[int]:
        """Oldest first: of use to whoever comes back for the sessions bit by bit."""
        return self._sessions.ids()

    def tunnels(self) -> list[Tunnel]:
        """The established control connections, oldest first, to look at."""
        return [tunnel for tunnel in self._tunnels if tunnel.established]

    def ended(self) -> Sequence[Departure]:
        """The last sessions that ended, oldest first."""
        return self._departures.ended()

    def statistics(self) -> Statistics:
        """A copy of the counters."""
        messages = self._tunnels.messages
        return replace(
            self._statistics,
            handshakes=self._admission.handshakes.total,
            half_open=self._admission.half_open.total,
            control_received_packets=messages.received,
            control_sent_packets=messages.sent,
            control_received_discards=messages.discarded,
        )

    def call_ids(self) -> list[int]:
        """Of the calls whose counters are not final yet."""
        handles = (*self._sessions.handles(), *self._departures.handles())
        return [handle & 0xFFFF for handle in handles]

    def holdings(self) -> dict[str, int]:
        """What is held now, by name: whoever has gone must have left nothing of it."""
        return {
            "connections": len(self._tunnels),
            "sessions": len(self._sessions),
            "closing_calls": len(self._departures),
            "call_ids": self._ids.in_use,
            "void_requests": len(self._sessions.void),
            "deadlines": len(self._deadlines),
            "sources": len(self._admission.half_open) + len(self._admission.handshakes),
        }

    @property
    def idle(self) -> bool:
        """Whether nothing is left: no connection, session, call being closed or open request."""
        return not (self._tunnels or self._sessions or self._departures or self._sessions.void)

    # Control connections.

    def connection_made(
        self, connection: int, local: IPv4Address, peer: IPv4Address, now: float
    ) -> list[Effect]:
        return self._tunnels.made(connection, local, peer, now)

    def data_received(self, connection: int, data: bytes, now: float) -> list[Effect]:
        return self._tunnels.received(connection, data, now)

    def connection_lost(self, connection: int, now: float) -> list[Effect]:
        """The TCP connection is gone, or its peer has sent all that it will send."""
        return self._tunnels.lost(connection, now)

    # The dataplane.

    def frame_received(self, handle: int, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame of a call."""
        return self._sessions.frame_received(handle, frame, now)

    def call_event(self, handle: int, bits: int, now: float) -> list[Effect]:
        """Bits of ports.CallEvent, but CLOSED: that is call_closed()."""
        return self._call_events.happened(handle, bits, now)

    def call_closed(self, handle: int, counters: CallCounters, now: float) -> list[Effect]:
        """The dataplane closed the call: its counters are final and its Call-ID is free."""
        return self._departures.closed(handle, counters)

    def filter_logged(self, log: FilterLog, now: float) -> list[Effect]:
        """A packet that a rule of a session's traffic filter logs."""
        session = self._sessions.of_call(log.handle)
        return [] if session is None else [session.tell("FILTER", 100, **filter_fields(log))]

    def packet_traced(self, record: TraceRecord, now: float) -> list[Effect]:
        """A data packet of a call that TraceData named; Trace.ENDED: there are no more."""
        return self._data_decodes.decoded(record)

    # Answers and time.

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """The answer to an effect that asks. A claim or lease that came too late is given back."""
        if isinstance(result, Reading):
            return self._call_events.examined(token, result, now)
        return self._sessions.complete(token, result, now)

    def address_lost(self, token: int, now: float) -> list[Effect]:
        """The address that this token was answered with is not the session's any more."""
        return self.terminate(session_id_of(token), Cause.ADDRESS_LOST, now)

    def get_timer(self) -> float | None:
        """When handle_timer() wants to be called."""
        return self._deadlines.next()

    def handle_timer(self, now: float) -> list[Effect]:
        return self._deadlines.run(now)

    # What the administrator wants.

    def terminate(self, session_id: int, cause: Cause, now: float) -> list[Effect]:
        """End a session in order: LCP Terminate, then the call."""
        session = self._sessions.get(session_id)
        return [] if session is None else self._sessions.terminate(session, cause, now)

    def terminate_all(self, cause: Cause, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for session_id in self._sessions.ids():
            effects += self.terminate(session_id, cause, now)
        return effects

    def stop_tunnels(self, peer: IPv4Address, now: float) -> tuple[int, list[Effect]]:
        """End the control connections with `peer`, and their sessions; how many there were."""
        found = [tunnel for tunnel in self.tunnels() if tunnel.peer == peer]
        return len(found), self._close(found, Cause.ADMIN_LOGOUT, now)

    def shutdown(self, now: float) -> list[Effect]:
        """Tell every peer, and let no one in any more. `idle` turns true when all have answered."""
        self._tunnels.stopping = True
        return self._close(list(self._tunnels), Cause.SHUTDOWN, now)

    def _close(self, tunnels: Iterable[Tunnel], cause: Cause, now: float) -> list[Effect]:
        """All at once: LCP Terminate-Request, Call-Disconnect-Notify, Stop-CC-Request."""
        effects: list[Effect] = []
        for tunnel in tunnels:
            for session in list(tunnel.sessions.values()):
                effects += session.terminate(cause, now)
                effects += self._sessions.finish(session, cause, now)
            effects += self._tunnels.stop(tunnel, cause, now)
        return effects

    def update(self, policy: PolicySnapshot, now: float) -> list[Effect]:
        """Follow another policy: what touches sessions now, the rest with the next session.

        Whoever may no longer log in keeps the session until somebody ends it; whose user is deleted
        keeps what it had, its traffic filter too.
        """
        effects = self._terms.follow(policy, self._sessions)  # filters before who refers to them
        self.debugging.follow(policy.events)
        if not policy.pptp.enabled:
            return effects + self._close(list(self._tunnels), Cause.PPTP_DISABLED, now)
        for tunnel in self._tunnels:
            tunnel.listen(self.debugging)
            self._tunnels.mind_idle(tunnel)
            for session in tunnel.sessions.values():
                session.listen()
                effects += session.follow(self._terms.holds_for(session) or session.effective)
        return effects

    def _listen(self) -> list[Effect]:
        """Make of every session the events that somebody wants to hear now, and no others."""
        effects: list[Effect] = []
        for tunnel in self._tunnels:
            tunnel.listen(self.debugging)
            for session in tunnel.sessions.values():
                session.listen()
                effects += self._data_decodes.follow(session)
        return effects
