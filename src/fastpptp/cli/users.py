"""fastpptp user: Configuration | User Management | Users."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import (
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
from fastpptp.settings.writing import write_user

NAME = click.argument("name")
OWN = attribute_options(attributes.at(Level.USER), inherited=True)
IDENTITY = attribute_options(attributes.IDENTITY[Level.USER])


@click.group()
def user() -> None:
    """Users: add, list, show, set, copy, rename, delete."""


@user.command()
@NAME
@password_options(ask=True)
@IDENTITY
@OWN
@editing
def add(edit: Editor, name: str, secret: NewPassword, **values: Any) -> None:
    """Add the user NAME."""
    wanted = given(values) | secret.values
    edit(lambda draft: draft.add_user(name, wanted), f"User {name} added.")
    secret.tell(edit)


@user.command("set")
@NAME
@inherit_option("Take this from the group again (group: from none). Repeatable.")
@logout_option("a change holds from the next one")
@password_options(ask=False)
@IDENTITY
@OWN
@editing
def set_(
    edit: Editor, name: str, inherit: tuple[str, ...], logout: bool, secret: NewPassword,
    **values: Any,
) -> None:  # fmt: skip
    """Change the user NAME. Simultaneous Logins 0 disables it."""
    wanted = given(values) | secret.values
    edit(
        lambda draft: draft.set_user(name, wanted, names(inherit)),
        f"User {name} changed.",
        logout=whose(user=name) if logout else None,
    )
    secret.tell(edit)


@user.command()
@NAME
@click.argument("new")
@password_options(ask=True)
@editing
def copy(edit: Editor, name: str, new: str, secret: NewPassword) -> None:
    """Add the user NEW, like NAME but for password, addresses and networks."""
    edit(lambda draft: draft.copy_user(name, new, secret.values), f"User {new} added.")
    secret.tell(edit)


@user.command()
@NAME
@click.argument("new")
@logout_option("they go on under the old name")
@editing
def rename(edit: Editor, name: str, new: str, logout: bool) -> None:
    """Call the user NAME NEW."""
    edit(
        lambda draft: draft.rename_user(name, new),
        f"User {name} is {new} now.",
        logout=whose(user=name) if logout else None,
    )


@user.command()
@NAME
@logout_option("they go on until they end by themselves")
@editing
def delete(edit: Editor, name: str, logout: bool) -> None:
    """Delete the user NAME."""
    edit(
        lambda draft: draft.delete_user(name),
        f"User {name} deleted.",
        logout=whose(user=name) if logout else None,
    )


@user.command("list")
@environment
def list_(env: Environment) -> None:
    """List the users."""
    users = tree_of(env).users
    data = [
        {"name": name, **without_secrets(Level.USER, write_user(entry))}
        for name, entry in users.items()
    ]
    rows = [
        (name, entry.group, entry.address, ", ".join(entry.attributes) or "inherited")
        for name, entry in users.items()
    ]
    env.answer(data, lambda: print_table(("User", "Group", "IP Address", "Own attributes"), rows))


@user.command()
@NAME
@environment
def show(env: Environment, name: str) -> None:
    """Show the user NAME: every attribute, and where its value comes from."""
    tree = tree_of(env)
    entry = known(f"users.{name}", name, tree.users)
    resolved = Inheritance(tree).user(name, entry)
    show_level(env, write_user(entry), resolved, Source(Level.USER, name))
