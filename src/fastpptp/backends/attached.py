"""The networks that this machine is attached to, and its neighbour proxies on them (pyroute2).

A neighbour proxy (`ip neigh add proxy`) makes the kernel answer ARP or neighbour solicitations
for an address that it routes out of another device. It does so while the device forwards;
for IPv6 its proxy_ndp must be on, too. Ours carry PROTOCOL, by which they are known again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
)
from typing import Any, TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from fastpptp.backends.netdev import CONF, CONF6, EEXIST, netlink_to
from fastpptp.backends.nexthops import ETHERNET, NETLINK_ROUTE, Changes

Address: TypeAlias = IPv4Address | IPv6Address

# Beside static, kernel, boot and the routing daemons' (/etc/iproute2/rt_protos).
PROTOCOL = 77
NTF_PROXY = 0x08
ENOENT = 2
IFF_UP = 0x1
FAMILY = {4: 2, 6: 10}

# RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
ADDRESSES = 0x1 | 0x10 | 0x100
ROUND = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Attachment:
    """An address of this machine on an Ethernet device, and the network around it."""

    device: int
    name: str
    interface: IPv4Interface | IPv6Interface

    @property
    def network(self) -> IPv4Network | IPv6Network:
        return self.interface.network


@dataclass(frozen=True, slots=True)
class Proxy:
    """An address that is answered for on a device."""

    device: int
    name: str
    address: Address


def attachments(netlink: Any) -> tuple[Attachment, ...]:
    """Every address on an Ethernet device that is up, link-local ones left out."""
    names = {
        link["index"]: link.get_attr("IFLA_IFNAME")
        for link in netlink.get_links()
        if link["ifi_type"] == ETHERNET and link["flags"] & IFF_UP
    }
    found = [
        Attachment(item["index"], names[item["index"]], _interface(item))
        for item in netlink.get_addr()
        if item["index"] in names
    ]
    return tuple(one for one in found if not one.interface.is_link_local)


def _interface(item: Any) -> IPv4Interface | IPv6Interface:
    address = item.get_attr("IFA_LOCAL") or item.get_attr("IFA_ADDRESS")
    return ip_interface(f"{address}/{item['prefixlen']}")


class Surroundings:
    """Keeps `attached` true, on a thread of its own; `changed` is called there when it is not."""

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self.changed = changed
        self.attached: tuple[Attachment, ...] = ()
        self._closed = threading.Event()
        with netlink_to("the addresses of this machine cannot be read") as netlink:
            self.attached = attachments(netlink)
        self._thread = threading.Thread(target=self._run, name="fastpptp-nets", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError, NetlinkError), ExitStack() as stack:
                changes = Changes(NETLINK_ROUTE, ADDRESSES)
                stack.callback(changes.close)
                netlink = stack.enter_context(IPRoute())
                self._look(netlink)
                while not self._closed.wait(ROUND):
                    if changes.seen():
                        self._look(netlink)
            self._closed.wait(ROUND)

    def _look(self, netlink: Any) -> None:
        found = attachments(netlink)
        if found != self.attached:
            self.attached = found
            self.changed()


def forwards(name: str, version: int) -> bool:
    """Whether the kernel forwards what comes in on this device."""
    switch = (CONF if version == 4 else CONF6) / name / "forwarding"
    with suppress(OSError):
        return switch.read_text().strip() != "0"
    return False


def add_proxies(proxies: Iterable[Proxy]) -> None:
    """Answer for these; for IPv6 the device's proxy_ndp is turned on, and stays on."""
    with netlink_to("neighbour proxies cannot be added") as netlink:
        for proxy in proxies:
            if proxy.address.version == 6:
                (CONF6 / proxy.name / "proxy_ndp").write_text("1\n")
            _change(netlink, "add", proxy, EEXIST)


def delete_proxies(proxies: Iterable[Proxy]) -> None:
    """Answer for these no longer; one that is gone already is no error."""
    with netlink_to("neighbour proxies cannot be removed") as netlink:
        for proxy in proxies:
            _change(netlink, "del", proxy, ENOENT)


def _change(netlink: Any, verb: str, proxy: Proxy, tolerated: int) -> None:
    try:
        netlink.neigh(
            verb, dst=str(proxy.address), ifindex=proxy.device, flags=NTF_PROXY, state=0,
            family=FAMILY[proxy.address.version], protocol=PROTOCOL,
        )  # fmt: skip
    except NetlinkError as error:
        if error.code != tolerated:
            raise


def sweep() -> None:
    """Remove the proxies of a run that did not live to do it.

    They are ours by their protocol, and of the dead where no route leads to another device any
    more: the TUN went with its process, and its routes with it.
    """
    with netlink_to("neighbour proxies cannot be read") as netlink:
        for family in FAMILY.values():
            for entry in netlink.neigh(
                "dump", family=family, flags=NTF_PROXY, dump_filter=None
            ):  # fmt: skip
                if entry.get_attr("NDA_PROTOCOL") == PROTOCOL:
                    _remove_if_dead(netlink, entry)


def _remove_if_dead(netlink: Any, entry: Any) -> None:
    address = entry.get_attr("NDA_DST")
    with suppress(NetlinkError):
        (answer, *_) = netlink.route("get", dst=address)
        if answer.get_attr("RTA_OIF") != entry["ifindex"]:
            return
    with suppress(NetlinkError):
        netlink.neigh("del", dst=address, ifindex=entry["ifindex"], flags=NTF_PROXY,
                      state=0, family=entry["family"])  # fmt: skip
