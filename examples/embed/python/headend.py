"""A headend on an event loop of its own: selectors, no asyncio, no store, no root.

    headend.py LISTENER OUTER INNER

takes three descriptors that somebody else has opened: a listening TCP socket for control
connections, a socket that gives enhanced GRE with its IPv4 header and takes it without (raw, or
one end of a datagram pair), and one with an IPv4 packet in each read and write (a TUN queue, or
the like). One user may log in. It prints what happens, and ends at SIGTERM with every peer told.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from fastpptp import Dataplane
from fastpptp.aaa import AuthRequest, Identity, LocalAuthenticator
from fastpptp.addresses.assignment import Assignment
from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import Authenticate, Effect, Lease
from fastpptp.events.catalogue import Occurrence
from fastpptp.manager import CallCounters, SessionManager
from fastpptp.ports import CallEvent
from fastpptp.ppp.auth.types import AuthResult
from fastpptp.server.executor import Executor
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry

POLICY = PolicySnapshot(
    Configuration(
        sections={},
        base={
            "pptp_authentication_protocols": ["MSCHAPv2"],
            "pptp_encryption": ["Required", "Require Stateless", "128-bit"],
        },
        groups={"pptpgroup": GroupEntry()},
        users={"pptpuser": UserEntry("cisco123", "pptpgroup")},
        pools=(PoolRange(IPv4Address("172.16.1.10"), IPv4Address("172.16.1.20")),),
    )
)
NO_STORE = "the password of {} cannot be changed: there is no store"


class Answers:
    """What the manager asks for: logins and addresses. Yours may ask a directory instead."""

    def __init__(self) -> None:
        self._authenticator = LocalAuthenticator(POLICY)
        self._assignment = Assignment(POLICY)

    def authenticate(self, request: Authenticate, now: float) -> AuthResult:
        asked = AuthRequest(
            request.method, request.name, request.credential, request.peer, now, datetime.now()
        )
        decision = self._authenticator.authenticate(asked)
        if decision.new_password is not None:
            print(NO_STORE.format(request.name), flush=True)
            decision = self._authenticator.not_kept(asked, decision)
        for occurrence in decision.events:
            self.record(occurrence)
        return decision.result

    def logout(self, identity: object) -> None:
        if isinstance(identity, Identity):
            self._authenticator.release(identity)

    def lease(self, request: Lease, now: float) -> AddressGrant | None:
        if not isinstance(request.identity, Identity):
            return None
        return self._assignment.lease(request.identity, request.requested, now).grant

    def release(self, grant: AddressGrant) -> None:
        self._assignment.release(grant)

    def announce(self, grant: AddressGrant, address: IPv4Address | IPv6Address) -> None:
        """A session has this address: route it or answer ARP for it, where a network needs that."""

    def account(self, departure: object) -> None:
        """A session has ended, and its counters are final: AUTH/28 tells them, too."""

    def record(self, occurrence: Occurrence) -> None:
        print(f"{occurrence.cls}/{occurrence.number}", dict(occurrence.fields), flush=True)


class Control:
    """One control connection's way out: what the kernel does not take at once waits here."""

    def __init__(self, loop: Loop, number: int, connection: socket.socket) -> None:
        self._loop = loop
        self.number = number
        self.socket = connection
        self._waiting = bytearray()
        self._closing = False

    def send(self, data: bytes) -> None:
        self._waiting += data
        self.flush()

    def close(self) -> None:
        self._closing = True
        self.flush()

    def flush(self) -> None:
        try:
            del self._waiting[: self.socket.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()
            self._closing = True
        if self._closing and not self._waiting:
            self._loop.forget(self)
        else:
            self._loop.watch(self, writing=bool(self._waiting))


class Loop:
    """Descriptors in, effects out."""

    def __init__(self, listener: socket.socket, dataplane: Dataplane) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._dataplane = dataplane
        self._manager = SessionManager(POLICY, rng=os.urandom)
        self._connections: dict[int, Control] = {}
        self._last = 0
        self._executor = Executor(dataplane, self._connections, Answers(), self._manager.complete)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(dataplane.fileno(), selectors.EVENT_READ, self._read_dataplane)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until `stopping`, and then until every peer has answered, or 3 s."""
        while not stopping():
            self._turn(None)
        self._do(self._manager.shutdown(time.monotonic()))
        end = time.monotonic() + 3
        while not self._manager.idle and time.monotonic() < end:
            self._turn(end)

    def _turn(self, latest: float | None) -> None:
        deadlines = [at for at in (self._manager.get_timer(), latest) if at is not None]
        wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        for key, _ in self._selector.select(wait):
            key.data()
        self._do(self._manager.handle_timer(time.monotonic()))

    def _do(self, effects: Iterable[Effect]) -> None:
        self._executor.run(effects, time.monotonic())

    def wake_on(self, woken: socket.socket) -> None:
        """Take a turn whenever an octet comes here."""
        self._selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(64))

    # Control connections.

    def watch(self, control: Control, *, writing: bool) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE * writing)
        self._selector.modify(control.socket, events, lambda: self._serve(control))

    def forget(self, control: Control) -> None:
        if self._connections.pop(control.number, None) is not None:
            self._selector.unregister(control.socket)
            control.socket.close()

    def _accept(self) -> None:
        try:
            connection, peer = self._listener.accept()
        except OSError:  # gone again, or no descriptor is left
            return
        connection.setblocking(False)
        self._last += 1
        control = self._connections[self._last] = Control(self, self._last, connection)
        self._selector.register(connection, selectors.EVENT_READ)
        self.watch(control, writing=False)
        local = IPv4Address(connection.getsockname()[0])
        now = time.monotonic()
        self._do(self._manager.connection_made(control.number, local, IPv4Address(peer[0]), now))

    def _serve(self, control: Control) -> None:
        now = time.monotonic()
        try:
            data = control.socket.recv(65536)
        except BlockingIOError:
            control.flush()
            return
        except OSError:
            data = b""
        if data:
            self._do(self._manager.data_received(control.number, data, now))
        else:
            self._do(self._manager.connection_lost(control.number, now))
            self.forget(control)

    # The dataplane.

    def _read_dataplane(self) -> None:
        now = time.monotonic()
        for handle, frame in self._dataplane.read_punts():
            self._do(self._manager.frame_received(handle, frame, now))
        for handle, bits in self._dataplane.read_events():
            self._do(self._manager.call_event(handle, bits & ~CallEvent.CLOSED, now))
            if bits & CallEvent.CLOSED:
                row = self._dataplane.stats[handle & 0xFFFF]
                counters = CallCounters(int(row["rx_octets"]), int(row["tx_octets"]))
                self._do(self._manager.call_closed(handle, counters, now))


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    listener, outer, inner = (int(word) for word in sys.argv[1:])
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    wake, woken = socket.socketpair()  # a signal ends select() by a byte here
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    control = socket.socket(fileno=listener)
    control.setblocking(False)
    with wake, woken, control, Dataplane([outer], [inner]) as dataplane:
        loop = Loop(control, dataplane)
        loop.wake_on(woken)
        dataplane.start()
        print("ready", flush=True)
        loop.run(lambda: bool(stops))
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
