"""Local time, cheaply: asking for the zone is most of the cost of a time."""

from __future__ import annotations

import time
from datetime import datetime, tzinfo


class _LocalZone:
    """Looks at the zone once for each second of time."""

    def __init__(self) -> None:
        self._zone: tzinfo | None = None
        self._second = 0.0

    def at(self, seconds: float) -> tzinfo | None:
        if self._zone is None or seconds // 1 != self._second:
            self._zone = datetime.fromtimestamp(seconds).astimezone().tzinfo
            self._second = seconds // 1
        return self._zone


_zone = _LocalZone()


def local(seconds: float) -> datetime:
    """This time since 1970 in this machine's zone."""
    return datetime.fromtimestamp(seconds, _zone.at(seconds))


def wall_clock() -> datetime:
    """Now, with the local zone: access hours and the log are told in local time."""
    return local(time.time())
