"""fastpptp syslog-server, smtp-server, email-recipient, trap-destination: lists of the screens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import (
    RESET,
    Editor,
    attribute_options,
    editing,
    given,
    names,
    plain_argument,
)
from fastpptp.cli.passwords import secret_options
from fastpptp.cli.show import set_here, show_values, tree_of
from fastpptp.settings.draft import known
from fastpptp.settings.entries import LISTS, EntryList
from fastpptp.settings.tree import Values

F = TypeVar("F", bound=Callable[..., Any])


def _noun(of: EntryList) -> click.Group:
    """`add`, `list`, `show`, `set`, `move` and `delete` for a list."""
    called = f"{of.noun[0].upper()}{of.noun[1:]}"
    noun = click.Group(
        of.command,
        help=f"{of.title}: add, list, show, set, move, delete. {of.about}",
        short_help=f"{called}s: add, list, show, set, move, delete.",
    )
    name_argument = click.argument("name", metavar=of.metavar)

    @noun.command(help=f"Add the {of.noun} {of.metavar} as the last one.")
    @name_argument
    @_required(of)
    @attribute_options(of.optional)
    @secret_options(of.attributes)
    @editing
    def add(edit: Editor, name: str, **values: Any) -> None:
        edit(
            lambda draft: draft.add_entry(of.table, name, given(values)), f"{called} {name} added."
        )

    @noun.command("set", help=f"Change the {of.noun} {of.metavar}.")
    @name_argument
    @RESET
    @attribute_options(of.attributes)
    @secret_options(of.attributes)
    @editing
    def set_(edit: Editor, name: str, reset: tuple[str, ...], **values: Any) -> None:
        edit(
            lambda draft: draft.set_entry(of.table, name, given(values), names(reset)),
            f"{called} {name} changed.",
        )

    @noun.command(help=f"Move the {of.noun} {of.metavar} to PLACE, 1 = first.")
    @name_argument
    @click.argument("place", type=click.IntRange(1))
    @editing
    def move(edit: Editor, name: str, place: int) -> None:
        edit(
            lambda draft: draft.move_entry(of.table, name, place),
            f"{called} {name} moved to place {place}.",
        )

    @noun.command(help=f"Delete the {of.noun} {of.metavar}.")
    @name_argument
    @editing
    def delete(edit: Editor, name: str) -> None:
        edit(lambda draft: draft.delete_entry(of.table, name), f"{called} {name} deleted.")

    @noun.command("list", help=f"List the {of.noun}s, in their order.")
    @environment
    def list_(env: Environment) -> None:
        shown = {n: a for n, a in of.attributes.items() if not a.kind.secret}
        data = [{"name": name, **_public(of, own)} for name, own in tree_of(env).entries(of.table)]
        columns = (called, *(a.label for a in shown.values()))
        rows = [list(row.values()) for row in data]
        env.answer(data, lambda: print_table(columns, rows, right=("Port", "Max Severity")))

    @noun.command(help=f"Show the {of.noun} {of.metavar}: every setting, set here or default.")
    @name_argument
    @environment
    def show(env: Environment, name: str) -> None:
        own = known(f"{of.table}.{name}", name, dict(tree_of(env).entries(of.table)))
        show_values(env, f"{called} {name}", of.attributes, set_here(own))

    return noun


def _required(of: EntryList) -> Callable[[F], F]:
    """An argument for each attribute that has no default."""

    def decorate(command: F) -> F:
        for name in reversed(of.required):
            command = plain_argument(of.attributes[name])(command)
        return command

    return decorate


def _public(of: EntryList, own: Values) -> Mapping[str, Any]:
    """What holds for an entry, but for secrets."""
    return {n: own.get(n, a.default) for n, a in of.attributes.items() if not a.kind.secret}


NOUNS = tuple(map(_noun, LISTS.values()))
