"""NumberPool against a model: nothing is leased twice, nothing is lost, the order holds."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastpptp.addresses.numbers import NumberPool, Range

SPAN = 24
OWNERS = ("", "ann", "bob", "cid")
LAYOUTS: tuple[tuple[Range, ...], ...] = (
    ((0, 5),),
    ((8, 11), (0, 3)),
    ((0, 11), (14, 20)),
    (),
    ((3, 3),),
)


def members(ranges: tuple[Range, ...], reserved: frozenset[int]) -> list[int]:
    return [n for first, last in ranges for n in range(first, last + 1) if n not in reserved]


class Leasing(RuleBasedStateMachine):
    """The model keeps what is leased and the order in which numbers came to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges, self.reserved = LAYOUTS[1], frozenset[int]()
        self.pool = NumberPool(self.ranges)
        self.leased: dict[int, str] = {}
        self.resting: list[int] = []

    @property
    def offered(self) -> list[int]:
        return members(self.ranges, self.reserved)

    def fresh(self) -> list[int]:
        return [n for n in self.offered if n not in self.leased and n not in self.resting]

    def order(self) -> list[int]:
        """What is free in the first range that has anything: fresh ones, else those at rest."""
        for one in self.ranges:
            here = members((one,), self.reserved)
            found = [n for n in here if n in self.fresh()] or [n for n in self.resting if n in here]
            if found:
                return found
        return []

    @rule(owner=st.sampled_from(OWNERS))
    def lease(self, owner: str) -> None:
        expected = self.order()
        had = self.resting.copy()
        number = self.pool.lease(owner)
        if not expected:
            assert number is None
            return
        assert number is not None
        assert number not in self.leased
        assert number == expected[0] or (owner and number in had)
        self._hold(number, owner)

    @rule(number=st.integers(0, SPAN), owner=st.sampled_from(OWNERS))
    def claim(self, number: int, owner: str) -> None:
        assert self.pool.claim(number) == (number not in self.leased)
        if number not in self.leased:
            self._hold(number, owner)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.leased)))
        self.pool.release(number, self.leased.pop(number))
        if number in self.offered:
            self.resting.append(number)

    @rule(number=st.integers(0, SPAN))
    def release_what_is_not_leased(self, number: int) -> None:
        if number not in self.leased:
            self.pool.release(number, "ann")

    @rule(ranges=st.sampled_from(LAYOUTS), reserved=st.frozensets(st.integers(0, SPAN), max_size=3))
    def update(self, ranges: tuple[Range, ...], reserved: frozenset[int]) -> None:
        before, self.ranges, self.reserved = self.ranges, ranges, reserved
        self.pool.update(ranges, reserved)
        parted = [n for one in before for n in self.resting if one[0] <= n <= one[1]]
        self.resting = [n for n in parted if n in self.offered]

    @invariant()
    def the_pool_knows_what_is_leased(self) -> None:
        assert self.pool.leased == self.leased.keys()

    def teardown(self) -> None:
        """Everything that is offered and free can still be leased: nothing was lost."""
        free = set(self.offered) - self.leased.keys()
        found = set()
        while (number := self.pool.lease()) is not None:
            found.add(number)
        assert found == free

    def _hold(self, number: int, owner: str) -> None:
        self.leased[number] = owner
        if number in self.resting:
            self.resting.remove(number)


TestLeasing = Leasing.TestCase


def test_fresh_first_then_the_longest_at_rest() -> None:
    pool = NumberPool([(10, 13)])
    assert [pool.lease() for _ in range(3)] == [10, 11, 12]
    pool.release(11)
    pool.release(10)
    assert [pool.lease() for _ in range(4)] == [13, 11, 10, None]


def test_a_range_is_used_up_before_the_next() -> None:
    pool = NumberPool([(20, 21), (10, 11)])
    assert [pool.lease() for _ in range(3)] == [20, 21, 10]
    pool.release(21)
    assert [pool.lease() for _ in range(3)] == [21, 11, None]


def test_ranges_that_change_places() -> None:
    pool = NumberPool([(10, 11), (20, 21)])
    assert pool.lease("ann") == 10
    pool.release(10, "ann")
    pool.update([(20, 21), (10, 11)])
    assert pool.lease("ann") == 20, "the order counts, not what she had"
    assert [pool.lease() for _ in range(4)] == [21, 11, 10, None]


def test_an_owner_gets_the_same_number_again() -> None:
    pool = NumberPool([(1, 9)])
    assert pool.lease("ann") == 1
    pool.release(1, "ann")
    assert pool.lease("bob") == 2
    assert pool.lease("ann") == 1


def test_a_number_that_another_took_is_not_sticky_any_more() -> None:
    pool = NumberPool([(1, 1)])
    assert pool.lease("ann") == 1
    pool.release(1, "ann")
    assert pool.lease("bob") == 1
    pool.release(1, "bob")
    assert pool.lease("ann") == 1


def test_a_range_of_millions_costs_nothing() -> None:
    pool = NumberPool([(0, 2**64)])
    assert [pool.lease(), pool.lease()] == [0, 1]


def test_a_reserved_number_is_had_by_name_only() -> None:
    pool = NumberPool([(1, 2)], {1})
    assert pool.claim(1)
    pool.release(1, "ann")
    assert [pool.lease("ann"), pool.lease()] == [2, None]
    pool.release(2, "ann")
    pool.update([(1, 2)])
    assert [pool.lease("bob"), pool.lease("ann"), pool.lease()] == [1, 2, None]


def test_what_lies_outside_comes_back_with_its_range() -> None:
    pool = NumberPool([(1, 2)])
    assert [pool.lease("ann"), pool.lease("bob")] == [1, 2]
    pool.update([(5, 5)])
    pool.release(1, "ann")
    assert [pool.lease("ann"), pool.lease()] == [5, None]
    pool.update([(1, 2)])
    assert [pool.lease(), pool.lease()] == [1, None]
