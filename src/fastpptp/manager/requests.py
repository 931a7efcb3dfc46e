"""Requests to authenticate and to lease: their tokens, and those whose answers come too late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import Effect, Logout, Release
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.ppp.auth.types import Accept

# A token of the manager is the session's id above the Link's own token.
TOKEN_BITS = 32

# How long an answer to a void request is waited for. Seconds.
VOID_WAIT = 600.0


def session_id_of(token: int) -> int:
    """The id of the session that asked."""
    return token >> TOKEN_BITS


def link_token_of(token: int) -> int:
    """What its Link knows it by."""
    return token & (1 << TOKEN_BITS) - 1


class Requests:
    """Those of one session that are not answered yet, and what each asks for."""

    __slots__ = ("_base", "_open", "_void")

    def __init__(self, session_id: int) -> None:
        self._base = session_id << TOKEN_BITS
        self._open: dict[int, str] = {}
        self._void: list[int] = []

    def __contains__(self, token: int) -> bool:
        return token in self._open

    def open(self, link_token: int, kind: str) -> int:
        """The token of a new one."""
        token = self._base | link_token
        self._open[token] = kind
        return token

    def take(self, token: int) -> str | None:
        """What was asked with a token, which is open no more."""
        kind = self._open.pop(token, None)
        if not self._open:
            self._open = {}  # one that was emptied keeps its room, in each of very many
        return kind

    def give_up(self, link_token: int) -> None:
        token = self._base | link_token
        if self.take(token):
            self._void.append(token)

    def give_up_all(self) -> None:
        self._void += self._open
        self._open.clear()

    def take_void(self) -> list[int]:
        """Those given up since the last call: their answers must be given back."""
        taken, self._void = self._void, []
        return taken

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        return {
            "pending": [[token, kind] for token, kind in self._open.items()],
            "void": list(self._void),
        }

    def load(self, snapshot: Mapping[str, Any]) -> None:
        self._open = dict(snapshot["pending"])
        self._void = list(snapshot["void"])


class VoidRequests:
    """Of all sessions, those that were given up: what a late answer claims is given back, once."""

    def __init__(self, deadlines: Deadlines) -> None:
        # Each is its own subject.
        self._tokens: dict[int, int] = {}
        self._deadlines = deadlines
        deadlines.on(Timer.VOID, self._tokens.get, self._forget)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: int) -> bool:
        return token in self._tokens

    def add(self, tokens: Iterable[int], now: float) -> None:
        for token in tokens:
            self._tokens[token] = token
            self._deadlines.set((Timer.VOID, token), now + VOID_WAIT)

    def answered(self, token: int, result: object) -> list[Effect]:
        """The answer came after all."""
        del self._tokens[token]
        self._deadlines.cancel((Timer.VOID, token))
        if isinstance(result, Accept) and result.identity is not None:
            return [Logout(result.identity)]
        return [Release(result)] if isinstance(result, AddressGrant) else []

    def _forget(self, token: int, now: float) -> list[Effect]:
        del self._tokens[token]
        return []
