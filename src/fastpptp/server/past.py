"""What is to outlive a restart: totals since the installation, and sessions that ended.

Nothing here waits: the recorder keeps it. A headend that is killed loses the last seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from fastpptp.manager import Statistics
from fastpptp.recorder.past import EndedPage, Wanted
from fastpptp.server.eventsink import Later, Recorder

# Seconds between two looks at sessions that ended. At totals it is every so many looks: they take
# adding up all sessions.
INTERVAL = 1.0
TOTALS_EVERY = 5

PEAK = "peak_"
OF_NOW = frozenset({"active_tunnels", "active_sessions", "handshakes", "half_open"})


def flat(statistics: Statistics, payload: Mapping[str, int]) -> dict[str, int]:
    """The totals by name; one by cause as `ended.idle-timeout`."""
    found: dict[str, int] = {}
    for known in fields(statistics):
        value = getattr(statistics, known.name)
        if isinstance(value, Counter):
            found |= {f"{known.name}.{cause}": count for cause, count in value.items()}
        elif isinstance(value, int) and known.name not in OF_NOW:
            found[known.name] = value
    return found | dict(payload)


def together(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Of two runs: the higher peak, and the sum of all else."""
    found = dict(before)
    for name, value in now.items():
        if name.startswith(PEAK):
            found[name] = max(found.get(name, 0), value)
        else:
            found[name] = found.get(name, 0) + value
    return found


class Past:
    """One headend's. `counters` gives its totals since the start, `describe` a line's content."""

    def __init__(
        self,
        recorder: Recorder,
        counters: Callable[[], Mapping[str, int]],
        describe: Callable[[Any], Mapping[str, Any]],
        later: Later,
    ) -> None:
        self._recorder = recorder
        self._counters = counters
        self._describe = describe
        self._later = later
        self._before = recorder.totals()
        self._kept: Mapping[str, int] = {}
        self._ended: list[str] = []
        self._turn = 0
        self._running = False

    def start(self) -> None:
        self._running = True
        self._later(INTERVAL, self._look)

    def stop(self) -> None:
        """Keep what there is now; nothing is kept by itself any more."""
        self._running = False
        self._kept = {}
        self._keep(self.totals())

    def totals(self) -> dict[str, int]:
        """Since the installation, by name."""
        return together(self._before or {}, self._counters())

    def session_ended(self, departure: object) -> None:
        """A session has ended, and its counters are final."""
        self._ended.append(json.dumps(self._describe(departure)))

    async def ended(self, wanted: Wanted, page: int, per_page: int) -> EndedPage:
        """The sessions that ended, this run's and earlier ones'. UnavailableError."""
        self._keep({})
        return await self._recorder.ended(wanted, page, per_page)

    def _look(self) -> None:
        if not self._running:
            return
        self._turn = (self._turn + 1) % TOTALS_EVERY
        self._keep(self.totals() if self._turn == 0 else {})
        self._later(INTERVAL, self._look)

    def _keep(self, totals: Mapping[str, int]) -> None:
        """All totals go together: a recorder that took another's place knows none."""
        if self._before is None or totals == self._kept:
            totals = {}
        if totals or self._ended:
            self._kept = totals or self._kept
            ended, self._ended = self._ended, []
            self._recorder.keep(totals, ended)
