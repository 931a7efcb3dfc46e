"""fastpptp group and base-group: Configuration | User Management | Groups, Base Group."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import (
    RESET,
    Editor,
    attribute_options,
    editing,
    given,
    inherit_option,
    logout_option,
    names,
    whose,
)
from fastpptp.cli.passwords import NewPassword, password_options
from fastpptp.cli.show import show_level, tree_of, without_secrets
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.draft import known
from fastpptp.settings.inherit import Inheritance, Source
from fastpptp.settings.writing import write_group

NAME = click.argument("name")
OWN = attribute_options(attributes.at(Level.GROUP), inherited=True)
IDENTITY = attribute_options(attributes.IDENTITY[Level.GROUP])


@click.group()
def group() -> None:
    """Groups: add, list, show, set, copy, rename, delete."""


@group.command()
@NAME
@password_options(ask=False)
@IDENTITY
@OWN
@editing
def add(edit: Editor, name: str, secret: NewPassword, **values: Any) -> None:
    """Add the group NAME."""
    wanted = given(values) | secret.values
    edit(lambda draft: draft.add_group(name, wanted), f"Group {name} added.")
    secret.tell(edit)


@group.command("set")
@NAME
@inherit_option("Take this from the base group again. Repeatable.")
@logout_option("a change holds from their next ones")
@password_options(ask=False)
@IDENTITY
@OWN
@editing
def set_(
    edit: Editor, name: str, inherit: tuple[str, ...], logout: bool, secret: NewPassword,
    **values: Any,
) -> None:  # fmt: skip
    """Change the group NAME."""
    wanted = given(values) | secret.values
    edit(
        lambda draft: draft.set_group(name, wanted, names(inherit)),
        f"Group {name} changed.",
        logout=whose(group=name) if logout else None,
    )
    secret.tell(edit)


@group.command()
@NAME
@click.argument("new")
@editing
def copy(edit: Editor, name: str, new: str) -> None:
    """Add the group NEW, like NAME but without users."""
    edit(lambda draft: draft.copy_group(name, new), f"Group {new} added.")


@group.command()
@NAME
@click.argument("new")
@editing
def rename(edit: Editor, name: str, new: str) -> None:
    """Call the group NAME NEW; its users stay in it."""
    edit(lambda draft: draft.rename_group(name, new), f"Group {name} is {new} now.")


@group.command()
@NAME
@editing
def delete(edit: Editor, name: str) -> None:
    """Delete the group NAME, which no user is in."""
    edit(lambda draft: draft.delete_group(name), f"Group {name} deleted.")


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


@group.command()
@NAME
@environment
def show(env: Environment, name: str) -> None:
    """Show the group NAME: every attribute, and where its value comes from."""
    tree = tree_of(env)
    entry = known(f"groups.{name}", name, tree.groups)
    resolved = Inheritance(tree).groups[name]
    show_level(env, write_group(entry), resolved, Source(Level.GROUP, name))


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
