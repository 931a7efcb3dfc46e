"""Flood suppression: what holds of it whatever comes, and what it promises to honest work."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.events.catalogue import DECODE_HEADER, WARNING
from fastpptp.events.flood import (
    CLOSE,
    ORDINARY,
    SAMPLE,
    Budget,
    Flood,
    Suppressed,
    Tier,
)

KIND = ("PPTP", 110)


TIERS = Tier(Budget(2, 3), Budget(4, 5)), Tier(Budget(1, 2), Budget(2, 2))
SEVERITY = WARNING, DECODE_HEADER
OFFERED = st.lists(
    st.tuples(st.sampled_from([0.0, 0.04, 0.125, 0.5, 3.0]), st.integers(1, 3), st.booleans()),
    max_size=80,
)


@given(OFFERED)
def test_every_budget_is_kept_and_nobody_is_silent(offered: list[tuple[float, int, bool]]) -> None:
    flood, now = Flood(*TIERS), 0.0
    passed: dict[tuple[str, int], list[float]] = defaultdict(list)
    refused: Counter[tuple[str, int]] = Counter()
    for step, number, close in offered:
        now += step
        kind = (f"C{close}", number)
        if flood.admits(kind, SEVERITY[close], now):
            passed[kind].append(now)
        else:
            refused[kind] += 1
            assert now - passed[kind][-1] < SAMPLE, "a sample is due"
    assert flood.suppressed == refused
    assert {(told.cls, told.number): told.count for told in flood.tell(now)} == refused
    assert flood.tell(now) == []
    assert flood.suppressed == refused
    for close, tier in enumerate(TIERS):
        of_tier = {kind: at for kind, at in passed.items() if kind[0] == f"C{bool(close)}"}
        for moments in of_tier.values():
            _kept(tier.kind, moments, 1)
        _kept(tier.total, sorted(chain(*of_tier.values())), len(of_tier))
        few = all(map(_few(tier.kind), of_tier.values())) and _few(tier.total)(
            list(chain(*of_tier.values()))
        )
        assert not (few and any(refused[kind] for kind in of_tier)), "refused for nothing"


def _kept(budget: Budget, moments: list[float], kinds: int) -> None:
    """Whatever the stretch of time: no more than the budget has in it, and samples."""
    for first, last in combinations(range(len(moments)), 2):
        seconds = moments[last] - moments[first]
        samples = kinds * (seconds / SAMPLE + 1)
        assert last - first + 1 <= budget.burst + budget.rate * seconds + samples


def _few(budget: Budget) -> Callable[[list[float]], bool]:
    return lambda moments: len(moments) < budget.burst


def test_what_was_suppressed_is_told_with_its_time() -> None:
    flood = Flood(Tier(Budget(1, 1), Budget(1, 1)))
    assert flood.tell(0.0) == []
    assert [flood.admits(KIND, WARNING, 5.0) for _ in range(4)] == [True, False, False, False]
    assert flood.tell(15.0) == [Suppressed("PPTP", 110, 3, 10.0)]
    assert flood.tell(15.0) == []


def test_counting_goes_on_at_once_after_it_was_told() -> None:
    flood = Flood(Tier(Budget(0, 1), Budget(1, 1)))
    assert [flood.admits(KIND, WARNING, 5.0) for _ in range(4)] == [True, False, False, False]
    flood.tell(5.01)
    assert not flood.admits(KIND, WARNING, 5.03)
    assert flood.tell(6.03) == [Suppressed("PPTP", 110, 1, 1.0)]
    assert flood.suppressed == {KIND: 4}


def test_decoding_does_not_hide_faults() -> None:
    flood = Flood()
    for number in range(20):
        for _ in range(5_000):
            flood.admits(("PPTPDECODE", number), DECODE_HEADER, 0.0)
    assert flood.admits(("PPTPDECODE", 99), DECODE_HEADER, 0.0), "of what is rare, a sample"
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
