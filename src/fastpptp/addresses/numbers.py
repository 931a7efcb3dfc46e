"""Leases of whole numbers out of ordered ranges: the order in which numbers go out.

A range has to be used up before the next one is touched. In a range, numbers that were never
used go first; then the ones that were given back, the longest at rest first, so that a late
packet for an old session seldom meets a new one. Every step is O(ranges), amortised over the
numbers that were ever used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


class NumberPool:
    """Leases numbers of `ranges` (both ends included, not overlapping), except `reserved` ones.

    Each number has at most one lease. An owner who comes back gets the number it had last, if
    that is free and the ranges are still the same. Numbers outside the ranges, and reserved
    ones, can be claimed by name only.
    """

    def __init__(self, ranges: Sequence[Range], reserved: Collection[int] = ()) -> None:
        self._leased: set[int] = set()
        self._last: dict[str, int] = {}
        self._reserved = frozenset(reserved)
        self._spans = self._lay_out(ranges)

    @property
    def leased(self) -> frozenset[int]:
        return frozenset(self._leased)

    @property
    def reserved(self) -> frozenset[int]:
        return self._reserved

    def lease(self, owner: str = "") -> int | None:
        """A free number, or None when there is none."""
        number = self._sticky(owner)
        if number is None:
            found = (span.next_free() for span in self._spans)
            number = next((free for free in found if free is not None), None)
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
        span = self._span(number)
        if span is not None and number not in self._reserved:
            span.resting[number] = owner
            if owner:
                self._last[owner] = number

    def update(self, ranges: Sequence[Range], reserved: Collection[int] = ()) -> None:
        """Lease from other ranges from now on. Leases stay; what lies outside is not reused."""
        before = self._spans
        self._reserved = frozenset(reserved)
        self._spans = self._lay_out(ranges)
        if [span.ends for span in before] != list(ranges):
            self._last.clear()  # the new order counts for everybody
        for number, owner in [item for span in before for item in span.resting.items()]:
            span = self._span(number)
            if span is not None and number not in self._reserved:
                span.resting[number] = owner
            elif self._last.get(owner) == number:
                del self._last[owner]

    def _lay_out(self, ranges: Sequence[Range]) -> list[_Span]:
        return [_Span(first, last, (self._leased, self._reserved)) for first, last in ranges]

    def _span(self, number: int) -> _Span | None:
        return next((span for span in self._spans if span.first <= number <= span.last), None)

    def _sticky(self, owner: str) -> int | None:
        number = self._last.get(owner)
        span = None if number is None else self._span(number)
        return number if span is not None and number in span.resting else None

    def _take(self, number: int) -> None:
        """The number is no longer at rest, and its last owner has no claim to it."""
        span = self._span(number)
        owner = span.resting.pop(number, "") if span is not None else ""
        if self._last.get(owner) == number:
            del self._last[owner]
        self._leased.add(number)


class _Span:
    """One range, and its numbers at rest with their last owners, the longest at rest first."""

    __slots__ = ("_fresh", "first", "last", "resting")

    def __init__(self, first: int, last: int, taken: Sequence[Collection[int]]) -> None:
        self.first = first
        self.last = last
        self.resting: OrderedDict[int, str] = OrderedDict()
        self._fresh = self._never_used((self.resting, *taken))

    @property
    def ends(self) -> Range:
        return self.first, self.last

    def next_free(self) -> int | None:
        number = next(self._fresh, None)
        return next(iter(self.resting), None) if number is None else number

    def _never_used(self, known: Sequence[Collection[int]]) -> Iterator[int]:
        for number in range(self.first, self.last + 1):
            if not any(number in each for each in known):
                yield number
