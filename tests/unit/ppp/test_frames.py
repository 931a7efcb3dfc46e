"""Frames, packets and options: both ways, and whatever octets come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.frames import (
    Option,
    Packet,
    decode_frame,
    decode_options,
    decode_packet,
    encode_frame,
    encode_options,
)


@pytest.mark.parametrize(
    ("frame", "protocol"),
    [
        (b"\xff\x03\xc0\x21data", 0xC021),
        (b"\xc0\x21data", 0xC021),
        (b"\xff\x03\x00\x21data", 0x0021),
        (b"\x21data", 0x0021),
        (b"\xff\x03\x21data", 0x0021),
        (b"\xfddata", 0x00FD),
    ],
)
def test_every_form_of_a_frame(frame, protocol) -> None:
    assert decode_frame(frame) == (protocol, b"data")


@pytest.mark.parametrize("frame", [b"", b"\xff\x03", b"\xc0", b"\xc0\x20", b"\xff\x03\x00"])
def test_malformed_frames(frame) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_frame(frame)


@pytest.mark.parametrize(
    "octets", [b"", b"\1\2\0", b"\1\2\0\3", b"\1\2\0\5", b"\1\2\xff\xff1234", b"\1\2\0\0"]
)
def test_malformed_packets(octets) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_packet(octets)


def test_padding_is_taken_off() -> None:
    assert decode_packet(b"\1\2\0\6abpadding") == Packet(1, 2, b"ab")


@pytest.mark.parametrize("data", [b"\1", b"\1\0", b"\1\1", b"\1\3", b"\1\2\3\4\5", b"\1\xff\0"])
def test_malformed_options(data) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_options(data)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=253)), max_size=8))
def test_options_there_and_back(pairs) -> None:
    options = tuple(Option(kind, data) for kind, data in pairs)
    assert decode_options(encode_options(options)) == options


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=2000))
def test_packets_there_and_back(code, identifier, data) -> None:
    packet = Packet(code, identifier, data)
    assert decode_frame(encode_frame(0xC021, packet.encode())) == (0xC021, packet.encode())
    assert decode_packet(packet.encode()) == packet


@given(st.binary(max_size=64))
def test_any_octets(octets) -> None:
    for decoder in (decode_frame, decode_packet, decode_options):
        try:
            decoder(octets)
        except RemoteProtocolError:
            continue
