"""The fifteen messages against octets written down by hand from RFC 2637 section 2."""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.pptp import GeneralError, MessageType, decode, encode
from fastpptp.pptp.messages import (
    MAXIMUM_LENGTH,
    MESSAGES,
    MINIMUM_LENGTH,
    CallClearRequest,
    CallDisconnectNotify,
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    WanErrorNotify,
)


def octets(text: str, *padded: tuple[bytes, int]) -> bytes:
    """Hexadecimal rows, then texts filled with zeros to their field's length."""
    return bytes.fromhex(text) + b"".join(data.ljust(size, b"\0") for data, size in padded)


VECTORS: list[tuple[Message, bytes]] = [
    (
        StartControlConnectionRequest(0x0100, 3, 1, 0xFFFF, 0x0A28, "linux", "cananian"),
        octets(
            "009c 0001 1a2b3c4d 0001 0000 0100 0000 00000003 00000001 ffff 0a28",
            (b"linux", 64),
            (b"cananian", 64),
        ),
    ),
    (
        StartControlConnectionReply(0x0100, 2, 4, 1, 2, 100, 1, "vpn", "fastpptp"),
        octets(
            "009c 0001 1a2b3c4d 0002 0000 0100 02 04 00000001 00000002 0064 0001",
            (b"vpn", 64),
            (b"fastpptp", 64),
        ),
    ),
    (StopControlConnectionRequest(3), octets("0010 0001 1a2b3c4d 0003 0000 03 00 0000")),
    (StopControlConnectionReply(2, 6), octets("0010 0001 1a2b3c4d 0004 0000 02 06 0000")),
    (EchoRequest(0xDEADBEEF), octets("0010 0001 1a2b3c4d 0005 0000 deadbeef")),
    (EchoReply(0xDEADBEEF, 2, 1), octets("0014 0001 1a2b3c4d 0006 0000 deadbeef 02 01 0000")),
    (
        OutgoingCallRequest(1, 2, 300, 100_000_000, 3, 1, 64, 5, 4, "5551", "sub"),
        octets(
            "00a8 0001 1a2b3c4d 0007 0000 0001 0002 0000012c 05f5e100 00000003 00000001"
            "0040 0005 0004 0000",
            (b"5551", 64),
            (b"sub", 64),
        ),
    ),
    (
        OutgoingCallReply(0x2DEB, 0, 1, 0, 16, 10_000_000, 16, 3, 9),
        octets("0020 0001 1a2b3c4d 0008 0000 2deb 0000 01 00 0010 00989680 0010 0003 00000009"),
    ),
    (
        IncomingCallRequest(5, 6, 2, 7, 3, 4, "123", "4567", "sub"),
        octets(
            "00dc 0001 1a2b3c4d 0009 0000 0005 0006 00000002 00000007 0003 0004",
            (b"123", 64),
            (b"4567", 64),
            (b"sub", 64),
        ),
    ),
    (
        IncomingCallReply(8, 5, 2, 4, 16, 1),
        octets("0018 0001 1a2b3c4d 000a 0000 0008 0005 02 04 0010 0001 0000"),
    ),
    (
        IncomingCallConnected(8, 64_000, 32, 2, 2),
        octets("001c 0001 1a2b3c4d 000b 0000 0008 0000 0000fa00 0020 0002 00000002"),
    ),
    (CallClearRequest(0xABCD), octets("0010 0001 1a2b3c4d 000c 0000 abcd 0000")),
    (
        CallDisconnectNotify(0x1F3A, 2, 6, 17, "octets 5"),
        octets("0094 0001 1a2b3c4d 000d 0000 1f3a 02 06 0011 0000", (b"octets 5", 128)),
    ),
    (
        WanErrorNotify(7, 1, 2, 3, 4, 5, 6),
        octets(
            "0028 0001 1a2b3c4d 000e 0000 0007 0000"
            "00000001 00000002 00000003 00000004 00000005 00000006"
        ),
    ),
    (
        SetLinkInfo(7, 0, 0xFFFFFFFF),
        octets("0018 0001 1a2b3c4d 000f 0000 0007 0000 00000000 ffffffff"),
    ),
]


def strategy(cls: type[Message]) -> st.SearchStrategy[Message]:
    """Any message of a type: every value that fits each field."""
    limits = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFFFFFF}
    values: list[st.SearchStrategy[Any]] = []
    for field in cls.LAYOUT.fields:
        if field.is_text:
            size = int(field.format[:-1])
            text = st.characters(min_codepoint=1, max_codepoint=255)
            values.append(st.text(text, max_size=size))
        else:
            values.append(st.integers(0, limits[field.format]))
    return st.builds(cls, *values)


any_message = st.sampled_from(list(MESSAGES.values())).flatmap(strategy)


@pytest.mark.parametrize(("message", "data"), VECTORS, ids=lambda v: type(v).__name__)
def test_vectors(message: Message, data: bytes) -> None:
    assert encode(message) == data
    assert decode(data) == message


def test_there_are_fifteen_and_each_has_a_vector() -> None:
    assert sorted(MESSAGES) == list(range(1, 16)) == sorted(MessageType)
    assert {type(message) for message, _ in VECTORS} == set(MESSAGES.values())
    assert (MINIMUM_LENGTH, MAXIMUM_LENGTH) == (16, 220)


@pytest.mark.parametrize("cls", MESSAGES.values())
def test_the_table_has_every_attribute(cls: type[Message]) -> None:
    assert [f.name for f in cls.LAYOUT.fields] == [f.name for f in fields(cls)]  # type: ignore[arg-type]


@given(any_message)
def test_round_trip(message: Message) -> None:
    data = encode(message)
    assert len(data) == message.LAYOUT.size == struct.unpack_from(">H", data)[0]
    assert decode(data) == message


def test_text_ends_at_the_first_zero_octet() -> None:
    data = bytearray(encode(StartControlConnectionRequest(host_name="a")))
    data[28 + 2 : 28 + 6] = b"junk"
    assert decode(bytes(data)) == StartControlConnectionRequest(host_name="a")


def test_text_may_fill_its_field() -> None:
    message = StartControlConnectionRequest(host_name="h" * 64, vendor_name="v" * 64)
    assert decode(encode(message)) == message


def test_reserved_fields_are_not_looked_at() -> None:
    # Windows RRAS: Set-Link-Info with a196 in Reserved1.
    data = octets("0018 0001 1a2b3c4d 000f 00ff 0000 a196 00000000 ffffffff")
    assert decode(data) == SetLinkInfo(0, 0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "message",
    [
        EchoRequest(1 << 32),
        EchoRequest(-1),
        CallClearRequest(0x10000),
        OutgoingCallReply(1, 1, 256),
        OutgoingCallRequest(1, phone_number="5" * 65),
        CallDisconnectNotify(1, call_statistics="x" * 129),
    ],
)
def test_what_does_not_fit_is_our_callers_fault(message: Message) -> None:
    with pytest.raises(LocalProtocolError):
        encode(message)


def test_text_that_is_not_latin_1() -> None:
    assert decode(encode(StartControlConnectionRequest(host_name="\u0434"))) == (
        StartControlConnectionRequest(host_name="?")
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", GeneralError.BAD_FORMAT),
        (b"\0\x10", GeneralError.BAD_FORMAT),
        (octets("0000 0001 1a2b3c4d 0005 0000 00000000"), GeneralError.BAD_FORMAT),
        (octets("000f 0001 1a2b3c4d 0005 0000 000000"), GeneralError.BAD_FORMAT),
        (octets("ffff 0001 1a2b3c4d 0005 0000 00000000"), GeneralError.BAD_FORMAT),
        (octets("0010 0001 1a2b3c4e 0005 0000 00000000"), GeneralError.BAD_FORMAT),
        (octets("0010 0002 1a2b3c4d 0005 0000 00000000"), GeneralError.BAD_VALUE),
        (octets("0010 0001 1a2b3c4d 0000 0000 00000000"), GeneralError.BAD_VALUE),
        (octets("0010 0001 1a2b3c4d 0010 0000 00000000"), GeneralError.BAD_VALUE),
        (octets("0014 0001 1a2b3c4d 0005 0000 00000000 00000000"), GeneralError.BAD_FORMAT),
        (octets("0010 0001 1a2b3c4d 0005 0000 000000"), GeneralError.BAD_FORMAT),
        (octets("0010 0001 1a2b3c4d 0005 0000 00000000 00"), GeneralError.BAD_FORMAT),
    ],
)
def test_malformed(data: bytes, code: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data)
    assert caught.value.code == code


@given(st.binary(max_size=256))
def test_any_octets(data: bytes) -> None:
    try:
        message = decode(data)
    except RemoteProtocolError:
        return
    assert decode(encode(message)) == message


@given(st.sampled_from(list(MESSAGES.values())), st.data())
def test_any_octets_after_a_good_header(cls: type[Message], data: st.DataObject) -> None:
    size = cls.LAYOUT.size
    body = data.draw(st.binary(min_size=size - 12, max_size=size - 12))
    message = decode(struct.pack(">HHIHH", size, 1, 0x1A2B3C4D, cls.LAYOUT.kind, 0) + body)
    assert decode(encode(message)) == message
