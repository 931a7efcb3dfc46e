"""Carries out effects: the one place where policy's wishes become deeds.

The headend and the dialling client share it. They differ in what answers a request
(`Answers`) and in who hears the answers (`complete`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

from fastpptp.effects import (
    Account,
    AddressGrant,
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
    Look,
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
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.ports import Dataplane
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.server.hostcounters import HostCounters


class Later(Enum):
    """Not an answer."""

    LATER = auto()


LATER = Later.LATER


class ControlTransport(Protocol):
    """One control connection's way out."""

    def send(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Close once what was sent is out."""
        ...


class Answers(Protocol):
    """What policy's requests are answered with, and where its records go.

    What says LATER answers by itself, by the manager's complete(), once.
    """

    def authenticate(self, request: Authenticate, now: float) -> AuthResult | Later: ...

    def logout(self, identity: object) -> None: ...

    def lease(self, request: Lease, now: float) -> AddressGrant | Later | None: ...

    def release(self, grant: AddressGrant) -> None: ...

    def announce(self, grant: AddressGrant, address: IPv4Address | IPv6Address) -> None:
        """The client of this grant is up at this address: what lies around may be told."""
        ...

    def account(self, departure: object) -> None:
        """A session has ended, and its counters are final."""
        ...

    def record(self, occurrence: Occurrence) -> None: ...


Complete = Callable[[int, object, float], Iterable[Effect]]


class Watcher(Protocol):
    """Who looks on: it hears of every effect that was carried out while it is `active`."""

    @property
    def active(self) -> bool: ...

    def watch(self, effect: Effect) -> None: ...

    def trace_data(self, handle: int, rate: int) -> None:
        """Hand on at most `rate` data packets a second of this call; 0: no more."""
        ...


class Executor:
    """Runs effects in their order; answers to requests are handed back when these are done.

    `connections` maps a connection's number to its transport; numbers that are gone are passed
    over, for a peer may leave at any moment. A fault in one effect becomes event SYSTEM/123
    and does not keep the others from being carried out.
    """

    def __init__(
        self,
        dataplane: Dataplane,
        connections: Mapping[int, ControlTransport],
        answers: Answers,
        complete: Complete,
        watcher: Watcher | None = None,
    ) -> None:
        self._dataplane = dataplane
        self._connections = connections
        self._answers = answers
        self._complete = complete
        self._watcher = watcher
        self._host = HostCounters()
        self._carriers = carriers(self)  # bound once: this runs for every control frame

    def run(self, effects: Iterable[Effect], now: float) -> None:
        """Carry out `effects` and all that their answers lead to."""
        waiting: deque[Effect] = deque(effects)
        while waiting:
            effect = waiting.popleft()
            try:
                answer = self._carriers[type(effect)](effect, now)
                if answer is not None:
                    token, result = answer
                    waiting.extend(self._complete(token, result, now))
                if self._watcher is not None and self._watcher.active:
                    self._watcher.watch(effect)
            except Exception as error:  # ours, the dataplane's or the kernel's: told, not fatal
                self._answers.record(occur("SYSTEM", 123, problem=f"{effect!r}: {error!r}"))

    # Control connections.

    def _send_control(self, effect: SendControl, now: float) -> None:
        if transport := self._connections.get(effect.connection):
            transport.send(effect.data)

    def _close_control(self, effect: CloseControl, now: float) -> None:
        if transport := self._connections.get(effect.connection):
            transport.close()

    # The dataplane.

    def _open_call(self, effect: OpenCall, now: float) -> None:
        self._dataplane.open_call(effect.handle, effect.spec)

    def _close_call(self, effect: CloseCall, now: float) -> None:
        self._dataplane.close_call(effect.handle)

    def _move_call(self, effect: MoveCall, now: float) -> None:
        self._dataplane.move_call(effect.handle, effect.worker)

    def _set_policy(self, effect: SetPolicy, now: float) -> None:
        self._dataplane.set_policy(effect.handle, effect.policy)

    def _set_filters(self, effect: SetFilters, now: float) -> None:
        self._dataplane.set_filters(effect.filters)

    def _arm_keys(self, effect: ArmKeys, now: float) -> None:
        self._dataplane.set_keys(
            effect.handle, effect.direction, effect.start_key, effect.bits, effect.stateless
        )

    def _drop_keys(self, effect: DropKeys, now: float) -> None:
        self._dataplane.clear_keys(effect.handle)

    def _gate(self, effect: Gate, now: float) -> None:
        turn = self._dataplane.open_gate if effect.opened else self._dataplane.close_gate
        turn(effect.handle, effect.version)

    def _own_lcp(self, effect: OwnLcp, now: float) -> None:
        self._dataplane.own_lcp(effect.handle, effect.owned)

    def _inject(self, effect: Inject, now: float) -> None:
        self._dataplane.inject(effect.handle, effect.frame)

    def _trace_data(self, effect: TraceData, now: float) -> None:
        if self._watcher is not None:
            self._watcher.trace_data(effect.handle, effect.rate)

    def _control_done(self, effect: ControlDone, now: float) -> None:
        self._dataplane.control_done(effect.handle)

    # Requests and records.

    def _examine(self, effect: Examine, now: float) -> tuple[int, Any]:
        wanted = effect.look is not Look.BEGUN
        counters = self._counters(effect.handle) if wanted else {}
        errors = self._host.checksum_errors(now)
        return effect.handle, Reading(effect.look, counters, errors)

    def _counters(self, handle: int) -> Mapping[str, int]:
        row = self._dataplane.stats[handle & 0xFFFF]
        if row["handle"] != handle:  # still that of the Call-ID's last life
            return {}
        return dict(zip(row.dtype.names, row.item(), strict=True))

    def _authenticate(self, effect: Authenticate, now: float) -> tuple[int, Any] | None:
        answer = self._answers.authenticate(effect, now)
        return None if answer is LATER else (effect.token, answer)

    def _logout(self, effect: Logout, now: float) -> None:
        self._answers.logout(effect.identity)

    def _lease(self, effect: Lease, now: float) -> tuple[int, Any] | None:
        answer = self._answers.lease(effect, now)
        return None if answer is LATER else (effect.token, answer)

    def _release(self, effect: Release, now: float) -> None:
        self._answers.release(effect.grant)

    def _announce(self, effect: Announce, now: float) -> None:
        self._answers.announce(effect.grant, effect.address)

    def _account(self, effect: Account, now: float) -> None:
        self._answers.account(effect.departure)

    def _emit(self, effect: Emit, now: float) -> None:
        self._answers.record(effect.occurrence)
