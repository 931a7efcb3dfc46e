"""Where an event goes: ranges of severities for each destination, and what a class overrides.

The reference's defaults are log 1-5, console 1-3 and nothing elsewhere. A class has
ranges of its own only while its Enable is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Destination(Enum):
    """Where events can go; the value is the configuration's word for it."""

    LOG = "log"
    CONSOLE = "console"
    SYSLOG = "syslog"
    EMAIL = "email"
    TRAP = "trap"


@dataclass(frozen=True, slots=True)
class Severities:
    """A range of severities, both ends included; `last` 0 is none at all."""

    first: int = 1
    last: int = 0

    def __contains__(self, severity: int) -> bool:
        return self.first <= severity <= self.last

    def __str__(self) -> str:
        if not self.last:
            return "none"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


NONE = Severities()

DEFAULT_SEVERITIES: Mapping[Destination, Severities] = MappingProxyType(
    {
        Destination.LOG: Severities(1, 5),
        Destination.CONSOLE: Severities(1, 3),
        Destination.SYSLOG: NONE,
        Destination.EMAIL: NONE,
        Destination.TRAP: NONE,
    }
)


@dataclass(frozen=True, slots=True)
class EventPolicy:
    """The default ranges, the overrides of the classes whose Enable is on, and the log's size."""

    defaults: Mapping[Destination, Severities] = field(default_factory=lambda: DEFAULT_SEVERITIES)
    classes: Mapping[str, Mapping[Destination, Severities]] = field(default_factory=dict)
    capacity: int = 10_000

    def destinations(self, cls: str, severity: int) -> frozenset[Destination]:
        """Where an event of this class and severity goes."""
        ranges = self.classes.get(cls, self.defaults)
        return frozenset(place for place, range_ in ranges.items() if severity in range_)
