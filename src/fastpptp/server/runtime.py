"""The running headend: asyncio around the SessionManager.

Control connections, the dataplane's punts and events, the manager's timer and the
administrator's requests all come in here on one event loop; what the manager wants done
goes out through the Executor. Nothing here waits for anything but the loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol

from fastpptp import __version__
from fastpptp.addresses.pools import PoolUsage
from fastpptp.admin.views import ended_session
from fastpptp.backends.alarm import Alarm
from fastpptp.backends.dhcp import PORT
from fastpptp.effects import Effect
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.events.catalogue import occur
from fastpptp.localtime import wall_clock
from fastpptp.manager import CallCounters, Departure, SessionManager, Statistics, Workers
from fastpptp.manager.debugging import DebugOrder
from fastpptp.ports import CallEvent, Dataplane, FilterLog, TraceRecord
from fastpptp.server.answers import LocalAnswers
from fastpptp.server.control import ControlProtocol, factory
from fastpptp.server.edits import told
from fastpptp.server.eventsink import EventSink, MemoryRecorder, Recorder
from fastpptp.server.executor import Executor
from fastpptp.server.net import BACKLOG
from fastpptp.server.past import Past, flat
from fastpptp.server.reach import Reach
from fastpptp.server.tracer import Tracer
from fastpptp.server.whose import Whose
from fastpptp.session import Cause, SessionState, SessionView
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.store.history import Recorded
from fastpptp.trace.control import Endpoint

# How long a clean stop waits for peers to answer. Seconds.
STOP_WAIT = 3.0

# Punts and events are read in rounds, so that control connections get their turn between them.
ROUND = 256

# Connections are accepted in rounds too.
ACCEPT_ROUND = 64

# Totals of Statistics, and the columns of the dataplane's stats that they are sums of.
PAYLOAD = {
    f"payload_{direction}_{unit}": f"{way}_{unit}"
    for direction, way in (("received", "rx"), ("sent", "tx"))
    for unit in ("octets", "packets", "discards")
} | {
    "payload_received_resets": "mppe_resets_received",
    "payload_sent_resets": "mppe_resets_sent",
}


class Database(Protocol):
    """Where the policy comes from (backends/database.py)."""

    async def snapshot(self) -> PolicySnapshot:
        """The policy as it is now. UnavailableError, ConfigurationError."""
        ...

    async def change_password(self, user: str, password: str) -> PolicySnapshot:
        """Keep a password that a peer changed; the policy that has it."""
        ...

    async def edits(self, after: int) -> Sequence[Recorded]:
        """What was changed after that revision, in its order. UnavailableError."""
        ...


class Headend:
    """One headend on listening sockets and a dataplane that others have opened.

    `database` has the policy when it is to be followed anew; `follow` has the machine do so;
    `recorder` keeps the events, else they are kept in memory;
    `listening` is the addresses and ports as people write them. Use `start`, then `stop`.
    """

    def __init__(
        self,
        policy: PolicySnapshot,
        *,
        listeners: Sequence[socket.socket],
        dataplane: Dataplane,
        reach: Reach,
        follow: Callable[[PolicySnapshot], object],
        database: Database,
        recorder: Recorder | None = None,
        stop_wait: float = STOP_WAIT,
        dhcp_port: int = PORT,
    ) -> None:
        self._listeners = listeners
        self.listening = ", ".join(map(_shown, listeners))
        self._dataplane = dataplane
        self._reach = reach
        self._follow = follow
        self._database = database
        self._stop_wait = stop_wait
        self._connections: dict[int, ControlProtocol] = {}
        self._last_connection = 0
        self._servers: list[asyncio.Server] = []
        self._alarm = Alarm(self._due)
        self._idle: asyncio.Event | None = None
        self._started = 0.0
        workers = Workers(dataplane.workers, movable=dataplane.movable)
        self.manager = SessionManager(policy, rng=os.urandom, workers=workers)
        self.recorder = recorder or MemoryRecorder(policy.events)
        self._whose = Whose(policy)
        self.events = EventSink(policy.events, self.recorder, _call_later, whose=self._whose)
        self.past = Past(self.recorder, self._counted, _departed, _call_later)
        self._store_lost = False
        self._answers = LocalAnswers(
            policy, self.events, reach, self._keep_password,
            complete=self._answered, lost=self._address_lost, dhcp_port=dhcp_port,
            debugged=self.manager.debugging.covers, account=self.past.session_ended,
        )  # fmt: skip
        self.tracer = Tracer(
            dataplane, self.manager, self._ends, self.events.record, self._packet_traced
        )
        self._executor = Executor(
            dataplane, self._connections, self._answers, self.manager.complete, self.tracer
        )

    @property
    def policy(self) -> PolicySnapshot:
        return self.manager.policy

    @property
    def ready(self) -> bool:
        """Whether control connections are taken."""
        return bool(self._servers) and self._idle is None

    def uptime(self, now: float) -> float:
        """Seconds since start()."""
        return now - self._started

    async def start(self) -> None:
        """Take control connections and read the dataplane from now on."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        loop.set_exception_handler(self._loop_failed)
        self.recorder.start(self.events.record, self.events.go_on_above)
        self.past.start()
        self._reach.start(loop.call_soon_threadsafe)
        self._answers.start()
        self._follow(self.policy)
        self._dataplane.set_filters(self.policy.filters)
        loop.add_reader(self._dataplane.fileno(), self._read_dataplane)
        for listener in self._listeners:
            self._servers.append(
                await loop.create_server(factory(self), sock=listener, backlog=ACCEPT_ROUND)
            )
            listener.listen(BACKLOG)  # asyncio means one number for both
        self.events.record(occur("SYSTEM", 100, version=__version__, listen=self.listening))
        self.events.record(occur("SYSTEM", 103))

    async def stop(self, reason: str) -> None:
        """Tell every peer, wait a little for their answers, and let go of everything."""
        loop = asyncio.get_running_loop()
        for server in self._servers:
            server.close()
        sessions = self.manager.statistics().active_sessions
        self.events.record(occur("SYSTEM", 102, sessions=sessions))
        self._idle = asyncio.Event()
        self._do(self.manager.shutdown(loop.time()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._stop_wait)
        self.tracer.stop()
        self._answers.stop()
        loop.remove_reader(self._dataplane.fileno())
        self._alarm.cancel()
        for protocol in list(self._connections.values()):
            protocol.abort()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn
        self.past.stop()
        self.events.tell()
        self.events.record(occur("SYSTEM", 101, reason=reason))

    # What the administrator asks.

    async def reload(self) -> int:
        """Follow the store as it is now; the answer is its revision.

        Refused whole: the error is recorded and raised, and the old policy stays.
        """
        try:
            policy = await self._database.snapshot()
        except UnavailableError as error:
            self._store_lost = True
            self.events.record(occur("SYSTEM", 110, problem=error.what))
            raise
        except FastpptpError as error:
            self.events.record(occur("CONFIG", 102, problem=str(error)))
            raise
        if self._store_lost:
            self._store_lost = False
            self.events.record(occur("SYSTEM", 111))
        with suppress(UnavailableError):  # the history says it, too
            for occurrence in told(await self._database.edits(self.policy.revision)):
                self.events.record(occurrence)
        self._hold(policy)
        return policy.revision

    def _hold(self, policy: PolicySnapshot) -> None:
        """Go by this policy from now on."""
        now = asyncio.get_running_loop().time()
        self.events.update(policy.events)
        self._whose.update(policy)
        self._answers.update(policy)
        self._follow(policy)
        self._do(self.manager.update(policy, now))
        self.events.record(occur("CONFIG", 101, revision=policy.revision))

    async def _keep_password(self, user: str, password: str) -> None:
        """A peer changed its password (MS-CHAP): put it into the store, and follow that."""
        self._hold(await self._database.change_password(user, password))

    def sessions(self, wanted: Callable[[SessionView], bool]) -> list[SessionView]:
        """The sessions that are wanted, oldest first."""
        return [view for view in self.manager.sessions() if wanted(view)]

    def logout(
        self, wanted: Callable[[SessionView], bool], cause: Cause = Cause.ADMIN_LOGOUT
    ) -> list[SessionView]:
        """End the sessions that are wanted; the answer is those, but for what ends already."""
        ending = SessionState.CLOSING
        chosen = self.sessions(lambda view: view.state is not ending and wanted(view))
        now = asyncio.get_running_loop().time()
        for view in chosen:
            self._do(self.manager.terminate(view.id, cause, now))
        return chosen

    def stop_tunnels(self, peer: IPv4Address) -> int:
        """End the control connections with `peer`; how many there were."""
        count, effects = self.manager.stop_tunnels(peer, self._now())
        self._do(effects)
        return count

    def rows(self, views: Iterable[SessionView]) -> Any:
        """A copy of the sessions' rows of the dataplane's stats, as one array."""
        return self._dataplane.stats[[view.local_call_id for view in views]]

    def start_debug(
        self,
        user: str | None,
        address: IPv4Network | None,
        severity: int,
        seconds: float,
        until: str,
        who: str,
    ) -> DebugOrder:
        """Debug these sessions for so long; `until` is the time of its end in words.

        FastpptpError: too many are debugged.
        """
        order, effects = self.manager.debugging.start(
            user, address, severity, self._now() + seconds, until, who
        )
        self._do(effects)
        return order

    def stop_debug(
        self, user: str | None, address: IPv4Network | None, who: str
    ) -> list[DebugOrder]:
        """End the debug of this user or address, of all for neither; the answer is what ended."""
        ended, effects = self.manager.debugging.stop(user, address, who)
        self._do(effects)
        return ended

    def counters(self, view: SessionView) -> dict[str, Any]:
        """The session's row of the dataplane's stats."""
        row = self._dataplane.stats[view.local_call_id]
        return dict(zip(row.dtype.names, row.item(), strict=True))

    def octets(self) -> tuple[Any, Any, Any]:
        """What the dataplane counts, a row for each Call-ID: whose it is (the handle), rx, tx."""
        stats = self._dataplane.stats
        return stats["handle"].copy(), stats["rx_octets"].copy(), stats["tx_octets"].copy()

    def payload(self) -> dict[str, int]:
        """Data of all sessions: of those that have ended, and what the workers' rows have now."""
        ended = self.manager.statistics()
        rows = self._dataplane.stats[self.manager.call_ids()]
        return {
            name: getattr(ended, name) + int(rows[column].sum()) for name, column in PAYLOAD.items()
        }

    def _counted(self) -> dict[str, int]:
        """The totals since the start, by name."""
        return flat(self.manager.statistics(), self.payload())

    def drops(self) -> dict[str, int]:
        """Packets that the dataplane dropped, by reason."""
        return self._dataplane.drop_counts()

    def pools(self) -> list[PoolUsage]:
        """How much of each address pool is in use."""
        return self._answers.pools()

    def filter_counts(self, name: str) -> dict[str, Any]:
        """What each rule of a traffic filter has counted; KeyError: there is no such filter."""
        rules = self.policy.filters[name].rules
        *counts, default, unjudged = self._dataplane.filter_counts(name)
        return {
            "rules": {rule.name: count for rule, count in zip(rules, counts, strict=True)},
            "default": default,
            "unjudged": unjudged,
        }

    def statistics(self) -> Statistics:
        return self.manager.statistics()

    def holdings(self) -> dict[str, int]:
        """What clients make this process hold now, by name, and its asyncio tasks."""
        return {
            **self.manager.holdings(),
            **self._answers.holdings(),
            "tcp_connections": len(self._connections),
            "tasks": len(asyncio.all_tasks()),
        }

    # Control connections (server/control.py).

    def connection_made(
        self, protocol: ControlProtocol, local: IPv4Address, peer: IPv4Address
    ) -> int:
        self._last_connection += 1
        number = self._last_connection
        self._connections[number] = protocol
        self._do(self.manager.connection_made(number, local, peer, self._now()))
        return number

    def data_received(self, connection: int, data: bytes) -> None:
        """Frames go first: a handshake that has begun must not wait for calls that are refused."""
        self._read_punts()
        if self.tracer.active:
            self.tracer.control_received(connection, data)
        self._do(self.manager.data_received(connection, data, self._now()))

    def _ends(self, connection: int) -> tuple[Endpoint, Endpoint] | None:
        """Both ends of a control connection that is there."""
        protocol = self._connections.get(connection)
        return None if protocol is None else protocol.ends()

    def connection_lost(self, connection: int) -> None:
        self._connections.pop(connection, None)
        self._do(self.manager.connection_lost(connection, self._now()))

    # The dataplane.

    def _read_punts(self) -> None:
        now = self._now()
        for handle, frame in self._dataplane.read_punts(ROUND):
            self._do(self.manager.frame_received(handle, frame, now))

    def _read_dataplane(self) -> None:
        self._read_punts()
        now = self._now()
        for handle, bits in self._dataplane.read_events(ROUND):
            self._do(self._call_event(handle, bits, now))
        for found in self._dataplane.read_filter_log(ROUND):
            self._do(self.manager.filter_logged(FilterLog(*found), now))

    def _packet_traced(self, record: TraceRecord) -> None:
        self._do(self.manager.packet_traced(record, self._now()))

    def _call_event(self, handle: int, bits: int, now: float) -> Iterable[Effect]:
        yield from self.manager.call_event(handle, bits & ~CallEvent.CLOSED, now)
        if bits & CallEvent.CLOSED:
            yield from self.manager.call_closed(handle, self._final(handle), now)

    def _final(self, handle: int) -> CallCounters:
        row = self._dataplane.stats[handle & 0xFFFF]
        return CallCounters(
            received_octets=int(row["rx_octets"]),
            sent_octets=int(row["tx_octets"]),
            received_packets=int(row["rx_packets"]),
            sent_packets=int(row["tx_packets"]),
            received_discards=int(row["rx_discards"]),
            sent_discards=int(row["tx_discards"]),
            received_resets=int(row["mppe_resets_received"]),
            sent_resets=int(row["mppe_resets_sent"]),
        )

    # Answers that took their time (server/answers.py).

    def _answered(self, token: int, result: object) -> None:
        self._do(self.manager.complete(token, result, self._now()))

    def _address_lost(self, token: int) -> None:
        self._do(self.manager.address_lost(token, self._now()))

    # Effects and time.

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _do(self, effects: Iterable[Effect]) -> None:
        self._executor.run(effects, self._now())
        self._alarm.set(self.manager.get_timer())
        if self._idle is not None and self.manager.idle:
            self._idle.set()

    def _due(self) -> None:
        try:
            self._do(self.manager.handle_timer(self._now()))
        finally:
            self._alarm.set(self.manager.get_timer())  # one fault must not stop the clock for all

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio has nobody to hand to: accept() without descriptors, or our fault."""
        error = context.get("exception")
        if isinstance(error, OSError) and "socket" in context:
            self.events.record(occur("SYSTEM", 121, problem=error.strerror or error))
        else:
            problem = f"{context['message']}: {error!r}" if error else context["message"]
            self.events.record(occur("SYSTEM", 123, problem=problem))
            loop.default_exception_handler(context)


def _call_later(seconds: float, what: Callable[[], object]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, what)


def _departed(departure: Departure) -> dict[str, Any]:
    now = asyncio.get_running_loop().time()
    return ended_session(departure, now, wall_clock())


def _shown(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"{address}:{port}"
