"""A headend and its clients in one process, on a clock that stands still.

It carries out a SessionManager's effects against a FakeDataplane, as server/ does against the
real one, and carries TCP, GRE and the answers to requests over MemoryLinks, so that frames
are lost and reordered and answers come late, twice or not at all as the seed says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import count
from random import Random
from typing import Any, Protocol, TypeAlias

from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import (
    Account,
    Announce,
    ArmKeys,
    Authenticate,
    CloseCall,
    CloseControl,
    ControlDone,
    DropKeys,
    Effect,
    Emit,
    Examine,
    Gate,
    Inject,
    Lease,
    Logout,
    MoveCall,
    OpenCall,
    OwnLcp,
    Reading,
    Release,
    SendControl,
    SetFilters,
    SetPolicy,
    TraceData,
    carriers,
)
from fastpptp.events.catalogue import Occurrence
from fastpptp.manager import CallCounters, SessionManager
from fastpptp.ports import DATA_SNAP, CallEvent, Trace
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.testing.client import ScriptedClient
from fastpptp.testing.clock import ManualClock
from fastpptp.testing.dataplane import COUNTERS, FakeDataplane
from fastpptp.testing.link import MemoryLink

LOCAL = IPv4Address("161.44.17.1")


class Answers(Protocol):
    """Who answers the manager's requests, and takes back what the answers claimed.

    LocalAnswers is one. An answer comes with the events that it gives rise to.
    """

    def authenticate(
        self, request: Authenticate, now: float
    ) -> tuple[AuthResult, tuple[Occurrence, ...]]: ...

    def lease(
        self, request: Lease, now: float
    ) -> tuple[AddressGrant | None, tuple[Occurrence, ...]]: ...

    def logout(self, identity: object) -> None: ...

    def release(self, grant: AddressGrant) -> None: ...


@dataclass(frozen=True, slots=True)
class Weather:
    """What a MemoryLink does to what it carries; see there."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0

    def link(self, seed: int) -> MemoryLink[Any]:
        return MemoryLink(
            seed,
            loss=self.loss,
            duplicate=self.duplicate,
            delay=self.delay,
            jitter=self.jitter,
        )


CALM = Weather()

# (connection, our Call-ID of the receiver, frame)
Flying: TypeAlias = tuple[int, int, bytes]


@dataclass(slots=True)
class Dialled:
    """A client, its address, and whether its TCP connection lives."""

    client: ScriptedClient
    address: IPv4Address
    connected: bool = True
    closed_by_headend: bool = False


class MemoryHeadend:
    """`manager`, `dataplane`, what the log got in `events`, and the clients by connection.

    `gre` is the weather between clients and headend, `answering` that of requests. The TCP
    connections lose nothing. `run(seconds)` moves the clock and all that happens on it.
    """

    def __init__(
        self,
        manager: SessionManager,
        answers: Answers,
        *,
        clock: ManualClock | None = None,
        seed: int = 0,
        gre: Weather = CALM,
        answering: Weather = CALM,
        workers: int = 1,
    ) -> None:
        self.clock = clock or ManualClock()
        self.manager = manager
        self.answers = answers
        self.dataplane = FakeDataplane(self._transmit, workers=workers)
        self.dataplane.set_filters(manager.policy.filters)
        self.events: list[Occurrence] = []
        self.effects: list[Effect] = []
        # A test may have others carry out some effects.
        self.carriers = carriers(self)
        self.clients: dict[int, Dialled] = {}
        # Of the host: packets with a wrong IP checksum so far.
        self.checksum_errors: int | None = 0
        # Not the seed itself: a manager may draw from that, and equal magic numbers are a loop.
        self._rng = Random(f"clients {seed}")
        self._connections = count(1)
        self._to_client: MemoryLink[Flying] = gre.link(seed + 1)
        self._to_headend: MemoryLink[Flying] = gre.link(seed + 2)
        self._answers: MemoryLink[tuple[int, object]] = answering.link(seed + 3)

    # What a test does.

    def dial(self, make: Callable[..., ScriptedClient], address: IPv4Address) -> ScriptedClient:
        """Connect a client; `make(rng=, now=)` builds it."""
        connection = next(self._connections)
        client = make(rng=self._rng.randbytes, now=self.clock())
        self.clients[connection] = Dialled(client, address)
        self.carry_out(self.manager.connection_made(connection, LOCAL, address, self.clock()))
        if self.clients[connection].connected:
            client.connect(self.clock())
        return client

    def drop(self, client: ScriptedClient) -> None:
        """The client's machine is switched off: its TCP connection is reset, its GRE stops."""
        connection, dialled = self._dialled(client)
        self._disconnect(dialled)
        self.carry_out(self.manager.connection_lost(connection, self.clock()))

    def run(self, seconds: float = 0.0) -> None:
        """Let everything happen that happens within `seconds`."""
        end = self.clock() + seconds
        while True:
            while self._step():
                pass
            deadline = self._next_deadline()
            if deadline is None or deadline > end:
                break
            self.clock.advance_to(deadline)
            self._fire()
        self.clock.advance_to(end)

    def texts(self, cls: str | None = None) -> list[str]:
        """`CLASS/number` of each event so far, of one class or of all."""
        return [f"{e.cls}/{e.number}" for e in self.events if cls in (None, e.cls)]

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            self.carriers[type(effect)](effect)
        self._read_events()

    # Effects.

    def _send_control(self, effect: SendControl) -> None:
        dialled = self.clients[effect.connection]
        if dialled.connected:
            dialled.client.receive_data(effect.data, self.clock())

    def _close_control(self, effect: CloseControl) -> None:
        dialled = self.clients[effect.connection]
        dialled.closed_by_headend = True
        self._disconnect(dialled)

    def _open_call(self, effect: OpenCall) -> None:
        self.dataplane.open_call(effect.handle, effect.spec)

    def _close_call(self, effect: CloseCall) -> None:
        self.dataplane.close_call(effect.handle)

    def _move_call(self, effect: MoveCall) -> None:
        self.dataplane.move_call(effect.handle, effect.worker)

    def _set_policy(self, effect: SetPolicy) -> None:
        self.dataplane.set_policy(effect.handle, effect.policy)

    def _set_filters(self, effect: SetFilters) -> None:
        self.dataplane.set_filters(effect.filters)

    def _arm_keys(self, effect: ArmKeys) -> None:
        self.dataplane.set_keys(
            effect.handle, effect.direction, effect.start_key, effect.bits, effect.stateless
        )

    def _drop_keys(self, effect: DropKeys) -> None:
        self.dataplane.clear_keys(effect.handle)

    def _gate(self, effect: Gate) -> None:
        act = self.dataplane.open_gate if effect.opened else self.dataplane.close_gate
        act(effect.handle, effect.version)

    def _own_lcp(self, effect: OwnLcp) -> None:
        self.dataplane.own_lcp(effect.handle, effect.owned)

    def _inject(self, effect: Inject) -> None:
        self.dataplane.inject(effect.handle, effect.frame)

    def _trace_data(self, effect: TraceData) -> None:
        kinds = Trace.INNER if effect.rate else Trace(0)
        self.dataplane.trace(effect.handle, kinds, DATA_SNAP, effect.rate)

    def _control_done(self, effect: ControlDone) -> None:
        self.dataplane.control_done(effect.handle)

    def _examine(self, effect: Examine) -> None:
        row = self.dataplane.stats[effect.handle & 0xFFFF]
        counters = {name: int(row[name]) for name in COUNTERS}
        found = Reading(effect.look, counters, self.checksum_errors)
        self.carry_out(self.manager.complete(effect.handle, found, self.clock()))

    def _authenticate(self, effect: Authenticate) -> None:
        self._answer(effect.token, *self.answers.authenticate(effect, self.clock()))

    def _lease(self, effect: Lease) -> None:
        self._answer(effect.token, *self.answers.lease(effect, self.clock()))

    def _logout(self, effect: Logout) -> None:
        self.answers.logout(effect.identity)

    def _release(self, effect: Release) -> None:
        self.answers.release(effect.grant)

    def _announce(self, effect: Announce) -> None:
        """Nobody looks for it here."""

    def _account(self, effect: Account) -> None:
        """Nobody keeps accounts here."""

    def _emit(self, effect: Emit) -> None:
        self.events.append(effect.occurrence)

    def _answer(self, token: int, result: object, events: tuple[Occurrence, ...]) -> None:
        """A lost answer is taken back here: who never delivers a claim must undo it."""
        self.events += events
        if self._answers.send((token, result), self.clock()):
            return
        if isinstance(result, AddressGrant):
            self.answers.release(result)
        elif (identity := getattr(result, "identity", None)) is not None:
            self.answers.logout(identity)

    # The wires.

    def _transmit(self, handle: int, frame: bytes) -> None:
        spec = self.dataplane.calls[handle].spec
        for connection, dialled in self.clients.items():
            found = dialled.client.find(spec.peer_call_id)
            if found and found.call.peer_call_id == handle & 0xFFFF and dialled.connected:
                self._to_client.send((connection, spec.peer_call_id, frame), self.clock())

    def _step(self) -> bool:
        """Carry what is on its way; whether there was anything."""
        moved = [self._carry_from_clients(), self._carry_frames(), self._carry_answers()]
        return any(moved)

    def _carry_from_clients(self) -> bool:
        moved = False
        for connection, dialled in list(self.clients.items()):
            if dialled.connected and (data := dialled.client.data_to_send()):
                moved = True
                self.carry_out(self.manager.data_received(connection, data, self.clock()))
            for call in dialled.client.calls:
                moved |= self._carry_outbox(
                    connection, dialled, call.call.peer_call_id, call.outbox
                )
            if dialled.connected and dialled.client.ended:
                self.drop(dialled.client)
        return moved

    def _carry_outbox(
        self, connection: int, dialled: Dialled, call_id: int, outbox: list[bytes]
    ) -> bool:
        frames = outbox[:]
        outbox.clear()
        for frame in frames if dialled.connected else ():
            self._to_headend.send((connection, call_id, frame), self.clock())
        return bool(frames)

    def _carry_frames(self) -> bool:
        now, moved = self.clock(), False
        for connection, call_id, frame in self._to_client.receive(now):
            moved = True
            self.clients[connection].client.receive_frame(call_id, frame, now)
        handles = {handle & 0xFFFF: handle for handle in self.dataplane.calls}
        for _, call_id, frame in self._to_headend.receive(now):
            moved = True
            self.dataplane.receive_frame(handles.get(call_id, 0), frame)
        for handle, frame in self.dataplane.read_punts():
            self.carry_out(self.manager.frame_received(handle, frame, now))
        return moved

    def _carry_answers(self) -> bool:
        moved = False
        for token, result in self._answers.receive(self.clock()):
            moved = True
            self.carry_out(self.manager.complete(token, result, self.clock()))
        return moved

    def _read_events(self) -> None:
        for record in self.dataplane.read_trace():
            self.carry_out(self.manager.packet_traced(record, self.clock()))
        while events := self.dataplane.read_events():
            for handle, bits in events:
                self.carry_out(self.manager.call_event(handle, bits, self.clock()))
                if bits & CallEvent.CLOSED:
                    row = self.dataplane.stats[handle & 0xFFFF]
                    counters = CallCounters(int(row["rx_octets"]), int(row["tx_octets"]))
                    self.carry_out(self.manager.call_closed(handle, counters, self.clock()))

    # Time.

    def _next_deadline(self) -> float | None:
        timers = [
            self.manager.get_timer(),
            self._to_client.get_timer(),
            self._to_headend.get_timer(),
            self._answers.get_timer(),
            *(d.client.get_timer() for d in self.clients.values() if d.connected),
        ]
        return min((timer for timer in timers if timer is not None), default=None)

    def _fire(self) -> None:
        now = self.clock()
        self.carry_out(self.manager.handle_timer(now))
        for dialled in list(self.clients.values()):
            if dialled.connected:
                dialled.client.handle_timer(now)

    def _disconnect(self, dialled: Dialled) -> None:
        dialled.connected = False
        dialled.client.receive_eof(self.clock())

    def _dialled(self, client: ScriptedClient) -> tuple[int, Dialled]:
        return next(item for item in self.clients.items() if item[1].client is client)
