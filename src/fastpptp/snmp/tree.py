"""Objects by their identifiers: what has one, and what comes next, by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastpptp import ber
from fastpptp.snmp.mib import Branch, Column, Group, Row, Scalar, State, Table
from fastpptp.snmp.reading import Oid

SCALAR_INDEX: Oid = (0,)
NO_SUCH_OBJECT = ber.tagged(ber.NO_SUCH_OBJECT, b"")
NO_SUCH_INSTANCE = ber.tagged(ber.NO_SUCH_INSTANCE, b"")
END_OF_MIB_VIEW = ber.tagged(ber.END_OF_MIB_VIEW, b"")


@dataclass(frozen=True, slots=True)
class Series:
    """All instances of one object: a scalar's only one, or a column's, one a row."""

    prefix: Oid
    content: bytes  # the prefix as it is written in an object identifier
    scalar: Scalar | None = None
    table: Table | None = None
    column: Column | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """A value in a table: its column, and its row with the row's index."""

    column: Column
    index: Oid
    row: Row

    def __str__(self) -> str:
        return ".".join((self.column.name, *map(str, self.index)))


class Tree:
    """The objects that are declared, in the order of their identifiers."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.series = sorted(_series(groups), key=lambda series: series.prefix)
        self.prefixes = [series.prefix for series in self.series]

    def view(self, state: State) -> View:
        return View(self, state)


class _Rows:
    """A table's rows by their indices."""

    def __init__(self, table: Table, state: State) -> None:
        # Of two with one index the first is the row.
        self.rows = {table.index(row): row for row in reversed(list(table.rows(state)))}
        self.indices = sorted(self.rows)


class View:
    """The tree with the values of one State; tables are laid out when they are first asked for."""

    def __init__(self, tree: Tree, state: State) -> None:
        self._tree = tree
        self._state = state
        self._tables: dict[str, _Rows] = {}

    def get(self, name: Oid) -> bytes:
        """The value of the instance `name` as it is sent, or the exception that says it is none."""
        series = self._series_of(name)
        if series is None:
            return NO_SUCH_OBJECT
        index = name[len(series.prefix) :]
        if index not in self._instances(series):
            return NO_SUCH_INSTANCE
        return self._value(series, index)

    def after(self, name: Oid) -> tuple[Oid, bytes] | None:
        """The first instance behind `name`, and it as a variable binding; None at the end."""
        tree = self._tree
        place = bisect_right(tree.prefixes, name) - 1
        if place >= 0:
            series = tree.series[place]
            size = len(series.prefix)
            if name[:size] == series.prefix:
                indices = self._indices(series)
                found = bisect_right(indices, name[size:])
                if found < len(indices):
                    return self._binding(series, indices[found])
        for series in tree.series[place + 1 :]:
            if indices := self._indices(series):
                return self._binding(series, indices[0])
        return None

    def instance(self, name: Oid) -> Instance | None:
        """The instance `name` if it is one in a table."""
        series = self._series_of(name)
        if series is None or series.table is None or series.column is None:
            return None
        index = name[len(series.prefix) :]
        row = self._rows(series.table).rows.get(index)
        return None if row is None else Instance(series.column, index, row)

    def _series_of(self, name: Oid) -> Series | None:
        place = bisect_right(self._tree.prefixes, name) - 1
        if place < 0:
            return None
        series = self._tree.series[place]
        return series if name[: len(series.prefix)] == series.prefix else None

    def _rows(self, table: Table) -> _Rows:
        found = self._tables.get(table.name)
        if found is None:
            found = self._tables[table.name] = _Rows(table, self._state)
        return found

    def _indices(self, series: Series) -> list[Oid]:
        return [SCALAR_INDEX] if series.table is None else self._rows(series.table).indices

    def _instances(self, series: Series) -> Mapping[Oid, Any]:
        return {SCALAR_INDEX: None} if series.table is None else self._rows(series.table).rows

    def _value(self, series: Series, index: Oid) -> bytes:
        if series.column is not None and series.table is not None:
            return series.column.encoded(self._state, self._rows(series.table).rows[index])
        assert series.scalar is not None
        return series.scalar.encoded(self._state)

    def _binding(self, series: Series, index: Oid) -> tuple[Oid, bytes]:
        name = ber.tagged(ber.OBJECT_IDENTIFIER, series.content + ber.encoded_arcs(index))
        value = self._value(series, index)
        return series.prefix + index, ber.tagged(ber.SEQUENCE, name + value)


def binding(name: Oid, value: bytes) -> bytes:
    """A variable binding (RFC 3416 section 3)."""
    return ber.tagged(ber.SEQUENCE, ber.object_identifier(name) + value)


def _series(groups: Iterable[Group]) -> Iterator[Series]:
    for group in groups:
        for part in group.parts:
            yield from _branch(group, part) if isinstance(part, Branch) else _table(group, part)


def _branch(group: Group, branch: Branch) -> Iterator[Series]:
    base = (*group.oid, branch.number) if branch.number else group.oid
    for scalar in branch.scalars:
        prefix = (*base, scalar.number)
        yield Series(prefix, _content(prefix), scalar=scalar)


def _table(group: Group, table: Table) -> Iterator[Series]:
    for column in table.columns:
        prefix = (*group.oid, table.number, 1, column.number)
        yield Series(prefix, _content(prefix), table=table, column=column)


def _content(prefix: Oid) -> bytes:
    return ber.encoded_arcs((prefix[0] * 40 + prefix[1], *prefix[2:]))
