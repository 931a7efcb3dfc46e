"""A Configuration out of nested plain data, such as parsed TOML; every mistake is told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any, TypeVar

from fastpptp.bootstrap import unknown_key
from fastpptp.errors import ConfigurationError, Problem
from fastpptp.events.catalogue import CLASSES
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS, EntryList
from fastpptp.settings.kinds import NOTHING, Kind, Plain
from fastpptp.settings.tree import (
    Configuration,
    Entries,
    FilterEntry,
    GroupEntry,
    PoolRange,
    UserEntry,
    Values,
)

T = TypeVar("T")

TABLES = (
    *attributes.SECTIONS, *LISTS, "base_group", "groups", "users", "pools", "access_hours",
    "filters",
)  # fmt: skip
CLASSES_TABLE = "classes"
RULES_TABLE = "rules"


def read_tree(raw: Mapping[str, Any]) -> Configuration:
    """The Configuration that `raw` tells; ConfigurationError with every problem of form.

    What fits together is settings/check.py's question.
    """
    reader = Reader()
    tree = reader.tree(raw)
    if reader.problems:
        raise ConfigurationError(*reader.problems)
    return tree


def read_values(
    raw: Mapping[str, object], declared: Mapping[str, Attribute], where: str
) -> dict[str, Plain]:
    """Canonical values of attributes; ConfigurationError with every one that is wrong."""
    reader = Reader()
    values = reader.values(raw, declared, where)
    if reader.problems:
        raise ConfigurationError(*reader.problems)
    return values


class Reader:
    """Reads parts of the tree and gathers what is wrong in `problems`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def tree(self, raw: Mapping[str, Any]) -> Configuration:
        self._known(raw, TABLES, "")
        events = dict(self._table(raw, "events", ""))
        classes = self._table(events, CLASSES_TABLE, "events.")
        events.pop(CLASSES_TABLE, None)
        sections = {
            name: self.values(
                events if name == "events" else self._table(raw, name, ""), declared, name
            )
            for name, declared in attributes.SECTIONS.items()
        }
        return Configuration(
            sections={name: values for name, values in sections.items() if values},
            base=self.inherited(self._table(raw, "base_group", ""), Level.BASE, "base_group"),
            groups=self._each(raw, "groups", self.group),
            users=self._each(raw, "users", self.user),
            pools=self._pools(raw.get("pools", [])),
            hours=self._each(raw, "access_hours", self.hours),
            event_classes=self.event_classes(classes),
            filters=self._each(raw, "filters", self.filter),
            lists={name: found for name, of in LISTS.items() if (found := self._entries(raw, of))},
        )

    def values(
        self, raw: Mapping[str, object], declared: Mapping[str, Attribute], where: str
    ) -> dict[str, Plain]:
        """Canonical values of the attributes in `raw`."""
        found: dict[str, Plain] = {}
        for name, value in raw.items():
            path = f"{where}.{name}" if where else name
            if name not in declared:
                self.problems.append(unknown_key(path, name, declared))
            elif (read := self._read(declared[name].kind, value, path)) is not None:
                found[name] = declared[name].kind.dump(read[0])
        return found

    def group(self, raw: Mapping[str, Any], where: str) -> GroupEntry:
        identity, rest = self._identity(raw, Level.GROUP, where)
        return GroupEntry(
            identity["type"], identity["password"], self.inherited(rest, Level.GROUP, where)
        )

    def user(self, raw: Mapping[str, Any], where: str) -> UserEntry:
        identity, rest = self._identity(raw, Level.USER, where)
        group = identity["group"]
        return UserEntry(
            identity["password"],
            None if group == NOTHING else group,
            _address(identity["ip_address"]),
            _address(identity["subnet_mask"]),
            self.inherited(rest, Level.USER, where),
        )

    def _identity(
        self, raw: Mapping[str, Any], level: Level, where: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """An entry's identity, defaults included, and what is left of `raw`."""
        declared = attributes.IDENTITY[level]
        own = {name: value for name, value in raw.items() if name in declared}
        rest = {name: value for name, value in raw.items() if name not in declared}
        plain = {name: attribute.default for name, attribute in declared.items()}
        return {**plain, **self.values(own, declared, where)}, rest

    def inherited(self, raw: Mapping[str, object], level: Level, where: str) -> dict[str, Plain]:
        """The attributes of `level`; one that belongs to another level is told as such."""
        declared = attributes.at(level)
        known: dict[str, object] = {}
        for name, value in raw.items():
            if name in declared:
                known[name] = value
            elif any(name in other for other in attributes.LEVELS.values()):
                self.problems.append(
                    Problem(f"{where}.{name}", f"cannot be set in a {level.value}")
                )
            else:
                names = (*declared, *attributes.IDENTITY[level])
                self.problems.append(unknown_key(f"{where}.{name}", name, names))
        return self.values(known, declared, where)

    def hours(self, raw: object, where: str) -> tuple[str, ...]:
        if isinstance(raw, list) and all(isinstance(text, str) for text in raw):
            return tuple(raw)
        self.problems.append(Problem(where, "is not a list of texts"))
        return ()

    def event_classes(self, raw: Mapping[str, Any]) -> dict[str, dict[str, Plain]]:
        found = {}
        for cls, values in raw.items():
            where = f"events.{CLASSES_TABLE}.{cls}"
            if cls not in CLASSES:
                self.problems.append(unknown_key(where, cls, CLASSES))
            elif isinstance(values, dict):
                found[cls] = self.values(values, attributes.EVENT_CLASS_ATTRIBUTES, where)
            else:
                self.problems.append(Problem(where, "is not a table"))
        return found

    def filter(self, raw: Mapping[str, Any], where: str) -> FilterEntry:
        own = {name: value for name, value in raw.items() if name != RULES_TABLE}
        rules = raw.get(RULES_TABLE, [])
        if not isinstance(rules, list):
            remedy = f"write [[{where}.{RULES_TABLE}]]"
            self.problems.append(
                Problem(f"{where}.{RULES_TABLE}", "is not an array of tables", remedy)
            )
            rules = []
        return FilterEntry(
            self.values(own, attributes.FILTER_ATTRIBUTES, where),
            tuple(self.rule(e, f"{where}.{RULES_TABLE}[{n}]") for n, e in enumerate(rules, 1)),
        )

    def rule(self, raw: object, where: str) -> dict[str, Plain]:
        if not isinstance(raw, dict):
            self.problems.append(Problem(where, "is not a table"))
            return {}
        if "name" not in raw:
            self.problems.append(Problem(f"{where}.name", "is missing", "name the rule"))
        return self.values(raw, attributes.RULE_ATTRIBUTES, where)

    def _entries(self, raw: Mapping[str, Any], of: EntryList) -> Entries:
        read = self._each(raw, of.table, lambda own, where: self.entry(of, own, where))
        return tuple(read.items())

    def entry(self, of: EntryList, raw: Mapping[str, Any], where: str) -> Values:
        """What an entry of a list sets."""
        for name in of.required:
            if name not in raw:
                self.problems.append(
                    Problem(f"{where}.{name}", "is missing", of.attributes[name].kind.allowed)
                )
        return self.values(raw, of.attributes, where)

    def _pools(self, raw: object) -> tuple[PoolRange, ...]:
        if not isinstance(raw, list):
            self.problems.append(Problem("pools", "is not an array of tables", "write [[pools]]"))
            return ()
        read = (self.pool(entry, f"pools[{place}]") for place, entry in enumerate(raw, 1))
        return tuple(pool for pool in read if pool is not None)

    def pool(self, raw: object, where: str) -> PoolRange | None:
        if not isinstance(raw, dict):
            self.problems.append(Problem(where, "is not a table", "write [[pools]]"))
            return None
        found = self.values(raw, attributes.POOL_ATTRIBUTES, where)
        missing = [key for key in ("first", "last") if key not in raw]
        self.problems += [Problem(f"{where}.{key}", "is missing", "an address") for key in missing]
        first, last = _address(found.get("first")), _address(found.get("last"))
        server = _address(found.get("server_address"))
        return PoolRange(first, last, server) if first and last else None

    def _each(
        self, raw: Mapping[str, Any], key: str, read: Callable[[Any, str], T]
    ) -> dict[str, T]:
        found = {}
        for name, entry in self._table(raw, key, "").items():
            where = f"{key}.{name}"
            if key != "access_hours" and not isinstance(entry, dict):
                self.problems.append(Problem(where, "is not a table", f"write [{where}]"))
            else:
                found[name] = read(entry, where)
        return found

    def _table(self, raw: Mapping[str, Any], key: str, prefix: str) -> Mapping[str, Any]:
        found = raw.get(key, {})
        if isinstance(found, dict):
            return found
        self.problems.append(Problem(f"{prefix}{key}", "is not a table", f"write [{prefix}{key}]"))
        return {}

    def _known(self, raw: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
        self.problems += [
            unknown_key(f"{prefix}{key}", key, known) for key in raw if key not in known
        ]

    def _read(self, kind: Kind[T], value: object, where: str) -> tuple[T] | None:
        try:
            return (kind.load(value),)
        except ValueError as error:
            said = "it" if kind.secret else repr(value)
            self.problems.append(Problem(where, f"{said} is not valid", f"allowed: {error}"))
            return None


def _address(plain: Plain | None) -> IPv4Address | None:
    return None if plain in (None, NOTHING) else IPv4Address(str(plain))
