"""What fastpptp group and fastpptp user have alike: add, set, rename, delete, show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from fastpptp.cli.common import Environment, environment
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
from fastpptp.cli.show import show_level, tree_of
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.draft import Draft, known
from fastpptp.settings.inherit import Inheritance, Resolved, Source
from fastpptp.settings.tree import Configuration

NAME = click.argument("name")
NEW = click.argument("new")


@dataclass(frozen=True, slots=True)
class Accounts:
    """Groups or users: how a Draft edits them, and what is said of it.

    `inherit` is where a value comes from again; `still` what sessions do without --logout after a
    set, rename or delete; one that is not named has no --logout.
    """

    level: Level
    asks: bool  # for the password of a new one
    entries: Callable[[Configuration], Mapping[str, Any]]
    write: Callable[[Any], Mapping[str, Any]]
    resolved: Callable[[Inheritance, str, Any], Resolved]
    add: Callable[[Draft, str, dict[str, Any]], None]
    set: Callable[[Draft, str, dict[str, Any], tuple[str, ...]], None]
    rename: Callable[[Draft, str, str], None]
    delete: Callable[[Draft, str], None]
    inherit: str
    help: Mapping[str, str]
    still: Mapping[str, str]


def noun(of: Accounts) -> click.Group:
    """The commands that groups and users both have; what is not alike is added to them."""
    word = of.level.value
    called = word.capitalize()
    made = click.Group(word, help=f"{called}s: add, list, show, set, copy, rename, delete.")
    own = attribute_options(attributes.at(of.level), inherited=True)
    identity = attribute_options(attributes.IDENTITY[of.level])

    def logout(command: str) -> Callable[..., Any]:
        return logout_option(of.still[command]) if command in of.still else lambda made: made

    @made.command(help=f"Add the {word} NAME.")
    @NAME
    @password_options(ask=of.asks)
    @identity
    @own
    @editing
    def add(edit: Editor, name: str, secret: NewPassword, **values: Any) -> None:
        wanted = given(values) | secret.values
        edit(lambda draft: of.add(draft, name, wanted), f"{called} {name} added.")
        secret.tell(edit)

    @made.command("set", help=of.help["set"])
    @NAME
    @inherit_option(f"Take this from {of.inherit}. Repeatable.")
    @logout("set")
    @password_options(ask=False)
    @identity
    @own
    @editing
    def set_(
        edit: Editor, name: str, inherit: tuple[str, ...], logout: bool, secret: NewPassword,
        **values: Any,
    ) -> None:  # fmt: skip
        wanted = given(values) | secret.values
        edit(
            lambda draft: of.set(draft, name, wanted, names(inherit)),
            f"{called} {name} changed.",
            logout=whose(**{word: name}) if logout else None,
        )
        secret.tell(edit)

    @made.command(help=of.help["rename"])
    @NAME
    @NEW
    @logout("rename")
    @editing
    def rename(edit: Editor, name: str, new: str, logout: bool = False) -> None:
        edit(
            lambda draft: of.rename(draft, name, new),
            f"{called} {name} is {new} now.",
            logout=whose(**{word: name}) if logout else None,
        )

    @made.command(help=of.help["delete"])
    @NAME
    @logout("delete")
    @editing
    def delete(edit: Editor, name: str, logout: bool = False) -> None:
        edit(
            lambda draft: of.delete(draft, name),
            f"{called} {name} deleted.",
            logout=whose(**{word: name}) if logout else None,
        )

    @made.command(help=f"Show the {word} NAME: every attribute, and where its value comes from.")
    @NAME
    @environment
    def show(env: Environment, name: str) -> None:
        tree = tree_of(env)
        entry = known(f"{word}s.{name}", name, of.entries(tree))
        resolved = of.resolved(Inheritance(tree), name, entry)
        show_level(env, of.write(entry), resolved, Source(of.level, name))

    return made
