"""The tunnels of one headend: what comes of control connections, from the first octet to the last.

What is said of a tunnel's calls is for calls.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import Any, TypeAlias, TypeVar

from fastpptp.effects import CloseControl, Effect, Emit, SendControl
from fastpptp.events.catalogue import occur
from fastpptp.events.causes import Of
from fastpptp.manager.admission import Admission
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.manager.debugging import Debugging
from fastpptp.manager.decoding import control_stepped, message_decoded
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.statistics import Statistics
from fastpptp.manager.terms import Terms
from fastpptp.manager.tunnel import Tunnel, complaint, start_result
from fastpptp.pptp import ControlConnection, Role, StopReason
from fastpptp.pptp.events import (
    CallStep,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    ControlStep,
    MessageTrace,
    WanError,
)
from fastpptp.pptp.framing import MessageCounts
from fastpptp.session import Cause

E = TypeVar("E", bound=ControlEvent)

# Takes the tunnel, the event, those that come after it, and the time.
Handler: TypeAlias = Callable[[Tunnel, E, Sequence[ControlEvent], float], list[Effect]]


class Tunnels:
    """Each by the number of its TCP connection, oldest first."""

    def __init__(
        self,
        terms: Terms,
        deadlines: Deadlines,
        admission: Admission,
        statistics: Statistics,
        debugging: Debugging,
    ) -> None:
        self._terms = terms
        self._deadlines = deadlines
        self._admission = admission
        self._statistics = statistics
        self._debugging = debugging
        self._tunnels: dict[int, Tunnel] = {}
        self.messages = MessageCounts()
        # Whether nobody is let in any more.
        self.stopping = False
        deadlines.on(Timer.CONTROL, self._tunnels.get, self._control_due)
        deadlines.on(Timer.TUNNEL_IDLE, self._tunnels.get, self._idle_due)
        self._handlers: dict[type[Any], Handler[Any]] = {
            ControlEstablished: self._established,
            ControlEnded: self._ended,
            WanError: self._wan_error,
            MessageTrace: self._message_trace,
            ControlStep: self._control_stepped,
            CallStep: self._control_stepped,
        }

    def on(self, kind: type[E], handler: Handler[E]) -> None:
        """What comes of such an event."""
        self._handlers[kind] = handler

    def __len__(self) -> int:
        return len(self._tunnels)

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(self._tunnels.values())

    def __getitem__(self, connection: int) -> Tunnel:
        return self._tunnels[connection]

    # The TCP connection.

    def made(
        self, connection: int, local: IPv4Address, peer: IPv4Address, now: float
    ) -> list[Effect]:
        refusal = self._admission.connection(peer)
        if self.stopping:
            refusal = occur("PPTP", 108, peer=peer, code=Cause.SHUTDOWN)
        if refusal is not None:
            self._statistics.tunnels_refused[refusal.cause] += 1
            return [*self._admission.tell(refusal, now), CloseControl(connection)]
        control = ControlConnection(
            Role.PAC,
            self._terms.control,
            now=now,
            local_address=local,
            peer_address=peer,
            counts=self.messages,
        )
        tunnel = Tunnel(connection, control, local, peer, self._debugging.ears(peer, ""))
        tunnel.listen(self._debugging)
        tunnel.refusal = self._admission.tunnel(self._terms.policy, peer)
        self._tunnels[connection] = tunnel
        self._admission.half_open.add(peer)
        if tunnel.refusal is None:
            self._admission.tunnels += 1
        else:
            control.refuse(now, *start_result(tunnel.refusal))
        return self.carry_out(tunnel, [], now)

    def received(self, connection: int, data: bytes, now: float) -> list[Effect]:
        tunnel = self._tunnels.get(connection)
        if tunnel is None:
            return []
        self._statistics.control_received_octets += len(data)
        return self.carry_out(tunnel, tunnel.control.receive_data(data, now), now)

    def lost(self, connection: int, now: float) -> list[Effect]:
        tunnel = self._tunnels.get(connection)
        if tunnel is None:
            return []
        return self.carry_out(tunnel, tunnel.control.receive_eof(now), now)

    # What the headend wants of a tunnel.

    def carry_out(self, tunnel: Tunnel, events: Sequence[ControlEvent], now: float) -> list[Effect]:
        """Do what a control connection says, send what it wants sent, mind its timer."""
        effects: list[Effect] = []
        for place, event in enumerate(events):
            handler = self._handlers.get(type(event))
            if handler is not None:
                effects += handler(tunnel, event, events[place + 1 :], now)
        if tunnel.connection in self._tunnels:
            effects += self.flush(tunnel)
            self._deadlines.set((Timer.CONTROL, tunnel.connection), tunnel.control.get_timer())
        return effects

    def flush(self, tunnel: Tunnel) -> list[Effect]:
        data = tunnel.control.data_to_send()
        self._statistics.control_sent_octets += len(data)
        return [SendControl(tunnel.connection, data)] if data else []

    def add(self, session: HeadendSession) -> None:
        """A session begins on its tunnel."""
        tunnel = self._tunnels[session.connection]
        tunnel.sessions[session.handle & 0xFFFF] = session
        self.listen(session)
        self._deadlines.cancel((Timer.TUNNEL_IDLE, tunnel.connection))

    def remove(self, session: HeadendSession, now: float) -> None:
        """It has ended."""
        tunnel = self._tunnels[session.connection]
        del tunnel.sessions[session.handle & 0xFFFF]
        self.idle_from(tunnel, now)

    def listen(self, session: HeadendSession) -> None:
        """The user of a session may be known now: its tunnel's events may be wanted."""
        if self._debugging:
            self._tunnels[session.connection].listen(self._debugging)

    def idle_from(self, tunnel: Tunnel, now: float) -> None:
        """Maximum Tunnel Idle Time begins anew, unless it has a session."""
        tunnel.idle_since = now
        self.mind_idle(tunnel)

    def mind_idle(self, tunnel: Tunnel) -> None:
        """Maximum Tunnel Idle Time runs while an established tunnel has no session."""
        if tunnel.established and not tunnel.sessions and not tunnel.stopped_for:
            deadline = tunnel.idle_since + self._terms.policy.pptp.maximum_tunnel_idle_time
            self._deadlines.set((Timer.TUNNEL_IDLE, tunnel.connection), deadline)

    def stop(self, tunnel: Tunnel, cause: Cause, now: float) -> list[Effect]:
        """Stop-Control-Connection-Request; its sessions have ended."""
        if tunnel.stopped_for:
            return []
        tunnel.stopped_for = cause
        self._deadlines.cancel((Timer.TUNNEL_IDLE, tunnel.connection))
        reason = StopReason.STOP_LOCAL_SHUTDOWN if self.stopping else StopReason.NONE
        return self.carry_out(tunnel, tunnel.control.stop(now, reason), now)

    # Control events.

    def _established(
        self, tunnel: Tunnel, event: ControlEstablished, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        tunnel.info = event.peer
        self._admission.half_open.remove(tunnel.peer)
        self._statistics.tunnel_started()
        self.idle_from(tunnel, now)
        return [Emit(occur("PPTP", 47, peer=tunnel.peer))]

    def _ended(
        self, tunnel: Tunnel, event: ControlEnded, later: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        effects = self.flush(tunnel)
        del self._tunnels[tunnel.connection]
        for kind in (Timer.CONTROL, Timer.TUNNEL_IDLE):
            self._deadlines.cancel((kind, tunnel.connection))
        told = complaint(event, tunnel.peer, tunnel.control.config)
        if told is not None:
            effects.append(Emit(told))
        if tunnel.refusal is None:
            self._admission.tunnels -= 1
            self._count_end(tunnel.cause(event))
        elif event.end is ControlEnd.REFUSED_LOCAL:
            self._statistics.tunnels_refused[tunnel.refusal.cause] += 1
            effects += self._admission.tell(tunnel.refusal, now)
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
        return self._admission.tell(occurrence, now)

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

    # Timers.

    def _control_due(self, tunnel: Tunnel, now: float) -> list[Effect]:
        return self.carry_out(tunnel, tunnel.control.handle_timer(now), now)

    def _idle_due(self, tunnel: Tunnel, now: float) -> list[Effect]:
        seconds = self._terms.policy.pptp.maximum_tunnel_idle_time
        cause = Cause.TUNNEL_IDLE
        told = occur("PPTP", 120, peer=tunnel.peer, seconds=seconds, code=cause)
        return [Emit(told), *self.stop(tunnel, cause, now)]
