"""TCP flows through a dataplane on the headend's own sockets and TUN, turned by hand.

Two namespaces and a veth link; `headend` opens everything as `fastpptp serve` does, then its
worker's thread is stopped and its loop is run from here, on one core, by the clock of this thread's
CPU time. The queues are filled before and are empty after, so a figure is of a worker that has
all its work before it: no spinning, no wake-ups, batches as large as they come.

`hide_peers` makes the peers' link address wrong: the far end drops at its door what the worker
sends, so that no more of a receiver is counted than of one behind a wire.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.field import LOCAL, PEER, Field, Octets, ip_headers
from bench.machines import TUN, machine
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import within

CALLS = 32
OCTETS = 1400  # of an inner packet
BURST = 16  # packets of one flow that follow each other, and of one super-packet
BATCH = 28 * BURST  # what a turn sends at once; fewer than a TUN's queue holds (500)
NOWHERE = "02:00:00:00:00:99"

IP_AND_TCP = 40
ACK = 0x5010  # header of five words, ACK
SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CHECKSUM, TCPV4 = 1, 1
ETH_P_IP = 0x0800
BUFFER = 64 << 20


def folded(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """One's complement sums (RFC 1071) along the last axis."""
    total = words.sum(axis=-1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    folded: npt.NDArray[np.uint32] = (total & 0xFFFF) + (total >> 16)
    return folded


class Flows(Field):
    """A TCP flow in each call. Its packets come in runs of BURST, and go in as super-packets."""

    def __init__(self, site: Site, mode: str, first: int = 1) -> None:
        self._site = site
        super().__init__(site.dataplane, site.outer, site.inner, CALLS, mode, OCTETS, first)
        self._payload = np.resize(self._payload, OCTETS - IP_AND_TCP)
        self._tcp = np.zeros((2, CALLS), np.uint32)
        self._rows = [first + number for number in range(CALLS)]

    def poll(self) -> int:
        turned: int = self.dataplane.poll_once()
        return turned

    def _next(self, count: int) -> npt.NDArray[np.uint32]:
        return np.repeat(super()._next(count // BURST), BURST)

    def _tcp_headers(
        self, calls: npt.NDArray[np.uint32], up: bool, length: int, pseudo: bool
    ) -> Octets:
        """Checksums whole, or of the pseudo-header alone, as the kernel leaves them to a TUN."""
        source, target = self._ends(calls, up)
        words = np.zeros((len(calls), 10), np.uint32)
        words[:, 0], words[:, 1], words[:, 5], words[:, 6], words[:, 7] = 80, 5001, 1, ACK, 0xFFFF
        sequence = self._tcp_sequence(calls, up, length)
        words[:, 2], words[:, 3] = sequence >> 16, sequence & 0xFFFF
        ends = np.stack([source >> 16, source & 0xFFFF, target >> 16, target & 0xFFFF], axis=1)
        pseudo_words = [ends, np.full((len(calls), 2), (6, 20 + length), np.uint32)]
        if pseudo:
            words[:, 8] = folded(np.hstack(pseudo_words))
        else:
            payload = np.full((len(calls), 1), folded(self._payload.view(">u2").astype(np.uint32)))
            words[:, 8] = ~folded(np.hstack([*pseudo_words, words, payload])) & 0xFFFF
        return words.astype(">u2").view(np.uint8)

    def _tcp_sequence(
        self, calls: npt.NDArray[np.uint32], up: bool, length: int
    ) -> npt.NDArray[np.uint32]:
        numbers = np.empty(len(calls), np.uint32)
        for k, call in enumerate(calls):
            numbers[k] = self._tcp[int(up), call]
            self._tcp[int(up), call] += length
        return numbers

    def _inner(self, calls: npt.NDArray[np.uint32], up: bool) -> Octets:
        length = len(self._payload)
        head = ip_headers(*self._ends(calls, up), 6, 20 + length)
        tcp = self._tcp_headers(calls, up, length, False)
        return np.hstack([head, tcp, np.tile(self._payload, (len(calls), 1))])

    def packets_down(self, count: int) -> Octets:
        """Super-packets behind virtio headers (virtio 1.2, 5.1.6.2), of `count` packets."""
        calls = self._next(count)[::BURST]
        size = len(self._payload)
        vnet = struct.pack("<BBHHHH", NEEDS_CHECKSUM, TCPV4, IP_AND_TCP, size, 20, 16)
        header = np.tile(np.frombuffer(vnet, np.uint8), (len(calls), 1))
        ip = ip_headers(*self._ends(calls, False), 6, 20 + BURST * size)
        tcp = self._tcp_headers(calls, False, BURST * size, True)
        payload = np.tile(self._payload, (len(calls), BURST))
        return np.hstack([header, ip, tcp, payload])

    def up(self, count: int) -> float:
        return self._cost(self.packets_up(count), self._site.to_outer, "rx_packets", count)

    def down(self, count: int) -> float:
        return self._cost(self.packets_down(count), self._site.to_inner, "tx_packets", count)

    def _cost(
        self, packets: Octets, send: Callable[[Octets], None], counter: str, count: int
    ) -> float:
        """Seconds of CPU time a packet; every one must have come through."""
        before = self._moved(counter)
        send(packets)
        seconds = self.turn()
        moved = self._moved(counter) - before
        if moved != count:
            lost = self.dataplane.drop_counts()
            raise RuntimeError(f"{count} packets went in, {moved} came through: {lost}")
        return seconds / count

    def _moved(self, counter: str) -> int:
        return int(self.dataplane.stats[self._rows][counter].sum())


class Site:
    """A headend's host and its peers' host, and ways into the dataplane from both sides."""

    def __init__(
        self, hosts: Hosts, label: str, tun: str, dataplane: Callable[[Host], Any]
    ) -> None:
        self._tun = tun
        self.host, self.peers = hosts.add(f"{label}-headend"), hosts.add(f"{label}-peers")
        self._device, _ = hosts.join(self.host, f"{LOCAL}/24", self.peers, f"{PEER}/24")
        self.dataplane = dataplane(self.host)
        self.outer = within(self.peers, _raw)
        self.inner = within(self.host, _behind_virtio)

    def hide_peers(self) -> None:
        neighbour = ("lladdr", NOWHERE, "dev", self._device, "nud", "permanent")
        self.host.run("ip", "neigh", "replace", str(PEER), *neighbour)

    def to_outer(self, packets: Octets) -> None:
        for packet in packets:
            self.outer.sendto(packet.data, (str(LOCAL), 0))

    def to_inner(self, packets: Octets) -> None:
        for packet in packets:
            self.inner.sendto(packet.data, (self._tun, ETH_P_IP))

    def close(self) -> None:
        self.outer.close()
        self.inner.close()


def _raw() -> socket.socket:
    """Sends whole IPv4 packets."""
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _behind_virtio() -> socket.socket:
    """Sends super-packets out of a device."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), BUFFER)
    return made


@contextmanager
def headend(hosts: Hosts, outer: str) -> Iterator[Site]:
    """A headend's dataplane with this `outer`, its thread stopped."""
    with ExitStack() as stack:
        site = Site(
            hosts, outer, TUN, lambda host: stack.enter_context(machine(host, LOCAL, outer))
        )
        stack.callback(site.close)
        yield site
