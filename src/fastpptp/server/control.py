"""A control connection on asyncio: octets in, octets out, and a bound on what may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol

# How long a closing connection may take to get rid of what was sent. Seconds.
LINGER = 10.0

# A peer that does not read is worth this many octets of ours: more than any handshake of all
# its calls needs at once.
WRITE_LIMIT = 256 << 10

# Octets that one connection may hand in before the others and the dataplane have their turn: some
# twenty messages. All connections share the buffer, for asyncio fills it and tells us at once.
READ_LIMIT = 4096
_BUFFER = memoryview(bytearray(READ_LIMIT))


class ControlOwner(Protocol):
    """Who hears of control connections. Numbers are never used twice."""

    def connection_made(
        self, protocol: ControlProtocol, local: IPv4Address, peer: IPv4Address
    ) -> int:
        """A peer is there; the answer is the connection's number."""
        ...

    def data_received(self, connection: int, data: bytes) -> None: ...

    def connection_lost(self, connection: int) -> None: ...


class ControlProtocol(asyncio.BufferedProtocol):
    """One TCP connection. asyncio sets TCP_NODELAY; the peer's FIN closes it once ours is out."""

    __slots__ = ("_number", "_owner", "_transport", "_write_limit")

    def __init__(self, owner: ControlOwner, write_limit: int = WRITE_LIMIT) -> None:
        self._owner = owner
        self._write_limit = write_limit
        self._transport: asyncio.Transport | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        local, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if local is None or peer is None:  # gone before it was looked at
            transport.abort()
            return
        self._number = self._owner.connection_made(
            self, IPv4Address(local[0]), IPv4Address(peer[0])
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, count: int) -> None:
        if self._number:
            self._owner.data_received(self._number, bytes(_BUFFER[:count]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._number:
            self._owner.connection_lost(self._number)

    def ends(self) -> tuple[tuple[IPv4Address, int], tuple[IPv4Address, int]] | None:
        """Address and port of both ends, ours first; None before it is made."""
        if self._transport is None:
            return None
        ours = self._transport.get_extra_info("sockname")
        theirs = self._transport.get_extra_info("peername")
        return (IPv4Address(ours[0]), ours[1]), (IPv4Address(theirs[0]), theirs[1])

    def send(self, data: bytes) -> None:
        """Queue octets; a peer that leaves too many unread is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._write_limit:
            transport.abort()

    def close(self) -> None:
        """Close once what was sent is out; a peer that does not read it must not keep us."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.close()
        if transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER, transport.abort)

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()


def factory(owner: ControlOwner) -> Callable[[], ControlProtocol]:
    """What `loop.create_server` makes a connection's protocol with."""
    return lambda: ControlProtocol(owner)
