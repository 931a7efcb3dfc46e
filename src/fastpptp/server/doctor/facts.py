"""What the checks look at, read once: devices, routes, firewall, store, clock."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from fastpptp.backends import ruleset
from fastpptp.bootstrap import Bootstrap
from fastpptp.errors import FastpptpError
from fastpptp.settings.resolve import PolicySnapshot

IPV4 = 2
MAIN_TABLE = 254
TIMEX_OCTETS = 256  # struct timex has 208
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized


@dataclass(frozen=True, slots=True)
class Device:
    """A network device that is up."""

    name: str
    mtu: int
    addresses: tuple[IPv4Interface, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """An IPv4 route of the main table."""

    network: IPv4Network
    device: str


@dataclass(frozen=True, slots=True)
class Facts:
    """`policy` None: the store could not be read, `store_problem` says why.

    `firewall` None: nft could not be asked.
    """

    bootstrap: Bootstrap
    policy: PolicySnapshot | None
    running: bool
    store_problem: str = ""
    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    firewall: list[Mapping[str, Any]] | None = field(default_factory=list)
    clock_synchronized: bool = True
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")

    def sysctl(self, name: str) -> str:
        """A switch of the kernel, empty when it has no such one."""
        try:
            return (self.proc / "sys" / name.replace(".", "/")).read_text().strip()
        except OSError:
            return ""

    def outer_devices(self) -> tuple[Device, ...]:
        """Those by which peers reach us: with our listening addresses, or the default route."""
        wanted = {address for address in self.bootstrap.listen if int(address)}
        if wanted:
            return tuple(d for d in self.devices if wanted & {a.ip for a in d.addresses})
        names = {route.device for route in self.routes if route.network.prefixlen == 0}
        return tuple(d for d in self.devices if d.name in names)

    def outer_addresses(self) -> set[IPv4Address]:
        own = {address for address in self.bootstrap.listen if int(address)}
        return own or {a.ip for d in self.outer_devices() for a in d.addresses}


def gather(bootstrap: Bootstrap, policy: PolicySnapshot | FastpptpError, *, running: bool) -> Facts:
    """The facts of this machine. `policy`: what the store holds, or why it could not be read."""
    known = policy if isinstance(policy, PolicySnapshot) else None
    with IPRoute() as netlink:
        names = {link["index"]: link for link in netlink.get_links() if link["flags"] & 1}
        devices = tuple(_devices(netlink, names))
        routes = tuple(_routes(netlink, names))
    return Facts(
        bootstrap, known, running, "" if known else str(policy), devices, routes, ruleset.read(),
        clock_synchronized=_clock_synchronized(),
    )  # fmt: skip


def _devices(netlink: Any, links: Mapping[int, Any]) -> Iterator[Device]:
    addresses: dict[int, list[IPv4Interface]] = {}
    for item in netlink.get_addr(family=IPV4):
        text = f"{item.get_attr('IFA_LOCAL')}/{item['prefixlen']}"
        addresses.setdefault(item["index"], []).append(IPv4Interface(text))
    for index, link in links.items():
        own = tuple(addresses.get(index, ()))
        yield Device(link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_MTU"), own)


def _routes(netlink: Any, links: Mapping[int, Any]) -> Iterator[Route]:
    for item in netlink.get_routes(family=IPV4, table=MAIN_TABLE):
        link = links.get(item.get_attr("RTA_OIF"))
        if link is not None:
            to = f"{item.get_attr('RTA_DST') or '0.0.0.0'}/{item['dst_len']}"
            yield Route(IPv4Network(to), link.get_attr("IFLA_IFNAME"))


def _clock_synchronized() -> bool:
    timex = ctypes.create_string_buffer(TIMEX_OCTETS)  # modes 0: only read
    return bool(ctypes.CDLL(None).adjtimex(timex) != TIME_ERROR)
