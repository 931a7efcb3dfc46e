"""What a ControlConnection tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from fastpptp.pptp.tables import CallInput, CallState, ControlInput, ControlState

if TYPE_CHECKING:
    from fastpptp.pptp.call import Call
    from fastpptp.pptp.messages import Message


class ControlEnd(Enum):
    """Why a control connection ended."""

    STOPPED_LOCAL = "we sent Stop-Control-Connection-Request"
    STOPPED_PEER = "the peer sent Stop-Control-Connection-Request"
    CARRIER_LOST = "the TCP connection ended without a stop"
    PROTOCOL_ERROR = "the peer broke the protocol"
    ECHO_TIMEOUT = "no Echo-Reply"
    ESTABLISH_TIMEOUT = "the control connection was not established in time"
    REFUSED_LOCAL = "we refused the control connection"
    REFUSED_PEER = "the peer refused the control connection"
    VERSION = "protocol version not supported"
    COLLISION = "lost the collision of two Start-Control-Connection-Requests"


class CallEnd(Enum):
    """Why a call ended."""

    CLEARED_PEER = "the peer sent Call-Clear-Request"
    DISCONNECTED_PEER = "the peer sent Call-Disconnect-Notify"
    ENDED_LOCAL = "ended by us"
    REFUSED_PEER = "the peer refused the call"
    REFUSED_LOCAL = "we refused the call"
    NO_ANSWER = "the peer did not answer the call request"
    CONTROL_CLOSED = "its control connection ended"


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What the peer said in its SCCRQ or SCCRP (RFC 2637 2.1, 2.2)."""

    version: int
    framing_capabilities: int
    bearer_capabilities: int
    maximum_channels: int
    firmware_revision: int
    host_name: str
    vendor_name: str


@dataclass(frozen=True, slots=True)
class ControlEstablished:
    peer: PeerInfo


@dataclass(frozen=True, slots=True)
class CallRequested:
    """The peer asks for a call (OCRQ or ICRQ): answer_call or refuse_call."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallTurnedDown:
    """A request that was refused without asking the owner: its role is not ours (`wrong_role`), or
    its Call ID is in use on this connection.
    """

    peer_call_id: int
    wrong_role: bool


@dataclass(frozen=True, slots=True)
class CallConnected:
    """Both Call IDs are known and GRE may flow."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over. `result`, `error` and `cause` are the wire's codes, 0 where none."""

    call: Call
    end: CallEnd
    result: int = 0
    error: int = 0
    cause: int = 0


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """Set-Link-Info (RFC 2637 2.15)."""

    call: Call
    send_accm: int
    receive_accm: int


@dataclass(frozen=True, slots=True)
class WanError:
    """WAN-Error-Notify (RFC 2637 2.14): the counters since the call began."""

    call: Call
    crc_errors: int
    framing_errors: int
    hardware_overruns: int
    buffer_overruns: int
    timeout_errors: int
    alignment_errors: int


@dataclass(frozen=True, slots=True)
class MessageTrace:
    """A control message and its octets; only when the connection was asked to trace.

    What came in and is none has no `message`: the connection ends for it.
    """

    sent: bool
    message: Message | None
    octets: bytes


@dataclass(frozen=True, slots=True)
class ControlStep:
    """A control connection took a step of its table (RFC 2637 3.1), None being a malformed message;
    only when it was asked to debug. What is waited for then is waited for until `deadline`.
    """

    event: ControlInput | None
    before: ControlState
    after: ControlState
    deadline: float | None


@dataclass(frozen=True, slots=True)
class CallStep:
    """A call took a step of its table (RFC 2637 3.2), or the input does not fit its state and is
    `ignored`; only when the connection was asked to debug. `deadline` as of a ControlStep.
    """

    call: Call
    event: CallInput
    before: CallState
    after: CallState
    ignored: bool
    deadline: float | None


@dataclass(frozen=True, slots=True)
class ControlEnded:
    """The control connection is over; every call got its CallEnded before this.

    `result` and `error` are the codes of a refusal (RFC 2637 2.2, 2.16), `detail` is for the log.
    """

    end: ControlEnd
    result: int = 0
    error: int = 0
    detail: str = ""


ControlEvent: TypeAlias = (
    ControlEstablished
    | CallRequested
    | CallTurnedDown
    | CallConnected
    | CallEnded
    | LinkInfo
    | WanError
    | MessageTrace
    | ControlStep
    | CallStep
    | ControlEnded
)
