"""Traces of sessions: which calls the dataplane copies, and who gets what it copied.

Several may run at once, of the same session too. The dataplane's rings are read from the event
loop, fifty times a second while a call is traced and never else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastpptp.effects import Authenticate, Effect, Gate, OpenCall, SendControl, SetPolicy
from fastpptp.errors import FastpptpError
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.manager import SessionManager
from fastpptp.ports import DATA_SNAP, Dataplane, Trace, TraceRecord
from fastpptp.server.tracefile import Target, TraceFile
from fastpptp.session import SessionView
from fastpptp.trace.capture import SMALLEST_SNAP, Capture, TraceOrder
from fastpptp.trace.control import ControlStream, Endpoint

# Traces at once. Each costs the event loop some microseconds a packet.
LIMIT = 8

# Between two readings of the rings: while calls are traced, while none is yet. Seconds.
INTERVAL = 0.02
IDLE_INTERVAL = 0.2

# Records of one reading, so that sessions and logins get their turn between.
ROUND = 256

# What is read of the rings at once when a trace ends.
LAST_ROUNDS = 64

# How long the last records of a trace are waited for. Seconds.
END_WAIT = 1.0

NOTHING_LOST = (0, 0)

Endpoints = Callable[[int], tuple[Endpoint, Endpoint] | None]


class Tracer:
    """All traces of a headend. `endpoints` gives the ends (ours, the peer's) of a connection."""

    def __init__(
        self,
        dataplane: Dataplane,
        manager: SessionManager,
        endpoints: Endpoints,
        record: Callable[[Occurrence], None],
        packet_traced: Callable[[TraceRecord], None],
    ) -> None:
        self._dataplane = dataplane
        self._manager = manager
        self._endpoints = endpoints
        self._record = record
        self._packet_traced = packet_traced
        self._files: dict[int, TraceFile] = {}
        self._last = 0
        # By handle: who takes its records, how many data packets a second the event log wants,
        # what it has lost, and whether we had it stop.
        self._takers: dict[int, list[TraceFile]] = {}
        self._rates: dict[int, int] = {}
        self._lost: dict[int, tuple[int, int]] = {}
        self._stopped: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> bool:
        """Whether watch() and control_received() want to hear of anything."""
        return bool(self._files)

    # Beginning and end.

    def start(self, target: Target, order: TraceOrder) -> TraceFile:
        """FastpptpError: too many traces, or a session that is not there."""
        if len(self._files) >= LIMIT:
            raise FastpptpError(f"{LIMIT} traces are running already: end one of them first")
        found = self._wanted(target)
        if target.session is not None and not found:
            raise FastpptpError(f"there is no {target}")
        self._last += 1
        made = TraceFile(self._last, target, Capture(order, time.time_ns()))
        self._files[made.number] = made
        for view in found:
            self._join(made, view)
        if order.seconds is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(order.seconds, self.end, made.number, "its time is up")
        self._arm(INTERVAL)
        return made

    def _wanted(self, target: Target) -> list[SessionView]:
        if target.session is not None:
            view = self._manager.session(target.session)
            return [] if view is None else [view]
        return [view for view in self._manager.sessions() if target.wants(view)]

    def end(self, number: int, reason: str) -> bool:
        """End a trace; its file is whole when the last records are in. False: it is not there."""
        file = self._files.get(number)
        if file is None:
            return False
        self._drain()
        if not file.reason:
            self._end(file, reason)
        return True

    def _end(self, file: TraceFile, reason: str) -> None:
        file.reason = reason
        file.ending = {handle for handle in set(file.handles) if self._leave(file, handle)}
        if file.ending:
            asyncio.get_running_loop().call_later(END_WAIT, self._finish, file)
        else:
            self._finish(file)

    def _finish(self, file: TraceFile) -> None:
        if not file.done:
            file.finish(time.time_ns())

    def close(self, file: TraceFile) -> None:
        """Whoever read the file has it, or is gone."""
        if self._files.pop(file.number, None) is None:
            return
        file.reason = file.reason or "nobody reads it any more"
        for handle in set(file.handles):
            self._leave(file, handle)
            self._forget(file, handle)
        outer, inner = file.capture.packets
        self._record(
            occur(
                "CONFIG", 111, whom=file.target, who=file.capture.order.who, outer=outer,
                inner=inner, lost=sum(file.capture.dropped), reason=file.reason,
            )
        )  # fmt: skip

    def stop(self) -> None:
        """End all traces now: the headend stops."""
        self._drain()
        for file in self._files.values():
            file.reason = file.reason or "the headend stops"
            self._finish(file)
        if self._timer is not None:
            self._timer.cancel()

    # Calls.

    def _join(self, file: TraceFile, view: SessionView) -> None:
        """Take up a session's packets."""
        if view.handle in file.handles or file.reason:
            return
        file.handles.add(view.handle)
        file.calls.setdefault(view.connection, set()).add((view.local_call_id, view.peer_call_id))
        file.capture.take_up(view.handle, self._lost.setdefault(view.handle, NOTHING_LOST))
        self._takers.setdefault(view.handle, []).append(file)
        self._tell_dataplane(view.handle)
        order = file.capture.order
        what = "outer packets and the decrypted inner ones" if order.inner else "outer packets"
        self._record(
            occur(
                "CONFIG", 110, peer=view.peer, user=view.user, group=view.group, session=view.id,
                what=what, who=order.who,
            )
        )  # fmt: skip

    def _leave(self, file: TraceFile, handle: int) -> bool:
        """Want no more of a call. True: its last record is still to come."""
        if self._tell_dataplane(handle):
            self._forget(file, handle)
            return False
        return True

    def _forget(self, file: TraceFile, handle: int) -> None:
        file.handles.discard(handle)
        file.ending.discard(handle)
        file.capture.let_go(handle)
        takers = self._takers.get(handle, [])
        if file in takers:
            takers.remove(file)
        if not takers:
            self._takers.pop(handle, None)

    def trace_data(self, handle: int, rate: int) -> None:
        """Hand on at most about `rate` data packets a second of a call; 0: no more."""
        if rate:
            self._rates[handle] = rate
            self._lost.setdefault(handle, NOTHING_LOST)
        elif self._rates.pop(handle, None) is None:
            return
        self._tell_dataplane(handle)
        self._arm()

    def _tell_dataplane(self, handle: int) -> bool:
        """Have copied what those want that have not ended; whether that is anything."""
        orders = [file.capture.order for file in self._takers.get(handle, ()) if not file.reason]
        kinds, snap, rate = Trace(0), SMALLEST_SNAP, 0
        for order in orders:
            kinds |= order.kinds
            snap = max(snap, order.snap)
        if handle in self._rates:
            kinds |= Trace.INNER
            snap = max(snap, DATA_SNAP)
            rate = 0 if orders else self._rates[handle]
        self._dataplane.trace(handle, kinds, snap, rate)
        if not kinds:
            self._stopped.add(handle)
        return bool(kinds)

    # What the headend does.

    def watch(self, effect: Effect) -> None:
        """An effect was carried out: it may be about a session that somebody waits for."""
        match effect:
            case SendControl():
                self._control(effect.connection, effect.data, inbound=False)
            case OpenCall() | SetPolicy() | Gate():
                self._consider(self._manager.session_of(effect.handle))
            case Authenticate():
                self._consider(self._manager.session(effect.session))

    def control_received(self, connection: int, data: bytes) -> None:
        """A peer sent this on a control connection."""
        self._control(connection, data, inbound=True)

    def _consider(self, view: SessionView | None) -> None:
        for file in self._files.values():
            if view is not None and file.target.wants(view):
                self._join(file, view)

    def _control(self, connection: int, data: bytes, *, inbound: bool) -> None:
        now = time.time_ns()
        for file in self._files.values():
            stream = None if file.reason else self._stream(file, connection)
            if stream is None:
                continue
            for message in stream.received(data) if inbound else stream.sent(data):
                if file.concerns(connection, message):
                    file.capture.add_control(stream, message, now)

    def _stream(self, file: TraceFile, connection: int) -> ControlStream | None:
        """A control connection that may have messages for this trace."""
        found = file.streams.get(connection)
        ends = None if found is not None else self._endpoints(connection)
        if ends is not None and (connection in file.calls or ends[1][0] == file.target.address):
            found = file.streams[connection] = ControlStream(*ends)
        return found

    # What the dataplane copied.

    def _arm(self, interval: float = IDLE_INTERVAL) -> None:
        if self._timer is None and (self._files or self._rates or self._stopped):
            self._timer = asyncio.get_running_loop().call_later(interval, self._fired)

    def _fired(self) -> None:
        self._timer = None
        interval = INTERVAL
        try:
            if not self._read():
                interval = 0.0
            elif not (self._takers or self._rates or self._stopped):
                interval = IDLE_INTERVAL
        finally:
            self._arm(interval)

    def _drain(self) -> None:
        """Read what there is now, but for what comes all the time."""
        for _ in range(LAST_ROUNDS):
            if self._read():
                break

    def _read(self) -> bool:
        """A round of records: to whom they belong, and in order of time into the files. Whether
        these were all."""
        now = time.time_ns()
        records = [TraceRecord(*fields) for fields in self._dataplane.read_trace(ROUND)]
        for record in records:
            for file in self._takers.get(record.handle, ()):
                file.capture.add(record)
            if record.handle in self._rates and record.kind & Trace.INNER:
                self._packet_traced(record)
            self._lost[record.handle] = record.lost_outer, record.lost_inner
        until = now if len(records) < ROUND else records[-1].time
        for file in self._files.values():
            file.flush(until)
        for record in records:
            if record.kind == Trace.ENDED:
                self._ended(record)
        for file in self._files.values():
            if file.capture.full and not file.reason:
                self._end(file, "it has all that was asked for")
        return len(records) < ROUND

    def _ended(self, record: TraceRecord) -> None:
        """No more comes of this call to those who took it, but for a trace that was begun anew."""
        handle = record.handle
        ours = handle in self._stopped
        self._stopped.discard(handle)
        self._lost.pop(handle, None)
        if not ours and self._rates.pop(handle, None) is not None:
            self._packet_traced(record)
        for file in list(self._takers.get(handle, ())):
            if ours and not file.reason:
                file.capture.take_up(handle, NOTHING_LOST)
                continue
            self._forget(file, handle)
            if file.reason and not file.ending:
                self._finish(file)
            elif file.target.session is not None and not file.reason:
                self._end(file, "the session has ended")
