"""Leases of whole numbers out of ordered ranges: the order in which addresses go out.

Numbers that were never used go first, in the order of the ranges; then the ones that were
given back, the longest at rest first, so that a late packet for an old session seldom
meets a new one. Every step is O(1), amortised over the numbers that were ever used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


class NumberPool:
    """Leases numbers of `ranges` (both ends included, not overlapping), except `reserved` ones.

    Each number has at most one lease. An owner who comes back gets the number it had last,
    if that is free. Numbers outside the ranges, and reserved ones, can be claimed by name only.
    """

    def __init__(self, ranges: Sequence[Range], reserved: Collection[int] = ()) -> None:
        self._ranges = tuple(ranges)
        self._reserved = frozenset(reserved)
        self._leased: set[int] = set()
        self._resting: OrderedDict[int, str] = OrderedDict()
        self._last: dict[str, int] = {}
        self._fresh = self._never_used()

    @property
    def leased(self) -> frozenset[int]:
        return frozenset(self._leased)

    def lease(self, owner: str = "") -> int | None:
        """A free number, or None when there is none."""
        number = self._sticky(owner)
        if number is None:
            number = next(self._fresh, None)
        if number is None:
            number = self._longest_at_rest()
        if number is not None:
            self._take(number)
        return number

    def claim(self, number: int) -> bool:
        """Lease this very number, whether or not it is in a range; False when it is leased."""
        if number in self._leased:
            return False
        self._take(number)
        return True

    def release(self, number: int, owner: str = "") -> None:
        """Give a number back; one that is not leased is left alone."""
        if number not in self._leased:
            return
        self._leased.remove(number)
        if self._offers(number):
            self._resting[number] = owner
            if owner:
                self._last[owner] = number

    def update(self, ranges: Sequence[Range], reserved: Collection[int] = ()) -> None:
        """Lease from other ranges from now on. Leases stay; what lies outside is not reused."""
        self._ranges = tuple(ranges)
        self._reserved = frozenset(reserved)
        for number in [n for n in self._resting if not self._offers(n)]:
            self._forget(number)
        self._fresh = self._never_used()

    def _never_used(self) -> Iterator[int]:
        leased, resting, reserved = self._leased, self._resting, self._reserved
        for first, last in self._ranges:
            for number in range(first, last + 1):
                if not any(number in known for known in (leased, resting, reserved)):
                    yield number

    def _offers(self, number: int) -> bool:
        if number in self._reserved:
            return False
        return any(first <= number <= last for first, last in self._ranges)

    def _sticky(self, owner: str) -> int | None:
        number = self._last.get(owner)
        return number if number in self._resting else None

    def _longest_at_rest(self) -> int | None:
        return next(iter(self._resting), None)

    def _take(self, number: int) -> None:
        self._forget(number)
        self._leased.add(number)

    def _forget(self, number: int) -> None:
        """The number is no longer at rest, and its last owner has no claim to it."""
        owner = self._resting.pop(number, "")
        if self._last.get(owner) == number:
            del self._last[owner]
