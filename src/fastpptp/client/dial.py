"""`fastpptp dial`: our own PPTP client in user space, with a TUN and a dataplane of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from fastpptp.addresses.grant import AddressGrant
from fastpptp.backends import netdev
from fastpptp.backends.alarm import Alarm
from fastpptp.client.dialer import CONNECTION, Dialer
from fastpptp.effects import Authenticate, Effect, Lease
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.events.catalogue import Occurrence
from fastpptp.ports import CallPolicy, Dataplane
from fastpptp.ppp.auth.types import AuthResult, Reject
from fastpptp.ppp.config import LinkConfig
from fastpptp.server import preflight
from fastpptp.server.control import ControlProtocol
from fastpptp.server.executor import Executor
from fastpptp.server.machine import open_dataplane
from fastpptp.server.net import Tun, open_gre, open_tcp, open_tun

CONNECT_WAIT = 15.0
UP_WAIT = 60.0
STOP_WAIT = 3.0
IPV6_WAIT = 3.0  # for IPv6CP, and again for a prefix: IPv4 works without them
MPPE_OVERHEAD = 4  # octets of the information field: MPPE's header and the protocol inside


class DialError(FastpptpError):
    """The dial did not come up, or went down by itself."""


@dataclass(frozen=True, slots=True)
class DialOptions:
    """What to dial and how. `tun` may hold %d for a number that the kernel chooses.

    `outer` is one of bootstrap.OUTER_BACKENDS.
    """

    server: IPv4Address
    port: int
    link: LinkConfig
    tun: str
    routes: tuple[IPv4Network | IPv6Network, ...] = ()
    echo_interval: int = 30
    outer: str = "auto"


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the two ends agreed on. Sizes in octets."""

    server: IPv4Address
    method: str | None
    encryption: str | None
    address: IPv4Address
    server_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    wins: tuple[IPv4Address, ...]
    mru: int
    mtu: int
    tun: str
    local_call_id: int
    peer_call_id: int
    ipv6: tuple[IPv6Address, ...] = ()

    def as_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        for name, value in plain.items():
            if isinstance(value, IPv4Address):
                plain[name] = str(value)
            elif isinstance(value, tuple):
                plain[name] = list(map(str, value))
        return plain


Work = Callable[[Negotiated], Awaitable[int]]


class Alone:
    """executor.Answers for an end that is asked nothing. Its events go to `tell`."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell

    def authenticate(self, request: Authenticate, now: float) -> AuthResult:
        return Reject()

    def logout(self, identity: object) -> None:
        """Nobody logged in."""

    def lease(self, request: Lease, now: float) -> AddressGrant | None:
        return None

    def release(self, grant: AddressGrant) -> None:
        """Nothing was granted."""

    def announce(self, grant: AddressGrant, address: IPv4Address | IPv6Address) -> None:
        """Nothing was granted."""

    def account(self, departure: object) -> None:
        """Nobody keeps accounts here."""

    def record(self, occurrence: Occurrence) -> None:
        self._tell(occurrence.text())


class Client:
    """A Dialer on asyncio: the owner of its control connection, dataplane and timer."""

    def __init__(self, dialer: Dialer, dataplane: Dataplane, tell: Callable[[str], object]) -> None:
        self.dialer = dialer
        self._dataplane = dataplane
        self._connections: dict[int, ControlProtocol] = {}
        self._executor = Executor(dataplane, self._connections, Alone(tell), dialer.complete)
        self._alarm = Alarm(self._due)
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(dataplane.fileno(), self._read_dataplane)

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Until `condition()` holds or the dial has ended."""
        while not (condition() or self.dialer.ended):
            self._changed.clear()
            await self._changed.wait()

    async def hang_up(self) -> None:
        """Tell the headend, and wait a little for its answer."""
        loop = asyncio.get_running_loop()
        self._do(self.dialer.hang_up(loop.time()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wait(lambda: False), STOP_WAIT)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._dataplane.fileno())
        self._alarm.cancel()
        for protocol in self._connections.values():
            protocol.abort()

    # server.control.ControlOwner.

    def connection_made(
        self, protocol: ControlProtocol, local: IPv4Address, peer: IPv4Address
    ) -> int:
        self._connections[CONNECTION] = protocol
        self._do(self.dialer.connection_made(self._now()))
        return CONNECTION

    def data_received(self, connection: int, data: bytes) -> None:
        self._do(self.dialer.data_received(data, self._now()))

    def connection_lost(self, connection: int) -> None:
        self._connections.clear()
        self._do(self.dialer.connection_lost(self._now()))

    # The dataplane, effects and time.

    def _read_dataplane(self) -> None:
        now = self._now()
        for handle, frame in self._dataplane.read_punts():
            self._do(self.dialer.frame_received(handle, frame, now))
        for handle, bits in self._dataplane.read_events():
            self._do(self.dialer.call_event(handle, bits, now))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _do(self, effects: Iterable[Effect]) -> None:
        self._executor.run(effects, self._now())
        if self.dialer.ended:
            self._alarm.cancel()
        else:
            self._alarm.set(self.dialer.get_timer())
        self._changed.set()

    def _due(self) -> None:
        self._do(self.dialer.handle_timer(self._now()))


async def dial(options: DialOptions, work: Work, tell: Callable[[str], object]) -> int:
    """Dial, bring the TUN up, do `work`, hang up; the answer is the work's.

    `tell` is told what happens. Work is cancelled when the tunnel goes down by itself, and by
    SIGINT and SIGTERM. DialError: it did not come up or went down; UnavailableError: this machine
    lacks something, or nobody answers.
    """
    preflight.check_capabilities()
    preflight.check_tun_device()

    def refused(where: str, problem: str) -> None:
        tell(f"AF_XDP is not available {where}: {problem}")

    def restored(where: str) -> None:
        tell(f"AF_XDP is available now {where}")

    with ExitStack() as stack:
        control = await _connect(options.server, options.port)
        stack.callback(control.close)
        gre = open_gre()
        stack.callback(gre.close)
        tun = open_tun(options.tun, 1)
        stack.callback(tun.close)
        dataplane = open_dataplane(
            stack, options.outer, [gre], tun, refused=refused, restored=restored
        )
        stack.callback(dataplane.close)
        dataplane.start()
        client = Client(_dialer(options, control), dataplane, tell)
        stack.callback(client.close)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: ControlProtocol(client), sock=control)
        return await _use(options, client, tun, work)


async def _connect(server: IPv4Address, port: int) -> socket.socket:
    control = open_tcp()
    try:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(control, (str(server), port)), CONNECT_WAIT)
    except (OSError, TimeoutError) as error:
        control.close()
        said = getattr(error, "strerror", None) or f"no answer in {CONNECT_WAIT:.0f} s"
        raise UnavailableError(
            f"no headend at {server} port {port}: {said}",
            "Check the address, that the headend runs, and that no firewall drops TCP 1723.",
        ) from None
    return control


def _dialer(options: DialOptions, control: socket.socket) -> Dialer:
    return Dialer(
        options.link,
        CallPolicy(mru=options.link.mru, echo_interval=options.echo_interval * 1000),
        local=IPv4Address(control.getsockname()[0]),
        peer=options.server,
        rng=os.urandom,
        now=asyncio.get_running_loop().time(),
    )


async def _use(options: DialOptions, client: Client, tun: Tun, work: Work) -> int:
    """The dial's life from LCP on."""
    main = asyncio.create_task(_bring_up_and_work(options, client, tun, work))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    waits = {
        main,
        asyncio.create_task(stopped.wait()),
        asyncio.create_task(client.wait(lambda: False)),
    }
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        if not main.cancelled() and main.exception() is not None:
            await client.hang_up()
            raise main.exception() or DialError("")
        if client.dialer.failure:
            raise DialError(client.dialer.failure)
        await client.hang_up()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return 0 if main.cancelled() else main.result()


async def _bring_up_and_work(options: DialOptions, client: Client, tun: Tun, work: Work) -> int:
    dialer = client.dialer
    try:
        await asyncio.wait_for(client.wait(lambda: dialer.up), UP_WAIT)
    except TimeoutError:
        raise DialError(f"the session did not come up in {UP_WAIT:.0f} s") from None
    if options.link.ipv6:
        with suppress(TimeoutError):
            await asyncio.wait_for(client.wait(lambda: dialer.interface is not None), IPV6_WAIT)
    if not dialer.up:
        return 1  # dial() says why
    agreed = negotiated(options, dialer, tun)
    undo = await asyncio.to_thread(_configure, options, agreed)
    try:
        if agreed.ipv6:
            addresses = await asyncio.to_thread(_advertised, agreed.tun)
            agreed = replace(agreed, ipv6=(*agreed.ipv6, *addresses))
        return await work(agreed)
    finally:
        await asyncio.to_thread(undo)


def negotiated(options: DialOptions, dialer: Dialer, tun: Tun) -> Negotiated:
    """What a session that is up agreed on."""
    session = dialer.session
    assert session is not None
    assert session.ip is not None
    mru = session.policy.mru
    return Negotiated(
        server=options.server,
        method=session.method.value if session.method else None,
        encryption=str(session.encryption) if session.encryption else None,
        address=session.ip.local,
        server_address=session.ip.peer,
        dns=session.ip.dns,
        wins=session.ip.nbns,
        mru=mru,
        mtu=mru - MPPE_OVERHEAD if session.encryption else mru,
        tun=tun.name,
        local_call_id=session.call.local_call_id,
        peer_call_id=session.call.peer_call_id,
        ipv6=(dialer.interface,) if dialer.interface else (),
    )


def _configure(options: DialOptions, agreed: Negotiated) -> Callable[[], None]:
    """Addresses and routes; the answer takes back what does not go with the TUN."""
    inside = (IPv4Network(agreed.server_address), *options.routes)
    pinned = None
    if any(options.server in network for network in inside):
        pinned = netdev.pin(options.server)  # else GRE would go into its own tunnel
    if agreed.ipv6:
        netdev.expect_advertisements(agreed.tun)
    netdev.bring_up(agreed.tun, [agreed.address], mtu=agreed.mtu, peer=agreed.server_address)
    for address in agreed.ipv6:
        netdev.add_interface(agreed.tun, address)
    netdev.add_routes(agreed.tun, options.routes)
    return (lambda: netdev.unpin(pinned)) if pinned else (lambda: None)


def _advertised(tun: str) -> list[IPv6Address]:
    """The addresses that advertised prefixes gave us, waited for a little. Blocks."""
    end = time.monotonic() + IPV6_WAIT
    while True:
        found = netdev.ipv6_addresses(tun)
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)
