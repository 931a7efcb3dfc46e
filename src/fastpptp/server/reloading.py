"""A clean reload: bootstrap file and store are followed as they are now, both or neither.

SIGHUP, `fastpptp reload` and `systemctl reload` all come here.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, fields
from pathlib import Path

from fastpptp.bootstrap import Bootstrap, load
from fastpptp.errors import FastpptpError
from fastpptp.events.catalogue import occur
from fastpptp.server.notify import notify
from fastpptp.server.runtime import Headend


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The store's revision that holds now, and what of the bootstrap file holds from a restart."""

    revision: int
    restart: tuple[str, ...]


class Reloading:
    """Reloads one headend, one time after the other. `config` is its bootstrap file."""

    def __init__(self, headend: Headend, config: Path | None) -> None:
        """ConfigurationError or UnavailableError where that file could not be read again."""
        self._headend = headend
        self._config = config
        self._at_start = load(config)
        self._turn = asyncio.Lock()

    async def __call__(self) -> Reloaded:
        """FastpptpError: it is refused, nothing has changed, and an event has said so."""
        async with self._turn:
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            status = ""
            try:
                done = await self._reload()
                status = f"Follows revision {done.revision} of the store"
            except FastpptpError as error:
                status = f"Reload refused: {error}"
                raise
            finally:
                notify(f"READY=1\nSTATUS={' '.join(status.split())}")
            return done

    async def _reload(self) -> Reloaded:
        try:
            restart = changes(self._at_start, load(self._config))
        except FastpptpError as error:
            self._headend.events.record(occur("CONFIG", 102, problem=str(error)))
            raise
        revision = await self._headend.reload()
        if restart:
            what = f"{', '.join(restart)} in the bootstrap file; it holds from the next start"
            self._headend.events.record(occur("CONFIG", 100, what=what))
        return Reloaded(revision, tuple(restart))


def changes(before: Bootstrap, after: Bootstrap) -> list[str]:
    """The names of the settings that differ."""
    return [
        known.name
        for known in fields(Bootstrap)
        if getattr(before, known.name) != getattr(after, known.name)
    ]
