"""The Configuration tree as plain data: what is set. What is absent is inherited or default.

Values are the canonical plain ones of settings/kinds.py. The store keeps it, TOML carries it,
settings/check.py judges it, settings/resolve.py makes policy of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TypeAlias

from fastpptp.settings.attributes import INTERNAL
from fastpptp.settings.kinds import Plain

Values: TypeAlias = Mapping[str, Plain]
# A list of settings/entries.py: names and what each sets, in their order, which equality regards.
Entries: TypeAlias = tuple[tuple[str, Values], ...]


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group's identity and the attributes that it sets itself."""

    type: str = INTERNAL
    password: str = field(default="", repr=False)
    attributes: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A user's identity and own attributes. `group` None is the base group."""

    password: str = field(repr=False)
    group: str | None = None
    address: IPv4Address | None = None
    netmask: IPv4Address | None = None
    attributes: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolRange:
    """An address pool, both ends included; `server_address` None is the system's."""

    first: IPv4Address
    last: IPv4Address
    server_address: IPv4Address | None = None

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __len__(self) -> int:
        return max(0, int(self.last) - int(self.first) + 1)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def overlaps(self, other: PoolRange) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class FilterEntry:
    """A traffic filter: its own settings, and its rules in their order, each with a `name`."""

    attributes: Values = field(default_factory=dict)
    rules: tuple[Values, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that the VPN 3000 keeps in its Configuration tree.

    `sections` holds what the system has once, pptp to events; `hours` the named sets of hours as
    texts; `event_classes` what a class overrides; `lists` the lists of settings/entries.py that
    are not empty. Treat it as immutable.
    """

    sections: Mapping[str, Values] = field(default_factory=dict)
    base: Values = field(default_factory=dict)
    groups: Mapping[str, GroupEntry] = field(default_factory=dict)
    users: Mapping[str, UserEntry] = field(default_factory=dict)
    pools: tuple[PoolRange, ...] = ()
    hours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    event_classes: Mapping[str, Values] = field(default_factory=dict)
    filters: Mapping[str, FilterEntry] = field(default_factory=dict)
    lists: Mapping[str, Entries] = field(default_factory=dict)

    def section(self, name: str) -> Values:
        return self.sections.get(name, {})

    def entries(self, table: str) -> Entries:
        """A list of settings/entries.py."""
        return self.lists.get(table, ())

    def setters(self, attribute: str, value: Plain) -> list[str]:
        """The paths of the levels that set this inherited attribute to this value themselves."""
        levels: dict[str, Values] = {"base_group": self.base}
        levels |= {f"groups.{name}": entry.attributes for name, entry in self.groups.items()}
        levels |= {f"users.{name}": entry.attributes for name, entry in self.users.items()}
        return [where for where, own in levels.items() if own.get(attribute) == value]


EMPTY = Configuration()
