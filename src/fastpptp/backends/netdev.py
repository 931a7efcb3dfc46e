"""Addresses and routes of the TUN, through rtnetlink (pyroute2).

Every call opens its own netlink socket and blocks for a fraction of a millisecond. It must
not be made on the thread of a running event loop: hand it to `asyncio.to_thread`.
ip_forward is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from fastpptp.errors import UnavailableError

CONF = Path("/proc/sys/net/ipv4/conf")
CONF6 = Path("/proc/sys/net/ipv6/conf")
EEXIST = 17
ESRCH = 3


@contextmanager
def netlink_to(what: str) -> Iterator[Any]:
    try:
        with IPRoute() as netlink:
            yield netlink
    except NetlinkError as error:
        raise UnavailableError(f"{what}: {error.args[-1]}") from None


def _index(netlink: Any, name: str) -> int:
    found = netlink.link_lookup(ifname=name)
    if not found:
        raise UnavailableError(f"there is no network device {name}")
    return int(found[0])


def bring_up(
    name: str, addresses: Iterable[IPv4Address], *, mtu: int, peer: IPv4Address | None = None
) -> None:
    """Set the device up with its MTU and addresses (with `peer`: point to point)."""
    with netlink_to(f"device {name} cannot be configured") as netlink:
        netlink.link("set", index=_index(netlink, name), mtu=mtu, state="up")
    add_addresses(name, addresses, peer)
    _no_redirects(name)


def add_addresses(
    name: str, addresses: Iterable[IPv4Address], peer: IPv4Address | None = None
) -> None:
    """Add addresses to the device. One that this host has already stays where it is, alone."""
    with netlink_to(f"device {name} cannot get its addresses") as netlink:
        index = _index(netlink, name)
        held = {item.get_attr("IFA_LOCAL") for item in netlink.get_addr(family=2)}
        for address in addresses:
            if str(address) not in held:
                netlink.addr(
                    "add", index=index, local=str(address), address=str(peer or address),
                    prefixlen=32,
                )  # fmt: skip


def expect_advertisements(name: str) -> None:
    """Have the device, still down, make IPv6 addresses of nothing but advertised prefixes.

    Its link-local address comes from IPv6CP (RFC 5072 section 5), a default route from nobody.
    """
    if not (CONF6 / name).exists():
        raise UnavailableError("IPv6 is switched off on this machine", "Do without IPv6.")
    for switch, value in (("addr_gen_mode", 1), ("accept_ra", 2), ("accept_ra_defrtr", 0)):
        (CONF6 / name / switch).write_text(f"{value}\n")


def add_interface(name: str, address: IPv6Address) -> None:
    """Give the device its link-local address; with it the kernel solicits advertisements."""
    with netlink_to(f"device {name} cannot get its link-local address") as netlink:
        index = _index(netlink, name)
        netlink.addr("add", index=index, address=str(address), prefixlen=64, family=10)


def ipv6_addresses(name: str) -> list[IPv6Address]:
    """The device's IPv6 addresses that are not link-local."""
    with netlink_to(f"addresses of {name} cannot be read") as netlink:
        found = netlink.get_addr(family=10, index=_index(netlink, name))
        addresses = [IPv6Address(item.get_attr("IFA_ADDRESS")) for item in found]
    return [address for address in addresses if not address.is_link_local]


def _no_redirects(name: str) -> None:
    """Two clients that talk to each other come in and go out on one device: that is no detour."""
    switch = CONF / name / "send_redirects"
    if switch.exists():
        switch.write_text("0\n")


def add_routes(name: str, networks: Iterable[IPv4Network | IPv6Network]) -> None:
    """Route networks into the device; one that is there already is left."""
    _routes("add", name, networks, EEXIST)


def delete_routes(name: str, networks: Iterable[IPv4Network | IPv6Network]) -> None:
    """Take routes off the device; one that is gone already is no error."""
    _routes("del", name, networks, ESRCH)


def _routes(
    verb: str, name: str, networks: Iterable[IPv4Network | IPv6Network], tolerated: int
) -> None:
    with netlink_to(f"routes of {name} cannot be changed") as netlink:
        index = _index(netlink, name)
        for network in networks:
            family = 2 if network.version == 4 else 10
            try:
                netlink.route(verb, dst=str(network), oif=index, family=family)
            except NetlinkError as error:
                if error.code != tolerated:
                    raise


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A route to one host by the way that led to it before the tunnel came up."""

    host: IPv4Address
    gateway: IPv4Address | None
    device: int


def pin(host: IPv4Address) -> HostRoute | None:
    """Keep packets to `host` out of a tunnel whose routes cover it; None if it needs no route.

    GRE to the headend must not be routed into the tunnel that it carries.
    """
    with netlink_to(f"the route to {host} cannot be pinned") as netlink:
        (answer,) = netlink.route("get", dst=str(host))
        via = answer.get_attr("RTA_GATEWAY")
        made = HostRoute(host, IPv4Address(via) if via else None, answer.get_attr("RTA_OIF"))
        try:
            netlink.route("add", **_as_words(made))
        except NetlinkError as error:
            if error.code != EEXIST:
                raise
            return None
        return made


def unpin(route: HostRoute) -> None:
    """Remove what `pin` made."""
    with netlink_to(f"the route to {route.host} cannot be removed") as netlink:
        try:
            netlink.route("del", **_as_words(route))
        except NetlinkError as error:
            if error.code != ESRCH:
                raise


def _as_words(route: HostRoute) -> dict[str, Any]:
    words: dict[str, Any] = {"dst": f"{route.host}/32", "oif": route.device}
    return words | ({"gateway": str(route.gateway)} if route.gateway else {"scope": "link"})
