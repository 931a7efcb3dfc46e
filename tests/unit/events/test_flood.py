"""Flood suppression against a model that remembers every event that passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.events.catalogue import DECODE_HEADER, WARNING
from fastpptp.events.flood import (
    CLOSE,
    INTERVAL,
    ORDINARY,
    SAMPLE,
    Budget,
    Flood,
    Suppressed,
    Tier,
)

KIND = ("PPTP", 110)


class Bucket:
    """Places in exact eighths, as the steps of time below are."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.tokens, self.at = budget, budget.burst, 0.0
        self.told: float | None = None

    def look(self, now: float) -> bool:
        gained = (now - self.at) * self.budget.rate
        self.tokens, self.at = min(self.budget.burst, self.tokens + gained), now
        return self.tokens >= 1

    def sample(self, now: float) -> bool:
        """Of a kind that is refused."""
        if self.tokens > -self.budget.rate:
            self.tokens -= 0.5
        if self.told is not None and now - self.told < SAMPLE:
            return False
        self.told = now
        return True


EVENTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.125, 0.5, 3.0]), st.integers(1, 3), st.booleans()),
    max_size=60,
)


@given(EVENTS)
def test_every_budget_is_kept(events: list[tuple[float, int, bool]]) -> None:
    ordinary, close = Tier(Budget(2, 3), Budget(4, 5)), Tier(Budget(1, 2), Budget(2, 2))
    flood, now = Flood(ordinary, close), 0.0
    own = {
        (number, tier): Bucket((close if tier else ordinary).kind)
        for number in (1, 2, 3)
        for tier in (False, True)
    }
    totals = {tier: Bucket((close if tier else ordinary).total) for tier in (False, True)}
    passed = refused = 0
    for step, number, tier in events:
        now += step
        kind = (f"C{tier}", number)
        mine, total = own[number, tier], totals[tier]
        if not mine.look(now):
            expected = mine.sample(now)
        elif expected := total.look(now):
            mine.tokens -= 1
            mine.told = now
            total.tokens -= 1
        assert flood.admits(kind, DECODE_HEADER if tier else WARNING, now) == expected
        passed, refused = passed + expected, refused + (not expected)
    assert sum(flood.suppressed.values()) == refused
    assert sum(told.count for told in flood.tell(now)) == refused
    assert flood.tell(now) == []
    assert sum(flood.suppressed.values()) == refused


def test_what_was_suppressed_is_told_with_its_time() -> None:
    flood = Flood(Tier(Budget(1, 1), Budget(1, 1)))
    assert flood.due is None
    assert [flood.admits(KIND, WARNING, 5.0) for _ in range(4)] == [True, False, False, False]
    assert flood.due == 5.0 + INTERVAL
    assert flood.tell(15.0) == [Suppressed("PPTP", 110, 3, 10.0)]
    assert flood.due is None


def test_decoding_does_not_hide_faults() -> None:
    flood = Flood()
    for number in range(20):
        for _ in range(5_000):
            flood.admits(("PPTPDECODE", number), DECODE_HEADER, 0.0)
    assert not flood.admits(("PPTPDECODE", 99), DECODE_HEADER, 0.0)
    assert flood.admits(KIND, WARNING, 0.0)


def test_honest_work_passes() -> None:
    """100 logins a second, 30 messages each told twice, and 800 a second that are not decoded."""
    flood = Flood()
    for tenth in range(600):
        now = tenth / 10
        for _ in range(300):
            assert flood.admits(("PPPDECODE", 100), DECODE_HEADER, now)
            assert flood.admits(("PPPDECODE", 101), DECODE_HEADER + 1, now)
        for number in range(8):
            for _ in range(100):
                assert flood.admits(("PPP", number), WARNING, now)
    assert CLOSE.kind.rate >= 3_000
    assert ORDINARY.kind.rate >= 1_000


@pytest.mark.parametrize(("times", "told"), [(1.0, 1.0), (1.5, 0.5), (2.0, 0.01), (20.0, 0.01)])
def test_the_more_there_are_the_fewer_are_told(times: float, told: float) -> None:
    rate = ORDINARY.kind.rate
    flood, offered = Flood(), int(times * rate)
    # As they come: 20 ms of them at a time.
    moments = [at / offered // 0.02 * 0.02 for at in range(40 * offered)]
    passed = [flood.admits(KIND, WARNING, moment) for moment in moments]
    last = sum(passed[-10 * offered :]) / 10
    assert last == pytest.approx(told * rate, rel=0.1)
