"""Address assignment: the enabled methods, in the product's order, until one gives an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Protocol, TypeAlias

from fastpptp.addresses.grant import AddressGrant
from fastpptp.addresses.pools import PoolAllocator, PoolUsage, PrefixAllocator
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.settings.resolve import Effective, PolicySnapshot

Network: TypeAlias = IPv4Network | IPv6Network

FROM_CLIENT = "the client"
FROM_SERVER = "the authentication server"
FROM_POOL = "pool"

# Pools that are used up are told of at most this often, with a count. Seconds.
TELL_INTERVAL = 60.0


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
    """The answer to a request: `grant` is None where no method has an address."""

    grant: AddressGrant | None
    events: tuple[Occurrence, ...]


class Exhaustion:
    """What is told of pools that are used up: once, and now and again while it lasts."""

    def __init__(self) -> None:
        self._count = 0
        self._told_at: float | None = None

    def refused(self, size: int, now: float) -> Occurrence | None:
        """One more session got no address out of pools of `size` addresses."""
        self._count += 1
        if self._told_at is not None and now - self._told_at < TELL_INTERVAL:
            return None
        told = occur("ADDRESS", 104, size=size, count=self._count)
        self._count, self._told_at = 0, now
        return told


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
        self._exhaustion = Exhaustion()
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
        if found is None and methods.pools and (address := self._pools.lease(user)):
            found = address, FROM_POOL
        if found is None:
            return Assigned(None, (*events, *self._refusal(user, peer, now)))
        address, method = found
        events.append(occur("ADDRESS", 101, peer=peer, user=user, address=address, method=method))
        return Assigned(self._grant(claimant, address, method, events), tuple(events))

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

    def _grant(
        self, claimant: Claimant, address: IPv4Address, method: str, events: list[Occurrence]
    ) -> AddressGrant:
        user, effective = claimant.user, claimant.effective
        pool = self._pools.pool_of(address)
        own = pool.server_address if pool else None
        grant = AddressGrant(
            address,
            own or self._policy.system.server_address,
            method,
            self._prefixes.lease(user),
            effective.dns,
            effective.wins,
            tuple(self._behind(claimant, events)),
        )
        self._out[address] = grant, user
        return grant

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
            told = self._exhaustion.refused(sum(map(len, policy.pools)), now)
            return [told] if told else []
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
