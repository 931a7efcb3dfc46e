"""The state machines of RFC 2637 3.1 and 3.2, as (state, input) -> (actions, next state).

The arrows are the RFC's figures; what a figure leaves out and we need is marked "ours".
Where a table has no entry, UNEXPECTED_CONTROL and UNEXPECTED_CALL say what is done, and the
state stays. An action is the name of what connection.py or calls.py does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias, TypeVar


class ControlState(Enum):
    """States of a control connection (3.1)."""

    IDLE = "idle"
    WAIT_CTL_REPLY = "wait_ctl_reply"
    ESTABLISHED = "established"
    WAIT_STOP_REPLY = "wait_stop_reply"
    COLLIDED = "collided"  # ours: the winner waits for the loser to close this one (3.1.3)
    CLOSED = "closed"  # ours: the RFC's idle, after the end


class ControlInput(Enum):
    """What happens to a control connection."""

    OPEN = "TCP Open Indication"
    COLLISION_WON = "Collision, our address is higher"
    COLLISION_LOST = "Collision, the peer's address is higher"
    START_REQUEST = "Start-Control-Connection-Request"
    START_REQUEST_VERSION = "Start-Control-Connection-Request, Version Not OK"
    START_REQUEST_REFUSED = "Start-Control-Connection-Request, our owner refuses"
    START_REQUEST_WON = "Start-Control-Connection-Request, collision won"
    START_REQUEST_LOST = "Start-Control-Connection-Request, collision lost"
    START_REPLY = "Start-Control-Connection-Reply"
    START_REPLY_VERSION = "Start-Control-Connection-Reply, Version Not OK"
    START_REPLY_REFUSED = "Start-Control-Connection-Reply with error"
    STOP_REQUEST = "Stop-Control-Connection-Request"
    STOP_REPLY = "Stop-Control-Connection-Reply"
    ECHO_REQUEST = "Echo-Request"
    ECHO_REPLY = "Echo-Reply"
    CALL_MESSAGE = "a call's message"
    LOCAL_STOP = "Local Terminate"
    SILENCE = "no control message for a while (3.1.4)"
    ECHO_EXPIRED = "no Echo-Reply (3.1.4)"
    TIMEOUT = "the state's time is up"
    EOF = "TCP closed by the peer"


class ControlAction(Enum):
    """What a control connection does; each is a method of ControlConnection."""

    SEND_START_REQUEST = "send_start_request"
    ACCEPT = "accept"
    REJECT_VERSION = "reject_version"
    REFUSE = "refuse_start"
    ESTABLISH = "establish"
    STOP_VERSION = "stop_version"
    END_REFUSED = "end_refused"
    END_COLLISION = "end_collision"
    SEND_STOP_REQUEST = "send_stop_request"
    SEND_STOP_REPLY = "send_stop_reply"
    END_STOPPED_PEER = "end_stopped_peer"
    END_STOPPED_LOCAL = "end_stopped_local"
    FINISH_STOP = "finish_stop"
    SEND_ECHO_REQUEST = "send_echo_request"
    SEND_ECHO_REPLY = "send_echo_reply"
    TAKE_ECHO_REPLY = "take_echo_reply"
    END_ECHO = "end_echo"
    END_ESTABLISH = "end_establish"
    END_LOST = "end_lost"
    PASS_TO_CALLS = "pass_to_calls"
    BREAK = "break_off"
    FORBID = "forbid"


class CallState(Enum):
    """States of a call (3.2); idle is both before it begins and after it is over."""

    IDLE = "idle"
    WAIT_CS_ANS = "wait_cs_ans"
    WAIT_REPLY = "wait_reply"
    WAIT_ANSWER = "wait_answer"  # ours: the RFC's PNS decides on an incoming call at once
    WAIT_CONNECT = "wait_connect"
    ESTABLISHED = "established"
    WAIT_DISCONNECT = "wait_disconnect"


class CallInput(Enum):
    """What happens to a call."""

    PLACE = "Open Indication, or Ring"
    REQUEST = "Outgoing- or Incoming-Call-Request"
    ANSWER = "our owner takes the call"
    REFUSE = "our owner does not take the call"
    REPLY = "Outgoing- or Incoming-Call-Reply"
    REPLY_ERROR = "Outgoing- or Incoming-Call-Reply with error"
    CONNECTED = "Incoming-Call-Connected"
    CLEAR = "Call-Clear-Request"
    DISCONNECT = "Call-Disconnect-Notify"
    TERMINATE = "Local Terminate, or Abort"
    TIMEOUT = "the state's time is up (3.2.1)"


class CallAction(Enum):
    """What is done for a call; each is a method of calls.Calls."""

    INDICATE = "indicate"
    SEND_REQUEST = "send_request"
    SEND_REPLY = "send_reply"
    SEND_REFUSAL = "send_refusal"
    SEND_CONNECTED = "send_connected"
    SEND_CLEAR = "send_clear"
    SEND_DISCONNECT = "send_disconnect"
    CONNECT = "connect"
    END = "end"
    FAIL = "fail"
    FORBID = "forbid"


C = ControlState
I = ControlInput  # noqa: E741
A = ControlAction
ControlTable: TypeAlias = Mapping[
    tuple[ControlState, ControlInput], tuple[tuple[ControlAction, ...], ControlState]
]

# The same in both of the figures of 3.1.1 and 3.1.2, and the keep-alives of 3.1.4.
_ESTABLISHED: ControlTable = {
    (C.ESTABLISHED, I.CALL_MESSAGE): ((A.PASS_TO_CALLS,), C.ESTABLISHED),
    (C.ESTABLISHED, I.ECHO_REQUEST): ((A.SEND_ECHO_REPLY,), C.ESTABLISHED),
    (C.ESTABLISHED, I.ECHO_REPLY): ((A.TAKE_ECHO_REPLY,), C.ESTABLISHED),
    (C.ESTABLISHED, I.SILENCE): ((A.SEND_ECHO_REQUEST,), C.ESTABLISHED),
    (C.ESTABLISHED, I.ECHO_EXPIRED): ((A.END_ECHO,), C.CLOSED),
    (C.ESTABLISHED, I.STOP_REQUEST): ((A.SEND_STOP_REPLY, A.END_STOPPED_PEER), C.CLOSED),
    (C.ESTABLISHED, I.STOP_REPLY): ((), C.ESTABLISHED),
    (C.ESTABLISHED, I.LOCAL_STOP): ((A.SEND_STOP_REQUEST,), C.WAIT_STOP_REPLY),
    (C.ESTABLISHED, I.EOF): ((A.END_LOST,), C.CLOSED),
    (C.WAIT_STOP_REPLY, I.STOP_REPLY): ((A.FINISH_STOP,), C.CLOSED),
    # Ours: both stop at once. Everything else that crosses our stop no longer matters.
    (C.WAIT_STOP_REPLY, I.STOP_REQUEST): ((A.SEND_STOP_REPLY, A.FINISH_STOP), C.CLOSED),
    (C.WAIT_STOP_REPLY, I.ECHO_REQUEST): ((A.SEND_ECHO_REPLY,), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.ECHO_REPLY): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.CALL_MESSAGE): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.START_REQUEST): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.START_REQUEST_VERSION): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.START_REPLY): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.START_REPLY_VERSION): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.START_REPLY_REFUSED): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.LOCAL_STOP): ((), C.WAIT_STOP_REPLY),
    (C.WAIT_STOP_REPLY, I.TIMEOUT): ((A.FINISH_STOP,), C.CLOSED),
    (C.WAIT_STOP_REPLY, I.EOF): ((A.FINISH_STOP,), C.CLOSED),
}

# 3.1.1
ORIGINATOR: ControlTable = MappingProxyType(
    {
        (C.IDLE, I.OPEN): ((A.SEND_START_REQUEST,), C.WAIT_CTL_REPLY),
        (C.WAIT_CTL_REPLY, I.START_REPLY): ((A.ESTABLISH,), C.ESTABLISHED),
        (C.WAIT_CTL_REPLY, I.START_REPLY_VERSION): ((A.STOP_VERSION,), C.WAIT_STOP_REPLY),
        (C.WAIT_CTL_REPLY, I.START_REPLY_REFUSED): ((A.END_REFUSED,), C.CLOSED),
        (C.WAIT_CTL_REPLY, I.COLLISION_WON): ((), C.WAIT_CTL_REPLY),
        (C.WAIT_CTL_REPLY, I.COLLISION_LOST): ((A.END_COLLISION,), C.CLOSED),
        # Ours: both requests are on one TCP connection (a simultaneous open).
        (C.WAIT_CTL_REPLY, I.START_REQUEST_WON): ((), C.WAIT_CTL_REPLY),
        (C.WAIT_CTL_REPLY, I.START_REQUEST_LOST): ((A.ACCEPT,), C.ESTABLISHED),
        # Ours: whoever is asked to stop answers, and what is not up yet needs no stop.
        (C.WAIT_CTL_REPLY, I.STOP_REQUEST): ((A.SEND_STOP_REPLY, A.END_STOPPED_PEER), C.CLOSED),
        (C.WAIT_CTL_REPLY, I.LOCAL_STOP): ((A.END_STOPPED_LOCAL,), C.CLOSED),
        (C.WAIT_CTL_REPLY, I.TIMEOUT): ((A.END_ESTABLISH,), C.CLOSED),
        (C.WAIT_CTL_REPLY, I.EOF): ((A.END_LOST,), C.CLOSED),
        **_ESTABLISHED,
    }
)

# 3.1.2
RECEIVER: ControlTable = MappingProxyType(
    {
        (C.IDLE, I.START_REQUEST): ((A.ACCEPT,), C.ESTABLISHED),
        (C.IDLE, I.START_REQUEST_VERSION): ((A.REJECT_VERSION,), C.CLOSED),
        (C.IDLE, I.START_REQUEST_REFUSED): ((A.REFUSE,), C.CLOSED),
        (C.IDLE, I.COLLISION_LOST): ((), C.IDLE),
        (C.IDLE, I.COLLISION_WON): ((), C.COLLIDED),
        (C.IDLE, I.LOCAL_STOP): ((A.END_STOPPED_LOCAL,), C.CLOSED),
        (C.IDLE, I.TIMEOUT): ((A.END_ESTABLISH,), C.CLOSED),
        (C.IDLE, I.EOF): ((A.END_LOST,), C.CLOSED),
        # Nothing may be sent on it, whatever comes in (3.1.3).
        (C.COLLIDED, I.START_REQUEST): ((), C.COLLIDED),
        (C.COLLIDED, I.START_REQUEST_VERSION): ((), C.COLLIDED),
        (C.COLLIDED, I.START_REQUEST_REFUSED): ((), C.COLLIDED),
        (C.COLLIDED, I.START_REPLY): ((), C.COLLIDED),
        (C.COLLIDED, I.START_REPLY_VERSION): ((), C.COLLIDED),
        (C.COLLIDED, I.START_REPLY_REFUSED): ((), C.COLLIDED),
        (C.COLLIDED, I.STOP_REQUEST): ((), C.COLLIDED),
        (C.COLLIDED, I.STOP_REPLY): ((), C.COLLIDED),
        (C.COLLIDED, I.ECHO_REQUEST): ((), C.COLLIDED),
        (C.COLLIDED, I.ECHO_REPLY): ((), C.COLLIDED),
        (C.COLLIDED, I.CALL_MESSAGE): ((), C.COLLIDED),
        (C.COLLIDED, I.LOCAL_STOP): ((A.END_STOPPED_LOCAL,), C.CLOSED),
        (C.COLLIDED, I.TIMEOUT): ((A.END_COLLISION,), C.CLOSED),
        (C.COLLIDED, I.EOF): ((A.END_COLLISION,), C.CLOSED),
        **_ESTABLISHED,
    }
)

_State = TypeVar("_State")
_Input = TypeVar("_Input")
_Action = TypeVar("_Action")


def _every(inputs: Iterable[_Input], *actions: _Action) -> dict[_Input, tuple[_Action, ...]]:
    return dict.fromkeys(inputs, actions)


# A peer's message out of place breaks the connection off, so that both ends are back in a
# known state (3); a caller's is his error; a time that no longer counts is nothing.
UNEXPECTED_CONTROL: Mapping[ControlInput, tuple[ControlAction, ...]] = MappingProxyType(
    {
        **_every(ControlInput, A.BREAK),
        **_every((I.OPEN, I.COLLISION_WON, I.COLLISION_LOST, I.LOCAL_STOP), A.FORBID),
        **_every((I.SILENCE, I.ECHO_EXPIRED, I.TIMEOUT, I.EOF)),
    }
)

S = CallState
N = CallInput
D = CallAction
CallTable: TypeAlias = Mapping[
    tuple[CallState, CallInput], tuple[tuple[CallAction, ...], CallState]
]

# 3.2.4.1. Ours: a PNS that sends Call-Disconnect-Notify has hung up too.
PAC_OUTGOING: CallTable = MappingProxyType(
    {
        (S.IDLE, N.REQUEST): ((D.INDICATE,), S.WAIT_CS_ANS),
        (S.WAIT_CS_ANS, N.ANSWER): ((D.SEND_REPLY, D.CONNECT), S.ESTABLISHED),
        (S.WAIT_CS_ANS, N.REFUSE): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_CS_ANS, N.TERMINATE): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_CS_ANS, N.TIMEOUT): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_CS_ANS, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_CS_ANS, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.ESTABLISHED, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.TERMINATE): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.DISCONNECT): ((D.END,), S.IDLE),
    }
)

# 3.2.4.2. Ours: a PAC that sends Call-Clear-Request gets what a PNS would get; it may hang up
# before it replies; and a refusal that crosses our Call-Clear-Request ends the wait, for that
# PAC knows of no call to clear.
PNS_OUTGOING: CallTable = MappingProxyType(
    {
        (S.IDLE, N.PLACE): ((D.SEND_REQUEST,), S.WAIT_REPLY),
        (S.WAIT_REPLY, N.REPLY): ((D.CONNECT,), S.ESTABLISHED),
        (S.WAIT_REPLY, N.REPLY_ERROR): ((D.END,), S.IDLE),
        (S.WAIT_REPLY, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.WAIT_REPLY, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_REPLY, N.TERMINATE): ((D.SEND_CLEAR, D.END), S.WAIT_DISCONNECT),
        (S.WAIT_REPLY, N.TIMEOUT): ((D.FAIL,), S.IDLE),
        (S.ESTABLISHED, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.ESTABLISHED, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.TERMINATE): ((D.SEND_CLEAR, D.END), S.WAIT_DISCONNECT),
        (S.WAIT_DISCONNECT, N.DISCONNECT): ((), S.IDLE),
        (S.WAIT_DISCONNECT, N.REPLY_ERROR): ((), S.IDLE),
        (S.WAIT_DISCONNECT, N.TIMEOUT): ((D.FAIL,), S.IDLE),
    }
)

# 3.2.3.1, with the Call-Clear-Request "in any state" of 2.12. Ours: Call-Disconnect-Notify.
PAC_INCOMING: CallTable = MappingProxyType(
    {
        (S.IDLE, N.PLACE): ((D.SEND_REQUEST,), S.WAIT_REPLY),
        (S.WAIT_REPLY, N.REPLY): ((D.SEND_CONNECTED, D.CONNECT), S.ESTABLISHED),
        (S.WAIT_REPLY, N.REPLY_ERROR): ((D.END,), S.IDLE),
        (S.WAIT_REPLY, N.TERMINATE): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_REPLY, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_REPLY, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.WAIT_REPLY, N.TIMEOUT): ((D.FAIL,), S.IDLE),
        (S.ESTABLISHED, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.TERMINATE): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.DISCONNECT): ((D.END,), S.IDLE),
    }
)

# 3.2.3.2. Ours: Call-Clear-Request from a PAC.
PNS_INCOMING: CallTable = MappingProxyType(
    {
        (S.IDLE, N.REQUEST): ((D.INDICATE,), S.WAIT_ANSWER),
        (S.WAIT_ANSWER, N.ANSWER): ((D.SEND_REPLY,), S.WAIT_CONNECT),
        (S.WAIT_ANSWER, N.REFUSE): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_ANSWER, N.TERMINATE): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_ANSWER, N.TIMEOUT): ((D.SEND_REFUSAL, D.END), S.IDLE),
        (S.WAIT_ANSWER, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.WAIT_ANSWER, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_CONNECT, N.CONNECTED): ((D.CONNECT,), S.ESTABLISHED),
        (S.WAIT_CONNECT, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.WAIT_CONNECT, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.WAIT_CONNECT, N.TERMINATE): ((D.SEND_CLEAR, D.END), S.WAIT_DISCONNECT),
        (S.WAIT_CONNECT, N.TIMEOUT): ((D.FAIL,), S.IDLE),
        (S.ESTABLISHED, N.DISCONNECT): ((D.END,), S.IDLE),
        (S.ESTABLISHED, N.CLEAR): ((D.SEND_DISCONNECT, D.END), S.IDLE),
        (S.ESTABLISHED, N.TERMINATE): ((D.SEND_CLEAR, D.END), S.WAIT_DISCONNECT),
        (S.WAIT_DISCONNECT, N.DISCONNECT): ((), S.IDLE),
        (S.WAIT_DISCONNECT, N.TIMEOUT): ((D.FAIL,), S.IDLE),
    }
)

# A message that does not fit a call's state has crossed another or is repeated: ignored.
UNEXPECTED_CALL: Mapping[CallInput, tuple[CallAction, ...]] = MappingProxyType(
    {**_every(CallInput), **_every((N.PLACE, N.ANSWER, N.REFUSE, N.TERMINATE), D.FORBID)}
)


def next_control(
    originator: bool, state: ControlState, event: ControlInput
) -> tuple[tuple[ControlAction, ...], ControlState]:
    """What a control connection does on an input, and the state it is in then."""
    table = ORIGINATOR if originator else RECEIVER
    return table.get((state, event)) or (UNEXPECTED_CONTROL[event], state)


def next_call(
    table: CallTable, state: CallState, event: CallInput
) -> tuple[tuple[CallAction, ...], CallState]:
    """What is done for a call on an input, and the state it is in then."""
    return table.get((state, event)) or (UNEXPECTED_CALL[event], state)
