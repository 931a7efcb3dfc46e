"""The stream splitter: any cut of the stream, hostile lengths, bounded memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import RemoteProtocolError
from fastpptp.pptp import MessageReader, encode
from fastpptp.pptp.messages import EchoRequest, Message
from tests.unit.pptp.test_messages import any_message


def read(pieces: list[bytes]) -> tuple[list[Message], str]:
    """The messages, and how it ended."""
    reader = MessageReader()
    found = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (message := reader.next()) is not None:
                found.append(message)
    except RemoteProtocolError:
        return found, "lost"
    return found, reader.pending.hex()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(any_message, max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_any_cut_of_good_messages(given_messages: list[Message], places: list[int]) -> None:
    data = b"".join(map(encode, given_messages))
    assert read(cut(data, places)) == (given_messages, "")
    assert read([bytes([octet]) for octet in data]) == (given_messages, "")


@given(st.lists(any_message, max_size=3), st.binary(max_size=300))
def test_whole_is_octet_by_octet(given_messages: list[Message], junk: bytes) -> None:
    data = b"".join(map(encode, given_messages)) + junk
    assert read([data]) == read([bytes([octet]) for octet in data])


@pytest.mark.parametrize("length", [0, 1, 11, 12, 15, 221, 0xFFFF])
def test_a_length_is_judged_at_once(length: int) -> None:
    reader = MessageReader()
    reader.feed(length.to_bytes(2, "big"))
    with pytest.raises(RemoteProtocolError):
        reader.next()


def test_a_header_is_judged_when_it_is_whole() -> None:
    reader = MessageReader()
    reader.feed(bytes.fromhex("0010 0001 1a2b3c4e 0005 00"))
    assert reader.next() is None
    reader.feed(b"\0")
    with pytest.raises(RemoteProtocolError, match="Magic Cookie"):
        reader.next()


def test_what_waits_is_shorter_than_a_message() -> None:
    reader = MessageReader()
    reader.feed(encode(EchoRequest(1)) * 1000 + encode(EchoRequest(2))[:15])
    while reader.next() is not None:
        pass
    assert reader.pending == encode(EchoRequest(2))[:15]
    reader.clear()
    assert reader.pending == b""


def test_a_reader_goes_on_where_another_stopped() -> None:
    data = encode(EchoRequest(3))
    reader = MessageReader(data[:5])
    assert reader.next() is None
    reader.feed(data[5:])
    assert reader.next() == EchoRequest(3)
