"""fastpptp hours: Configuration | Policy Management | Access Hours."""

from __future__ import annotations

import click

from fastpptp.cli.common import Environment, environment, print_fields, print_table
from fastpptp.cli.edit import Editor, editing
from fastpptp.cli.show import tree_of
from fastpptp.settings.draft import known
from fastpptp.settings.hours import ALLOWED, BUILT_IN
from fastpptp.settings.tree import Configuration

NAME = click.argument("name")
SPANS = click.argument("spans", nargs=-1, required=True)


@click.group()
def hours() -> None:
    """Access hours, sets of hours with a name: add, list, show, set, delete."""


def _described(what: str) -> str:
    return f"{what} SPANS are {ALLOWED}."


@hours.command(help=_described("Add the set of hours NAME."))
@NAME
@SPANS
@editing
def add(edit: Editor, name: str, spans: tuple[str, ...]) -> None:
    edit(lambda draft: draft.add_hours(name, spans), f"Access hours {name} added.")


@hours.command("set", help=_described("Give the set of hours NAME other hours."))
@NAME
@SPANS
@editing
def set_(edit: Editor, name: str, spans: tuple[str, ...]) -> None:
    edit(lambda draft: draft.change_hours(name, spans), f"Access hours {name} changed.")


@hours.command()
@NAME
@editing
def delete(edit: Editor, name: str) -> None:
    """Delete the set of hours NAME, which no group or user has."""
    edit(lambda draft: draft.delete_hours(name), f"Access hours {name} deleted.")


def _all(tree: Configuration) -> dict[str, list[str]]:
    built_in = {name: [str(span) for span in made.spans] for name, made in BUILT_IN.items()}
    return {**built_in, **{name: list(spans) for name, spans in tree.hours.items()}}


@hours.command("list")
@environment
def list_(env: Environment) -> None:
    """List the sets of hours, built-in ones first."""
    found = _all(tree_of(env))
    rows = [(name, "; ".join(spans) or "no hours") for name, spans in found.items()]
    env.answer(found, lambda: print_table(("Access Hours", "Days and times"), rows))


@hours.command()
@NAME
@environment
def show(env: Environment, name: str) -> None:
    """Show the set of hours NAME."""
    spans = known(f"access_hours.{name}", name, _all(tree_of(env)))
    data = {"name": name, "spans": spans}
    fields = {"Access Hours": name, "Days and times": "; ".join(spans) or "no hours"}
    env.answer(data, lambda: print_fields(fields))
