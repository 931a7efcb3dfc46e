"""Tables whose columns people choose and sort by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len

from fastpptp.cli.common import print_table, shown

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

Row = Mapping[str, Any]
GAP = 2  # between two columns


def by_word(value: Any) -> Any:
    """Words without regard to case, numbers as they are."""
    return value.casefold() if isinstance(value, str) else value


def by_address(value: str) -> int:
    return int(IPv4Address(value))


@dataclass(frozen=True, slots=True)
class Column:
    """A column: where its value is in a row, how it is written, and what it is sorted by."""

    title: str
    key: str
    text: Callable[[Any], str] = shown
    order: Callable[[Any], Any] = by_word
    right: bool = False

    def cell(self, row: Row) -> str:
        return self.text(row[self.key])

    def rank(self, row: Row) -> tuple[bool, Any]:
        """Rows without a value come last."""
        value = row[self.key]
        return (True, 0) if value is None else (False, self.order(value))


def named(columns: Sequence[Column], name: str) -> Column:
    """The column of this title; case does not matter, and - or _ does for a space."""
    wanted = name.strip().casefold().replace("-", " ").replace("_", " ")
    for column in columns:
        if column.title.casefold().replace("-", " ") == wanted:
            return column
    known = ", ".join(column.title for column in columns)
    raise click.UsageError(f"There is no column {name!r}. The columns are: {known}.")


def chosen(columns: Sequence[Column], names: str | None) -> Sequence[Column]:
    """Those of a list with commas, in its order; without one, all."""
    return columns if names is None else [named(columns, name) for name in names.split(",")]


def ordered(rows: Iterable[Row], column: Column | None, reverse: bool) -> list[Any]:
    """The rows in the order of a column, or as they came."""
    listed = list(rows)
    if column is not None:
        listed.sort(key=column.rank)
    return listed[::-1] if reverse else listed


def print_rows(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    titles = [column.title for column in columns]
    right = [column.title for column in columns if column.right]
    print_table(titles, ([column.cell(row) for column in columns] for row in rows), right=right)


def fitting(
    columns: Sequence[Column], rows: Sequence[Row], width: int, spare: Iterable[str]
) -> Sequence[Column]:
    """The columns that a screen has room for: the spare ones go, by their titles in this order."""
    widths = {
        column: max(map(cell_len, (column.title, *map(column.cell, rows)))) for column in columns
    }
    left = list(columns)
    for title in spare:
        if sum(widths[column] + GAP for column in left) - GAP <= width:
            break
        left = [column for column in left if column.title != title]
    return left


def rich_table(columns: Sequence[Column], rows: Iterable[Row]) -> Table:
    """The rows for a live screen, as much of them as the terminal has room for."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        justify: JustifyMethod = "right" if column.right else "left"
        made.add_column(column.title, justify=justify, no_wrap=True)
    for row in rows:
        made.add_row(*(Text(column.cell(row)) for column in columns))
    return made
