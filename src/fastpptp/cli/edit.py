"""Editing the store: what was asked for is one transaction, then a running headend is told.

The options for attributes come from their declarations (settings/attributes.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from fastpptp.cli.common import Environment, checked
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.settings.attributes import Attribute, Touches
from fastpptp.settings.draft import Draft

F = TypeVar("F", bound=Callable[..., Any])

PASSWORD_OCTETS = 12
TAKES_EFFECT = {
    Touches.NOW: "It holds now.",
    Touches.NEXT_SESSION: "It holds from the next session.",
    Touches.RESTART: "It holds from the next start of the headend.",
}


def edit(env: Environment, change: Callable[[Draft], object], done: str) -> None:
    """Carry out `change` and say so: the store first, then the headend, if one runs."""
    with env.store() as store:
        with store.edit() as draft:
            change(draft)
        touches, revision = draft.touches, store.revision()
    told = tell_headend(env)
    data = {"changed": done, "takes_effect": touches.words, "revision": revision, "headend": told}
    env.answer(data, lambda: click.echo(f"{done} {_effect(touches, told)}"))


def tell_headend(env: Environment) -> str:
    """Have a running headend follow the store: "follows", "not running" or what it said."""
    try:
        env.headend().reload()
    except UnavailableError:
        return "not running"
    except FastpptpError as error:
        return f"refused: {error}"
    return "follows"


def _effect(touches: Touches, told: str) -> str:
    if told == "not running":
        return "No headend is running."
    return TAKES_EFFECT[touches] if told == "follows" else f"The running headend {told}"


def _read(attribute: Attribute) -> Callable[[str], object]:
    """A reader of what a person types, into the attribute's canonical plain form."""

    def read(text: str) -> object:
        try:
            return attribute.kind.parse(text)
        except ValueError as error:
            raise ValueError(f"allowed: {error}") from None

    return read


def attribute_options(declared: Mapping[str, Attribute]) -> Callable[[F], F]:
    """Options for these attributes; the command gets those that were given as keywords."""

    def decorate(command: F) -> F:
        for name, attribute in reversed(list(declared.items())):
            about = f"{attribute.label}: {attribute.help}" if attribute.help else attribute.label
            command = click.option(
                attribute.option, name, callback=checked(_read(attribute)), metavar="VALUE",
                help=f"{about}. {_sentence(attribute.kind.allowed)}",
            )(command)  # fmt: skip
        return command

    return decorate


def _sentence(allowed: str) -> str:
    return f"Allowed: {allowed}."


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def inherit_option(what: str) -> Callable[[F], F]:
    return click.option("--inherit", multiple=True, metavar="NAME", help=what)


def names(wanted: Iterable[str]) -> tuple[str, ...]:
    """Attribute names as they are declared, however the option spelled them."""
    return tuple(name.lstrip("-").replace("-", "_") for name in wanted)


def password_options(command: F) -> F:
    """--password, --password-file and --generate-password: see `new_password`."""
    for option in (
        click.option("--generate-password", is_flag=True, help="Make one and print it."),
        click.option("--password-file", type=click.File(), metavar="FILE",
                     help="Take the first line of FILE, - is standard input."),
        click.option("--password", help="Seen by other users of this machine: prefer a file."),
    ):  # fmt: skip
        command = option(command)
    return command


def new_password(
    password: str | None, password_file: Any, generate_password: bool, *, ask: bool
) -> str | None:
    """The password that the options give; with none of them it is asked for, if `ask`."""
    if sum(map(bool, (password is not None, password_file, generate_password))) > 1:
        raise click.UsageError("Give one of --password, --password-file, --generate-password.")
    if password_file:
        return str(password_file.readline()).rstrip("\r\n")
    if generate_password:
        return generated()
    if password is None and ask:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return password


def generated() -> str:
    """A password nobody can guess, of letters and digits that cannot be mistaken."""
    alphabet = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"
    return "".join(secrets.choice(alphabet) for _ in range(PASSWORD_OCTETS))
