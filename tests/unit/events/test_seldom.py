"""Told once in a while, with a count."""

from __future__ import annotations

from fastpptp.events.seldom import SeldomEach


def test_each_key_has_its_own_count() -> None:
    seldom = SeldomEach[str](10.0)
    assert [seldom.happened("a", now) for now in (0, 1, 2, 10)] == [1, 0, 0, 3]
    assert seldom.happened("b", 10) == 1


def test_keys_are_bounded_and_the_quietest_goes() -> None:
    seldom = SeldomEach[int](1000.0, most=3)
    for key in (1, 2, 3):
        assert seldom.happened(key, 0) == 1
    assert seldom.happened(1, 1) == 0
    assert seldom.happened(4, 2) == 1  # 2 is forgotten
    assert len(seldom) == 3
    assert seldom.happened(1, 3) == 0
    assert seldom.happened(2, 3) == 1
