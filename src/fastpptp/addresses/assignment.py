"""Address assignment: the enabled methods, in the product's order, until one gives an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Protocol, TypeAlias

from fastpptp.addresses.dhcp import Asking
from fastpptp.addresses.grant import AddressGrant
from fastpptp.addresses.pools import PoolAllocator, PoolUsage, PrefixAllocator
from fastpptp.dhcp.client import DhcpLease
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.seldom import Seldom
from fastpptp.settings.resolve import Effective, PolicySnapshot

Network: TypeAlias = IPv4Network | IPv6Network

FROM_CLIENT = "the client"
FROM_SERVER = "the authentication server"
FROM_DHCP = "DHCP"
FROM_POOL = "pool"


class Claimant(Protocol):
    """Who asks for an address: aaa.Identity is one. `address` is the user's own IP Address."""

    @property
    def user(self) -> str: ...

    @property
    def effective(self) -> Effective: ...

    @property
    def address(self) -> IPv4Address | None: ...


@dataclass(frozen=True, slots=True)
class Assigned:
    """The answer to a request: `grant` is None where no method has an address.

    With `asking` there is no answer yet: it is for the DHCP servers, and then for resume().
    """

    grant: AddressGrant | None
    events: tuple[Occurrence, ...]
    asking: Asking | None = None


class Assignment:
    """Who has which address. It follows the policy, belongs to one event loop and never waits.

    `attached` tells which networks this machine is attached to: none of them is a peer's.
    """

    def __init__(
        self, policy: PolicySnapshot, attached: Callable[[], Iterable[Network]] = tuple
    ) -> None:
        self._policy = policy
        self._attached = attached
        self._owners = policy.static_addresses()
        self._pools = PoolAllocator(policy.pools, self._reserved())
        self._prefixes = PrefixAllocator(policy.system.ipv6_prefix)
        self._exhaustion = Seldom()
        self._out: dict[IPv4Address, tuple[AddressGrant, str]] = {}

    @property
    def in_use(self) -> int:
        """Addresses that are out now."""
        return len(self._out)

    def pools(self) -> list[PoolUsage]:
        """How much of each pool is in use."""
        return self._pools.usage()

    def update(self, policy: PolicySnapshot) -> None:
        """Follow another policy; what is out stays out until it is released."""
        self._policy = policy
        self._owners = policy.static_addresses()
        self._pools.update(policy.pools, self._reserved())
        self._prefixes.update(policy.system.ipv6_prefix)

    def lease(
        self,
        claimant: Claimant,
        requested: IPv4Address | None,
        now: float,
        peer: IPv4Address | None = None,
    ) -> Assigned:
        """Find an address for `claimant`; `requested` is what its IPCP asked for."""
        events: list[Occurrence] = []
        methods = self._policy.assignment
        user = claimant.user
        found: tuple[IPv4Address, str] | None = None
        if methods.from_client and claimant.effective.use_client_address and requested:
            found = self._from_client(user, requested, peer, events)
        if found is None and claimant.address:
            found = self._from_server(user, claimant.address, peer, events)
        if found is None and methods.dhcp:
            asking = Asking(user, claimant.effective.dhcp_network_scope, peer)
            return Assigned(None, tuple(events), asking)
        return self._found(claimant, found or self._from_pools(user), now, peer, events)

    def take(self, address: IPv4Address) -> bool:
        """Take an address for whom a DHCP server gave it to, unless it is somebody's here.

        It is given back with the grant that resume() makes of it.
        """
        ours = address in self._server_addresses() or address in self._owners
        return not ours and self._pools.claim(address)

    def resume(
        self,
        claimant: Claimant,
        lease: DhcpLease | None,
        now: float,
        peer: IPv4Address | None = None,
    ) -> Assigned:
        """Go on with what the DHCP servers said; the address of `lease` is taken already."""
        if lease is None:
            return self._found(claimant, self._from_pools(claimant.user), now, peer, [])
        return self._found(claimant, (lease.address, FROM_DHCP), now, peer, [], lease)

    def release(self, grant: AddressGrant) -> None:
        """Give back what lease() granted.

        Only that very grant counts: given back a second time it does nothing, even if its
        address is out again.
        """
        out, user = self._out.get(grant.address, (None, ""))
        if out is not grant:
            return
        del self._out[grant.address]
        self._pools.release(grant.address, user)
        if grant.prefix is not None:
            self._prefixes.release(grant.prefix, user)

    def _found(
        self,
        claimant: Claimant,
        found: tuple[IPv4Address, str] | None,
        now: float,
        peer: IPv4Address | None,
        events: list[Occurrence],
        lease: DhcpLease | None = None,
    ) -> Assigned:
        user = claimant.user
        if found is None:
            return Assigned(None, (*events, *self._refusal(user, peer, now)))
        address, method = found
        events.append(occur("ADDRESS", 101, peer=peer, user=user, address=address, method=method))
        grant = self._grant(claimant, address, method, events)
        if lease is not None:  # the group's own servers come first
            grant = replace(grant, dns=grant.dns or lease.dns, nbns=grant.nbns or lease.nbns)
        self._out[address] = grant, user
        return Assigned(grant, tuple(events))

    def _from_pools(self, user: str) -> tuple[IPv4Address, str] | None:
        address = self._pools.lease(user) if self._policy.assignment.pools else None
        return None if address is None else (address, FROM_POOL)

    def _grant(
        self, claimant: Claimant, address: IPv4Address, method: str, events: list[Occurrence]
    ) -> AddressGrant:
        user, effective = claimant.user, claimant.effective
        pool = self._pools.pool_of(address)
        own = pool.server_address if pool else None
        return AddressGrant(
            address,
            own or self._policy.system.server_address,
            method,
            self._prefixes.lease(user),
            effective.dns,
            effective.wins,
            tuple(self._behind(claimant, events)),
        )

    def _behind(self, claimant: Claimant, events: list[Occurrence]) -> Iterator[Network]:
        """The networks behind the peer, without those that this machine is attached to."""
        for network in claimant.effective.static_routes:
            ours = next((one for one in self._attached() if _overlap(one, network)), None)
            if ours is None:
                yield network
            else:
                events.append(
                    occur("ADDRESS", 105, user=claimant.user, network=network, attached=ours)
                )

    def _from_client(
        self, user: str, address: IPv4Address, peer: IPv4Address | None, events: list[Occurrence]
    ) -> tuple[IPv4Address, str] | None:
        owner = self._owners.get(address, user)
        if address.is_unspecified or not _unicast(address):
            return None
        if address not in self._server_addresses() and owner == user and self._pools.claim(address):
            return address, FROM_CLIENT
        events.append(_in_use(user, address, FROM_CLIENT, peer))
        return None

    def _from_server(
        self, user: str, address: IPv4Address, peer: IPv4Address | None, events: list[Occurrence]
    ) -> tuple[IPv4Address, str] | None:
        if not self._policy.assignment.from_authentication_server:
            events.append(occur("CONFIG", 103, user=user, address=address))
            return None
        if self._pools.claim(address):
            return address, FROM_SERVER
        events.append(_in_use(user, address, FROM_SERVER, peer))
        return None

    def _server_addresses(self) -> set[IPv4Address | None]:
        policy = self._policy
        return {policy.system.server_address, *(pool.server_address for pool in policy.pools)}

    def _refusal(self, user: str, peer: IPv4Address | None, now: float) -> list[Occurrence]:
        policy = self._policy
        if policy.assignment.pools and policy.pools:
            count = self._exhaustion.happened(now)
            size = sum(map(len, policy.pools))
            return [occur("ADDRESS", 104, size=size, count=count)] if count else []
        reason = (
            "there is no address pool"
            if policy.assignment.pools
            else "no method that is on has one"
        )
        return [occur("ADDRESS", 100, peer=peer, user=user, reason=reason)]

    def _reserved(self) -> frozenset[IPv4Address]:
        methods = self._policy.assignment
        return frozenset(self._owners if methods.from_authentication_server else ())


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _unicast(address: IPv4Address) -> bool:
    return not (address.is_multicast or address.is_loopback or address.is_reserved)


def _in_use(user: str, address: IPv4Address, method: str, peer: IPv4Address | None) -> Occurrence:
    return occur("ADDRESS", 103, peer=peer, user=user, address=address, method=method)
