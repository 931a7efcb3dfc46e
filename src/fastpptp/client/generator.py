"""The load generator: very many PPTP clients of one headend in one process, on asyncio.

`python -m fastpptp.client.load` is its command line.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

from fastpptp.backends import netdev
from fastpptp.backends.alarm import Alarm
from fastpptp.bootstrap import PPTP_PORT
from fastpptp.client.dial import Alone
from fastpptp.client.population import News, Population, Stage, What
from fastpptp.effects import Effect
from fastpptp.errors import UnavailableError
from fastpptp.ports import CallPolicy, Dataplane
from fastpptp.ppp.config import LinkConfig
from fastpptp.server.control import ControlProtocol
from fastpptp.server.executor import Executor
from fastpptp.server.machine import INNER_MTU, open_dataplane
from fastpptp.server.net import open_gre, open_tun

IP_BIND_ADDRESS_NO_PORT = 24
ABORTING = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST
CONNECT_WAIT = 30.0
STOP_WAIT = 30.0
HALF_OPEN_WAIT = 0.1
STORM_TURN = 0.005
WRONG_PASSWORD = "this is not it"


class Ending(Enum):
    """How a client goes."""

    CLEAN = "clean"  # LCP Terminate-Request, Call-Clear-Request, Stop-Control-Connection-Request
    KILLED = "killed"  # its TCP connection is reset, without a word
    HALF_OPEN = "half-open"  # stops in the middle of the handshake and is killed after a while
    REFUSED = "refused"  # has the wrong password


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Whom to dial, from where, as whom. `sources` are addresses of this host, used in turn.

    At most `in_flight` clients are between their TCP connection and IPCP at a time.
    """

    server: IPv4Address
    sources: tuple[IPv4Address, ...]
    link: LinkConfig
    users: tuple[str, ...]
    port: int = PPTP_PORT
    calls_per_connection: int = 1
    in_flight: int = 64


@dataclass(slots=True)
class Tally:
    """What became of clients. `times`: seconds from placing the call to IPCP."""

    reached: int = 0
    ended: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    def hear(self, news: News) -> None:
        if news.what is What.REACHED:
            self.reached += 1
            self.times.append(news.seconds)
        elif news.what is What.FAILED:
            self.failed[news.why] += 1
        elif news.what is What.DROPPED:
            self.dropped[news.why] += 1
        elif news.what is What.ENDED:
            self.ended += 1

    def as_json(self) -> dict[str, Any]:
        times = sorted(self.times) or [0.0]
        return {
            "reached": self.reached,
            "ended": self.ended,
            "failed": dict(self.failed),
            "dropped": dict(self.dropped),
            "median": times[len(times) // 2],
            "late": times[len(times) * 99 // 100],  # the 99th percentile
            "worst": times[-1],
        }


class Line:
    """One TCP connection of the load's; it hears of it as server.control.ControlOwner."""

    def __init__(self, load: Load, number: int, sock: socket.socket, silent: bool) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.sock = sock
        self.silent = silent
        self.established: asyncio.Future[bool] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._load = load

    def connection_made(
        self, protocol: ControlProtocol, local: IPv4Address, peer: IPv4Address
    ) -> int:
        self._load.line_made(self, protocol, local)
        return self.number

    def data_received(self, connection: int, data: bytes) -> None:
        self._load.line_read(self, data)

    def connection_lost(self, connection: int) -> None:
        self._load.line_lost(self)
        self.set_established(False)
        self.closed.set_result(None)

    def set_established(self, established: bool) -> None:
        if not self.established.done():
            self.established.set_result(established)


class Load:
    """A Population on asyncio: the owner of its TCP connections, dataplane and timer."""

    def __init__(
        self, options: LoadOptions, dataplane: Dataplane, complain: Callable[[str], object]
    ) -> None:
        self.options = options
        self.tally = Tally()
        self._dataplane = dataplane
        self._population = Population(
            options.server, CallPolicy(check_source=False), rng=os.urandom
        )
        self._connections: dict[int, ControlProtocol] = {}
        self._lines: dict[int, Line] = {}
        self._fates: dict[int, asyncio.Future[News]] = {}
        self._executor = Executor(
            dataplane, self._connections, Alone(complain), self._population.complete
        )
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(options.in_flight)
        self._alarm = Alarm(self._due)
        self._last_line = 0
        self._placed = 0
        self._loop.add_reader(dataplane.fileno(), self._read_dataplane)

    def close(self) -> None:
        self._loop.remove_reader(self._dataplane.fileno())
        self._alarm.cancel()
        for protocol in list(self._connections.values()):
            protocol.abort()

    # What clients do.

    async def bring_up(self, count: int) -> None:
        """Dial `count` clients, in_flight at a time; the tally tells how many came up."""
        calls = self.options.calls_per_connection
        async with asyncio.TaskGroup() as groups:
            for first in range(0, count, calls):
                await self._slots.acquire()
                groups.create_task(self._group(min(calls, count - first)))

    async def _group(self, calls: int) -> None:
        """Some clients on one control connection; a slot is taken for the first of them."""
        line = await self._connect(self._next_source())
        if line is None or not await line.established:
            self._slots.release()
            self.tally.failed["no control connection"] += calls
            return
        fates = []
        for place in range(calls):
            if place:
                await self._slots.acquire()
            fates.append(self._place(line.number))
            fates[-1].add_done_callback(lambda _: self._slots.release())
        await asyncio.wait(fates)

    async def hang_up(self) -> None:
        """All clients end cleanly, some connections at a time."""
        calls = self.options.calls_per_connection
        slots = asyncio.Semaphore(max(1, self.options.in_flight // calls))

        async def one(line: Line) -> None:
            async with slots:
                await self._leave(line)

        async with asyncio.TaskGroup() as leaving:
            for line in list(self._lines.values()):
                leaving.create_task(one(line))

    async def cycle(self, count: int, endings: Sequence[Ending]) -> None:
        """`count` clients come and go, in_flight at a time.

        Endings and sources are taken in turn, so where there are as many, each ending has its own.
        """
        async with asyncio.TaskGroup() as clients:
            for place in range(count):
                ending = endings[place % len(endings)]
                stage = Stage.UP
                if ending is Ending.HALF_OPEN:
                    stage = Stage(place // len(endings) % Stage.UP)
                await self._slots.acquire()
                client = clients.create_task(self._come_and_go(ending, stage))
                client.add_done_callback(lambda _: self._slots.release())

    async def _come_and_go(self, ending: Ending, stage: Stage) -> None:
        line = await self._connect(self._next_source(), silent=stage is Stage.TCP)
        if line is None or not (stage is Stage.TCP or await line.established):
            self.tally.failed["no control connection"] += 1
            return
        if stage >= Stage.CALL:
            await self._place(line.number, stage, refused=ending is Ending.REFUSED)
        if stage < Stage.UP:
            await asyncio.sleep(HALF_OPEN_WAIT)
        if ending in (Ending.KILLED, Ending.HALF_OPEN):
            await self._kill(line)
        else:
            await self._leave(line)

    async def storm(self, count: int, rate: float, seconds: float) -> list[float]:
        """`count` clients dial at `rate` calls a second, one that is refused in its next turn.

        They share control connections, which are there before. The answer: the moments, in
        seconds from the first call, at which sessions came up.
        """
        calls = self.options.calls_per_connection
        lines = [await self._open() for _ in range(-(-count // calls))]
        waiting = deque(line.number for _ in range(calls) for line in lines)
        began, placed = self._loop.time(), 0
        ups: list[float] = []

        def landed(fate: asyncio.Future[News]) -> None:
            if fate.result().what is What.REACHED:
                ups.append(self._loop.time() - began)
            else:
                waiting.append(fate.result().connection)

        while (elapsed := self._loop.time() - began) < seconds and len(ups) < count:
            for _ in range(min(int(elapsed * rate) - placed, len(waiting))):
                self._place(waiting.popleft()).add_done_callback(landed)
            placed = int(elapsed * rate)
            await asyncio.sleep(STORM_TURN)
        return ups

    # Single steps.

    def _next_source(self) -> IPv4Address:
        return self.options.sources[self._last_line % len(self.options.sources)]

    async def _open(self) -> Line:
        line = await self._connect(self._next_source())
        if line is None or not await line.established:
            raise UnavailableError("the headend takes no more control connections")
        return line

    async def _connect(self, source: IPv4Address, *, silent: bool = False) -> Line | None:
        """A TCP connection, introduced unless `silent`; None if the headend takes none."""
        self._last_line += 1
        number = self._last_line
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((str(source), 0))
            address = (str(self.options.server), self.options.port)
            await asyncio.wait_for(self._loop.sock_connect(sock, address), CONNECT_WAIT)
        except (OSError, TimeoutError):
            sock.close()
            return None
        line = self._lines[number] = Line(self, number, sock, silent)
        await self._loop.create_connection(lambda: ControlProtocol(line), sock=sock)
        return line

    def _place(
        self, number: int, stage: Stage = Stage.UP, *, refused: bool = False
    ) -> asyncio.Future[News]:
        """Place a call. The answer is what comes of it: REACHED or FAILED."""
        user = self.options.users[self._placed % len(self.options.users)]
        self._placed += 1
        password = WRONG_PASSWORD if refused else self.options.link.password
        link = replace(self.options.link, user=user, password=password)
        fate: asyncio.Future[News] = self._loop.create_future()
        handle, effects = self._population.place_call(number, link, self._loop.time(), stage)
        if handle is None:
            self.tally.failed["no control connection"] += 1
            fate.set_result(News(What.FAILED, number))
        else:
            self._fates[handle] = fate
        self._do(effects)
        return fate

    async def _leave(self, line: Line) -> None:
        self._do(self._population.leave(line.number, self._loop.time()))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(line.closed), STOP_WAIT)

    async def _kill(self, line: Line) -> None:
        """Reset the TCP connection."""
        if not line.closed.done():
            self._population.renounce(line.number)
            line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTING)
            self._connections[line.number].abort()
            await line.closed

    # What a Line hears.

    def line_made(self, line: Line, protocol: ControlProtocol, local: IPv4Address) -> None:
        self._connections[line.number] = protocol
        if not line.silent:
            self._do(self._population.connection_made(line.number, local, self._loop.time()))

    def line_read(self, line: Line, data: bytes) -> None:
        self._read_punts()  # as the headend does: what has begun goes first
        self._do(self._population.data_received(line.number, data, self._loop.time()))

    def line_lost(self, line: Line) -> None:
        del self._connections[line.number], self._lines[line.number]
        self._do(self._population.connection_lost(line.number, self._loop.time()))

    # The dataplane, effects, news and time.

    def counters(self) -> dict[str, int]:
        """Data packets that came through the calls, and how many calls had any."""
        rows = self._dataplane.stats[[handle & 0xFFFF for handle in self._population.handles()]]
        received = rows["rx_packets"]
        return {"received": int(received.sum()), "receivers": int((received > 0).sum())}

    def _read_punts(self) -> None:
        now = self._loop.time()
        for handle, frame in self._dataplane.read_punts():
            self._do(self._population.frame_received(handle, frame, now))

    def _read_dataplane(self) -> None:
        self._read_punts()
        now = self._loop.time()
        for handle, bits in self._dataplane.read_events():
            self._do(self._population.call_event(handle, bits, now))

    def _do(self, effects: Iterable[Effect]) -> None:
        self._executor.run(effects, self._loop.time())
        while self._population.news:
            self._hear(self._population.news.popleft())
        self._alarm.set(self._population.get_timer())

    def _hear(self, news: News) -> None:
        self.tally.hear(news)
        if news.what in (What.ESTABLISHED, What.CLOSED):
            if line := self._lines.get(news.connection):
                line.set_established(news.what is What.ESTABLISHED)
        elif fate := self._fates.pop(news.handle, None):
            fate.set_result(news)

    def _due(self) -> None:
        self._do(self._population.handle_timer(self._loop.time()))


@contextmanager
def dataplane(tun_name: str) -> Iterator[Dataplane]:
    """A dataplane with one worker on a raw socket and a TUN that nothing is routed into."""
    with ExitStack() as stack:
        gre = stack.enter_context(open_gre())
        tun = open_tun(tun_name, 1)
        stack.callback(tun.close)
        netdev.bring_up(tun.name, (), mtu=INNER_MTU)
        made = open_dataplane(stack, "raw", [gre], tun)
        stack.callback(made.close)
        made.start()
        yield made
