"""Frames over a TCP connection that is opened when it is needed, and anew when it was lost."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from fastpptp.recorder.delivery import PartlyDeliveredError, reason

TIMEOUT = 5.0  # seconds; of connecting, and of a peer that takes nothing
SILENCE = 20_000  # ms without an acknowledgement: the peer is gone (tcp(7))


class Stream:
    """Sends frames to a TCP port. A frame is not sent twice unless its connection broke in it.

    TCP tells nothing of what a peer had in its buffers when it died: such frames are lost untold.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._socket: socket.socket | None = None
        self._taken = 0

    def send(self, frames: Sequence[bytes]) -> None:
        """Send them; PartlyDeliveredError from the first on that was not taken whole."""
        self._taken = 0
        try:
            self._write(self._open(), frames)
        except OSError as error:
            self.close()  # the peer may stand in the middle of a frame
            raise PartlyDeliveredError(self._taken, reason(error)) from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is not None and _is_over(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), TIMEOUT)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE)
        return self._socket

    def _write(self, connection: socket.socket, frames: Sequence[bytes]) -> None:
        """Send them, and keep count of those that the connection took whole."""
        rest = memoryview(b"".join(frames))
        owed = 0
        while rest:
            sent = connection.send(rest)
            rest = rest[sent:]
            owed += sent
            while self._taken < len(frames) and owed >= len(frames[self._taken]):
                owed -= len(frames[self._taken])
                self._taken += 1


def _is_over(connection: socket.socket) -> bool:
    """Whether the peer has closed it; a syslog server says nothing else."""
    try:
        return not connection.recv(1024, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
