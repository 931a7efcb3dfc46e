"""one_at_a_time.c behind the few methods of a Dataplane that bench/flows.py needs."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import numpy as np

from bench.flows import CALLS, Site
from bench.native import library
from fastpptp.dataplane.batch import mppe_states
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.server.net import open_gre
from tests.hosts import Host, Hosts
from tests.netns.test_dataplane import open_tun, within


class OneAtATime:
    """A raw socket and a TUN without offloads."""

    def __init__(self, library: ctypes.CDLL, outer: socket.socket, tun: int) -> None:
        self._library, self._outer, self._tun = library, outer, tun
        self._size = library.call_size()
        self._calls = (ctypes.c_uint8 * (self._size * CALLS))()
        self._first = 0
        self.stats = np.zeros(65536, [("rx_packets", "<u8"), ("tx_packets", "<u8")])

    def _call(self, handle: int) -> ctypes.c_void_p:
        place = (handle & 0xFFFF) - self._first
        return ctypes.c_void_p(ctypes.addressof(self._calls) + place * self._size)

    def open_call(self, handle: int, spec: CallSpec) -> None:
        call_id = handle & 0xFFFF
        self._first = self._first or call_id
        ends = (_wire(spec.local_address), _wire(spec.peer_address))
        self._library.call_start(self._call(handle), call_id, spec.peer_call_id, *ends)

    def set_policy(self, handle: int, policy: CallPolicy) -> None:
        assert policy.peer_address is not None
        self._library.call_address(self._call(handle), _wire(policy.peer_address))

    def set_keys(
        self, handle: int, direction: int, start_key: bytes, bits: int, stateless: bool
    ) -> None:
        state = mppe_states(np.frombuffer(start_key, np.uint8).reshape(1, -1), bits, stateless)
        session_key = state["session_key"][0].tobytes()
        self._library.call_keys(self._call(handle), direction, start_key, session_key)

    def open_gate(self, handle: int, version: int) -> None:
        """Everything passes."""

    def poll_once(self) -> int:
        ends = (self._outer.fileno(), self._tun, self._calls, CALLS)
        moved = 0
        for relay, counter in (("relay_up", "rx_packets"), ("relay_down", "tx_packets")):
            count = getattr(self._library, relay)(*ends)
            self.stats[counter][self._first] += count
            moved += count
        return moved

    def drop_counts(self) -> dict[str, int]:
        return {}


def _wire(address: IPv4Address) -> ctypes.c_uint32:
    return ctypes.c_uint32(int.from_bytes(address.packed, "little"))


@contextmanager
def plain_daemon(hosts: Hosts) -> Iterator[Site]:
    """Two hosts with this between them."""
    with library("one_at_a_time.c", "-O2") as code:
        code.call_size.restype = ctypes.c_size_t
        ends: list[tuple[socket.socket, int]] = []

        def opened(host: Host) -> OneAtATime:
            (tun,) = within(host, lambda: open_tun(1, False))
            os.set_blocking(tun, False)
            host.link("tun0", "up")
            ends.append((within(host, open_gre), tun))
            return OneAtATime(code, *ends[0])

        site = Site(hosts, "plain", "tun0", opened)
        try:
            yield site
        finally:
            site.close()
            for outer, tun in ends:
                outer.close()
                os.close(tun)
