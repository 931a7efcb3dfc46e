"""Codes and the inspector."""

from __future__ import annotations

import pytest
from hypothesis import given

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp import (
    Cause,
    ControlConfig,
    DisconnectResult,
    EchoResult,
    GeneralError,
    IncomingCallResult,
    OutgoingCallResult,
    StartResult,
    StopReason,
    StopResult,
    describe,
    name_of,
)
from fastpptp.pptp.inspect import printable
from fastpptp.pptp.messages import (
    CallDisconnectNotify,
    EchoRequest,
    Message,
    OutgoingCallReply,
    SetLinkInfo,
    StartControlConnectionRequest,
    StopControlConnectionRequest,
)
from tests.unit.pptp.test_messages import VECTORS, any_message


@pytest.mark.parametrize(
    ("codes", "values"),
    [
        (GeneralError, range(7)),
        (StartResult, range(1, 6)),
        (StopReason, range(1, 4)),
        (StopResult, range(1, 3)),
        (EchoResult, range(1, 3)),
        (OutgoingCallResult, range(1, 8)),
        (IncomingCallResult, range(1, 4)),
        (DisconnectResult, range(1, 5)),
    ],
)
def test_every_code_of_the_rfc(codes: type[GeneralError], values: range) -> None:
    assert list(codes) == list(values)
    assert all(code.text for code in codes)


def test_names() -> None:
    assert name_of(Cause, 17) == "User busy"
    assert name_of(OutgoingCallResult, 7) == "Do Not Accept"
    assert name_of(OutgoingCallResult, 200) == "code 200"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (EchoRequest(0x1F), "[PPTP Echo-Request <identifier 0x1f>]"),
        (
            StopControlConnectionRequest(3),
            "[PPTP Stop-Control-Connection-Request <reason 3 Stop-Local-Shutdown>]",
        ),
        (
            StartControlConnectionRequest(0x0100, 3, 4, 0, 1, 'a"\n\xe4', ""),
            "[PPTP Start-Control-Connection-Request <version 0x0100>"
            " <framing-capabilities 0x3 asynchronous synchronous> <bearer-capabilities 0x4>"
            " <maximum-channels 0> <firmware-revision 1>"
            ' <host-name "a\\x22\\x0a\\xe4"> <vendor-name "">]',
        ),
        (
            OutgoingCallReply(0x2DEB, 0, 2, 4, 0, 0, 0, 0, 0),
            "[PPTP Outgoing-Call-Reply <call-id 0x2deb> <peer-call-id 0x0>"
            " <result 2 General error> <error 4 No-Resource> <connect-speed 0>"
            " <receive-window 0> <processing-delay 0>]",
        ),
        (
            CallDisconnectNotify(1, 9, 0, 17),
            "[PPTP Call-Disconnect-Notify <call-id 0x1> <result 9 code 9> <cause 17 User busy>]",
        ),
        (
            SetLinkInfo(0, 0),
            "[PPTP Set-Link-Info <peer-call-id 0x0> <send-accm 0x00000000>"
            " <receive-accm 0xffffffff>]",
        ),
    ],
)
def test_inspector(message: Message, line: str) -> None:
    assert describe(message) == line


@pytest.mark.parametrize("message", [message for message, _ in VECTORS])
def test_the_inspector_knows_every_message(message: Message) -> None:
    assert describe(message).startswith(f"[PPTP {message.LAYOUT.kind.text} <")


@given(any_message)
def test_the_inspector_writes_one_printable_line(message: Message) -> None:
    line = describe(message)
    assert line.isascii()
    assert line.isprintable()


def test_printable() -> None:
    assert printable("a b~\\\x7f\r") == "a b~\\x5c\\x7f\\x0d"


@pytest.mark.parametrize(
    "name",
    ["firmware_revision", "maximum_channels", "framing_capabilities", "bearer_capabilities"],
)
@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_configuration_that_does_not_fit(name: str, value: int) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        ControlConfig(**{name: value})  # type: ignore[arg-type]
