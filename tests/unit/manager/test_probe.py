"""Probes of a path, against paths that are a function of size and of luck."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from fastpptp.effects import Effect
from fastpptp.manager.probe import MEDIUM, PRECISION, Plan, Probe, path_plan, reach_plan

MRU = 1400


class Path:
    """Carries echoes of the sizes that `passes` allows, in `rtt` seconds, on a clock of its own."""

    def __init__(self, passes: Callable[[int], bool], rtt: float = 0.05) -> None:
        self.passes = passes
        self.rtt = rtt
        self.now = 100.0
        self.sent: list[int] = []
        self.told: list[int] = []
        self._answers: list[tuple[float, int]] = []

    def ask(self, plan: Plan) -> list[int]:
        """What the probe has told once it is over."""
        begun = self.now
        probe = Probe(plan, self.now + 3, self._tell)
        while probe.due is not None:
            moments = [probe.due, *(at for at, _ in self._answers)]
            self.now = min(moments)
            if self._answers and self._answers[0][0] <= self.now:
                self._send(probe.answered(self._answers.pop(0)[1], self.now))
            else:
                self._send(probe.advance(self.now))
            assert self.now - begun < 60
        probe.conclusion(self.now)
        return self.told

    def _send(self, size: int | None) -> None:
        if size is None:
            return
        self.sent.append(size)
        if self.passes(size):
            self._answers.append((self.now + self.rtt, size))
            self._answers.sort()

    def _tell(self, found: int, now: float) -> list[Effect]:
        self.told.append(found)
        return []


@pytest.mark.parametrize("rtt", [0.001, 0.3, 0.9, 2.5])
def test_a_whole_path_costs_one_echo(rtt: float) -> None:
    """More where the round trip is longer than the first wait, and still nothing is told."""
    path = Path(lambda size: True, rtt)
    assert path.ask(path_plan(MRU)) == []
    assert path.sent == [MRU] * (1 + int(rtt))


@pytest.mark.parametrize("limit", [MEDIUM, 500, 1000, 1260, 1380, MRU - PRECISION - 1])
@pytest.mark.parametrize("rtt", [0.001, 0.4])
def test_a_black_hole_is_told_with_what_passes(limit: int, rtt: float) -> None:
    path = Path(lambda size: size <= limit, rtt)
    (passes,) = path.ask(path_plan(MRU))
    assert limit - PRECISION <= passes <= limit


@pytest.mark.parametrize("answered", [0, MEDIUM - 1])
def test_a_peer_that_answers_no_padded_echoes_proves_nothing(answered: int) -> None:
    path = Path(lambda size: size <= answered)
    assert path.ask(path_plan(MRU)) == []
    assert path.sent == [MRU] * 3 + [MEDIUM] * 3


def test_a_path_that_comes_back_is_not_told() -> None:
    """What was lost meanwhile passes when it is asked for the last time."""
    path = Path(lambda size: size <= 1000 or path.now > 107)
    assert path.ask(path_plan(MRU)) == []
    assert len(path.sent) > 6


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
def test_chance_is_no_black_hole(loss: float) -> None:
    """Of a thousand lossy paths less than one in a hundred is taken for narrow."""
    rng = Random(1)
    told = [Path(lambda size: rng.random() > loss).ask(path_plan(MRU)) for _ in range(1000)]
    assert sum(map(len, told)) <= 10


def test_a_slow_path_under_load_is_not_told() -> None:
    """Round trips of seconds: each answer comes while another question is out."""
    for rtt in (3.5, 4.5, 6.0, 9.0):
        assert Path(lambda size: True, rtt).ask(path_plan(MRU)) == []


def test_a_small_mru() -> None:
    assert Path(lambda size: True).ask(path_plan(128)) == []
    assert Path(lambda size: size < 300).ask(path_plan(300)) == []


def test_a_deaf_peer() -> None:
    assert Path(lambda size: True).ask(reach_plan()) == []
    assert Path(lambda size: False).ask(reach_plan()) == [0]
