"""Many PPTP clients without I/O: control connections as PNS, with as many calls as one likes.

The load generator's protocol side. Like the SessionManager its methods take `now` and return
effects, which the same Executor carries out; what became of the clients is told by `news`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import ClassVar

from fastpptp.client.dialer import RECEIVE_WINDOW, call_words, control_words
from fastpptp.effects import CloseControl, Effect, SendControl
from fastpptp.manager.call_ids import CallIds
from fastpptp.ports import CallEvent, CallPolicy, CallSpec
from fastpptp.ppp.config import LinkConfig
from fastpptp.ppp.events import LinkEnd
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
    Role,
)
from fastpptp.session import Cause, Session, SessionState
from fastpptp.timers import TimerQueue


class Stage(IntEnum):
    """How far a client goes. One that stops before UP says nothing more from there on."""

    TCP = 0  # not a word on the control connection
    CONTROL = 1  # no call
    CALL = 2  # no PPP
    LINK = 3  # its own Configure-Requests, but no answer to the headend's
    UP = 4


class What(Enum):
    """What happened to a client, or to its control connection (then the handle is 0)."""

    ESTABLISHED = "control connection established"
    CLOSED = "control connection closed"
    REACHED = "reached the stage it was to reach"
    FAILED = "ended before that"
    DROPPED = "ended after that, without our wish"
    ENDED = "ended as we wished"


@dataclass(frozen=True, slots=True)
class News:
    """`why` is for people; `seconds` is the time since the call was placed."""

    what: What
    connection: int
    handle: int = 0
    why: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Client:
    """One client: its call, and its session once the headend has answered the call."""

    handle: int
    call: Call
    link_config: LinkConfig
    connection: int
    stage: Stage
    placed_at: float
    session: Session | None = None
    reached: bool = False
    unwanted: bool = False


@dataclass(slots=True)
class ClientTunnel:
    """A control connection of ours; its clients by handle."""

    number: int
    control: ControlConnection
    local: IPv4Address
    clients: dict[int, Client] = field(default_factory=dict)
    unwanted: bool = False


class _Timer(Enum):
    CONTROL = "control"
    LINK = "link"


class Population:
    """The clients of one headend. `policy` is what every call begins with."""

    _CONTROL_EVENTS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            ControlEstablished: "_established",
            CallConnected: "_connected",
            CallEnded: "_call_ended",
            ControlEnded: "_control_ended",
        }
    )

    def __init__(
        self, peer: IPv4Address, policy: CallPolicy, *, rng: Callable[[int], bytes]
    ) -> None:
        self._peer = peer
        self._policy = policy
        self._rng = rng
        self._ids = CallIds(rng)
        self._timers: TimerQueue[tuple[_Timer, int]] = TimerQueue()
        self._tunnels: dict[int, ClientTunnel] = {}
        self._clients: dict[int, Client] = {}
        self._calls: dict[Call, Client] = {}
        self.news: deque[News] = deque()

    def handles(self) -> list[int]:
        """The calls that there are."""
        return list(self._clients)

    def connections(self) -> list[int]:
        """The control connections that there are."""
        return list(self._tunnels)

    def get_timer(self) -> float | None:
        return self._timers.next()

    # What we want.

    def connection_made(self, number: int, local: IPv4Address, now: float) -> list[Effect]:
        """The TCP connection `number` is up: introduce ourselves on it."""
        control = ControlConnection(
            Role.PNS, ControlConfig(), now=now, local_address=local, peer_address=self._peer
        )
        tunnel = self._tunnels[number] = ClientTunnel(number, control, local)
        return self._control(tunnel, control.initiate(now), now)

    def place_call(
        self, number: int, link_config: LinkConfig, now: float, stage: Stage = Stage.UP
    ) -> tuple[int | None, list[Effect]]:
        """One more client on the connection `number`.

        Its handle goes with the effects; None: the connection is gone, or no Call-ID is free.
        """
        tunnel = self._tunnels.get(number)
        handle = self._ids.take() if tunnel and tunnel.control.established else None
        if tunnel is None or handle is None:
            return None, []
        call_id = handle & 0xFFFF
        placed = tunnel.control.place_call(
            call_id, now, serial=call_id, receive_window=RECEIVE_WINDOW
        )
        call = tunnel.control.find_call(call_id)
        assert call is not None
        client = Client(handle, call, link_config, number, stage, now)
        tunnel.clients[handle] = self._clients[handle] = self._calls[call] = client
        return handle, self._control(tunnel, placed, now)

    def hang_up(self, handle: int, now: float) -> list[Effect]:
        """LCP Terminate-Request, then Call-Clear-Request."""
        client = self._clients.get(handle)
        if client is None:
            return []
        client.unwanted = True
        if client.session is None:
            return self._clear(client, now)
        ending = client.session.terminate(Cause.USER_REQUEST, now)
        return self._settle(client, client.session, ending, now)

    def leave(self, number: int, now: float) -> list[Effect]:
        """Hang up all calls of a connection, then Stop-Control-Connection-Request."""
        tunnel = self._tunnels.get(number)
        if tunnel is None or tunnel.unwanted:
            return []
        tunnel.unwanted = True
        effects: list[Effect] = []
        for handle in list(tunnel.clients):
            effects += self.hang_up(handle, now)
        return effects + self._stop_if_empty(tunnel, now)

    def renounce(self, number: int) -> None:
        """The owner is about to break this connection off: what ends by it is no surprise."""
        tunnel = self._tunnels.get(number)
        if tunnel is not None:
            tunnel.unwanted = True
            for client in tunnel.clients.values():
                client.unwanted = True

    # What happens.

    def data_received(self, number: int, data: bytes, now: float) -> list[Effect]:
        tunnel = self._tunnels.get(number)
        if tunnel is None:
            return []
        return self._control(tunnel, tunnel.control.receive_data(data, now), now)

    def connection_lost(self, number: int, now: float) -> list[Effect]:
        tunnel = self._tunnels.get(number)
        if tunnel is None:
            return []
        return self._control(tunnel, tunnel.control.receive_eof(now), now)

    def frame_received(self, handle: int, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame of a call."""
        client = self._clients.get(handle)
        session = client.session if client else None
        if client is None or session is None or not session.attached or client.stage < Stage.UP:
            return []
        return self._settle(client, session, session.frame_received(frame, now), now)

    def call_event(self, handle: int, bits: int, now: float) -> list[Effect]:
        """Bits of ports.CallEvent."""
        if bits & CallEvent.CLOSED:
            self._ids.free(handle)
        client = self._clients.get(handle)
        session = client.session if client else None
        if client is None or session is None or not bits & CallEvent.RESYNC_FAILED:
            return []
        return self._settle(client, session, session.renegotiate_ccp(now), now)

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """The peer's end of a Link asks for nothing."""
        return []

    def handle_timer(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for kind, key in self._timers.due(now):
            # One that is due at the same time may have ended the other.
            if kind is _Timer.CONTROL and (tunnel := self._tunnels.get(key)):
                effects += self._control(tunnel, tunnel.control.handle_timer(now), now)
            elif kind is _Timer.LINK and (client := self._clients.get(key)) and client.session:
                session = client.session
                effects += self._settle(client, session, session.handle_timer(now), now)
        return effects

    # Control connections.

    def _control(
        self, tunnel: ClientTunnel, events: Sequence[ControlEvent], now: float
    ) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            name = self._CONTROL_EVENTS.get(type(event))
            if name is not None:
                effects += getattr(self, name)(tunnel, event, now)
        if tunnel.number in self._tunnels:
            effects += _flush(tunnel)
            self._timers.set((_Timer.CONTROL, tunnel.number), tunnel.control.get_timer())
        return effects

    def _established(
        self, tunnel: ClientTunnel, event: ControlEstablished, now: float
    ) -> list[Effect]:
        self.news.append(News(What.ESTABLISHED, tunnel.number))
        return []

    def _connected(self, tunnel: ClientTunnel, event: CallConnected, now: float) -> list[Effect]:
        client = self._calls[event.call]
        if client.stage <= Stage.CALL:
            self._reach(client, now)
            return []
        session = client.session = Session(
            client.handle, client.handle, client.call, client.link_config, self._policy,
            rng=self._rng, now=now,
        )  # fmt: skip
        spec = CallSpec(
            peer_call_id=event.call.peer_call_id,
            local_address=tunnel.local,
            peer_address=self._peer,
            receive_window=RECEIVE_WINDOW,
            peer_window=event.call.peer_window,
        )
        effects = session.attach(spec)
        if client.stage is Stage.LINK:
            self._reach(client, now)
        return effects + self._settle(client, session, session.start(now), now)

    def _call_ended(self, tunnel: ClientTunnel, event: CallEnded, now: float) -> list[Effect]:
        client = self._calls.pop(event.call)
        del self._clients[client.handle], tunnel.clients[client.handle]
        self._timers.cancel((_Timer.LINK, client.handle))
        effects: list[Effect] = []
        if client.session is None:
            self._ids.free(client.handle)
        else:
            effects += client.session.carrier_lost(Cause.CONTROL_LOST, now)
            effects += client.session.detach()
        self._tell_end(client, end_words(client.session, event), now)
        if event.end is CallEnd.CONTROL_CLOSED:
            return effects
        return effects + self._stop_if_empty(tunnel, now)

    def _control_ended(self, tunnel: ClientTunnel, event: ControlEnded, now: float) -> list[Effect]:
        del self._tunnels[tunnel.number]
        self._timers.cancel((_Timer.CONTROL, tunnel.number))
        why = "" if event.end is ControlEnd.STOPPED_LOCAL else control_words(event)
        self.news.append(News(What.CLOSED, tunnel.number, why=why))
        return [*_flush(tunnel), CloseControl(tunnel.number)]

    def _stop_if_empty(self, tunnel: ClientTunnel, now: float) -> list[Effect]:
        if not tunnel.unwanted or tunnel.clients or tunnel.control.closed:
            return []
        return self._control(tunnel, tunnel.control.stop(now), now)

    # Clients.

    def _settle(
        self, client: Client, session: Session, effects: list[Effect], now: float
    ) -> list[Effect]:
        """After anything was done to a session: how far it is, its timer, its end."""
        if session.ended:
            self._timers.cancel((_Timer.LINK, client.handle))
            return [*effects, *session.detach(), *self._clear(client, now)]
        if session.state is SessionState.UP:
            self._reach(client, now)
        self._timers.set((_Timer.LINK, client.handle), session.get_timer())
        return effects

    def _clear(self, client: Client, now: float) -> list[Effect]:
        tunnel = self._tunnels[client.connection]
        return self._control(tunnel, tunnel.control.end_call(client.call, now), now)

    def _reach(self, client: Client, now: float) -> None:
        if not client.reached:
            client.reached = True
            self._tell(What.REACHED, client, "", now)

    def _tell_end(self, client: Client, why: str, now: float) -> None:
        if not client.reached:
            self._tell(What.FAILED, client, why, now)
        elif client.unwanted:
            self._tell(What.ENDED, client, "", now)
        else:
            self._tell(What.DROPPED, client, why, now)

    def _tell(self, what: What, client: Client, why: str, now: float) -> None:
        seconds = now - client.placed_at
        self.news.append(News(what, client.connection, client.handle, why, seconds))


def end_words(session: Session | None, event: CallEnded) -> str:
    """Why it ended: the Link's reason if it had one, else the call's."""
    end = session.end if session else None
    if end is None or end.end is LinkEnd.LOWER_LAYER_DOWN:
        return call_words(event)
    words: str = end.end.value
    return words


def _flush(tunnel: ClientTunnel) -> list[Effect]:
    data = tunnel.control.data_to_send()
    return [SendControl(tunnel.number, data)] if data else []
