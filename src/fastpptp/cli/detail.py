"""fastpptp session: all about one session, in the words of the lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from fastpptp.cli import statistics
from fastpptp.cli.columns import Column
from fastpptp.cli.common import Environment, environment, label, octets, print_fields
from fastpptp.cli.sessions import SESSION_COLUMNS, or_none

# Counters are told whole here, as the statistics have them.
_LISTED = tuple(column for column in SESSION_COLUMNS if column.text is not octets)
_AFTER = 1 + [column.key for column in _LISTED].index("encryption")
HEAD = (*_LISTED[:_AFTER], Column("Compression", "compression", text=or_none), *_LISTED[_AFTER:])
COUNTED = {column.key: column for column in statistics.SESSION_COLUMNS}


@click.command()
@click.argument("session_id", metavar="ID", type=int)
@environment
def session(env: Environment, session_id: int) -> None:
    """Show all about the session ID."""
    found = env.headend().session(session_id)
    env.answer(found, lambda: print_fields(dict(fields(found))))


def fields(found: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Titles and values: what the list has, the rest as it comes, the counters."""
    for column in HEAD:
        yield column.title, column.cell(found)
    told = {column.key for column in HEAD} | {"counters", "mppe"}
    rest = {name: value for name, value in found.items() if name not in told}
    for name, value in {**rest, **found["counters"]}.items():
        column = COUNTED.get(name, Column(_title(name), name))
        yield column.title, column.text(value)


def _title(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in label(name).split())
