"""Base group -> group -> user: which values hold, and where each was set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.tree import Configuration, UserEntry, Values

AUTHENTICATION = "pptp_authentication_protocols"
ENCRYPTION = "pptp_encryption"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value was set: a level and, below the base group, whose. Without one, nowhere."""

    level: Level | None = None
    name: str = ""

    def __str__(self) -> str:
        return "default" if self.level is None else f"{self.level.value} {self.name}".rstrip()

    @property
    def words(self) -> str:
        """For a sentence: `default`, `from base group`, `from group NAME`."""
        return str(self) if self.level is None else f"from {self}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What holds at one level: the value of each attribute as a Python object, and its source."""

    values: Mapping[str, Any]
    sources: Mapping[str, Source]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def below(self, source: Source, own: Values) -> Resolved:
        """What holds at the level `source`, which sets `own`.

        Authentication protocols only become fewer on the way down from the base group; nothing
        stands above that, so it may set any.
        """
        if not own or source.level is None:
            return self
        declared = attributes.at(source.level)
        values = {**self.values, **loaded(declared, own)}
        if source.level is not Level.BASE:
            values[AUTHENTICATION] &= self.values[AUTHENTICATION]
        return Resolved(values, {**self.sources, **dict.fromkeys(own, source)})


def defaults(declared: Mapping[str, Attribute]) -> dict[str, Any]:
    """The default of each attribute as a Python object."""
    return {name: a.kind.load(a.default) for name, a in declared.items()}


def loaded(declared: Mapping[str, Attribute], own: Values) -> dict[str, Any]:
    """Plain values as Python objects."""
    return {name: declared[name].kind.load(value) for name, value in own.items()}


_ATTRIBUTES = attributes.named(attributes.GROUP)
DEFAULTS = Resolved(defaults(_ATTRIBUTES), dict.fromkeys(_ATTRIBUTES, Source()))


class Inheritance:
    """The base group and the groups of a Configuration, resolved; its users on demand."""

    def __init__(self, tree: Configuration) -> None:
        self.base = DEFAULTS.below(Source(Level.BASE), tree.base)
        self.groups: Mapping[str, Resolved] = {
            name: self.base.below(Source(Level.GROUP, name), group.attributes)
            for name, group in tree.groups.items()
        }

    def group(self, name: str | None) -> Resolved:
        """The group of this name; None is the base group. KeyError for one that is not there."""
        return self.base if name is None else self.groups[name]

    def user(self, name: str, entry: UserEntry) -> Resolved:
        """KeyError for a user whose group is not there."""
        return self.group(entry.group).below(Source(Level.USER, name), entry.attributes)
