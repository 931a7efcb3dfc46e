"""Where a command takes a password from."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from fastpptp.cli.edit import Editor

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


def read_password(password: str | None, file: Any, generate: bool = False) -> str | None:
    """What --password or --password-file gave, of which, with `generate`, only one may be."""
    if sum((password is not None, bool(file), generate)) > 1:
        raise click.UsageError("Give one of --password, --password-file, --generate-password.")
    return str(file.readline()).rstrip("\r\n") if file else password


def generated() -> str:
    """A password nobody can guess, of letters and digits that cannot be mistaken."""
    alphabet = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"
    return "".join(secrets.choice(alphabet) for _ in range(GENERATED_LENGTH))
