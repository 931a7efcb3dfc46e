"""A Headend on loopback TCP and a FakeDataplane, and clients that dial it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from random import Random
from typing import Any

from fastpptp.backends.database import Database
from fastpptp.backends.dhcp import PORT
from fastpptp.errors import FastpptpError
from fastpptp.events.catalogue import Occurrence
from fastpptp.events.log import EventLog
from fastpptp.ports import CallEvent
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole, MppePolicy
from fastpptp.server.eventsink import MemoryRecorder
from fastpptp.server.preflight import listen
from fastpptp.server.runtime import Headend
from fastpptp.settings import profiles
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration
from fastpptp.store.history import Recorded
from fastpptp.testing.client import ScriptedClient
from fastpptp.testing.dataplane import FakeDataplane
from tests.unit.server.test_backends import Recorder, reach

LOOPBACK = IPv4Address("127.0.0.1")


class LoopDataplane(FakeDataplane):
    """A FakeDataplane that an event loop can wait for."""

    def __init__(self, transmit: Callable[[int, bytes], None] | None = None) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        super().__init__(transmit)

    def fileno(self) -> int:
        return self._event

    def receive_frame(self, handle: int, frame: bytes) -> None:
        super().receive_frame(handle, frame)
        os.eventfd_write(self._event, 1)

    def raise_event(self, handle: int, event: CallEvent) -> None:
        super().raise_event(handle, event)
        os.eventfd_write(self._event, 1)

    def read_events(self, limit: int = 256) -> Any:
        os.eventfd_read(self._event)
        return super().read_events(limit)

    def close(self) -> None:
        os.close(self._event)


class TcpClient(asyncio.Protocol):
    """A ScriptedClient on a TCP connection; its GRE goes through the FakeDataplane."""

    def __init__(self, client: ScriptedClient, dataplane: LoopDataplane) -> None:
        self.client = client
        self._dataplane = dataplane
        self.transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.client.connect(now())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.client.receive_data(data, now())
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.client.receive_eof(now())

    def receive_frame(self, ids: tuple[int, int], frame: bytes) -> bool:
        """A frame for the call with these Call-IDs, ours first; whether it is one of ours."""
        calls = [call.call for call in self.client.calls]
        known = ids in [(call.local_call_id, call.peer_call_id) for call in calls]
        if known:
            self.client.receive_frame(ids[0], frame, now())
            self.flush()
        return known

    def flush(self) -> None:
        """Send what the client wants sent."""
        if self.transport is not None and (data := self.client.data_to_send()):
            self.transport.write(data)
        handles = {handle & 0xFFFF: handle for handle in self._dataplane.calls}
        for call in self.client.calls:
            frames, call.outbox[:] = call.outbox[:], []
            for frame in frames:
                self._dataplane.receive_frame(handles.get(call.call.peer_call_id, 0), frame)

    def do(self, order: Callable[..., object], *words: object) -> None:
        """Give the client an order and send what comes of it."""
        order(*words, now())
        self.flush()


def now() -> float:
    return asyncio.get_running_loop().time()


def link_config(user: str = "pptpuser", password: str = profiles.PASSWORD) -> LinkConfig:
    return LinkConfig(
        role=LinkRole.PEER,
        methods=(AuthMethod.MSCHAP_V2,),
        user=user,
        password=password,
        mppe=MppePolicy(required=True),
        offload=True,
    )


@dataclass
class ScriptedDatabase:
    """Has the `policies` that a test lays ready for the next reloads: a tree, or an error.

    A change of password is on its way to the store until `keeping`.
    """

    policies: list[Configuration | FastpptpError] = field(default_factory=list)
    passwords: list[tuple[str, str]] = field(default_factory=list)
    keeping: asyncio.Event | None = None

    async def snapshot(self) -> PolicySnapshot:
        await asyncio.sleep(0)
        found = self.policies.pop(0)
        if isinstance(found, FastpptpError):
            raise found
        return PolicySnapshot(found, 7)

    async def change_password(self, user: str, password: str) -> PolicySnapshot:
        self.passwords.append((user, password))
        if self.keeping is not None:
            await self.keeping.wait()
        return await self.snapshot()

    async def edits(self, after: int) -> list[Recorded]:
        return []


@dataclass
class Rig:
    """A running Headend."""

    headend: Headend
    dataplane: LoopDataplane
    device: Recorder
    database: ScriptedDatabase
    clients: list[TcpClient] = field(default_factory=list)
    receivers: list[Callable[[tuple[int, int], bytes], bool]] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.headend.listening.split(":")
        return host, int(port)

    async def dial(self, config: LinkConfig | None = None, calls: int = 1) -> TcpClient:
        """A client whose TCP connection stands."""
        rng = Random(len(self.clients)).randbytes
        client = ScriptedClient(config or link_config(), rng=rng, now=now(), calls=calls)
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: TcpClient(client, self.dataplane), *self.address
        )
        self.clients.append(protocol)
        self.receivers.append(protocol.receive_frame)
        return protocol

    async def dial_up(self, config: LinkConfig | None = None) -> TcpClient:
        """A client whose session is up, on both sides."""
        protocol = await self.dial(config)
        await until(lambda: bool(protocol.client.calls) and protocol.client.calls[0].is_up)
        return protocol

    def transmit(self, handle: int, frame: bytes) -> None:
        """A frame of the headend to the client whose call this is."""
        ids = (self.dataplane.calls[handle].spec.peer_call_id, handle & 0xFFFF)
        asyncio.get_running_loop().call_soon(self._deliver, ids, frame, 1000)

    def _deliver(self, ids: tuple[int, int], frame: bytes, patience: int) -> None:
        """GRE is faster than TCP here: a client that does not know its call yet is waited for."""
        if not any(receive(ids, frame) for receive in self.receivers) and patience:
            asyncio.get_running_loop().call_soon(self._deliver, ids, frame, patience - 1)

    @property
    def log(self) -> EventLog:
        """The events so far."""
        assert isinstance(self.headend.recorder, MemoryRecorder)
        return self.headend.recorder.log

    def texts(self, cls: str | None = None) -> list[str]:
        """`CLASS/number` of the events so far."""
        return [f"{r.cls}/{r.number}" for r in self.log if cls in (None, r.cls)]

    def event(self, cls: str, number: int) -> Occurrence:
        """The last event of this kind."""
        found = [r for r in self.log if (r.cls, r.number) == (cls, number)]
        return found[-1].occurrence


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Let the loop turn until `condition()` holds; what takes more than some turns leaves the
    core to those who are waited for.
    """
    end = now() + timeout
    turns = count()
    while not condition():
        assert now() < end, "it did not happen"
        await asyncio.sleep(0 if next(turns) < 200 else 0.001)


@asynccontextmanager
async def running(
    tree: Configuration | None = None,
    *,
    stop: bool = True,
    database: Database | None = None,
    dhcp_port: int = PORT,
) -> AsyncIterator[Rig]:
    """A Rig, started; stopped at the end unless the test does it.

    With a `database` it follows that, not the scripted one.
    """
    scripted = ScriptedDatabase()
    rig: Rig

    def transmit(handle: int, frame: bytes) -> None:
        rig.transmit(handle, frame)

    dataplane, device = LoopDataplane(transmit), Recorder()
    inside = reach(device)
    headend = Headend(
        PolicySnapshot(tree or profiles.default())
        if database is None
        else await database.snapshot(),
        listeners=listen([LOOPBACK], 0),
        dataplane=dataplane,
        reach=inside,
        follow=inside.follow,
        database=database or scripted,
        dhcp_port=dhcp_port,
    )
    rig = Rig(headend, dataplane, device, scripted)
    await headend.start()
    try:
        yield rig
        if stop:
            await headend.stop("test")
    finally:
        for accepted in list(headend._connections.values()):
            accepted.abort()  # of a test that failed
        for protocol in rig.clients:
            if protocol.transport is not None:
                protocol.transport.abort()
        await asyncio.sleep(0)
        dataplane.close()
