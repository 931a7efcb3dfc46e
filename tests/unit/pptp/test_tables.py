"""The tables themselves: whole, closed, and as the figures of RFC 2637 3.1 and 3.2 have them."""

from __future__ import annotations

import pytest

from fastpptp.pptp import ControlConnection
from fastpptp.pptp.calls import Calls
from fastpptp.pptp.tables import (
    ORIGINATOR,
    PAC_INCOMING,
    PAC_OUTGOING,
    PNS_INCOMING,
    PNS_OUTGOING,
    RECEIVER,
    UNEXPECTED_CALL,
    UNEXPECTED_CONTROL,
    CallAction,
    CallInput,
    CallState,
    CallTable,
    ControlAction,
    ControlInput,
    ControlState,
    next_call,
    next_control,
)

CALL_TABLES = {
    "PAC outgoing": PAC_OUTGOING,
    "PNS outgoing": PNS_OUTGOING,
    "PAC incoming": PAC_INCOMING,
    "PNS incoming": PNS_INCOMING,
}


@pytest.mark.parametrize("action", ControlAction)
def test_every_control_action_is_carried_out(action: ControlAction) -> None:
    assert callable(getattr(ControlConnection, f"_do_{action.value}"))
    used = {a for table in (ORIGINATOR, RECEIVER) for actions, _ in table.values() for a in actions}
    assert action in used | {a for actions in UNEXPECTED_CONTROL.values() for a in actions}


@pytest.mark.parametrize("action", CallAction)
def test_every_call_action_is_carried_out(action: CallAction) -> None:
    assert callable(getattr(Calls, f"_do_{action.value}"))
    used = {a for table in CALL_TABLES.values() for actions, _ in table.values() for a in actions}
    assert action in used | {a for actions in UNEXPECTED_CALL.values() for a in actions}


@pytest.mark.parametrize("originator", [True, False])
@pytest.mark.parametrize("event", ControlInput)
@pytest.mark.parametrize("state", [s for s in ControlState if s is not ControlState.CLOSED])
def test_every_control_state_knows_every_input(
    originator: bool, state: ControlState, event: ControlInput
) -> None:
    actions, after = next_control(originator, state, event)
    ends = any(action.value.startswith(("end_", "finish")) for action in actions)
    refuses = {ControlAction.REJECT_VERSION, ControlAction.REFUSE} & set(actions)
    assert (after is ControlState.CLOSED) == (ends or bool(refuses))


@pytest.mark.parametrize("table", CALL_TABLES.values(), ids=CALL_TABLES.keys())
@pytest.mark.parametrize("event", CallInput)
@pytest.mark.parametrize("state", CallState)
def test_every_call_state_knows_every_input(
    table: CallTable, state: CallState, event: CallInput
) -> None:
    actions, after = next_call(table, state, event)
    if after is CallState.IDLE and state not in (CallState.IDLE, CallState.WAIT_DISCONNECT):
        assert CallAction.END in actions or CallAction.FAIL in actions
    if state is CallState.WAIT_DISCONNECT:
        assert CallAction.END not in actions


@pytest.mark.parametrize("table", CALL_TABLES.values(), ids=CALL_TABLES.keys())
def test_every_call_state_can_be_left(table: CallTable) -> None:
    states = {state for state, _ in table}
    for state in states - {CallState.IDLE, CallState.ESTABLISHED}:
        actions, after = next_call(table, state, CallInput.TIMEOUT)
        assert actions
        assert after is CallState.IDLE


@pytest.mark.parametrize("table", [ORIGINATOR, RECEIVER])
def test_every_control_state_is_reached(table: dict) -> None:  # type: ignore[type-arg]
    reached = {after for _, after in table.values()} | {ControlState.IDLE}
    assert {state for state, _ in table} <= reached


def test_the_figure_of_the_originator() -> None:
    path = [
        (ControlInput.OPEN, ControlState.WAIT_CTL_REPLY),
        (ControlInput.START_REPLY, ControlState.ESTABLISHED),
        (ControlInput.LOCAL_STOP, ControlState.WAIT_STOP_REPLY),
        (ControlInput.STOP_REPLY, ControlState.CLOSED),
    ]
    state = ControlState.IDLE
    for event, after in path:
        _, state = next_control(True, state, event)
        assert state is after


def test_the_figure_of_the_receiver() -> None:
    path = [
        (ControlInput.START_REQUEST, ControlState.ESTABLISHED),
        (ControlInput.STOP_REQUEST, ControlState.CLOSED),
    ]
    state = ControlState.IDLE
    for event, after in path:
        _, state = next_control(False, state, event)
        assert state is after
