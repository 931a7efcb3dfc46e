"""The table against the RFC's own text, cell by cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastpptp.ppp.fsm_table import TABLE, TIMED, Event, State

RFC = Path(__file__).resolve().parents[4] / "shared" / "rfc" / "rfc1661.txt"

ROW = re.compile(r"^ +(\S+?)\s*\|(.*)$")


def rfc_cells() -> dict[str, list[str]]:
    """The rows of both halves of the table in section 4.1, footnote letters taken off."""
    text = RFC.read_text()
    section = text[text.rindex("4.1.  State Transition Table") : text.rindex("4.2.  States")]
    rows: dict[str, list[str]] = {}
    for line in section.splitlines():
        match = ROW.match(line)
        if match and match[1] in {event.value for event in Event}:
            cells = [re.sub(r"[prx]$", "", cell) for cell in match[2].split()]
            rows.setdefault(match[1], []).extend(cells)
    return rows


def ours(event: Event, state: State) -> str:
    transition = TABLE[event][state]
    if transition is None:
        return "-"
    actions = ",".join(action.value for action in transition.actions)
    return f"{actions}/{int(transition.state)}" if actions else str(int(transition.state))


@pytest.mark.skipif(not RFC.exists(), reason="the RFC texts are not here")
def test_every_cell_is_the_rfcs() -> None:
    rows = rfc_cells()
    assert {name: len(cells) for name, cells in rows.items()} == {e.value: 10 for e in Event}
    differences = {
        (event.value, state.name): (rows[event.value][state], ours(event, state))
        for event in Event
        for state in State
        if rows[event.value][state] != ours(event, state)
    }
    assert differences == {}


def test_size() -> None:
    assert len(TABLE) == 16
    assert {len(row) for row in TABLE.values()} == {10}


def test_timer_runs_where_timeouts_are() -> None:
    assert {State.CLOSING, State.STOPPING, State.REQ_SENT, State.ACK_RCVD, State.ACK_SENT} == TIMED
