"""What differs between two Configurations, path by path, and when each difference takes effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level, Touches
from fastpptp.settings.entries import LISTS, EntryList
from fastpptp.settings.filters import rule_text
from fastpptp.settings.kinds import Plain
from fastpptp.settings.tree import (
    Configuration,
    Entries,
    FilterEntry,
    GroupEntry,
    PoolRange,
    UserEntry,
    Values,
)
from fastpptp.settings.writing import write_group, write_user

E = TypeVar("E")

NOT_SET = "not set"
INHERITED = "inherited"
_INHERITABLE = attributes.named(attributes.GROUP)


@dataclass(frozen=True, slots=True)
class Change:
    """A path of the TOML tree whose value differs: old and new as people read them."""

    path: str
    old: str
    new: str
    touches: Touches = Touches.NEXT_SESSION

    def __str__(self) -> str:
        return f"{self.path}: {self.old} -> {self.new}"


def changes(before: Configuration, after: Configuration) -> Iterator[Change]:
    """What `after` has otherwise than `before`. No password is told."""
    for name, declared in attributes.SECTIONS.items():
        yield from _values(name, declared, before.section(name), after.section(name))
    yield from _each("events.classes", before.event_classes, after.event_classes, _event_class)
    for of in LISTS.values():
        yield from _entries(of, before.entries(of.table), after.entries(of.table))
    yield from _pools(before.pools, after.pools)
    yield from _each("access_hours", before.hours, after.hours, _hours)
    yield from _each("filters", before.filters, after.filters, _filter)
    yield from _values("base_group", attributes.at(Level.BASE), before.base, after.base)
    yield from _each("groups", before.groups, after.groups, _group)
    yield from _each("users", before.users, after.users, _user)


def latest(found: Iterable[Change]) -> Touches:
    """When all of these changes hold."""
    return max((change.touches for change in found), default=Touches.NOW)


def _each(
    table: str,
    before: Mapping[str, E],
    after: Mapping[str, E],
    compare: Callable[[str, E | None, E | None], Iterator[Change]],
) -> Iterator[Change]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old != new:
            yield from compare(f"{table}.{name}", old, new)


def _values(
    where: str, declared: Mapping[str, Attribute], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    for name, attribute in declared.items():
        if old.get(name) != new.get(name):
            was, will_be = (_shown(attribute, own.get(name), where) for own in (old, new))
            yield Change(f"{where}.{name}", was, will_be, attribute.touches)


def _shown(attribute: Attribute, value: Plain | None, where: str) -> str:
    if value is not None:
        return attribute.kind.shown(value)
    if attribute.levels and where != "base_group":
        return INHERITED if attribute.name in _INHERITABLE else NOT_SET
    if attribute.default == "":
        return NOT_SET
    return f"{attribute.kind.shown(attribute.default)}, default"


def _group(where: str, old: GroupEntry | None, new: GroupEntry | None) -> Iterator[Change]:
    declared = {**attributes.IDENTITY[Level.GROUP], **attributes.at(Level.GROUP)}
    yield from _values(where, declared, *(write_group(e) if e else {} for e in (old, new)))


def _user(where: str, old: UserEntry | None, new: UserEntry | None) -> Iterator[Change]:
    declared = {**attributes.IDENTITY[Level.USER], **attributes.at(Level.USER)}
    yield from _values(where, declared, *(write_user(e) if e else {} for e in (old, new)))


def _event_class(where: str, old: Values | None, new: Values | None) -> Iterator[Change]:
    declared = attributes.EVENT_CLASS_ATTRIBUTES
    enabled = {"enable": declared["enable"].default}
    sides = ({} if own is None else {**enabled, **own} for own in (old, new))
    yield from _values(where, declared, *sides)


def _entries(of: EntryList, before: Entries, after: Entries) -> Iterator[Change]:
    def compare(where: str, old: Values | None, new: Values | None) -> Iterator[Change]:
        if old is None or new is None:
            had, has = (NOT_SET if own is None else "defined" for own in (old, new))
            yield Change(where, had, has, Touches.NOW)
        yield from _values(where, of.attributes, old or {}, new or {})

    yield from _each(of.table, dict(before), dict(after), compare)
    staying = dict(before).keys() & dict(after).keys()
    was, will_be = ([name for name, _ in own if name in staying] for own in (before, after))
    if was != will_be:
        yield Change(of.table, ", ".join(was), ", ".join(will_be), Touches.NOW)


def _hours(
    where: str, old: tuple[str, ...] | None, new: tuple[str, ...] | None
) -> Iterator[Change]:
    was, will_be = (NOT_SET if own is None else "; ".join(own) or "never" for own in (old, new))
    yield Change(where, was, will_be)


def _filter(where: str, old: FilterEntry | None, new: FilterEntry | None) -> Iterator[Change]:
    was, will_be = (FilterEntry() if entry is None else entry for entry in (old, new))
    if old is None or new is None:
        had, has = (NOT_SET if entry is None else "defined" for entry in (old, new))
        yield Change(where, had, has, Touches.NOW)
    declared = attributes.FILTER_ATTRIBUTES
    yield from _values(where, declared, was.attributes, will_be.attributes)
    for place in range(max(len(was.rules), len(will_be.rules))):
        before, after = was.rules[place : place + 1], will_be.rules[place : place + 1]
        if before != after:
            had, has = (rule_text(*rule) if rule else NOT_SET for rule in (before, after))
            yield Change(f"{where}.rules[{place + 1}]", had, has, Touches.NOW)


def _pools(before: tuple[PoolRange, ...], after: tuple[PoolRange, ...]) -> Iterator[Change]:
    for place in range(max(len(before), len(after))):
        old, new = before[place : place + 1], after[place : place + 1]
        if old != new:
            yield Change(f"pools[{place + 1}]", _pool(*old), _pool(*new))


def _pool(pool: PoolRange | None = None) -> str:
    if pool is None:
        return NOT_SET
    return f"{pool}, server {pool.server_address}" if pool.server_address else str(pool)
