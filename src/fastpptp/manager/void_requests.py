"""Requests that were given up: what a late answer to one claimed is given back, once."""

from __future__ import annotations

from collections.abc import Iterable

from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import Effect, Logout, Release
from fastpptp.manager.deadlines import Deadlines, Timer
from fastpptp.ppp.auth.types import Accept

# How long an answer is waited for. Seconds.
WAIT = 600.0


class VoidRequests:
    """Their tokens."""

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
            self._deadlines.set((Timer.VOID, token), now + WAIT)

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
