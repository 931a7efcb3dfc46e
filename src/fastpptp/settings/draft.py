"""A Configuration being edited: what the command line, the control API and an import do to it.

An edit takes the same keys and plain values as a TOML file and goes through the same
reading. `Draft.finish` judges the whole; until then nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from fastpptp.bootstrap import unknown_key
from fastpptp.errors import ConfigurationError, Problem
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.check import check
from fastpptp.settings.diff import Change, changes
from fastpptp.settings.effect import without_effect
from fastpptp.settings.entries import LISTS
from fastpptp.settings.reading import Reader, read_values
from fastpptp.settings.tree import Configuration, FilterEntry, PoolRange, Values
from fastpptp.settings.writing import write_group, write_pool, write_user

T = TypeVar("T")

UNSHARED = ("password", "ip_address", "subnet_mask", "static_routes")


class Draft:
    """Edits of one Configuration. Each raises ConfigurationError for a name or value it refuses."""

    def __init__(self, before: Configuration) -> None:
        self.before = before
        # Whose passwords are not new: a renamed user keeps its own.
        self._standing = before
        self._take(before)

    def _take(self, tree: Configuration) -> None:
        self._sections = {name: dict(own) for name, own in tree.sections.items()}
        self._base = dict(tree.base)
        self._groups = dict(tree.groups)
        self._users = dict(tree.users)
        self._pools = list(tree.pools)
        self._hours = dict(tree.hours)
        self._classes = dict(tree.event_classes)
        self._filters = dict(tree.filters)
        self._lists = {table: dict(tree.entries(table)) for table in LISTS}

    @property
    def tree(self) -> Configuration:
        """The Configuration as edited so far, unchecked."""
        return Configuration(
            {name: own for name, own in self._sections.items() if own},
            self._base,
            self._groups,
            self._users,
            tuple(self._pools),
            self._hours,
            self._classes,
            self._filters,
            {table: tuple(own.items()) for table, own in self._lists.items() if own},
        )

    @property
    def changes(self) -> list[Change]:
        """What the edits so far have changed."""
        return list(changes(self.before, self.tree))

    @property
    def without_effect(self) -> list[Problem]:
        """What the edits so far have left without effect that was not so before."""
        old = set(without_effect(self.before))
        return [problem for problem in without_effect(self.tree) if problem not in old]

    def finish(self) -> Configuration:
        """The edited Configuration; ConfigurationError with all that does not fit together."""
        tree = self.tree
        check(tree, self._standing)
        return tree

    def replace(self, tree: Configuration) -> None:
        """Put another tree in the place of all (an import)."""
        self._take(tree)

    def add_user(self, name: str, values: Mapping[str, object]) -> None:
        """A new user: `password`, and what else `users.NAME` of the TOML tree takes."""
        _new(f"users.{name}", name, self._users)
        self._users[name] = _read(Reader.user, values, f"users.{name}")

    def set_user(
        self, name: str, values: Mapping[str, object], inherit: Collection[str] = ()
    ) -> None:
        """Change what `values` names; what `inherit` names is unset (group: to the base group)."""
        where = f"users.{name}"
        raw = write_user(known(where, name, self._users))
        raw = _without(raw, inherit, _names(Level.USER), where)
        self._users[name] = _read(Reader.user, {**raw, **values}, where)

    def delete_user(self, name: str) -> None:
        known(f"users.{name}", name, self._users)
        del self._users[name]

    def copy_user(self, name: str, new: str, values: Mapping[str, object]) -> None:
        """A new user like `name`, but for what no two users can share."""
        raw = write_user(known(f"users.{name}", name, self._users))
        self.add_user(new, {**_without(raw, UNSHARED, _names(Level.USER), ""), **values})

    def rename_user(self, name: str, new: str) -> None:
        self._users = _renamed("users", self._users, name, new)
        if name in self._standing.users:
            users = {**self._standing.users, new: self._standing.users[name]}
            self._standing = replace(self._standing, users=users)

    def add_group(self, name: str, values: Mapping[str, object]) -> None:
        """A new group: what `groups.NAME` of the TOML tree takes."""
        _new(f"groups.{name}", name, self._groups)
        self._groups[name] = _read(Reader.group, values, f"groups.{name}")

    def set_group(
        self, name: str, values: Mapping[str, object], inherit: Collection[str] = ()
    ) -> None:
        """Change what `values` names; what `inherit` names comes from the base group again."""
        where = f"groups.{name}"
        raw = write_group(known(where, name, self._groups))
        raw = _without(raw, inherit, _names(Level.GROUP), where)
        self._groups[name] = _read(Reader.group, {**raw, **values}, where)

    def delete_group(self, name: str) -> None:
        """Delete a group that no user is in."""
        where = f"groups.{name}"
        known(where, name, self._groups)
        members = [user for user, entry in self._users.items() if entry.group == name]
        if members:
            problem = f"has {_counted(members, 'user')}: {_listed(members)}"
            raise ConfigurationError(Problem(where, problem, "move or delete them first"))
        del self._groups[name]

    def copy_group(self, name: str, new: str) -> None:
        """A new group like `name`; it has no users."""
        self.add_group(new, write_group(known(f"groups.{name}", name, self._groups)))

    def rename_group(self, name: str, new: str) -> None:
        """Its users stay in it."""
        self._groups = _renamed("groups", self._groups, name, new)
        for user, entry in self._users.items():
            if entry.group == name:
                self._users[user] = replace(entry, group=new)

    def set_base(self, values: Mapping[str, object], reset: Collection[str] = ()) -> None:
        """Change base group attributes; what `reset` names gets its default."""
        declared = attributes.at(Level.BASE)
        self._base = self._changed(self._base, values, reset, declared, "base_group")

    def set_section(
        self, name: str, values: Mapping[str, object], reset: Collection[str] = ()
    ) -> None:
        """Change settings of pptp, system, assignment or events."""
        if name not in attributes.SECTIONS:
            raise ConfigurationError(unknown_key(name, name, attributes.SECTIONS))
        own = self._sections.get(name, {})
        self._sections[name] = self._changed(own, values, reset, attributes.SECTIONS[name], name)

    def set_event_class(
        self, cls: str, values: Mapping[str, object], reset: Collection[str] = ()
    ) -> None:
        """Change what an event class overrides."""
        where = f"events.classes.{cls}"
        declared = attributes.EVENT_CLASS_ATTRIBUTES
        raw = _without(self._classes.get(cls, {}), reset, declared, where)
        reader = Reader()
        self._classes |= reader.event_classes({cls: {**raw, **values}})
        _refuse(reader.problems)

    def delete_event_class(self, cls: str) -> None:
        known(f"events.classes.{cls}", cls, self._classes)
        del self._classes[cls]

    def set_hours(self, name: str, spans: Iterable[str]) -> None:
        """Define or redefine a named set of hours."""
        self._hours[name] = tuple(spans)

    def add_hours(self, name: str, spans: Iterable[str]) -> None:
        _new(f"access_hours.{name}", name, self._hours)
        self.set_hours(name, spans)

    def change_hours(self, name: str, spans: Iterable[str]) -> None:
        known(f"access_hours.{name}", name, self._hours)
        self.set_hours(name, spans)

    def delete_hours(self, name: str) -> None:
        """Delete a set of hours that is nobody's Access Hours."""
        where = f"access_hours.{name}"
        known(where, name, self._hours)
        _unused(where, self.tree.setters("access_hours", name))
        del self._hours[name]

    def add_filter(self, name: str, values: Mapping[str, object]) -> None:
        """A new traffic filter: what `filters.NAME` of the TOML tree takes."""
        _new(f"filters.{name}", name, self._filters)
        self._filters[name] = _read(Reader.filter, values, f"filters.{name}")

    def set_filter(
        self, name: str, values: Mapping[str, object], reset: Collection[str] = ()
    ) -> None:
        """Change a filter's own settings; what `reset` names gets its default."""
        where, entry = f"filters.{name}", self._filter(name)
        own = self._changed(entry.attributes, values, reset, attributes.FILTER_ATTRIBUTES, where)
        self._filters[name] = replace(entry, attributes=own)

    def delete_filter(self, name: str) -> None:
        """Delete a filter that is nobody's Filter."""
        self._filter(name)
        _unused(f"filters.{name}", self.tree.setters("filter", name))
        del self._filters[name]

    def add_rule(self, name: str, values: Mapping[str, object], place: int | None = None) -> None:
        """A new rule of a filter: what its `rules` of the TOML tree take; last, or at `place`."""
        rules = list(self._filter(name).rules)
        at = len(rules) if place is None else _place(f"filters.{name}.rules", place, len(rules) + 1)
        rules.insert(at, _read(Reader.rule, values, f"filters.{name}.rules[{at + 1}]"))
        self._set_rules(name, rules)

    def set_rule(
        self,
        name: str,
        rule: str,
        values: Mapping[str, object],
        reset: Collection[str] = (),
    ) -> None:
        """Change the rule of this name; what `reset` names gets its default."""
        rules, at = self._rule(name, rule)
        where, declared = f"filters.{name}.rules[{at + 1}]", attributes.RULE_ATTRIBUTES
        rules[at] = self._changed(rules[at], values, reset, declared, where)
        self._set_rules(name, rules)

    def delete_rule(self, name: str, rule: str) -> None:
        rules, at = self._rule(name, rule)
        del rules[at]
        self._set_rules(name, rules)

    def move_rule(self, name: str, rule: str, to: int) -> None:
        """Move a rule so that it stands at `to`, counted from 1."""
        rules, at = self._rule(name, rule)
        rules.insert(_place(f"filters.{name}.rules", to, len(rules)), rules.pop(at))
        self._set_rules(name, rules)

    def _filter(self, name: str) -> FilterEntry:
        return known(f"filters.{name}", name, self._filters)

    def _rule(self, name: str, rule: str) -> tuple[list[Values], int]:
        """A copy of a filter's rules, and where among them this one is."""
        rules = list(self._filter(name).rules)
        places = {str(own.get("name")): at for at, own in enumerate(rules)}
        return rules, known(f"filters.{name}.rules.{rule}", rule, places)

    def _set_rules(self, name: str, rules: Sequence[Values]) -> None:
        self._filters[name] = replace(self._filters[name], rules=tuple(rules))

    def add_entry(self, table: str, name: str, values: Mapping[str, object]) -> None:
        """A new last entry of a list: what `TABLE.NAME` of the TOML tree takes."""
        _new(f"{table}.{name}", name, self._lists[table])
        self._lists[table][name] = _read_entry(table, name, values)

    def set_entry(
        self, table: str, name: str, values: Mapping[str, object], reset: Collection[str] = ()
    ) -> None:
        """Change an entry of a list; what `reset` names gets its default."""
        where = f"{table}.{name}"
        own = known(where, name, self._lists[table])
        kept = _without(own, reset, LISTS[table].attributes, where)
        self._lists[table][name] = _read_entry(table, name, {**kept, **values})

    def delete_entry(self, table: str, name: str) -> None:
        known(f"{table}.{name}", name, self._lists[table])
        del self._lists[table][name]

    def move_entry(self, table: str, name: str, to: int) -> None:
        """Move an entry of a list so that it stands at `to`, counted from 1."""
        listed = dict(self._lists[table])
        own = known(f"{table}.{name}", name, listed)
        at = _place(table, to, len(listed))
        del listed[name]
        others = list(listed.items())
        self._lists[table] = dict([*others[:at], (name, own), *others[at:]])

    def add_pool(self, values: Mapping[str, object]) -> None:
        """A new last pool: `first`, `last` and, if not the system's, `server_address`."""
        place = len(self._pools) + 1
        self._pools.append(_read_pool(values, place))

    def modify_pool(
        self, place: int, values: Mapping[str, object], reset: Collection[str] = ()
    ) -> None:
        """Change the pool at `place`, counted from 1."""
        declared = attributes.POOL_ATTRIBUTES
        raw = _without(write_pool(self._pool(place)), reset, declared, f"pools[{place}]")
        self._pools[place - 1] = _read_pool({**raw, **values}, place)

    def delete_pool(self, place: int) -> None:
        self._pools.remove(self._pool(place))

    def move_pool(self, place: int, to: int) -> None:
        """Move the pool at `place` so that it stands at `to`; both count from 1."""
        pool = self._pool(place)
        self._pool(to)
        self._pools.remove(pool)
        self._pools.insert(to - 1, pool)

    def _pool(self, place: int) -> PoolRange:
        if not 1 <= place <= len(self._pools):
            raise ConfigurationError(
                Problem(f"pools[{place}]", "there is no such pool", f"1 to {len(self._pools)}")
            )
        return self._pools[place - 1]

    def _changed(
        self,
        own: Values,
        values: Mapping[str, object],
        reset: Collection[str],
        declared: Mapping[str, Attribute],
        where: str,
    ) -> dict[str, Any]:
        kept = _without(own, reset, declared, where)
        return {**kept, **read_values(values, declared, where)}


def _read(read: Callable[[Reader, Mapping[str, Any], str], T], raw: Any, where: str) -> T:
    reader = Reader()
    found = read(reader, raw, where)
    _refuse(reader.problems)
    return found


def _read_entry(table: str, name: str, raw: Mapping[str, object]) -> Values:
    def read(reader: Reader, raw: Mapping[str, Any], where: str) -> Values:
        return reader.entry(LISTS[table], raw, where)

    return _read(read, raw, f"{table}.{name}")


def _read_pool(raw: Mapping[str, object], place: int) -> PoolRange:
    reader = Reader()
    found = reader.pool(raw, f"pools[{place}]")
    if found is None or reader.problems:
        raise ConfigurationError(*reader.problems)
    return found


def _place(where: str, place: int, last: int) -> int:
    """The index of a place, counted from 1."""
    if not 1 <= place <= last:
        problem = Problem(where, f"there is no place {place}", f"1 to {last}")
        raise ConfigurationError(problem)
    return place - 1


def _refuse(problems: Collection[Problem]) -> None:
    if problems:
        raise ConfigurationError(*problems)


def _new(where: str, name: str, entries: Mapping[str, object]) -> None:
    if name in entries:
        raise ConfigurationError(Problem(where, "exists already", "use set to change it"))


def known(where: str, name: str, entries: Mapping[str, T]) -> T:
    """The entry of this name; ConfigurationError, with the nearest name, where there is none."""
    if name not in entries:
        near = get_close_matches(name, entries, n=1)
        remedy = f"did you mean {near[0]}?" if near else ""
        raise ConfigurationError(Problem(where, "does not exist", remedy))
    return entries[name]


def _names(level: Level) -> Collection[str]:
    return {**attributes.at(level), **attributes.IDENTITY[level]}


def _without(
    own: Mapping[str, Any], names: Collection[str], declared: Collection[str], where: str
) -> dict[str, Any]:
    """What is set but for `names`, each of which must be declared."""
    unknown = [name for name in names if name not in declared]
    _refuse([unknown_key(f"{where}.{name}", name, declared) for name in unknown])
    return {name: value for name, value in own.items() if name not in names}


def _renamed(table: str, entries: Mapping[str, T], name: str, new: str) -> dict[str, T]:
    known(f"{table}.{name}", name, entries)
    _new(f"{table}.{new}", new, entries)
    return {new if key == name else key: entry for key, entry in entries.items()}


def _unused(where: str, users: Sequence[str]) -> None:
    if users:
        problem = Problem(where, f"is used by {_listed(users)}", "choose others there first")
        raise ConfigurationError(problem)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _counted(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"
