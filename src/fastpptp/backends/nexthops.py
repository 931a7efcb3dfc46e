"""Next hops to peers, for a dataplane that builds its own link frames.

A thread asks the kernel by rtnetlink which interface and gateway lead to a peer, and at which
link address that gateway lives, and keeps the answers true: once a second it reads the
neighbours, and after a change of routes, rules, links, queues or addresses it asks for every
peer again.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

Path: TypeAlias = tuple[IPv4Address, IPv4Address]  # our address, the peer's

ROUND = 1.0  # seconds
MOST_PATHS = 4096  # followed; a route change costs an answer for each
AF_INET = 2
ETHERNET = 1  # ARPHRD_ETHER
UNICAST = 1  # RTN_UNICAST
IFF_UP = 0x1
NTF_USE = 1
NUD_STALE = 0x04
# REACHABLE, STALE, DELAY, PROBE, PERMANENT: the link address may be used.
NUD_USABLE = 0x02 | NUD_STALE | 0x08 | 0x10 | 0x80
# Sending past these changes nothing but the order among flows; past a shaper it would.
PLAIN_QUEUES = {"noqueue", "pfifo_fast", "fq_codel", "fq", "mq"}

NETLINK_ROUTE = 0
# RTMGRP_LINK, RTMGRP_TC, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV4_RULE
ROUTING = 0x1 | 0x8 | 0x10 | 0x40 | 0x80


@dataclass(frozen=True, slots=True)
class Adjacency:
    """A next hop: interface index, link address of 6 octets, the largest IPv4 packet in octets."""

    device: int
    address: bytes
    mtu: int


@dataclass(frozen=True, slots=True)
class Way:
    """Out of which interface, to whom on its link, in packets of at most how many octets."""

    device: int
    neighbour: IPv4Address
    mtu: int


def way_to(netlink: Any, local: IPv4Address, peer: IPv4Address) -> Way | None:
    """The way to a peer that is behind a plain Ethernet interface, else None."""
    try:
        (answer, *_) = netlink.route("get", dst=str(peer), src=str(local))
        (link, *_) = netlink.get_links(answer.get_attr("RTA_OIF"))
    except NetlinkError:
        return None
    if answer["type"] != UNICAST or answer.get_attr("RTA_VIA") or link["ifi_type"] != ETHERNET:
        return None
    if link.get_attr("IFLA_QDISC") not in PLAIN_QUEUES:
        return None
    mtu = link.get_attr("IFLA_MTU")
    metrics = answer.get_attr("RTA_METRICS")
    known = metrics.get_attr("RTAX_MTU") if metrics else None
    gateway = answer.get_attr("RTA_GATEWAY") or str(peer)
    return Way(link["index"], IPv4Address(gateway), min(mtu, known or mtu, 0xFFFF))


@dataclass(frozen=True, slots=True)
class LinkState:
    """What decides whether an interface takes an XDP program, as far as rtnetlink tells."""

    up: bool
    mtu: int
    queues: int
    address: str | None
    program: int | None


def link_state(device: int) -> LinkState | None:
    """The interface as it is now, None if it is gone."""
    try:
        with IPRoute() as netlink:
            (link, *_) = netlink.get_links(device)
    except (OSError, NetlinkError):
        return None
    xdp = link.get_attr("IFLA_XDP")
    return LinkState(
        up=bool(link["flags"] & IFF_UP),
        mtu=link.get_attr("IFLA_MTU"),
        queues=link.get_attr("IFLA_NUM_RX_QUEUES"),
        address=link.get_attr("IFLA_ADDRESS"),
        program=xdp.get_attr("IFLA_XDP_PROG_ID") if xdp else None,
    )


def neighbours(netlink: Any) -> dict[tuple[int, IPv4Address], tuple[bytes, int]]:
    """The usable link addresses, with their states, by interface and IPv4 address."""
    found = {}
    for entry in netlink.get_neighbours(family=AF_INET):
        address, link = entry.get_attr("NDA_DST"), entry.get_attr("NDA_LLADDR")
        if address and link and entry["state"] & NUD_USABLE:
            octets = bytes.fromhex(link.replace(":", ""))
            if len(octets) == 6:
                found[entry["ifindex"], IPv4Address(address)] = (octets, entry["state"])
    return found


class Changes:
    """Whether anything of a netlink family changed since the last look."""

    def __init__(self, family: int, groups: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.setblocking(False)
        self._socket.bind((0, groups))

    def seen(self) -> bool:
        """Overrun is change, too."""
        changed = False
        while True:
            try:
                self._socket.recv(65536)
            except BlockingIOError:
                return changed
            except OSError:
                pass
            changed = True

    def close(self) -> None:
        self._socket.close()


class NextHops:
    """Follows the next hops of the paths it is told, on a thread of its own.

    `allowed` is asked every round whether link frames may be sent at all; while it says no,
    no next hop is known. `found` is told of each change, on that thread; None = not known.
    `also` is called there every round, too.
    """

    def __init__(
        self,
        allowed: Callable[[], bool],
        found: Callable[[Path, Adjacency | None], object],
        also: Callable[[], object] = lambda: None,
    ) -> None:
        self._allowed = allowed
        self._found = found
        self._also = also
        self._wanted: set[Path] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fastpptp-hops", daemon=True)
        self._thread.start()

    def follow(self, path: Path) -> None:
        """Begin to follow a path; beyond 4,096 of them none more."""
        with self._lock:
            if len(self._wanted) < MOST_PATHS:
                self._wanted.add(path)
        self._wake.set()

    def forget(self, path: Path) -> None:
        with self._lock:
            self._wanted.discard(path)

    def close(self) -> None:
        self._closed = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            with suppress(OSError, NetlinkError), ExitStack() as stack:
                changes = Changes(NETLINK_ROUTE, ROUTING)
                stack.callback(changes.close)
                table = PathTable(stack.enter_context(IPRoute()), self._found)
                # Whatever ends this, nobody goes on by what is no longer kept true.
                stack.callback(table.settle, set(), False)
                self._keep(table, changes)
            self._wake.wait(ROUND)

    def _keep(self, table: PathTable, changes: Changes) -> None:
        while not self._closed:
            self._wake.clear()
            with self._lock:
                wanted = set(self._wanted)
            if changes.seen():
                table.ask_again()
            table.settle(wanted, bool(wanted) and self._allowed())
            self._also()
            self._wake.wait(ROUND)


class PathTable:
    """What is known of each path; the thread's own."""

    def __init__(self, netlink: Any, found: Callable[[Path, Adjacency | None], object]) -> None:
        self._netlink = netlink
        self._found = found
        self._ways: dict[Path, Way | None] = {}
        self._told: dict[Path, Adjacency] = {}

    def ask_again(self) -> None:
        """Routing changed."""
        self._ways.clear()

    def settle(self, wanted: set[Path], allowed: bool) -> None:
        """Bring what was told in line with the kernel's tables."""
        known = self._look(wanted) if allowed else {}
        for path in self._told.keys() - known.keys():
            del self._told[path]
            self._found(path, None)
        for path, adjacency in known.items():
            if self._told.get(path) != adjacency:
                self._told[path] = adjacency
                self._found(path, adjacency)

    def _look(self, wanted: set[Path]) -> dict[Path, Adjacency]:
        for path in self._ways.keys() - wanted:
            del self._ways[path]
        for path in wanted - self._ways.keys():
            self._ways[path] = way_to(self._netlink, *path)
        table = neighbours(self._netlink)
        found = {}
        stale = set()
        for path, way in self._ways.items():
            entry = table.get((way.device, way.neighbour)) if way else None
            if way and entry:
                found[path] = Adjacency(way.device, entry[0], way.mtu)
                if entry[1] == NUD_STALE:
                    stale.add((way.device, way.neighbour))
        for device, address in stale:
            self._use(device, address)
        return found

    def _use(self, device: int, address: IPv4Address) -> None:
        """Have the kernel prove the entry: our frames do not count as use of it."""
        try:
            self._netlink.neigh(
                "change", dst=str(address), ifindex=device, family=AF_INET, flags=NTF_USE
            )
        except NetlinkError:
            self._ways = {path: way for path, way in self._ways.items() if way is not None}
