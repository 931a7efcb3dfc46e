"""docs/events.md, and what every event must say for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpptp.events import reference
from fastpptp.events.catalogue import EVENTS
from fastpptp.events.causes import Cause

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "events.md"


def test_it_is_not_stale() -> None:
    assert DOCUMENT.read_text() == reference.text(), "run `make docs`"


@pytest.mark.parametrize(("cls", "number"), EVENTS)
def test_every_event_is_in_it_and_explained(cls: str, number: int) -> None:
    kind = EVENTS[cls, number]
    (line,) = [x for x in reference.text().split("\n") if x.startswith(f"| {cls}/{number} |")]
    assert f"| {kind.severity} |" in line
    assert kind.means.endswith(".")
    assert kind.means in line
    assert kind.remedy in line
    assert ("**Cause.**" in line) == kind.caused


def test_warnings_say_what_to_do() -> None:
    silent = [event for event, kind in EVENTS.items() if kind.severity <= 3 and not kind.remedy]
    assert silent == []


def test_every_cause_is_in_it() -> None:
    for cause in Cause:
        assert f"| `{cause.code}` |" in reference.text()
