"""The calls of one control connection, found by either Call ID, and their deadlines."""

from __future__ import annotations

from collections.abc import Iterator

from fastpptp.pptp.call import Call
from fastpptp.pptp.tables import CallState


class CallRegistry:
    """Every look-up is one dict look-up, however many calls there are.

    All waits last equally long, so the deadlines stay in the order in which they were set.
    """

    __slots__ = ("_by_local", "_by_peer", "_calls", "_deadlines")

    def __init__(self) -> None:
        self._calls: dict[Call, None] = {}
        self._by_local: dict[int, Call] = {}
        self._by_peer: dict[int, Call] = {}
        self._deadlines: dict[Call, float] = {}

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def add(self, call: Call) -> None:
        """Add a call, or take note of a Call ID of it that has become known."""
        self._calls[call] = None
        if call.has_local_id:
            self._by_local[call.local_call_id] = call
        if call.has_peer_id:
            self._by_peer[call.peer_call_id] = call

    def remove(self, call: Call) -> None:
        del self._calls[call]
        self.set_deadline(call, None)
        if call.has_local_id:
            del self._by_local[call.local_call_id]
        if call.has_peer_id:
            del self._by_peer[call.peer_call_id]

    def local(self, call_id: int) -> Call | None:
        """The call that has this Call ID from us."""
        return self._by_local.get(call_id)

    def peer(self, call_id: int) -> Call | None:
        """The call that has this Call ID from the peer."""
        return self._by_peer.get(call_id)

    def unnamed(self) -> Call | None:
        """The first call that we cleared before the peer told its Call ID (2.13)."""
        for call in self._deadlines:
            if call.state is CallState.WAIT_DISCONNECT and not call.has_peer_id:
                return call
        return None

    def set_deadline(self, call: Call, deadline: float | None) -> None:
        """The state of `call` ends by itself at `deadline`."""
        self._deadlines.pop(call, None)
        if deadline is not None:
            self._deadlines[call] = deadline
        elif not self._deadlines:
            self._deadlines = {}  # one that was emptied keeps its room, in each of very many

    def deadline(self) -> float | None:
        return next(iter(self._deadlines.values()), None)

    def deadlines(self) -> list[tuple[Call, float]]:
        return list(self._deadlines.items())

    def due(self, now: float) -> Call | None:
        """The first call whose deadline has come."""
        for call, deadline in self._deadlines.items():
            return call if deadline <= now else None
        return None
