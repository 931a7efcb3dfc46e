"""fastpptp group and base-group: Configuration | User Management | Groups, Base Group."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.accounts import NAME, NEW, Accounts, noun
from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import RESET, Editor, attribute_options, editing, given, names
from fastpptp.cli.show import show_level, tree_of, without_secrets
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.draft import Draft
from fastpptp.settings.inherit import Inheritance, Source
from fastpptp.settings.writing import write_group

group = noun(
    Accounts(
        Level.GROUP,
        asks=False,
        entries=lambda tree: tree.groups,
        write=write_group,
        resolved=lambda inheritance, name, entry: inheritance.groups[name],
        add=Draft.add_group,
        set=Draft.set_group,
        rename=Draft.rename_group,
        delete=Draft.delete_group,
        inherit="the base group again",
        help={
            "set": "Change the group NAME.",
            "rename": "Call the group NAME NEW; its users stay in it.",
            "delete": "Delete the group NAME, which no user is in.",
        },
        still={"set": "a change holds from their next ones"},
    )
)


@group.command()
@NAME
@NEW
@editing
def copy(edit: Editor, name: str, new: str) -> None:
    """Add the group NEW, like NAME but without users."""
    edit(lambda draft: draft.copy_group(name, new), f"Group {new} added.")


@group.command("list")
@environment
def list_(env: Environment) -> None:
    """List the groups."""
    tree = tree_of(env)
    counts = dict.fromkeys(tree.groups, 0)
    for entry in tree.users.values():
        if entry.group is not None:
            counts[entry.group] += 1
    data = [
        {"name": name, "users": counts[name], **without_secrets(Level.GROUP, write_group(entry))}
        for name, entry in tree.groups.items()
    ]
    rows = [
        (name, entry.type, counts[name], ", ".join(entry.attributes) or "inherited")
        for name, entry in tree.groups.items()
    ]
    columns = ("Group", "Type", "Users", "Own attributes")
    env.answer(data, lambda: print_table(columns, rows, right=("Users",)))


@click.group("base-group")
def base_group() -> None:
    """The base group: show, set."""


@base_group.command("set")
@RESET
@attribute_options(attributes.at(Level.BASE))
@editing
def base_set(edit: Editor, reset: tuple[str, ...], **values: Any) -> None:
    """Change the base group."""
    edit(lambda draft: draft.set_base(given(values), names(reset)), "Base group changed.")


@base_group.command("show")
@environment
def base_show(env: Environment) -> None:
    """Show the base group: every attribute, set here or default."""
    show_level(env, {}, Inheritance(tree_of(env)).base, Source(Level.BASE))
