"""What the TUN has of ours, and what is routed into it.

Pools are routed as a whole, addresses from elsewhere one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Network, summarize_address_range
from typing import ParamSpec, Protocol, TypeAlias

from fastpptp.addresses.grant import AddressGrant
from fastpptp.backends import attached, netdev
from fastpptp.backends.attached import Proxy
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import PoolRange

Network: TypeAlias = IPv4Network | IPv6Network
P = ParamSpec("P")


def policy_networks(policy: PolicySnapshot) -> set[Network]:
    """What the address methods of this policy can give out, as few networks as can be."""
    networks: set[Network] = set()
    for pool in policy.pools:
        networks.update(summarize_address_range(pool.first, pool.last))
    if policy.system.ipv6_prefix is not None:
        networks.add(policy.system.ipv6_prefix)
    return networks


def server_addresses(policy: PolicySnapshot) -> set[IPv4Address]:
    """Our addresses inside the tunnels: the system's and the pools' own."""
    own = {pool.server_address for pool in policy.pools if pool.server_address}
    return {policy.system.server_address, *own}


class Device(Protocol):
    """The TUN's addresses and routes, changed in the order of the calls."""

    def add_addresses(self, addresses: list[IPv4Address]) -> None: ...

    def add_routes(self, networks: list[Network]) -> None: ...

    def delete_routes(self, networks: list[Network]) -> None: ...


class InnerRoutes:
    """Keeps the device's addresses and routes as policy and grants want them."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._addresses: set[IPv4Address] = set()
        self._wanted: set[Network] = set()
        self._pools: tuple[PoolRange, ...] = ()
        self._grants: dict[IPv4Address, AddressGrant] = {}
        # Routes of single sessions, and how many want each: a user's sessions share its networks.
        self._single: Counter[Network] = Counter()

    def follow(self, policy: PolicySnapshot) -> None:
        """Route what this policy can give out. Our older addresses stay: sessions use them."""
        addresses = server_addresses(policy)
        if new := addresses - self._addresses:
            self._device.add_addresses(sorted(new))
        self._addresses |= addresses
        wanted = policy_networks(policy)
        self._add(wanted - self._wanted)
        if policy.pools != self._pools:
            self._take_over(policy.pools)
        self._delete(self._wanted - wanted - self._single.keys())
        self._wanted = wanted

    def granted(self, grant: AddressGrant) -> None:
        """Route what is behind the session, and its address if no pool covers it."""
        self._grants[grant.address] = grant
        host = [] if self._covers(grant.address) else [IPv4Network(grant.address)]
        self._want([*grant.networks, *host])

    def released(self, grant: AddressGrant) -> None:
        if self._grants.pop(grant.address, None) is None:
            return
        host = IPv4Network(grant.address)
        gone = [*grant.networks, *([host] if host in self._single else [])]
        self._single.subtract(gone)
        left = {network for network in gone if not self._single[network]}
        for network in left:
            del self._single[network]
        self._delete(left - self._wanted)

    def _take_over(self, pools: tuple[PoolRange, ...]) -> None:
        """A session whose address is in no pool any more keeps its route, as one of its own."""
        gone = [pool for pool in self._pools if pool not in pools]
        self._pools = pools
        orphans = [address for address in self._grants if any(address in pool for pool in gone)]
        self._want([IPv4Network(address) for address in orphans if not self._covers(address)])

    def _covers(self, address: IPv4Address) -> bool:
        return any(address in pool for pool in self._pools)

    def _want(self, networks: Sequence[Network]) -> None:
        self._add({network for network in networks if not self._single[network]})
        self._single.update(networks)

    def _add(self, networks: set[Network]) -> None:
        if networks:
            self._device.add_routes(_sorted(networks))

    def _delete(self, networks: set[Network]) -> None:
        if networks:
            self._device.delete_routes(_sorted(networks))


def _sorted(networks: set[Network]) -> list[Network]:
    return sorted(networks, key=lambda net: (net.version, net.network_address, net.prefixlen))


class DeviceThread:
    """One thread that changes what the kernel has of ours, in order, beside the event loop.

    `failed` is called, on that thread, with what the kernel refused.
    """

    def __init__(self, name: str, failed: Callable[[Exception], object]) -> None:
        self._name = name
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "fastpptp-routes")

    def add_addresses(self, addresses: list[IPv4Address]) -> None:
        self.run(netdev.add_addresses, self._name, addresses)

    def add_routes(self, networks: list[Network]) -> None:
        self.run(netdev.add_routes, self._name, networks)

    def delete_routes(self, networks: list[Network]) -> None:
        self.run(netdev.delete_routes, self._name, networks)

    def add_proxies(self, proxies: list[Proxy]) -> None:
        self.run(attached.add_proxies, proxies)

    def delete_proxies(self, proxies: list[Proxy]) -> None:
        self.run(attached.delete_proxies, proxies)

    def run(self, change: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Carry out any change of this machine, in its turn."""
        self._thread.submit(self._carry_out, partial(change, *args, **kwargs))

    def close(self) -> None:
        """Wait for what is under way."""
        self._thread.shutdown()

    def _carry_out(self, change: Callable[[], None]) -> None:
        try:
            change()
        except Exception as error:  # a thread's exception would be lost
            self._failed(error)
