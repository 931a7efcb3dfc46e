"""Where a command takes a password from."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from fastpptp.cli.edit import Editor
from fastpptp.settings.attributes import Attribute

GENERATED_LENGTH = 12


@dataclass(frozen=True, slots=True)
class NewPassword:
    """What the password options gave; `text` None where nothing was."""

    text: str | None
    generated: bool

    @property
    def values(self) -> dict[str, object]:
        """For an edit."""
        return {} if self.text is None else {"password": self.text}

    def tell(self, edit: Editor) -> None:
        """Print one that was made here: nobody else knows it."""
        if self.generated and not edit.dry_run:
            click.echo(f"Password: {self.text}", err=edit.env.as_json)


def password_options(*, ask: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--password, --password-file and --generate-password: the command gets them as `secret`.

    With none of them the password is asked for, twice, if `ask`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--password", help="Seen by other users of this machine: prefer a file.")
        @click.option(
            "--password-file",
            type=click.File(),
            metavar="FILE",
            help="Take the first line of FILE, - is standard input.",
        )
        @click.option("--generate-password", is_flag=True, help="Make one and print it.")
        @wraps(command)
        def wrapped(
            *args: Any,
            password: str | None,
            password_file: Any,
            generate_password: bool,
            **words: Any,
        ) -> Any:
            text = read_password(password, password_file, generate_password)
            if generate_password:
                text = generated()
            elif text is None and ask:
                text = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
            return command(*args, secret=NewPassword(text, generate_password), **words)

        return wrapped

    return decorate  # fmt: skip


def secret_options(declared: Mapping[str, Attribute]) -> Callable[..., Callable[..., Any]]:
    """--NAME and --NAME-file for each secret: the command gets what was given as its keyword."""
    secret = [attribute for attribute in declared.values() if attribute.kind.secret]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def wrapped(*args: Any, **words: Any) -> Any:
            for attribute in secret:
                text, file = words[attribute.name], words.pop(f"{attribute.name}_file")
                if text is not None and file:
                    option = attribute.option
                    raise click.UsageError(f"Give one of {option}, {option}-file.")
                words[attribute.name] = _first_line(file) if file else text
            return command(*args, **words)

        made: Callable[..., Any] = wrapped
        for attribute in reversed(secret):
            made = _secret_option(attribute, made)
        return made

    return decorate


def _secret_option(attribute: Attribute, command: Callable[..., Any]) -> Callable[..., Any]:
    about = f"{attribute.label}: {attribute.help}. Allowed: {attribute.kind.allowed}."
    seen = "Seen by other users of this machine: prefer a file."
    command = click.option(
        f"{attribute.option}-file", type=click.File(), metavar="FILE",
        help="Take the first line of FILE, - is standard input.",
    )(command)  # fmt: skip
    return click.option(attribute.option, metavar="VALUE", help=f"{about} {seen}")(command)


def read_password(password: str | None, file: Any, generate: bool = False) -> str | None:
    """What --password or --password-file gave, of which, with `generate`, only one may be."""
    if sum((password is not None, bool(file), generate)) > 1:
        raise click.UsageError("Give one of --password, --password-file, --generate-password.")
    return _first_line(file) if file else password


def _first_line(file: Any) -> str:
    return str(file.readline()).rstrip("\r\n")


def generated() -> str:
    """A password nobody can guess, of letters and digits that cannot be mistaken."""
    alphabet = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"
    return "".join(secrets.choice(alphabet) for _ in range(GENERATED_LENGTH))
