"""A PPTP client in memory: a PNS's control connection and PPP links in the peer's role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.config import LinkConfig
from fastpptp.ppp.events import IpUp, LinkEnded, LinkEvent, SendFrame
from fastpptp.ppp.link import Link
from fastpptp.pptp import Call, ControlConfig, ControlConnection, Role
from fastpptp.pptp.events import (
    CallConnected,
    CallEnded,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
)

E = TypeVar("E")


@dataclass(slots=True)
class ClientCall:
    """One call of a ScriptedClient: what its Link said, and the frames that it wants sent."""

    call: Call
    link: Link
    outbox: list[bytes] = field(default_factory=list)
    events: list[LinkEvent] = field(default_factory=list)
    ended: CallEnded | None = None
    link_ended: bool = False

    def last(self, kind: type[E]) -> E | None:
        """The last event of this kind."""
        return next((e for e in reversed(self.events) if isinstance(e, kind)), None)

    @property
    def is_up(self) -> bool:
        """Whether IPCP was Opened and the Link lives."""
        return self.last(IpUp) is not None and not self.link_ended


class ScriptedClient:
    """Dials, places `calls` calls once the control connection stands, and answers.

    It does no I/O: take `data_to_send()` and each call's `outbox`, hand in what arrives.
    """

    def __init__(
        self,
        link_config: LinkConfig,
        *,
        rng: Callable[[int], bytes],
        now: float,
        calls: int = 1,
        control_config: ControlConfig | None = None,
    ) -> None:
        self.control = ControlConnection(Role.PNS, control_config or ControlConfig(), now=now)
        self.calls: list[ClientCall] = []
        self.established = False
        self.ended: ControlEnded | None = None
        self._link_config = link_config
        self._rng = rng
        self._wanted = calls
        self._call_ids = count(1)
        self._by_id: dict[int, ClientCall] = {}

    # What the user does.

    def connect(self, now: float) -> None:
        """The TCP connection stands."""
        self._control(self.control.initiate(now), now)

    def place_call(self, now: float) -> ClientCall:
        """Outgoing-Call-Request; the control connection must stand."""
        call_id = next(self._call_ids)
        events = self.control.place_call(call_id, now, serial=call_id, receive_window=64)
        call = self.control.find_call(call_id)
        if call is None:
            raise LocalProtocolError("the call was not placed")
        placed = ClientCall(call, Link(self._link_config, rng=self._rng, now=now))
        self.calls.append(placed)
        self._by_id[call_id] = placed
        self._control(events, now)
        return placed

    def find(self, call_id: int) -> ClientCall | None:
        """The call that has this Call ID of ours, ended or not."""
        return self._by_id.get(call_id)

    def hang_up(self, client_call: ClientCall, now: float) -> None:
        """In order: LCP Terminate-Request first; the call is cleared when the Link has ended."""
        self._link(client_call, client_call.link.close(now), now)

    def clear(self, client_call: ClientCall, now: float) -> None:
        """Call-Clear-Request without a word on PPP."""
        self._control(self.control.end_call(client_call.call, now), now)

    def stop(self, now: float) -> None:
        """Stop-Control-Connection-Request."""
        self._control(self.control.stop(now), now)

    # The wire.

    def data_to_send(self) -> bytes:
        return self.control.data_to_send()

    def receive_data(self, data: bytes, now: float) -> None:
        self._control(self.control.receive_data(data, now), now)

    def receive_eof(self, now: float) -> None:
        self._control(self.control.receive_eof(now), now)

    def receive_frame(self, call_id: int, frame: bytes, now: float) -> None:
        """A PPP frame, two-octet protocol first, on the call that has this Call ID of ours."""
        client_call = self.find(call_id)
        if client_call is not None and client_call.ended is None:
            self._link(client_call, client_call.link.receive_frame(frame, now), now)

    def get_timer(self) -> float | None:
        timers = [self.control.get_timer(), *(c.link.get_timer() for c in self._alive())]
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        if _is_due(self.control.get_timer(), now):
            self._control(self.control.handle_timer(now), now)
        for client_call in self._alive():
            if _is_due(client_call.link.get_timer(), now):
                self._link(client_call, client_call.link.handle_timer(now), now)

    # What the protocols say.

    def _alive(self) -> list[ClientCall]:
        return [c for c in self.calls if c.ended is None and not c.link_ended]

    def _control(self, events: Sequence[ControlEvent], now: float) -> None:
        for event in events:
            if isinstance(event, ControlEstablished):
                self.established = True
                for _ in range(self._wanted):
                    self.place_call(now)
            elif isinstance(event, CallConnected):
                client_call = self._find(event.call)
                self._link(client_call, client_call.link.open(now), now)
            elif isinstance(event, CallEnded):
                client_call = self._find(event.call)
                client_call.ended = event
                self._link(client_call, client_call.link.lower_down(now), now)
            elif isinstance(event, ControlEnded):
                self.ended = event

    def _link(self, client_call: ClientCall, events: Sequence[LinkEvent], now: float) -> None:
        for event in events:
            client_call.events.append(event)
            if isinstance(event, SendFrame):
                client_call.outbox.append(event.frame)
            elif isinstance(event, LinkEnded):
                client_call.link_ended = True
                if client_call.ended is None:
                    self._control(self.control.end_call(client_call.call, now), now)

    def _find(self, call: Call) -> ClientCall:
        return next(client_call for client_call in self.calls if client_call.call is call)


def _is_due(timer: float | None, now: float) -> bool:
    return timer is not None and timer <= now
