"""Address pools: NumberPool for IPv4 ranges, and for the /64s of an IPv6 prefix."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from fastpptp.addresses.numbers import NumberPool, Range
from fastpptp.settings.tree import PoolRange

SESSION_PREFIX = 64
_STEP = 128 - SESSION_PREFIX


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """A pool's addresses: in all, those in use, those kept for their users, those free."""

    pool: PoolRange
    size: int
    in_use: int
    reserved: int
    free: int


class PoolAllocator:
    """Leases the addresses of the pools, the first address of the first pool first.

    It knows every IPv4 address in use, also those that another method found (`claim`), so
    that none is given twice. `reserved` are users' own addresses: never leased from a pool.
    """

    def __init__(self, pools: Sequence[PoolRange], reserved: Collection[IPv4Address] = ()) -> None:
        self._pools = tuple(pools)
        self._numbers = NumberPool(_ranges(pools), {int(address) for address in reserved})

    @property
    def leased(self) -> frozenset[IPv4Address]:
        return frozenset(map(IPv4Address, self._numbers.leased))

    def lease(self, user: str = "") -> IPv4Address | None:
        """A free address, the one that `user` had last if it is free; None when all are out."""
        number = self._numbers.lease(user)
        return None if number is None else IPv4Address(number)

    def claim(self, address: IPv4Address) -> bool:
        """Mark this very address as in use; False when it already is."""
        return self._numbers.claim(int(address))

    def release(self, address: IPv4Address, user: str = "") -> None:
        self._numbers.release(int(address), user)

    def update(self, pools: Sequence[PoolRange], reserved: Collection[IPv4Address] = ()) -> None:
        """Lease from other pools from now on; leases stay."""
        self._pools = tuple(pools)
        self._numbers.update(_ranges(pools), {int(address) for address in reserved})

    def usage(self) -> list[PoolUsage]:
        """Each pool's, in their order."""
        leased = sorted(self._numbers.leased)
        kept = sorted(self._numbers.reserved - self._numbers.leased)
        return [_usage(pool, leased, kept) for pool in self._pools]

    def pool_of(self, address: IPv4Address) -> PoolRange | None:
        """The pool that holds the address."""
        return next((pool for pool in self._pools if address in pool), None)


class PrefixAllocator:
    """Leases /64s of an IPv6 prefix; without a prefix it has none."""

    def __init__(self, prefix: IPv6Network | None) -> None:
        self._numbers = NumberPool(_prefixes(prefix))

    def lease(self, user: str = "") -> IPv6Network | None:
        """A free /64, the one that `user` had last if it is free."""
        number = self._numbers.lease(user)
        if number is None:
            return None
        return IPv6Network((IPv6Address(number << _STEP), SESSION_PREFIX))

    def release(self, prefix: IPv6Network, user: str = "") -> None:
        self._numbers.release(int(prefix.network_address) >> _STEP, user)

    def update(self, prefix: IPv6Network | None) -> None:
        self._numbers.update(_prefixes(prefix))


def _usage(pool: PoolRange, leased: Sequence[int], kept: Sequence[int]) -> PoolUsage:
    in_use, reserved = (_within(pool, numbers) for numbers in (leased, kept))
    size = len(pool)
    return PoolUsage(pool, size, in_use, reserved, size - in_use - reserved)


def _within(pool: PoolRange, numbers: Sequence[int]) -> int:
    """How many of `numbers`, which are sorted, the pool holds."""
    return bisect_right(numbers, int(pool.last)) - bisect_left(numbers, int(pool.first))


def _ranges(pools: Sequence[PoolRange]) -> list[Range]:
    return [(int(pool.first), int(pool.last)) for pool in pools]


def _prefixes(prefix: IPv6Network | None) -> list[Range]:
    if prefix is None:
        return []
    return [(int(prefix.network_address) >> _STEP, int(prefix.broadcast_address) >> _STEP)]
