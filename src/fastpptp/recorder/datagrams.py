"""Datagrams to a UDP port or a unix socket, and what is known of those that were lost."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from fastpptp.recorder.delivery import PartlyDeliveredError, reason

TIMEOUT = 5.0  # seconds; a unix socket whose queue is full makes a sender wait


class Datagrams:
    """Sends datagrams on a socket that `connect` makes, and makes it anew when that fails."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._socket: socket.socket | None = None

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send them; PartlyDeliveredError from the first on that nobody takes."""
        done = 0
        try:
            if self._socket is None:
                self._socket = self._connect()
                self._socket.settimeout(TIMEOUT)
            for datagram in datagrams:
                _send(self._socket, datagram)
                done += 1
        except OSError as error:
            self.close()
            raise PartlyDeliveredError(done, reason(error)) from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _send(connection: socket.socket, datagram: bytes) -> None:
    """A host of this machine says at once that a UDP port is closed, others by and by."""
    connection.send(datagram)
    if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))


def udp(host: str, port: int) -> socket.socket:
    """A socket connected to a UDP port; the host's first address is taken."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    return _connected(socket.socket(family, kind, protocol), address)


def unix(path: str) -> socket.socket:
    """A socket connected to a datagram socket of this machine."""
    return _connected(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), path)


def _connected(made: socket.socket, address: Any) -> socket.socket:
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
