"""`fastpptp serve`: from bootstrap settings to a running headend, and back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from fastpptp.admin.api import AdminServer, refuse_second
from fastpptp.admin.monitor import MonitorServer
from fastpptp.backends.database import Database
from fastpptp.bootstrap import Bootstrap
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.events.catalogue import Occurrence
from fastpptp.process import calm_collector, lift_descriptor_limit
from fastpptp.recorder.files import MODE
from fastpptp.server import privileges
from fastpptp.server.machine import Machine
from fastpptp.server.notify import keep_watchdog, notify
from fastpptp.server.overruns import watch_overruns
from fastpptp.server.recording import Recording
from fastpptp.server.reloading import Reloading
from fastpptp.server.runtime import Headend
from fastpptp.server.snmp import SnmpService
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.store import Store


def serve(
    bootstrap: Bootstrap,
    *,
    config: Path | None,
    share_gre: bool,
    ready: Callable[[str], object],
) -> None:
    """Run a headend until SIGTERM or SIGINT.

    `config` is the bootstrap file, checked anew on SIGHUP; `ready` is told once what is
    listened on. Raises UnavailableError or ConfigurationError when it cannot start.
    """
    lift_descriptor_limit()
    calm_collector()
    refuse_second(bootstrap.admin_path)
    become = privileges.account(bootstrap)
    with ExitStack() as stack:
        machine = stack.enter_context(Machine(bootstrap, share_gre=share_gre))
        privileges.drop(bootstrap, become)
        if bootstrap.log_file is not None:
            check_log_file(bootstrap.log_file)
        store = stack.enter_context(Store.open(bootstrap.store_url, bootstrap.key_path))
        policy = store.snapshot()
        recording = stack.enter_context(
            Recording(bootstrap.events_path, bootstrap.log_file, policy.events)
        )
        service = Service(bootstrap, store, recording, config, ready)
        machine.start(policy, service.record_later)
        asyncio.run(service.run(machine))


class Service:
    """One run: `headend`, its control socket, and signals."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        store: Store,
        recording: Recording,
        config: Path | None,
        ready: Callable[[str], object],
    ) -> None:
        self._bootstrap = bootstrap
        self._store = store
        self._recording = recording
        self._config = config
        self._ready = ready
        self.headend: Headend
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reloads: set[asyncio.Task[object]] = set()
        self._snmp: SnmpService | None = None

    async def run(self, machine: Machine) -> None:
        loop = asyncio.get_running_loop()
        database = Database(self._store)
        headend = self.headend = Headend(
            self._store.snapshot(),
            listeners=machine.listeners,
            dataplane=machine.dataplane,
            reach=machine.reach,
            follow=partial(self._follow, machine),
            database=database,
            recorder=self._recording,
        )
        self._loop = loop
        self._reload = Reloading(headend, self._config)
        admin = AdminServer(headend, self._bootstrap.admin_path, self._reload)
        ended: asyncio.Future[str] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _end, ended, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        try:
            await headend.start()
            await admin.start()
            async with self._watched(headend, machine):
                for notice in machine.notices:
                    headend.events.record(notice)
                notify("READY=1")
                self._ready(headend.listening)
                reason = await ended
                notify("STOPPING=1")
                await headend.stop(reason)
        finally:
            await admin.stop()
            database.close()
            self._recording.stop()
            self._loop = None

    @asynccontextmanager
    async def _watched(self, headend: Headend, machine: Machine) -> AsyncIterator[None]:
        """Answer what watches over us: systemd's watchdog, and who asks by SNMP or HTTP."""
        async with AsyncExitStack() as stack:
            overruns = watch_overruns(machine.receive_buffer, headend.drops, headend.events.record)
            stack.callback(asyncio.create_task(overruns).cancel)
            stack.callback(asyncio.create_task(keep_watchdog()).cancel)
            self._snmp = SnmpService(self._bootstrap.admin_path.absolute(), headend.events.record)
            stack.callback(self._snmp.stop)
            self._snmp.follow(headend.policy.snmp)
            if self._bootstrap.metrics_listen is not None:
                monitor = MonitorServer(headend, *self._bootstrap.metrics_listen)
                stack.push_async_callback(monitor.stop)
                await monitor.start()
            yield

    def _follow(self, machine: Machine, policy: PolicySnapshot) -> None:
        machine.follow(policy)
        if self._snmp is not None:
            self._snmp.follow(policy.snmp)

    def record_later(self, occurrence: Occurrence) -> None:
        """Record an event from another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.headend.events.record, occurrence)

    def _hang_up(self) -> None:
        """SIGHUP."""
        task = asyncio.get_running_loop().create_task(self._try_reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _try_reload(self) -> None:
        with suppress(FastpptpError):  # recorded
            await self._reload()


def check_log_file(path: Path) -> None:
    """UnavailableError where the log file cannot be written."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE))
    except OSError as error:
        raise UnavailableError(
            f"the log file {path} cannot be written: {error.strerror}",
            "Make its directory, or name another file (log_file).",
        ) from None


def _end(ended: asyncio.Future[str], reason: str) -> None:
    if not ended.done():
        ended.set_result(reason)
