"""Dataplanes that send by AF_PACKET or AF_XDP to those peers whose next hop is known."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import EBUSY
from queue import Empty, SimpleQueue
from typing import Any

from fastpptp.backends.capabilities import Capability, raised
from fastpptp.backends.nexthops import Adjacency, LinkState, NextHops, Path, link_state
from fastpptp.dataplane import Dataplane, XdpDevice
from fastpptp.ports import CallSpec

XDP_FRAMES = 8192  # half of a worker's are lent to the kernel, to receive into

# Who leaves an interface gives its queues back a moment later: rounds in which they are tried.
TRIES = 5


def open_packet_sockets(count: int) -> list[socket.socket]:
    """Sockets that send IPv4 packets to link addresses and receive nothing."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    return [socket.socket(socket.AF_PACKET, kind, 0) for _ in range(count)]


class PacketDataplane(Dataplane):
    """Follows the next hops of its calls' peers.

    From `start` on they are found on another thread and take effect in `read_events`, for which the
    descriptor of the dataplane becomes readable. `allowed` is asked, on that thread, whether
    frames may be sent at all; `options` are Dataplane's.
    """

    def __init__(
        self,
        outer_fds: Sequence[int],
        tun_fds: Sequence[int],
        *,
        allowed: Callable[[], bool],
        **options: Any,
    ) -> None:
        self._allowed = allowed
        self._packets = open_packet_sockets(len(outer_fds))
        self._calls: dict[Path, set[int]] = {}
        self._paths: dict[int, Path] = {}
        self._known: dict[Path, Adjacency] = {}
        self._found: SimpleQueue[tuple[Path, Adjacency | None]] = SimpleQueue()
        self._hops: NextHops | None = None
        super().__init__(
            outer_fds,
            tun_fds,
            packet_fds=[packet.fileno() for packet in self._packets],
            **options,
        )

    def start(self) -> None:
        super().start()
        if self._hops is None:
            self._hops = NextHops(self._allowed, self._found_hop, self._look_around)
            for path in self._calls:
                self._hops.follow(path)

    def close(self) -> None:
        if self._hops is not None:
            self._hops.close()
            self._hops = None
        super().close()
        for packet in self._packets:
            packet.close()

    def open_call(self, handle: int, spec: CallSpec) -> None:
        super().open_call(handle, spec)
        path = (spec.local_address, spec.peer_address)
        self._paths[handle] = path
        calls = self._calls.setdefault(path, set())
        if not calls and self._hops is not None:
            self._hops.follow(path)
        calls.add(handle)
        if path in self._known:
            self.set_adjacency(handle, self._known[path])

    def close_call(self, handle: int) -> None:
        super().close_call(handle)
        path = self._paths.pop(handle, None)
        if path is None:
            return
        self._calls[path].discard(handle)
        if not self._calls[path]:
            del self._calls[path]
            if self._hops is not None:
                self._hops.forget(path)

    def read_events(self, limit: int = 256) -> list[tuple[int, int]]:
        events = super().read_events(limit)
        with suppress(Empty):
            while True:
                self._apply(*self._found.get_nowait())
        return events

    def _look_around(self) -> None:
        """On the thread of NextHops, once a round."""

    def _found_hop(self, path: Path, adjacency: Adjacency | None) -> None:
        """On the thread of NextHops. The descriptor is woken last: nothing can be missed."""
        self._found.put((path, adjacency))
        os.eventfd_write(self.fileno(), 1)

    def _apply(self, path: Path, adjacency: Adjacency | None) -> None:
        if adjacency is None:
            self._known.pop(path, None)
        else:
            self._known[path] = adjacency
        for handle in self._calls.get(path, ()):
            self.set_adjacency(handle, adjacency)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an interface could not be opened, how it was then, and how often it is tried anyway."""

    why: str
    state: LinkState | None
    tries: int


class XdpDataplane(PacketDataplane):
    """The same, by AF_XDP in both directions on the interfaces that lead to its peers.

    An interface is opened when it first is a next hop's and left when it is gone. `refused` is
    told where and why it could not be; GRE goes by the other sockets there, until the interface
    is not what it was and is tried again, of which `restored` hears when it works. OSError: AF_XDP
    is not to be had at all.
    """

    def __init__(
        self,
        outer_fds: Sequence[int],
        tun_fds: Sequence[int],
        *,
        refused: Callable[[str, str], object],
        restored: Callable[[str], object],
        **options: Any,
    ) -> None:
        self._refused, self._restored = refused, restored
        self._tried: set[int] = set()
        self._refusals: dict[int, Refusal] = {}
        self._prepared: SimpleQueue[tuple[XdpDevice, bool]] = SimpleQueue()
        options = {"frames": XDP_FRAMES, **options}
        super().__init__(outer_fds, tun_fds, allowed=lambda: True, xdp=True, **options)

    def _found_hop(self, path: Path, adjacency: Adjacency | None) -> None:
        """On the thread of NextHops, which a driver may keep waiting."""
        if adjacency is not None and adjacency.device not in self._tried:
            self._tried.add(adjacency.device)
            self._prepare(adjacency.device)
        super()._found_hop(path, adjacency)

    def _look_around(self) -> None:
        """An attempt may reset the device: few are made while the interface is as it was."""
        for device, refusal in list(self._refusals.items()):
            changed = link_state(device) != refusal.state
            if changed or refusal.tries:
                self._prepare(device, TRIES if changed else refusal.tries - 1)
                os.eventfd_write(self.fileno(), 1)

    def _prepare(self, device: int, tries: int = 0) -> None:
        before, state = self._refusals.pop(device, None), link_state(device)
        try:
            with raised(Capability.BPF, Capability.IPC_LOCK):
                self._prepared.put((self.prepare_xdp(device), before is not None))
        except OSError as error:
            why = error.strerror or str(error)
            self._refusals[device] = Refusal(why, state, tries if error.errno == EBUSY else 0)
            if before is None or before.why != why:
                self._refused(_place(device), why)

    def read_events(self, limit: int = 256) -> list[tuple[int, int]]:
        self._open_prepared()
        return super().read_events(limit)

    def _apply(self, path: Path, adjacency: Adjacency | None) -> None:
        if adjacency is None:
            self._leave_gone()
        self._open_prepared()  # before the first packet that could go by it
        super()._apply(path, adjacency)

    def _open_prepared(self) -> None:
        with suppress(Empty):
            while True:
                prepared, refused_before = self._prepared.get_nowait()
                self.open_xdp(prepared)
                if refused_before:
                    self._restored(_place(prepared.device))

    def _leave_gone(self) -> None:
        """Interface numbers are not used again soon, but ports hold frames."""
        for device in self.xdp_devices:
            if not _name_of(device):
                self.close_xdp(device)


def _place(device: int) -> str:
    return f"on {_name_of(device) or f'interface {device}'}"


def _name_of(device: int) -> str:
    try:
        return socket.if_indextoname(device)
    except OSError:
        return ""
