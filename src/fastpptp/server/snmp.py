"""The SNMP agent as the headend runs it: its socket, its process, and what it has to tell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from fastpptp.backends.capabilities import Capability, raised
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.server.child import Child
from fastpptp.settings.resolve import SnmpSettings
from fastpptp.snmp import order
from fastpptp.snmp.agent import Access
from fastpptp.snmp.notices import Ended, Notice
from fastpptp.snmp.usm import User

MODULE = "fastpptp.snmp"

# Seconds until an agent that could not begin is tried again.
RETRY = 5.0


class SnmpService:
    """Runs the agent while the settings want it: `follow` them, from the event loop, then `stop`.

    The agent asks the headend on the socket `admin`; `record` takes events. The UDP socket is
    opened here, so that the agent needs no privileges, and stays open when the agent is started
    again.
    """

    def __init__(self, admin: Path, record: Callable[[Occurrence], object]) -> None:
        self._admin = admin
        self._record = record
        self._settings: SnmpSettings | None = None
        self._listener: socket.socket | None = None
        self._child: Child | None = None
        self._again: asyncio.TimerHandle | None = None
        self._reading = -1
        self._rest = b""

    @property
    def pid(self) -> int | None:
        """Of the agent, while there is one."""
        return None if self._child is None else self._child.pid

    def follow(self, settings: SnmpSettings) -> None:
        """Have the agent be as these settings want it."""
        if settings == self._settings:
            return
        self.stop()
        self._settings = settings
        if settings.enabled and (problem := self._begin(settings)):
            self._record(occur("SNMP", 101, problem=problem))
            self._try_later(settings)

    def _begin(self, settings: SnmpSettings) -> str:
        """What keeps the agent from running."""
        try:
            self._listener = _listen(settings)
            self._child = Child(MODULE, started=self._started, ended=self._ended)
            self._child.start()
        except OSError as error:
            self._let_go()
            where = f"{settings.address}:{settings.port}"
            return f"it cannot be asked on {where}: {error.strerror}"
        self._child.supervise()
        return ""

    def _try_later(self, settings: SnmpSettings) -> None:
        self._again = asyncio.get_running_loop().call_later(RETRY, self._try_again, settings)

    def _try_again(self, settings: SnmpSettings) -> None:
        if self._begin(settings):
            self._try_later(settings)
        else:
            self._record(occur("SNMP", 104))

    def stop(self) -> None:
        """End the agent. It may wait for the headend's own answer, so it is not waited for."""
        self._settings = None
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._let_go()

    def _let_go(self) -> None:
        self._stop_reading()
        if self._child is not None:
            self._child.stop(wait=0)
            self._child = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _started(self, connection: socket.socket) -> None:
        settings, listener = self._settings, self._listener
        assert settings is not None
        assert listener is not None
        order.send(connection, order.Order(self._admin, access(settings)), listener)
        connection.setblocking(False)
        self._reading, self._rest = connection.fileno(), b""
        asyncio.get_running_loop().add_reader(self._reading, self._read, connection)

    def _ended(self, reason: str) -> None:
        self._stop_reading()
        self._record(occur("SNMP", 102, reason=reason))

    def _stop_reading(self) -> None:
        if self._reading >= 0:
            asyncio.get_running_loop().remove_reader(self._reading)
            self._reading = -1

    def _read(self, connection: socket.socket) -> None:
        """What the agent tells, line by line."""
        try:
            data = connection.recv(order.LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._stop_reading()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._record(_event(order.read_notice(line)))


def _event(notice: Notice) -> Occurrence:
    if isinstance(notice, Ended):
        return occur("SNMP", 103, manager=notice.manager, object=notice.object)
    reason = notice.failure.value
    return occur("SNMP", 100, manager=notice.manager, reason=reason, count=notice.count)


def access(settings: SnmpSettings) -> Access:
    """Who may ask."""
    user = None
    if settings.user and settings.authentication_password:
        password = settings.authentication_password
        user = User(settings.user, password, settings.privacy_password or "")
    return Access(
        settings.read_community or "", settings.write_community or "", user, settings.managers
    )


def _listen(settings: SnmpSettings) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        with raised(Capability.NET_BIND_SERVICE):
            listener.bind((str(settings.address), settings.port))
    except OSError:
        listener.close()
        raise
    return listener
