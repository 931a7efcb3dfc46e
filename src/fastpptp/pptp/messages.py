"""The fifteen control messages of RFC 2637 section 2, each a table of its fields.

The tables are the only description of the wire: encoding, decoding and the inspector are
driven by them. All lengths are fixed. Reserved fields are sent as zero and not looked at
when they are received: Windows RRAS leaves garbage in those of Set-Link-Info.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.pptp.codes import (
    CONTROL_MESSAGE,
    MAGIC_COOKIE,
    PROTOCOL_VERSION,
    Bearer,
    Cause,
    Code,
    DisconnectResult,
    EchoResult,
    Framing,
    GeneralError,
    IncomingCallResult,
    MessageType,
    OutgoingCallResult,
    StartResult,
    StopReason,
    StopResult,
)

HEADER = struct.Struct(">HHIHxx")

# How the inspector shows a field: decimal, so many hexadecimal digits, text, the text of
# a code, or the names of bits.
Show: TypeAlias = type[Code] | type[Framing] | type[Bearer] | str


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the attribute it is kept in ("" = reserved), its `struct` format, how it is shown.

    The inspector leaves out an `optional` field that is zero or empty.
    """

    name: str
    format: str
    show: Show = "d"
    optional: bool = False

    @property
    def is_text(self) -> bool:
        return self.format.endswith("s")

    @property
    def label(self) -> str:
        return self.name.replace("_", "-")


class Layout:
    """A message's type and fields after the header; `size` is its Length in octets."""

    def __init__(self, kind: MessageType, *fields: Field) -> None:
        self.kind = kind
        self.fields = tuple(field for field in fields if field.name)
        self._names = tuple(field.name for field in self.fields)
        self._texts = tuple(place for place, field in enumerate(self.fields) if field.is_text)
        self._body = struct.Struct(">" + "".join(field.format for field in fields))
        self.size = HEADER.size + self._body.size
        self._header = HEADER.pack(self.size, CONTROL_MESSAGE, MAGIC_COOKIE, kind)

    def pack(self, message: Message) -> bytes:
        values = [getattr(message, name) for name in self._names]
        for place in self._texts:
            values[place] = _to_wire(self.fields[place], values[place])
        try:
            return self._header + self._body.pack(*values)
        except struct.error as error:
            raise LocalProtocolError(f"{self.kind.text}: {error}") from error

    def unpack(self, data: bytes) -> list[Any]:
        values = list(self._body.unpack_from(data, HEADER.size))
        for place in self._texts:
            values[place] = _from_wire(values[place])
        return values


def _to_wire(field: Field, value: object) -> bytes:
    octets = str(value).encode("latin-1", "replace")
    if len(octets) > int(field.format[:-1]):
        raise LocalProtocolError(f"{field.label} is longer than {field.format[:-1]} octets")
    return octets


def _from_wire(octets: bytes) -> str:
    """Text ends at the first zero octet; latin-1 takes any octet and loses none."""
    return octets.partition(b"\0")[0].decode("latin-1")


def _u8(name: str, show: Show = "d", *, optional: bool = False) -> Field:
    return Field(name, "B", show, optional)


def _u16(name: str, show: Show = "d", *, optional: bool = False) -> Field:
    return Field(name, "H", show, optional)


def _u32(name: str, show: Show = "d", *, optional: bool = False) -> Field:
    return Field(name, "I", show, optional)


def _text(name: str, octets: int = 64, *, optional: bool = True) -> Field:
    return Field(name, f"{octets}s", "text", optional)


def _reserved(octets: int) -> Field:
    return Field("", f"{octets}x")


_ERROR = _u8("error", GeneralError, optional=True)
_CAUSE = _u16("cause", Cause, optional=True)
_CALL_ID = _u16("call_id", "x")
_PEER_CALL_ID = _u16("peer_call_id", "x")
_WINDOW = _u16("receive_window")
_DELAY = _u16("processing_delay")
_CHANNEL = _u32("physical_channel", optional=True)


class Message:
    """Base of the messages; attributes in host order, names as in the RFC."""

    __slots__ = ()
    LAYOUT: ClassVar[Layout]


@dataclass(frozen=True, slots=True)
class StartControlConnectionRequest(Message):
    """2.1"""

    version: int = PROTOCOL_VERSION
    framing_capabilities: int = 0
    bearer_capabilities: int = 0
    maximum_channels: int = 0
    firmware_revision: int = 0
    host_name: str = ""
    vendor_name: str = ""

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.START_CONTROL_CONNECTION_REQUEST,
        _u16("version", "04x"),
        _reserved(2),
        _u32("framing_capabilities", Framing),
        _u32("bearer_capabilities", Bearer),
        _u16("maximum_channels"),
        _u16("firmware_revision"),
        _text("host_name", optional=False),
        _text("vendor_name", optional=False),
    )


@dataclass(frozen=True, slots=True)
class StartControlConnectionReply(Message):
    """2.2"""

    version: int = PROTOCOL_VERSION
    result: int = StartResult.SUCCESS
    error: int = 0
    framing_capabilities: int = 0
    bearer_capabilities: int = 0
    maximum_channels: int = 0
    firmware_revision: int = 0
    host_name: str = ""
    vendor_name: str = ""

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.START_CONTROL_CONNECTION_REPLY,
        _u16("version", "04x"),
        _u8("result", StartResult),
        _ERROR,
        _u32("framing_capabilities", Framing),
        _u32("bearer_capabilities", Bearer),
        _u16("maximum_channels"),
        _u16("firmware_revision"),
        _text("host_name", optional=False),
        _text("vendor_name", optional=False),
    )


@dataclass(frozen=True, slots=True)
class StopControlConnectionRequest(Message):
    """2.3"""

    reason: int = StopReason.NONE

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.STOP_CONTROL_CONNECTION_REQUEST,
        _u8("reason", StopReason),
        _reserved(3),
    )


@dataclass(frozen=True, slots=True)
class StopControlConnectionReply(Message):
    """2.4"""

    result: int = StopResult.OK
    error: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.STOP_CONTROL_CONNECTION_REPLY,
        _u8("result", StopResult),
        _ERROR,
        _reserved(2),
    )


@dataclass(frozen=True, slots=True)
class EchoRequest(Message):
    """2.5"""

    identifier: int

    LAYOUT: ClassVar[Layout] = Layout(MessageType.ECHO_REQUEST, _u32("identifier", "x"))


@dataclass(frozen=True, slots=True)
class EchoReply(Message):
    """2.6"""

    identifier: int
    result: int = EchoResult.OK
    error: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.ECHO_REPLY,
        _u32("identifier", "x"),
        _u8("result", EchoResult),
        _ERROR,
        _reserved(2),
    )


@dataclass(frozen=True, slots=True)
class OutgoingCallRequest(Message):
    """2.7. Speeds in bits a second, the window in packets, the delay in 1/10 s."""

    call_id: int
    serial: int = 0
    minimum_bps: int = 0
    maximum_bps: int = 0
    bearer_type: int = 0
    framing_type: int = 0
    receive_window: int = 0
    processing_delay: int = 0
    phone_number_length: int = 0
    phone_number: str = ""
    subaddress: str = ""

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.OUTGOING_CALL_REQUEST,
        _CALL_ID,
        _u16("serial"),
        _u32("minimum_bps"),
        _u32("maximum_bps"),
        _u32("bearer_type", Bearer),
        _u32("framing_type", Framing),
        _WINDOW,
        _DELAY,
        _u16("phone_number_length", optional=True),
        _reserved(2),
        _text("phone_number"),
        _text("subaddress"),
    )


@dataclass(frozen=True, slots=True)
class OutgoingCallReply(Message):
    """2.8. The speed in bits a second, the window in packets, the delay in 1/10 s."""

    call_id: int
    peer_call_id: int
    result: int = OutgoingCallResult.CONNECTED
    error: int = 0
    cause: int = 0
    connect_speed: int = 0
    receive_window: int = 0
    processing_delay: int = 0
    physical_channel: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.OUTGOING_CALL_REPLY,
        _CALL_ID,
        _PEER_CALL_ID,
        _u8("result", OutgoingCallResult),
        _ERROR,
        _CAUSE,
        _u32("connect_speed"),
        _WINDOW,
        _DELAY,
        _CHANNEL,
    )


@dataclass(frozen=True, slots=True)
class IncomingCallRequest(Message):
    """2.9"""

    call_id: int
    serial: int = 0
    bearer_type: int = 0
    physical_channel: int = 0
    dialed_number_length: int = 0
    dialing_number_length: int = 0
    dialed_number: str = ""
    dialing_number: str = ""
    subaddress: str = ""

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.INCOMING_CALL_REQUEST,
        _CALL_ID,
        _u16("serial"),
        _u32("bearer_type", Bearer),
        _CHANNEL,
        _u16("dialed_number_length", optional=True),
        _u16("dialing_number_length", optional=True),
        _text("dialed_number"),
        _text("dialing_number"),
        _text("subaddress"),
    )


@dataclass(frozen=True, slots=True)
class IncomingCallReply(Message):
    """2.10. The window in packets, the delay in 1/10 s."""

    call_id: int
    peer_call_id: int
    result: int = IncomingCallResult.CONNECT
    error: int = 0
    receive_window: int = 0
    processing_delay: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.INCOMING_CALL_REPLY,
        _CALL_ID,
        _PEER_CALL_ID,
        _u8("result", IncomingCallResult),
        _ERROR,
        _WINDOW,
        _DELAY,
        _reserved(2),
    )


@dataclass(frozen=True, slots=True)
class IncomingCallConnected(Message):
    """2.11. The speed in bits a second, the window in packets, the delay in 1/10 s."""

    peer_call_id: int
    connect_speed: int = 0
    receive_window: int = 0
    processing_delay: int = 0
    framing_type: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.INCOMING_CALL_CONNECTED,
        _PEER_CALL_ID,
        _reserved(2),
        _u32("connect_speed"),
        _WINDOW,
        _DELAY,
        _u32("framing_type", Framing),
    )


@dataclass(frozen=True, slots=True)
class CallClearRequest(Message):
    """2.12. The Call ID is the PNS's."""

    call_id: int

    LAYOUT: ClassVar[Layout] = Layout(MessageType.CALL_CLEAR_REQUEST, _CALL_ID, _reserved(2))


@dataclass(frozen=True, slots=True)
class CallDisconnectNotify(Message):
    """2.13. The Call ID is the PAC's."""

    call_id: int
    result: int = DisconnectResult.REQUEST
    error: int = 0
    cause: int = 0
    call_statistics: str = ""

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.CALL_DISCONNECT_NOTIFY,
        _CALL_ID,
        _u8("result", DisconnectResult),
        _ERROR,
        _CAUSE,
        _reserved(2),
        _text("call_statistics", 128),
    )


@dataclass(frozen=True, slots=True)
class WanErrorNotify(Message):
    """2.14. Counters since the call began."""

    peer_call_id: int
    crc_errors: int = 0
    framing_errors: int = 0
    hardware_overruns: int = 0
    buffer_overruns: int = 0
    timeout_errors: int = 0
    alignment_errors: int = 0

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.WAN_ERROR_NOTIFY,
        _PEER_CALL_ID,
        _reserved(2),
        _u32("crc_errors"),
        _u32("framing_errors"),
        _u32("hardware_overruns"),
        _u32("buffer_overruns"),
        _u32("timeout_errors"),
        _u32("alignment_errors"),
    )


@dataclass(frozen=True, slots=True)
class SetLinkInfo(Message):
    """2.15"""

    peer_call_id: int
    send_accm: int = 0xFFFFFFFF
    receive_accm: int = 0xFFFFFFFF

    LAYOUT: ClassVar[Layout] = Layout(
        MessageType.SET_LINK_INFO,
        _PEER_CALL_ID,
        _reserved(2),
        _u32("send_accm", "08x"),
        _u32("receive_accm", "08x"),
    )


_ALL: tuple[type[Message], ...] = (
    StartControlConnectionRequest,
    StartControlConnectionReply,
    StopControlConnectionRequest,
    StopControlConnectionReply,
    EchoRequest,
    EchoReply,
    OutgoingCallRequest,
    OutgoingCallReply,
    IncomingCallRequest,
    IncomingCallReply,
    IncomingCallConnected,
    CallClearRequest,
    CallDisconnectNotify,
    WanErrorNotify,
    SetLinkInfo,
)
MESSAGES: Mapping[int, type[Message]] = MappingProxyType({int(m.LAYOUT.kind): m for m in _ALL})
MINIMUM_LENGTH = min(cls.LAYOUT.size for cls in MESSAGES.values())
MAXIMUM_LENGTH = max(cls.LAYOUT.size for cls in MESSAGES.values())


def encode(message: Message) -> bytes:
    """The message as octets. LocalProtocolError: a value does not fit its field."""
    return message.LAYOUT.pack(message)


def decode(data: bytes) -> Message:
    """Exactly one whole message. RemoteProtocolError with the General Error Code of 2.16."""
    if len(data) < HEADER.size:
        raise RemoteProtocolError(f"{len(data)} octets are no message", GeneralError.BAD_FORMAT)
    length, kind, cookie, control_type = HEADER.unpack_from(data)
    cls = check_header(length, kind, cookie, control_type)
    if len(data) != length:
        raise RemoteProtocolError(
            f"Length {length}, but {len(data)} octets", GeneralError.BAD_FORMAT
        )
    return cls(*cls.LAYOUT.unpack(data))


def check_header(length: int, kind: int, cookie: int, control_type: int) -> type[Message]:
    """The message that a header announces; RemoteProtocolError for one that none has."""
    if not MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH:
        raise RemoteProtocolError(f"Length {length}", GeneralError.BAD_FORMAT)
    if cookie != MAGIC_COOKIE:
        raise RemoteProtocolError(f"Magic Cookie {cookie:#010x}", GeneralError.BAD_FORMAT)
    if kind != CONTROL_MESSAGE:
        raise RemoteProtocolError(f"PPTP Message Type {kind}", GeneralError.BAD_VALUE)
    cls = MESSAGES.get(control_type)
    if cls is None:
        raise RemoteProtocolError(f"Control Message Type {control_type}", GeneralError.BAD_VALUE)
    if length != cls.LAYOUT.size:
        raise RemoteProtocolError(
            f"{cls.LAYOUT.kind.text} of Length {length}", GeneralError.BAD_FORMAT
        )
    return cls
