"""PPTP's control connection, RFC 2637, sans-IO, in both roles.

    connection = ControlConnection(Role.PAC, ControlConfig(host_name="vpn"), now=now)
    events = connection.receive_data(data, now)     then write connection.data_to_send()
    events = connection.handle_timer(now)           at connection.get_timer()

The events are in `fastpptp.pptp.events`.
"""

from fastpptp.pptp.call import Call, CallKind
from fastpptp.pptp.codes import (
    MAGIC_COOKIE,
    PROTOCOL_VERSION,
    Bearer,
    Cause,
    DisconnectResult,
    EchoResult,
    Framing,
    GeneralError,
    IncomingCallResult,
    MessageType,
    OutgoingCallResult,
    Role,
    StartResult,
    StopReason,
    StopResult,
    name_of,
)
from fastpptp.pptp.config import ControlConfig
from fastpptp.pptp.connection import ControlConnection
from fastpptp.pptp.events import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallRequested,
    CallTurnedDown,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    LinkInfo,
    MessageTrace,
    PeerInfo,
    WanError,
)
from fastpptp.pptp.framing import MessageReader
from fastpptp.pptp.inspect import describe
from fastpptp.pptp.messages import decode, encode
from fastpptp.pptp.tables import CallState, ControlState

__all__ = [
    "MAGIC_COOKIE",
    "PROTOCOL_VERSION",
    "Bearer",
    "Call",
    "CallConnected",
    "CallEnd",
    "CallEnded",
    "CallKind",
    "CallRequested",
    "CallState",
    "CallTurnedDown",
    "Cause",
    "ControlConfig",
    "ControlConnection",
    "ControlEnd",
    "ControlEnded",
    "ControlEstablished",
    "ControlEvent",
    "ControlState",
    "DisconnectResult",
    "EchoResult",
    "Framing",
    "GeneralError",
    "IncomingCallResult",
    "LinkInfo",
    "MessageReader",
    "MessageTrace",
    "MessageType",
    "OutgoingCallResult",
    "PeerInfo",
    "Role",
    "StartResult",
    "StopReason",
    "StopResult",
    "WanError",
    "decode",
    "describe",
    "encode",
    "name_of",
]
