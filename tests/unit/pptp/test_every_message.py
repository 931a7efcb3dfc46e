"""Every state of the connection and of each kind of call meets every message."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastpptp.pptp import (
    CallState,
    ControlConnection,
    ControlEnd,
    ControlEnded,
    ControlState,
    Role,
)
from fastpptp.pptp.messages import (
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    StartControlConnectionReply,
    StartControlConnectionRequest,
)
from tests.unit.pptp.support import CONFIG, HIGH, LOW, alone, feed
from tests.unit.pptp.test_messages import VECTORS

MESSAGES = [message for message, _ in VECTORS]
OURS, THEIRS = 7, 0x55


def in_state(state: ControlState) -> ControlConnection:
    connection = ControlConnection(Role.PAC, CONFIG, now=0.0, local_address=HIGH, peer_address=LOW)
    if state is ControlState.WAIT_CTL_REPLY:
        connection.initiate(0.0)
    if state is ControlState.COLLIDED:
        connection.collide(0.0)
    if state in (ControlState.ESTABLISHED, ControlState.WAIT_STOP_REPLY):
        feed(connection, StartControlConnectionRequest())
    if state is ControlState.WAIT_STOP_REPLY:
        connection.stop(0.0)
    if state is ControlState.CLOSED:
        connection.receive_eof(0.0)
    assert connection.state is state
    return connection


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("state", ControlState)
def test_every_connection_state(state: ControlState, message: Message) -> None:
    connection = in_state(state)
    events = feed(connection, message)
    ends = [event for event in events if isinstance(event, ControlEnded)]
    assert connection.closed == bool(ends or state is ControlState.CLOSED)
    assert ends == events[-1:] or not ends
    if state in (ControlState.CLOSED, ControlState.COLLIDED):
        assert events == []
        assert connection.state is state
    starts = (StartControlConnectionRequest, StartControlConnectionReply)
    if state is ControlState.ESTABLISHED and isinstance(message, starts):
        assert ends[0].end is ControlEnd.PROTOCOL_ERROR


def outgoing_pac(state: CallState) -> ControlConnection:
    pac = alone(Role.PAC)
    feed(pac, OutgoingCallRequest(THEIRS))
    if state is CallState.ESTABLISHED:
        pac.answer_call(pac.calls[0], OURS, 0.0)
    return pac


def outgoing_pns(state: CallState) -> ControlConnection:
    pns = alone(Role.PNS)
    pns.place_call(OURS, 0.0)
    if state is not CallState.WAIT_REPLY:
        feed(pns, OutgoingCallReply(THEIRS, OURS))
    if state is CallState.WAIT_DISCONNECT:
        pns.end_call(pns.calls[0], 0.0)
    return pns


def incoming_pac(state: CallState) -> ControlConnection:
    pac = alone(Role.PAC)
    pac.place_call(OURS, 0.0)
    if state is CallState.ESTABLISHED:
        feed(pac, IncomingCallReply(THEIRS, OURS))
    return pac


def incoming_pns(state: CallState) -> ControlConnection:
    pns = alone(Role.PNS)
    feed(pns, IncomingCallRequest(THEIRS))
    if state is not CallState.WAIT_ANSWER:
        pns.answer_call(pns.calls[0], OURS, 0.0)
    if state in (CallState.ESTABLISHED, CallState.WAIT_DISCONNECT):
        feed(pns, IncomingCallConnected(OURS))
    if state is CallState.WAIT_DISCONNECT:
        pns.end_call(pns.calls[0], 0.0)
    return pns


STATES: list[tuple[Callable[[CallState], ControlConnection], CallState]] = [
    (outgoing_pac, CallState.WAIT_CS_ANS),
    (outgoing_pac, CallState.ESTABLISHED),
    (outgoing_pns, CallState.WAIT_REPLY),
    (outgoing_pns, CallState.ESTABLISHED),
    (outgoing_pns, CallState.WAIT_DISCONNECT),
    (incoming_pac, CallState.WAIT_REPLY),
    (incoming_pac, CallState.ESTABLISHED),
    (incoming_pns, CallState.WAIT_ANSWER),
    (incoming_pns, CallState.WAIT_CONNECT),
    (incoming_pns, CallState.ESTABLISHED),
    (incoming_pns, CallState.WAIT_DISCONNECT),
]


def aimed(message: Message) -> list[Message]:
    """The message with each of the Call IDs that mean something, and one that does not."""
    fields = {f.name for f in message.LAYOUT.fields} & {"call_id", "peer_call_id"}
    values = {f.name: getattr(message, f.name) for f in message.LAYOUT.fields}
    ids = (OURS, THEIRS, 0x99)
    return [type(message)(**{**values, **dict.fromkeys(fields, one)}) for one in ids]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(("make", "state"), STATES)
def test_every_call_state(
    make: Callable[[CallState], ControlConnection], state: CallState, message: Message
) -> None:
    for one in aimed(message):
        connection = make(state)
        [call] = connection.calls
        assert call.state is state
        feed(connection, one)
        # A call is in the connection until it is over on both sides, and told once it is.
        assert (call in connection.calls) == (call.state is not CallState.IDLE)
        if call.state is CallState.IDLE:
            assert call.ended
        if connection.closed:
            assert connection.calls == ()
            assert connection.get_timer() is None
