"""The SessionManager: control connections and sessions of one headend, without any I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType
from typing import ClassVar

from fastpptp.aaa import names
from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import (
    Account,
    CloseControl,
    Effect,
    Emit,
    Examine,
    Logout,
    Look,
    Reading,
    Release,
    SendControl,
    SetFilters,
)
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.causes import Of
from fastpptp.manager.accounting import CallCounters, Departure, Statistics
from fastpptp.manager.admission import Admission, Limits
from fastpptp.manager.call_ids import CallIds
from fastpptp.manager.debugging import Debugging, DebugOrder
from fastpptp.manager.decoding import control_stepped, message_decoded
from fastpptp.manager.faults import (
    UNHEARD_REQUESTS,
    UNHEARD_WAIT,
    Fault,
    Faults,
    growth,
    no_gre_cause,
    throttle_cause,
)
from fastpptp.manager.filterlog import filter_fields
from fastpptp.manager.headend import TOKEN_BITS, HeadendSession
from fastpptp.manager.packets import DataDecodes
from fastpptp.manager.translate import call_spec, control_config, first_policy, link_config
from fastpptp.manager.tunnel import Tunnel, complaint, disconnect_result, start_result
from fastpptp.manager.workers import Workers
from fastpptp.ports import CallEvent, FilterLog, PacketFilter, TraceRecord
from fastpptp.ppp.auth.types import Accept, AuthMethod
from fastpptp.pptp import (
    Call,
    ControlConnection,
    GeneralError,
    OutgoingCallResult,
    Role,
    StopReason,
)
from fastpptp.pptp.events import (
    CallConnected,
    CallEnded,
    CallRequested,
    CallStep,
    CallTurnedDown,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    ControlStep,
    MessageTrace,
    WanError,
)
from fastpptp.pptp.framing import MessageCounts
from fastpptp.session import Cause, SessionState, SessionView
from fastpptp.session.view import Encryption
from fastpptp.settings.resolve import Effective, PolicySnapshot
from fastpptp.timers import TimerQueue

# How long the dataplane may take to hand over final counters before the session is accounted
# without them, and how long the answer to a void request is waited for. Seconds.
CLOSED_WAIT = 5.0
VOID_WAIT = 600.0

# Ended sessions that are remembered; about 1 kB each.
ENDED_KEPT = 1000

# Told to the peer in OCRP; nothing depends on it.
CONNECT_SPEED = 100_000_000


class Timer(Enum):
    """What a deadline is for. The key beside it is a connection, session, handle or token."""

    CONTROL = auto()
    TUNNEL_IDLE = auto()
    LINK = auto()
    NO_GRE = auto()
    PROBE = auto()
    CONNECT_TIME = auto()
    HOURS = auto()
    CLOSED = auto()
    VOID = auto()
    DEBUG = auto()


SESSION_TIMERS = (Timer.LINK, Timer.NO_GRE, Timer.PROBE, Timer.CONNECT_TIME, Timer.HOURS)


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
        self._rng = rng
        self._host_name = host_name
        self.debugging = Debugging(policy.events, self._account_of)
        self._data_decodes = DataDecodes()
        self._filters: Mapping[str, PacketFilter] = policy.filters
        self._follow(policy)
        self._ids = CallIds(rng)
        self._timers: TimerQueue[tuple[Timer, int]] = TimerQueue()
        self._tunnels: dict[int, Tunnel] = {}
        self._sessions: dict[int, HeadendSession] = {}
        self._handles: dict[int, HeadendSession] = {}
        self._departures: dict[int, Departure] = {}
        # Tokens whose late answers are to be given back; each is its own subject.
        self._void: dict[int, int] = {}
        self._admission = Admission(limits or Limits())
        self._ended: deque[Departure] = deque(maxlen=ENDED_KEPT)
        self._messages = MessageCounts()
        self._workers = workers or Workers()
        self._faults = Faults()
        self._statistics = Statistics()
        self._last_session = 0
        self._stopping = False

    # What the administrator asks.

    @property
    def policy(self) -> PolicySnapshot:
        return self._policy

    def sessions(self) -> Iterator[SessionView]:
        """Every session, oldest first."""
        return (session.view() for session in self._sessions.values())

    def session(self, session_id: int) -> SessionView | None:
        found = self._sessions.get(session_id)
        return found.view() if found else None

    def session_of(self, handle: int) -> SessionView | None:
        """The session of a call that is open."""
        found = self._handles.get(handle)
        return found.view() if found else None

    def protections(self) -> Counter[tuple[AuthMethod | None, Encryption | None]]:
        """How many sessions there are of each authentication protocol and encryption."""
        return Counter((each.method, each.encryption) for each in self._sessions.values())

    def session_ids(self) -> list[int]:
        """Oldest first: of use to whoever comes back for the sessions bit by bit."""
        return list(self._sessions)

    def tunnels(self) -> list[Tunnel]:
        """The established control connections, oldest first, to look at."""
        return [tunnel for tunnel in self._tunnels.values() if tunnel.established]

    def ended(self) -> Sequence[Departure]:
        """The last sessions that ended, oldest first."""
        return self._ended

    def statistics(self) -> Statistics:
        """A copy of the counters."""
        return replace(
            self._statistics,
            handshakes=self._admission.handshakes.total,
            half_open=self._admission.half_open.total,
            control_received_packets=self._messages.received,
            control_sent_packets=self._messages.sent,
            control_received_discards=self._messages.discarded,
        )

    def call_ids(self) -> list[int]:
        """Of the calls whose counters are not final yet."""
        return [handle & 0xFFFF for handle in (*self._handles, *self._departures)]

    def holdings(self) -> dict[str, int]:
        """What is held now, by name: whoever has gone must have left nothing of it."""
        return {
            "connections": len(self._tunnels),
            "sessions": len(self._sessions),
            "closing_calls": len(self._departures),
            "call_ids": self._ids.in_use,
            "void_requests": len(self._void),
            "deadlines": len(self._timers),
            "sources": len(self._admission.half_open) + len(self._admission.handshakes),
        }

    @property
    def idle(self) -> bool:
        """Whether nothing is left: no connection, session, call being closed or open request."""
        return not (self._tunnels or self._sessions or self._departures or self._void)

    def get_timer(self) -> float | None:
        """When handle_timer() wants to be called."""
        return self._timers.next()

    # Control connections.

    def connection_made(
        self, connection: int, local: IPv4Address, peer: IPv4Address, now: float
    ) -> list[Effect]:
        refusal = self._admission.connection(peer)
        if self._stopping:
            refusal = occur("PPTP", 108, peer=peer, code=Cause.SHUTDOWN)
        if refusal is not None:
            self._statistics.tunnels_refused[refusal.cause] += 1
            return [*self._tell_seldom(refusal, now), CloseControl(connection)]
        control = ControlConnection(
            Role.PAC,
            self._control_config,
            now=now,
            local_address=local,
            peer_address=peer,
            counts=self._messages,
        )
        tunnel = Tunnel(connection, control, local, peer, self.debugging.ears(peer, ""))
        tunnel.listen(self.debugging)
        tunnel.refusal = self._admission.tunnel(self._policy, peer)
        self._tunnels[connection] = tunnel
        self._admission.half_open.add(peer)
        if tunnel.refusal is None:
            self._admission.tunnels += 1
        else:
            control.refuse(now, *start_result(tunnel.refusal))
        return self._control(tunnel, [], now)

    def data_received(self, connection: int, data: bytes, now: float) -> list[Effect]:
        tunnel = self._tunnels.get(connection)
        if tunnel is None:
            return []
        self._statistics.control_received_octets += len(data)
        return self._control(tunnel, tunnel.control.receive_data(data, now), now)

    def connection_lost(self, connection: int, now: float) -> list[Effect]:
        """The TCP connection is gone, or its peer has sent all that it will send."""
        tunnel = self._tunnels.get(connection)
        if tunnel is None:
            return []
        return self._control(tunnel, tunnel.control.receive_eof(now), now)

    # The dataplane.

    def frame_received(self, handle: int, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame of a call."""
        session = self._handles.get(handle)
        if session is None:
            return []
        session.gre_seen = True
        return self._settle(session, session.frame_received(frame, now), now)

    def call_event(self, handle: int, bits: int, now: float) -> list[Effect]:
        """Bits of ports.CallEvent, but CLOSED: that is call_closed()."""
        effects: list[Effect] = []
        for bit, name in self._CALL_EVENTS.items():
            session = self._handles.get(handle)
            if session is not None and bits & bit:
                effects += getattr(self, name)(session, now)
        return effects

    def call_closed(self, handle: int, counters: CallCounters, now: float) -> list[Effect]:
        """The dataplane closed the call: its counters are final and its Call-ID is free."""
        departure = self._departures.pop(handle, None)
        if departure is None:
            return []
        self._timers.cancel((Timer.CLOSED, handle))
        self._ids.free(handle)
        self._statistics.session_ended(counters)
        return _account(departure, counters)

    def filter_logged(self, log: FilterLog, now: float) -> list[Effect]:
        """A packet that a rule of a session's traffic filter logs."""
        session = self._handles.get(log.handle)
        return [] if session is None else [session.tell("FILTER", 100, **filter_fields(log))]

    def packet_traced(self, record: TraceRecord, now: float) -> list[Effect]:
        """A data packet of a call that TraceData named; Trace.ENDED: there are no more."""
        return self._data_decodes.decoded(record)

    # Answers, time, the administrator.

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """The answer to an effect that asks. A claim or lease that came too late is given back."""
        if isinstance(result, Reading):
            return self._examined(token, result, now)
        if token in self._void:
            del self._void[token]
            self._timers.cancel((Timer.VOID, token))
            return _give_back(result)
        session = self._sessions.get(token >> TOKEN_BITS)
        if session is None or token not in session.pending:
            return []
        return self._settle(session, session.complete(token, result, now), now)

    def address_lost(self, token: int, now: float) -> list[Effect]:
        """The address that this token was answered with is not the session's any more."""
        return self.terminate(token >> TOKEN_BITS, Cause.ADDRESS_LOST, now)

    def handle_timer(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for kind, key in self._timers.due(now):
            table, name = self._TIMERS[kind]
            # What one deadline does may end what another is for.
            subject = getattr(self, table).get(key)
            if subject is not None:
                effects += getattr(self, name)(subject, now)
        return effects

    def terminate(self, session_id: int, cause: Cause, now: float) -> list[Effect]:
        """End a session in order: LCP Terminate, then the call."""
        session = self._sessions.get(session_id)
        if session is None:
            return []
        return self._settle(session, session.terminate(cause, now), now)

    def terminate_all(self, cause: Cause, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for session_id in list(self._sessions):
            effects += self.terminate(session_id, cause, now)
        return effects

    def stop_tunnels(self, peer: IPv4Address, now: float) -> tuple[int, list[Effect]]:
        """End the control connections with `peer`, and their sessions; how many there were."""
        found = [tunnel for tunnel in self.tunnels() if tunnel.peer == peer]
        return len(found), self._close(found, Cause.ADMIN_LOGOUT, now)

    def update(self, policy: PolicySnapshot, now: float) -> list[Effect]:
        """Follow another policy: what touches sessions now, the rest with the next session.

        Whoever may no longer log in keeps the session until somebody ends it; whose user is deleted
        keeps what it had, its traffic filter too.
        """
        effects: list[Effect] = []
        filters = {**self._orphaned_filters(policy), **policy.filters}
        if filters != self._filters:
            self._filters = filters
            effects.append(SetFilters(filters))  # before sessions refer to them
        self._follow(policy)
        if not policy.pptp.enabled:
            return effects + self._close_all(Cause.PPTP_DISABLED, now)
        for tunnel in self._tunnels.values():
            tunnel.listen(self.debugging)
            self._mind_idle(tunnel)
            for session in tunnel.sessions.values():
                session.listen()
                # A user that is gone keeps what it had.
                effects += session.follow(_holds_for(session.account, policy) or session.effective)
        return effects

    def _orphaned_filters(self, policy: PolicySnapshot) -> dict[str, PacketFilter]:
        """Those that are deleted, like the users whose sessions still go by them."""
        named = {
            session.effective.filter
            for session in self._sessions.values()
            if _holds_for(session.account, policy) is None
        }
        return {name: self._filters[name] for name in self._filters.keys() & named}

    def shutdown(self, now: float) -> list[Effect]:
        """Tell every peer, and let no one in any more. `idle` turns true when all have answered."""
        self._stopping = True
        return self._close_all(Cause.SHUTDOWN, now)

    def _follow(self, policy: PolicySnapshot) -> None:
        """Sessions share what is the same for all that begin under one policy."""
        self._policy = policy
        self.debugging.follow(policy.events)
        self._control_config = control_config(policy, self._host_name)
        self._link_config = link_config(policy, self._host_name)
        self._first_policy = first_policy(policy)

    # Debug at run time. Who is debugged now, `debugging` tells.

    def start_debug(
        self,
        user: str | None,
        address: IPv4Network | None,
        severity: int,
        until: float,
        until_wall: str,
        who: str,
    ) -> tuple[DebugOrder, list[Effect]]:
        """Debug a user's or an address's sessions until then, in the place of an order before.

        FastpptpError: too many are debugged.
        """
        order, replaced = self.debugging.start(user, address, severity, until, until_wall, who)
        for old in replaced:
            self._timers.cancel((Timer.DEBUG, old.number))
        self._timers.set((Timer.DEBUG, order.number), until)
        effects = self._listen()
        told = occur(
            "CONFIG", 105, whom=order.target, severity=severity, until=until_wall, who=who
        )  # fmt: skip
        return order, [Emit(told), *effects]

    def stop_debug(
        self, user: str | None, address: IPv4Network | None, who: str
    ) -> tuple[list[DebugOrder], list[Effect]]:
        """End the order of this user and that of this address, all of them for neither."""
        every = user is None and address is None
        ended = [
            order
            for order in self.debugging
            if every
            or (user is not None and order.user == user)
            or (address is not None and order.address == address)
        ]
        effects: list[Effect] = []
        for order in ended:
            effects += self._end_debug(order, f"ended by {who}")
        return ended, effects

    def _end_debug(self, order: DebugOrder, reason: str) -> list[Effect]:
        self._timers.cancel((Timer.DEBUG, order.number))
        told = occur("CONFIG", 106, whom=order.target, who=order.who, reason=reason)
        self.debugging.end(order)
        return [Emit(told), *self._listen()]

    def debugged(self, severity: int) -> list[SessionView]:
        """The sessions that are debugged at this severity or a higher one."""
        return [view for view in self.sessions()
                if self.debugging.severity(view.peer, view.user) >= severity]  # fmt: skip

    def _listen(self) -> list[Effect]:
        """Make of every session the events that somebody wants to hear now, and no others."""
        effects: list[Effect] = []
        for tunnel in self._tunnels.values():
            tunnel.listen(self.debugging)
            for session in tunnel.sessions.values():
                session.listen()
                effects += self._data_decodes.follow(session)
        return effects

    def _account_of(self, name: str) -> str | None:
        user = names.find(self._policy, name)
        return None if user is None else user.name

    def _close_all(self, cause: Cause, now: float) -> list[Effect]:
        """Everything at once: LCP Terminate-Request, Call-Disconnect-Notify, Stop-CC-Request."""
        return self._close(list(self._tunnels.values()), cause, now)

    def _close(self, tunnels: Iterable[Tunnel], cause: Cause, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for tunnel in tunnels:
            for session in list(tunnel.sessions.values()):
                effects += session.terminate(cause, now)
                effects += self._finish(session, cause, now)
            effects += self._stop(tunnel, cause, now)
        return effects

    # Control events.

    def _control(self, tunnel: Tunnel, events: Sequence[ControlEvent], now: float) -> list[Effect]:
        """Carry out what a control connection says, send what it wants sent, mind its timer."""
        effects: list[Effect] = []
        for place, event in enumerate(events):
            name = self._CONTROL_EVENTS.get(type(event))
            if name is not None:
                effects += getattr(self, name)(tunnel, event, events[place + 1 :], now)
        if tunnel.connection in self._tunnels:
            effects += self._flush(tunnel)
            self._timers.set((Timer.CONTROL, tunnel.connection), tunnel.control.get_timer())
        return effects

    def _flush(self, tunnel: Tunnel) -> list[Effect]:
        data = tunnel.control.data_to_send()
        self._statistics.control_sent_octets += len(data)
        return [SendControl(tunnel.connection, data)] if data else []

    def _control_established(
        self, tunnel: Tunnel, event: ControlEstablished, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        tunnel.info = event.peer
        self._admission.half_open.remove(tunnel.peer)
        self._statistics.tunnel_started()
        tunnel.idle_since = now
        self._mind_idle(tunnel)
        return [Emit(occur("PPTP", 47, peer=tunnel.peer))]

    def _control_ended(
        self, tunnel: Tunnel, event: ControlEnded, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        effects = self._flush(tunnel)
        del self._tunnels[tunnel.connection]
        for kind in (Timer.CONTROL, Timer.TUNNEL_IDLE):
            self._timers.cancel((kind, tunnel.connection))
        effects += _emit(complaint(event, tunnel.peer, tunnel.control.config))
        if tunnel.refusal is None:
            self._admission.tunnels -= 1
            self._count_end(tunnel.cause(event))
        elif event.end is ControlEnd.REFUSED_LOCAL:
            self._statistics.tunnels_refused[tunnel.refusal.cause] += 1
            effects += self._tell_seldom(tunnel.refusal, now)
        if tunnel.established:
            self._statistics.active_tunnels -= 1
            effects.append(Emit(tunnel.closed(event)))
        else:
            self._admission.half_open.remove(tunnel.peer)
        return [*effects, CloseControl(tunnel.connection)]

    def _count_end(self, cause: Cause) -> None:
        refused = Of.TUNNEL_REFUSED in cause.of and Of.TUNNEL_ENDED not in cause.of
        counts = self._statistics.tunnels_refused if refused else self._statistics.tunnels_ended
        counts[cause.code] += 1

    def _call_requested(
        self, tunnel: Tunnel, event: CallRequested, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        call = event.call
        if call.ended:  # given up in the same segment
            return []
        refusal = self._admission.session(self._policy, tunnel.peer, len(tunnel.sessions))
        handle = self._ids.take() if refusal is None else None
        if handle is None:
            refusal = refusal or occur("PPTP", 102, peer=tunnel.peer, code=Cause.NO_CALL_ID)
            self._statistics.sessions_refused[refusal.cause] += 1
            answer = tunnel.control.refuse_call(
                call, now, result=OutgoingCallResult.GENERAL_ERROR, error=GeneralError.NO_RESOURCE
            )
            tunnel.idle_since = now  # who keeps asking is not idle
            self._mind_idle(tunnel)
            return [*self._tell_seldom(refusal, now), *self._control(tunnel, answer, now)]
        self._begin(tunnel, call, handle, now)
        pptp = self._policy.pptp
        answer = tunnel.control.answer_call(
            call,
            handle & 0xFFFF,
            now,
            connect_speed=CONNECT_SPEED,
            receive_window=pptp.packet_window_size,
            processing_delay=pptp.packet_processing_delay,
        )
        return self._control(tunnel, answer, now)

    def _call_turned_down(
        self, tunnel: Tunnel, event: CallTurnedDown, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        cause = Cause.INCOMING_CALL if event.wrong_role else Cause.CALL_ID_IN_USE
        self._statistics.sessions_refused[cause.code] += 1
        told = occur("PPTP", 107, peer=tunnel.peer, reason=cause.text, code=cause)
        return self._tell_seldom(told, now)

    def _begin(self, tunnel: Tunnel, call: Call, handle: int, now: float) -> None:
        self._last_session += 1
        session = HeadendSession(
            self._last_session,
            handle,
            call,
            self._link_config,
            self._first_policy,
            connection=tunnel.connection,
            local=tunnel.local,
            peer=tunnel.peer,
            base=self._policy.base,
            rng=self._rng,
            now=now,
            client_type=tunnel.info.vendor_name if tunnel.info else "",
            workers=self._workers,
            failures=self._statistics.logins_failed,
            debugging=self.debugging,
            faults=self._faults,
        )
        tunnel.sessions[handle & 0xFFFF] = session
        self._sessions[session.id] = self._handles[handle] = session
        self._admission.handshakes.add(tunnel.peer)
        if self.debugging:
            tunnel.listen(self.debugging)
        self._timers.cancel((Timer.TUNNEL_IDLE, tunnel.connection))

    def _call_connected(
        self, tunnel: Tunnel, event: CallConnected, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        session = tunnel.sessions[event.call.local_call_id]
        spec = call_spec(self._policy, event.call, tunnel.local, tunnel.peer)
        self._statistics.session_started()
        deadline = now + self._policy.system.no_gre_warning
        self._timers.set((Timer.NO_GRE, session.id), deadline)
        effects = [*session.attach(spec), Examine(session.handle, Look.BEGUN)]
        # The peer must know our Call ID before the first GRE packet reaches it.
        effects += self._flush(tunnel)
        effects.append(Emit(occur("PPTP", 42, peer=tunnel.peer)))
        return effects + self._settle(session, session.start(now), now)

    def _call_ended(
        self, tunnel: Tunnel, event: CallEnded, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        session = tunnel.sessions.get(event.call.local_call_id)
        if session is None or session.call is not event.call:
            return []
        return self._finish(session, tunnel.call_cause(event, later), now)

    def _wan_error(
        self, tunnel: Tunnel, event: WanError, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        occurrence = occur(
            "PPTP",
            115,
            peer=tunnel.peer,
            crc_errors=event.crc_errors,
            framing_errors=event.framing_errors,
            hardware_overruns=event.hardware_overruns,
            buffer_overruns=event.buffer_overruns,
            timeout_errors=event.timeout_errors,
            alignment_errors=event.alignment_errors,
        )
        return self._tell_seldom(occurrence, now)

    def _message_trace(
        self, tunnel: Tunnel, event: MessageTrace, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        return [*message_decoded(tunnel.told("sent " if event.sent else "rcvd "), event)]

    def _control_stepped(
        self,
        tunnel: Tunnel,
        event: ControlStep | CallStep,
        later: Sequence[ControlEvent],
        now: float,
    ) -> list[Effect]:
        return [*control_stepped(tunnel.told(), event, now)]

    # Sessions.

    def _settle(self, session: HeadendSession, effects: list[Effect], now: float) -> list[Effect]:
        """After anything was done to a session: its end, its timers, the count of handshakes."""
        self._keep_void(session, now)
        if self.debugging:
            self._tunnels[session.connection].listen(self.debugging)
        if session.ended:
            return effects + self._hang_up(session, now)
        if session.handshaking and session.link.reached:
            self._timers.cancel((Timer.NO_GRE, session.id))
            session.begun = None
        effects += self._data_decodes.follow(session)
        if session.state is SessionState.UP:
            if session.handshaking:
                self._statistics.setup.observe(now - session.started_at)
                session.probe_path(now)
            self._out_of_handshake(session)
        self._timers.set((Timer.LINK, session.id), session.get_timer())
        self._timers.set((Timer.CONNECT_TIME, session.id), session.connect_deadline)
        self._timers.set((Timer.HOURS, session.id), session.hours_deadline)
        self._timers.set((Timer.PROBE, session.id), session.probe_deadline)
        return effects

    def _hang_up(self, session: HeadendSession, now: float) -> list[Effect]:
        """The Link is dead: so is the call."""
        tunnel = self._tunnels[session.connection]
        effects = self._finish(session, session.why, now)
        result, error = disconnect_result(session.why)
        ended = tunnel.control.end_call(session.call, now, result=result, error=error)
        return effects + self._control(tunnel, ended, now)

    def _finish(self, session: HeadendSession, cause: Cause, now: float) -> list[Effect]:
        """The call is over: give back all that the session holds, and account for it."""
        effects = session.carrier_lost(cause, now)
        effects += session.give_back()
        self._keep_void(session, now)
        self._out_of_handshake(session)
        self._forget(session)
        self._statistics.active_sessions -= 1
        departure = self._departures[session.handle] = session.departure(now)
        self._ended.append(departure)
        self._statistics.ended[departure.cause.code] += 1
        self._timers.set((Timer.CLOSED, session.handle), now + CLOSED_WAIT)
        effects += session.detach()
        effects.append(Emit(session.closed()))
        tunnel = self._tunnels[session.connection]
        tunnel.idle_since = now
        self._mind_idle(tunnel)
        return effects

    def _forget(self, session: HeadendSession) -> None:
        self._workers.end(session.worker)
        del self._sessions[session.id]
        del self._handles[session.handle]
        del self._tunnels[session.connection].sessions[session.handle & 0xFFFF]
        for kind in SESSION_TIMERS:
            self._timers.cancel((kind, session.id))

    def _keep_void(self, session: HeadendSession, now: float) -> None:
        """Remember what was asked in vain, so that a late answer is given back, once."""
        for token in session.take_void():
            self._void[token] = token
            self._timers.set((Timer.VOID, token), now + VOID_WAIT)

    def _out_of_handshake(self, session: HeadendSession) -> None:
        if session.handshaking:
            session.handshaking = False
            self._admission.handshakes.remove(session.peer)

    def _mind_idle(self, tunnel: Tunnel) -> None:
        """Maximum Tunnel Idle Time runs while an established tunnel has no session."""
        if tunnel.established and not tunnel.sessions and not tunnel.stopped_for:
            deadline = tunnel.idle_since + self._policy.pptp.maximum_tunnel_idle_time
            self._timers.set((Timer.TUNNEL_IDLE, tunnel.connection), deadline)

    def _stop(self, tunnel: Tunnel, cause: Cause, now: float) -> list[Effect]:
        if tunnel.stopped_for:
            return []
        tunnel.stopped_for = cause
        self._timers.cancel((Timer.TUNNEL_IDLE, tunnel.connection))
        reason = StopReason.STOP_LOCAL_SHUTDOWN if self._stopping else StopReason.NONE
        return self._control(tunnel, tunnel.control.stop(now, reason), now)

    def _tell_seldom(self, occurrence: Occurrence, now: float) -> list[Effect]:
        return [Emit(occurrence)] if self._admission.worth_telling(occurrence, now) else []

    # Faults of the field (manager/faults.py).

    def _examined(self, handle: int, found: Reading, now: float) -> list[Effect]:
        session = self._handles.get(handle)
        if session is None:
            return []
        if found.look is Look.BEGUN:
            session.begun = found
            return []
        if found.look is Look.REJECTS:
            return session.rejects_judged(found, now)
        if found.look is Look.THROTTLED:
            cause = throttle_cause(found, session.call.peer_window)
            return session.fault(Fault.THROTTLED, now, cause=cause)
        return session.fault(
            Fault.NO_GRE,
            now,
            seconds=self._policy.system.no_gre_warning,
            local_call_id=handle & 0xFFFF,
            cause=no_gre_cause(session.begun, found, session.peer),
            checksum_errors=growth(session.begun, found),
        )

    # What the dataplane tells of a call.

    def _first_gre(self, session: HeadendSession, now: float) -> list[Effect]:
        session.gre_seen = True
        return []

    def _peer_silent(self, session: HeadendSession, now: float) -> list[Effect]:
        effects: list[Effect] = [session.tell("PPP", 102, code=Cause.ECHO_TIMEOUT)]
        effects += session.carrier_lost(Cause.ECHO_TIMEOUT, now)
        return self._settle(session, effects, now)

    def _idle(self, session: HeadendSession, now: float) -> list[Effect]:
        if session.state is SessionState.CLOSING:
            return []
        minutes, cause = session.effective.idle_timeout, Cause.IDLE_TIMEOUT
        told: list[Effect] = [session.tell("PPP", 100, minutes=minutes, code=cause)]
        return told + self.terminate(session.id, cause, now)

    def _resync_failed(self, session: HeadendSession, now: float) -> list[Effect]:
        told: list[Effect] = [] if Fault.WRONG_KEY in session.faults else [session.tell("PPP", 110)]
        return self._settle(session, [*told, *session.renegotiate_ccp(now)], now)

    def _never_decrypted(self, session: HeadendSession, now: float) -> list[Effect]:
        seen = "none of its packets could be decrypted"
        return session.fault(Fault.WRONG_KEY, now, seen=seen)

    def _cleartext(self, session: HeadendSession, now: float) -> list[Effect]:
        return session.fault(Fault.PLAINTEXT, now)

    def _throttled(self, session: HeadendSession, now: float) -> list[Effect]:
        return [Examine(session.handle, Look.THROTTLED)]

    def _unacknowledged(self, session: HeadendSession, now: float) -> list[Effect]:
        return self._settle(session, session.probe_reach(now), now)

    def _park_expired(self, session: HeadendSession, now: float) -> list[Effect]:
        return [session.tell("PPP", 113)]

    # Timers.

    def _control_timer(self, tunnel: Tunnel, now: float) -> list[Effect]:
        return self._control(tunnel, tunnel.control.handle_timer(now), now)

    def _tunnel_idle_timer(self, tunnel: Tunnel, now: float) -> list[Effect]:
        seconds = self._policy.pptp.maximum_tunnel_idle_time
        cause = Cause.TUNNEL_IDLE
        told = occur("PPTP", 120, peer=tunnel.peer, seconds=seconds, code=cause)
        return [Emit(told), *self._stop(tunnel, cause, now)]

    def _link_timer(self, session: HeadendSession, now: float) -> list[Effect]:
        return self._settle(session, session.handle_timer(now), now)

    def _no_gre_timer(self, session: HeadendSession, now: float) -> list[Effect]:
        """The peer answered nothing so far: it did not send, or it does not hear us."""
        if not session.gre_seen:
            return [Examine(session.handle, Look.NO_GRE)]
        requests = session.link.requests
        if requests < UNHEARD_REQUESTS:
            self._timers.set((Timer.NO_GRE, session.id), now + UNHEARD_WAIT)
            return []
        seen = f"{requests} LCP Configure-Requests came, and no answer to ours"
        local_call_id = session.handle & 0xFFFF
        return session.fault(Fault.ONE_WAY, now, local_call_id=local_call_id, seen=seen)

    def _probe_timer(self, session: HeadendSession, now: float) -> list[Effect]:
        return self._settle(session, session.probe_timer(now), now)

    def _connect_time_timer(self, session: HeadendSession, now: float) -> list[Effect]:
        minutes, cause = session.effective.maximum_connect_time, Cause.MAX_CONNECT_TIME
        told: list[Effect] = [session.tell("PPP", 101, minutes=minutes, code=cause)]
        return told + self.terminate(session.id, cause, now)

    def _hours_timer(self, session: HeadendSession, now: float) -> list[Effect]:
        hours, cause = session.effective.access_hours.name, Cause.ACCESS_HOURS_ENDED
        told: list[Effect] = [session.tell("PPP", 105, hours=hours, code=cause)]
        return told + self.terminate(session.id, cause, now)

    def _closed_timer(self, departure: Departure, now: float) -> list[Effect]:
        """Final counters are late: account without; the Call-ID stays taken until they come."""
        return _account(departure, CallCounters())

    def _debug_timer(self, order: DebugOrder, now: float) -> list[Effect]:
        return self._end_debug(order, "its time is over")

    def _void_timer(self, token: int, now: float) -> list[Effect]:
        del self._void[token]
        return []

    _CONTROL_EVENTS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            ControlEstablished: "_control_established",
            ControlEnded: "_control_ended",
            CallRequested: "_call_requested",
            CallTurnedDown: "_call_turned_down",
            CallConnected: "_call_connected",
            CallEnded: "_call_ended",
            WanError: "_wan_error",
            MessageTrace: "_message_trace",
            ControlStep: "_control_stepped",
            CallStep: "_control_stepped",
        }
    )
    _CALL_EVENTS: ClassVar[Mapping[CallEvent, str]] = MappingProxyType(
        {
            CallEvent.FIRST_GRE: "_first_gre",
            CallEvent.PARK_EXPIRED: "_park_expired",
            # Before the event that comes with it.
            CallEvent.NEVER_DECRYPTED: "_never_decrypted",
            CallEvent.RESYNC_FAILED: "_resync_failed",
            CallEvent.CLEARTEXT: "_cleartext",
            CallEvent.THROTTLED: "_throttled",
            CallEvent.UNACKNOWLEDGED: "_unacknowledged",
            CallEvent.PEER_SILENT: "_peer_silent",
            CallEvent.IDLE: "_idle",
        }
    )
    # Where the subject of each deadline is found, and what is done with it.
    _TIMERS: ClassVar[Mapping[Timer, tuple[str, str]]] = MappingProxyType(
        {
            Timer.CONTROL: ("_tunnels", "_control_timer"),
            Timer.TUNNEL_IDLE: ("_tunnels", "_tunnel_idle_timer"),
            Timer.LINK: ("_sessions", "_link_timer"),
            Timer.NO_GRE: ("_sessions", "_no_gre_timer"),
            Timer.PROBE: ("_sessions", "_probe_timer"),
            Timer.CONNECT_TIME: ("_sessions", "_connect_time_timer"),
            Timer.HOURS: ("_sessions", "_hours_timer"),
            Timer.CLOSED: ("_departures", "_closed_timer"),
            Timer.VOID: ("_void", "_void_timer"),
            Timer.DEBUG: ("debugging", "_debug_timer"),
        }
    )


def _holds_for(account: str | None, policy: PolicySnapshot) -> Effective | None:
    """What the policy says for a user, the base group before one has logged in; None: unknown."""
    if account is None:
        return policy.base
    user = policy.user(account)
    return None if user is None else user.effective


def _emit(occurrence: Occurrence | None) -> list[Effect]:
    return [] if occurrence is None else [Emit(occurrence)]


def _account(departure: Departure, counters: CallCounters) -> list[Effect]:
    """Once, whether the counters came in time or not."""
    if departure.accounted:
        departure.counters = counters
        return []
    told = departure.account(counters)
    return [*_emit(told), Account(departure)]


def _give_back(result: object) -> list[Effect]:
    """Undo what an answer claimed that nobody wants any more."""
    if isinstance(result, Accept) and result.identity is not None:
        return [Logout(result.identity)]
    return [Release(result)] if isinstance(result, AddressGrant) else []
