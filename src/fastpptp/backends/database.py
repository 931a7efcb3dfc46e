"""The store's thread: everything that touches the database while the event loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.store.history import KEPT, Recorded
from fastpptp.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """A Store on one thread of its own: reads and writes queue up in the order of the calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "fastpptp-store")

    async def snapshot(self) -> PolicySnapshot:
        """The policy as it is now. UnavailableError or ConfigurationError as Store.snapshot."""
        return await self._run(self._store.snapshot)

    async def change_password(self, user: str, password: str) -> PolicySnapshot:
        """Keep a user's new password; the policy that has it."""
        return await self._run(self._store.change_password, user, password)

    async def edits(self, after: int) -> list[Recorded]:
        """What was changed after that revision, in its order."""
        newest = await self._run(self._store.history, after=after, limit=KEPT)
        return newest[::-1]

    async def _run(self, function: Callable[P, T], *args: P.args, **words: P.kwargs) -> T:
        future = self._thread.submit(function, *args, **words)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what is queued, then close the store."""
        self._thread.shutdown()
        self._store.close()
