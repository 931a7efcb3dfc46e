"""Cuts the TCP stream of a control connection into messages (RFC 2637 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from fastpptp.errors import RemoteProtocolError
from fastpptp.pptp.codes import GeneralError
from fastpptp.pptp.messages import (
    HEADER,
    MAXIMUM_LENGTH,
    MINIMUM_LENGTH,
    Message,
    check_header,
    decode,
)

_LENGTH_OCTETS = 2


@dataclass(slots=True)
class MessageCounts:
    """Control messages. A discarded one was malformed or out of place, and ended its connection."""

    received: int = 0
    sent: int = 0
    discarded: int = 0


class MessageReader:
    """Any split or merge of messages over segments in, whole messages out.

    A Length is judged as soon as it is in, the rest of the header when it is whole, so what
    waits between two calls of `next` that returned None is shorter than the longest message.
    """

    __slots__ = ("_buffer",)

    def __init__(self, pending: bytes = b"") -> None:
        self._buffer = bytearray(pending)

    @property
    def pending(self) -> bytes:
        """What has come in of a message that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def clear(self) -> None:
        self._buffer.clear()

    def next(self) -> Message | None:
        """The next whole message, None for now; RemoteProtocolError: the stream is lost."""
        buffer = self._buffer
        if len(buffer) < _LENGTH_OCTETS:
            return None
        length = int.from_bytes(buffer[:_LENGTH_OCTETS], "big")
        if not MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH:
            raise RemoteProtocolError(f"Length {length}", GeneralError.BAD_FORMAT)
        if len(buffer) < length:
            if len(buffer) >= HEADER.size:
                check_header(*HEADER.unpack_from(buffer))
            return None
        message = decode(bytes(buffer[:length]))
        del buffer[:length]
        return message
