"""What all commands share: options, errors as text with exit codes, tables or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from rich.cells import cell_len

from fastpptp import bootstrap
from fastpptp.errors import ConfigurationError, FastpptpError, UnavailableError

if TYPE_CHECKING:
    from fastpptp.admin.client import AdminClient
    from fastpptp.store import Store

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

FAILED = 1
USAGE = 2  # click's own
UNAVAILABLE = 3
CONFIGURATION = 4


class Failure(click.ClickException):
    """An error that a person must act on: its words on stderr, its kind as the exit code."""

    def __init__(self, error: Exception, exit_code: int, as_json: bool) -> None:
        super().__init__(_words(error))
        self.error = error
        vars(self)["exit_code"] = exit_code  # click declares it for the class
        self.as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        text = json.dumps(self._plain()) if self.as_json else f"fastpptp: {_tame(self.message)}"
        click.echo(text, file=file, err=True)

    def _plain(self) -> dict[str, Any]:
        if isinstance(self.error, ConfigurationError):
            problems = [
                {"where": p.where, "what": p.what, "remedy": p.remedy} for p in self.error.problems
            ]
            return {"error": self.message, "problems": problems}
        if isinstance(self.error, UnavailableError):
            return {"error": self.error.what, "remedy": self.error.remedy}
        return {"error": self.message}


class Commands(click.Group):
    """A group whose commands end in a Failure for every error of ours, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (FastpptpError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            as_json = bool(ctx.find_root().meta.get("json"))
            raise Failure(error, exit_code(error), as_json) from error
        except UnicodeEncodeError as error:
            raise click.UsageError(f"an argument is not UTF-8: {shown(error.object)}") from error


def _words(error: Exception) -> str:
    """An error without the number that the system has for it."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong within has to do with this file."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"{path}: {error.strerror or error}", "choose another place"
        ) from None


def _tame(message: str) -> str:
    """A message that quotes what somebody wrote cannot drive the terminal; its lines stay."""
    return "\n".join(line if line.isprintable() else shown(line) for line in message.split("\n"))


def exit_code(error: Exception) -> int:
    if isinstance(error, ConfigurationError):
        return CONFIGURATION
    return UNAVAILABLE if isinstance(error, UnavailableError) else FAILED


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the installation is that a command works on, and how the command answers.

    `refusal` is what is wrong with the bootstrap file, for a command that goes on nevertheless.
    """

    bootstrap: bootstrap.Bootstrap
    config: Path | None
    as_json: bool
    refusal: FastpptpError | None = None

    def store(self) -> Store:
        from fastpptp.store import Store  # half of a command's start: only where needed

        return Store.open(self.bootstrap.store_url, self.bootstrap.key_path)

    def headend(self) -> AdminClient:
        from fastpptp.admin.client import AdminClient

        return AdminClient(self.bootstrap.admin_path)

    def answer(self, data: object, human: Callable[[], object]) -> None:
        """Print `data` as JSON if that is asked for, else have `human` print."""
        if self.as_json:
            click.echo(json.dumps(data, indent=2))
        else:
            human()


def checked(read: Callable[[str], object]) -> Callable[..., Any]:
    """A callback for an option or argument: `read` makes its value, or raises ValueError."""

    def one(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not valid ({error})") from None

    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(one, value))
        return None if value is None else one(value)

    return callback


def word_options(*options: tuple[str, str, str]) -> Callable[[F], F]:
    """Options that are words of the control API, which judges them: name, metavar, help of each."""

    def decorate(command: F) -> F:
        for name, metavar, about in options:
            command = click.option(name, metavar=metavar, help=about)(command)
        return command

    return decorate


def ipv4(text: str) -> IPv4Address:
    """An IPv4 address."""
    try:
        return IPv4Address(text)
    except ValueError:
        raise ValueError("an IPv4 address such as 172.16.1.1 is wanted") from None


def environment(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command the options that all have, and an Environment in their place."""

    @environment_in_any_case
    @wraps(command)
    def wrapped(env: Environment, *args: Any, **words: Any) -> T:
        if env.refusal is not None:
            raise env.refusal
        return command(env, *args, **words)

    return wrapped


def environment_in_any_case(command: Callable[..., T]) -> Callable[..., T]:
    """As `environment`, with what can be read of a bootstrap file that is refused."""

    @click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"Bootstrap settings; default {bootstrap.DEFAULT_PATH}, if it exists.",
    )
    @click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where store, key and admin socket are.",
    )
    @click.option("--store", metavar="URL", help="The store, if it is elsewhere.")
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    @wraps(command)
    def wrapped(
        *args: Any,
        config: Path | None,
        state_dir: Path | None,
        store: str | None,
        as_json: bool,
        **words: Any,
    ) -> T:
        click.get_current_context().find_root().meta["json"] = as_json
        settings, refusal = bootstrap.look_at(config)
        if state_dir is not None:
            settings = replace(settings, state_directory=state_dir)
        if store is not None:
            settings = replace(settings, store=store)
        return command(Environment(settings, config, as_json, refusal), *args, **words)

    return wrapped


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()
) -> None:
    """A table for people. `right` names the columns of numbers."""
    cells = [tuple(map(shown, row)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    to_right = [column in set(right) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = (
            " " * (width - cell_len(cell)) + cell if is_right else
            cell + " " * (width - cell_len(cell))
            for cell, width, is_right in zip(row, widths, to_right, strict=True)
        )  # fmt: skip
        return "  ".join(padded).rstrip()

    click.echo("\n".join([click.style(line(columns), bold=True), *map(line, cells)]))


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values below each other."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        click.echo(f"{name + ':':<{width}}{shown(value)}")


def shown(value: object) -> str:
    """A value as people write it; what the peer sent cannot drive the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or "none"
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


_ACRONYMS = {word.lower(): word for word in ("ID", "MPPE", "ZLB")}


def label(name: str) -> str:
    """A field's name for people."""
    words = name.replace("_", " ").capitalize().split()
    return " ".join(_ACRONYMS.get(word.lower(), word) for word in words)


def octets(number: float) -> str:
    """A count, short: 1.4 M."""
    amount = float(number)
    for unit in ("", " k", " M", " G"):
        if amount < 1000:
            return f"{amount:.0f}{unit}" if unit == "" or amount >= 100 else f"{amount:.1f}{unit}"
        amount /= 1000
    return f"{amount:.1f} T"


def bits(rate: float) -> str:
    """Bits a second, short."""
    return f"{octets(rate)}bit/s" if rate >= 1000 else f"{rate:.0f} bit/s"


def clock(seconds: int) -> str:
    """H:MM:SS."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
