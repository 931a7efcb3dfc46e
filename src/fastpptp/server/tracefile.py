"""The file of one trace, on its way from the headend to whoever asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from fastpptp.session import SessionView
from fastpptp.trace.capture import Capture
from fastpptp.trace.control import ControlMessage, ControlStream

# Octets that may wait for the reader. Packets that come while there are more are lost.
BACKLOG = 8 << 20

# How often it is looked whether the reader is still there. Seconds.
LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """Whose packets: one session's, or those of all sessions, now and to come, of a user or of
    whoever has an address, assigned or public."""

    session: int | None = None
    user: str | None = None
    address: IPv4Address | None = None

    def __str__(self) -> str:
        if self.session is not None:
            return f"session {self.session}"
        return f"user [{self.user}]" if self.user is not None else f"address {self.address}"

    def wants(self, view: SessionView) -> bool:
        if self.session is not None:
            return view.id == self.session
        if self.user is not None:
            return self.user in (view.user, view.account)
        return self.address in (view.peer, view.assigned)


class TraceFile:
    """`number` names it while it is taken; `reason` says why it ends, once it does."""

    def __init__(self, number: int, target: Target, capture: Capture) -> None:
        self.number = number
        self.target = target
        self.capture = capture
        self.reason = ""
        self.done = False
        # Calls whose packets go in, those among them whose last record is awaited, and by control
        # connection their (local, peer) Call-IDs.
        self.handles: set[int] = set()
        self.ending: set[int] = set()
        self.calls: dict[int, set[tuple[int, int]]] = {}
        self.streams: dict[int, ControlStream] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._more = asyncio.Event()
        self._put(capture.head())

    async def chunks(self, wanted: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The file as it grows, to its end, or as long as it is `wanted`."""
        done = False
        while not done and wanted():
            try:
                await asyncio.wait_for(self._more.wait(), LOOK)
            except TimeoutError:
                continue
            self._more.clear()
            chunks, self._chunks, self._size = self._chunks, [], 0
            done = self.done
            yield b"".join(chunks)

    def concerns(self, connection: int, message: ControlMessage) -> bool:
        """Whether a message of a control connection belongs in here."""
        if self.target.address == self.streams[connection].peer:
            return True
        calls = self.calls.get(connection, ())
        return any(message.concerns(local, remote) for local, remote in calls)

    def flush(self, until: int) -> None:
        """Let in what came up to a time."""
        if self.done:
            return
        if self._size > BACKLOG:
            self.capture.skip()
        elif blocks := self.capture.flush(until):
            self._put(blocks)

    def finish(self, now: int) -> None:
        """Nothing more comes."""
        if not self.done:
            self.flush(now)
            self.done = True
            self._put(self.capture.tail(now))

    def _put(self, blocks: bytes) -> None:
        self._chunks.append(blocks)
        self._size += len(blocks)
        self._more.set()
