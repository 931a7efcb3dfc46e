"""Networks behind users (Static Routes): none may overlap what is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import TypeAlias

from fastpptp.errors import Problem
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.kinds import NOTHING
from fastpptp.settings.resolve import section
from fastpptp.settings.tree import Configuration

Network: TypeAlias = IPv4Network | IPv6Network

ROUTES = "static_routes"
SCOPE = "dhcp_network_scope"


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """Addresses as numbers, both ends included, and whose they are. `routed`: behind `user`."""

    version: int
    first: int
    last: int
    whose: str
    user: str = ""
    routed: str = ""

    @property
    def where(self) -> str:
        return f"users.{self.user}.{ROUTES}"


def static_routes(tree: Configuration) -> Iterator[Problem]:
    """Each network that cannot be behind its user, with one thing that it overlaps."""
    behind = dict(_behind(tree))
    if not behind:
        return
    has_ipv6 = section(tree, "system")["ipv6_prefix"] is not None
    for span, network in behind.items():
        yield from _as_such(span, network, has_ipv6)
    widest: _Span | None = None
    for span in sorted([*behind, *_others(tree)]):
        if widest is not None and widest.version == span.version and span.first <= widest.last:
            yield from _overlap(widest, span)
        if widest is None or (widest.version, widest.last) < (span.version, span.last):
            widest = span


def _as_such(span: _Span, network: Network, has_ipv6: bool) -> Iterator[Problem]:
    if network.version == 6 and not has_ipv6:
        yield Problem(
            span.where, f"{network} is IPv6, which sessions do not have", "set system.ipv6_prefix"
        )
    if not network.prefixlen or network.is_multicast or network.is_loopback or (
        network.is_link_local
    ):  # fmt: skip
        yield Problem(span.where, f"{network} cannot be behind a user", "such as 192.168.7.0/24")


def _overlap(one: _Span, other: _Span) -> Iterator[Problem]:
    """A user's own networks and address may lie within each other."""
    if one.user and one.user == other.user:
        return
    if not other.routed:
        one, other = other, one
    if other.routed:
        yield Problem(
            other.where, f"{other.routed} overlaps {one.whose}", "choose what nothing else has"
        )


def _behind(tree: Configuration) -> Iterator[tuple[_Span, Network]]:
    kind = attributes.at(Level.USER)[ROUTES].kind
    for name, user in tree.users.items():
        if ROUTES in user.attributes:
            for network in kind.load(user.attributes[ROUTES]):
                whose = f"{network} behind the user {name}"
                yield _span(network, whose, name, str(network)), network


def _others(tree: Configuration) -> Iterator[_Span]:
    system = section(tree, "system")
    servers = {pool.server_address for pool in tree.pools if pool.server_address}
    for address in servers | {system["server_address"]}:
        yield _host(address, f"the server address {address}")
    for place, pool in enumerate(tree.pools, 1):
        yield _Span(4, int(pool.first), int(pool.last), f"pools[{place}] {pool}")
    if system["ipv6_prefix"] is not None:
        yield _span(system["ipv6_prefix"], f"system.ipv6_prefix {system['ipv6_prefix']}")
    for name, user in tree.users.items():
        if user.address is not None:
            yield _host(user.address, f"the user {name}'s IP Address {user.address}", name)
    yield from _scopes(tree)


def _scopes(tree: Configuration) -> Iterator[_Span]:
    levels = {"base_group": tree.base} | {
        f"groups.{name}": group.attributes for name, group in tree.groups.items()
    }
    for where, own in levels.items():
        if own.get(SCOPE, NOTHING) != NOTHING:
            yield _span(IPv4Network(own[SCOPE]), f"{where}.{SCOPE} {own[SCOPE]}")


def _host(address: IPv4Address, whose: str, user: str = "") -> _Span:
    return _Span(4, int(address), int(address), whose, user)


def _span(network: Network, whose: str, user: str = "", routed: str = "") -> _Span:
    ends = int(network.network_address), int(network.broadcast_address)
    return _Span(network.version, *ends, whose, user, routed)
