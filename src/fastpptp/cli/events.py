"""fastpptp events: the Filterable Event Log, with or without a running headend."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import click

from fastpptp.cli.common import Environment, environment, print_table, word_options, writing
from fastpptp.errors import FastpptpError, UnavailableError

Event = Mapping[str, Any]
Words = dict[str, Any]

# Events that are asked for at a time by who wants them all.
BATCH = 10_000

# Seconds between two looks at a log that is followed.
LOOK = 0.5

# What of an event stands in a table, in this order.
COLUMNS = (
    "sequence", "time", "severity", "class", "number", "repeat", "client", "group", "user",
    "account", "cause", "text",
)  # fmt: skip


# What a spreadsheet takes for the beginning of a formula, or passes over before one (OWASP, CSV
# Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class _Events(click.Group):
    """`fastpptp events` without a command's name is `fastpptp events show`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Events, short_help="The event log: show, save, clear; where events go.")
def events() -> None:
    """The Filterable Event Log. Without a command its newest events are shown.

    It can be read while no headend runs.
    """


# Which events.
filters = word_options(
    ("--class", "CLASS,...", "Classes, such as PPTP,AUTH."),
    ("--severity", "N-N,...", "Severities, such as 1-5."),
    ("--client", "IP", "One client's; 0.0.0.0 is every client."),
    ("--group", "NAME", "One group's."),
    ("--user", "NAME", "One user's."),
    ("--cause", "CODE", "With this cause, such as wrong-password."),
    ("--since", "TIME", "A time, or how long ago: 15m."),
    ("--until", "TIME", "Likewise."),
    ("--text", "TEXT", "Whose words have this; in any case."),
)


@events.command()
@filters
@click.option("--newest-first", is_flag=True, help="Newest first; else oldest first.")
@click.option("--per-page", metavar="N", default="100", show_default=True, help="Events on a page.")
@click.option("--page", metavar="N|first|last", help="A page from the first on; else the newest.")
@click.option("--follow", is_flag=True, help="Show those that come, too, until Ctrl-C.")
@environment
def show(
    env: Environment,
    newest_first: bool,
    per_page: str,
    page: str | None,
    follow: bool,
    **given: Any,
) -> None:
    """Show the newest events, or the log page by page."""
    if follow and (newest_first or page is not None):
        raise click.UsageError("--follow goes neither with --page nor with --newest-first.")
    # Without a page the newest ones are wanted, whichever comes first on the screen.
    backwards = newest_first or page is None
    words = _words(given) | {"per_page": per_page}
    found = _ask(env, **words, newest=int(backwards), page=page or "first")
    listed = found["events"] if newest_first or not backwards else found["events"][::-1]
    if follow:
        for event in listed:
            _print_as_it_comes(env, event)
        with suppress(KeyboardInterrupt):
            _follow(env, words, found["newest"])
        return
    env.answer(listed, lambda: _print_page(listed, found, page))


@events.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@filters
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="As the product printed it, or for programs.",
)
@environment
def save(env: Environment, file: Path, form: str, **given: Any) -> None:
    """Write the events to FILE, oldest first; - is standard output."""
    with _new(file) as out:
        count = _WRITERS[form](out, _all(env, _words(given)))
    if str(file) != "-":
        env.answer({"events": count}, lambda: click.echo(f"{count} events written to {file}."))


@events.command()
@environment
def clear(env: Environment) -> None:
    """Empty the event log; sequence numbers go on."""
    from fastpptp.admin.client import NotRunningError

    try:
        env.headend().clear_events()
    except NotRunningError:
        _clear_file(env)
    env.answer([], lambda: click.echo("The event log is empty."))


@events.command()
@environment
def sinks(env: Environment) -> None:
    """Show where events go, and how many got there, were lost, and wait."""
    found = env.headend().sinks()
    numbers = ("Delivered", "Lost", "Waiting")
    rows = [
        (row["name"], row["delivered"], row["lost"], row["waiting"], row["error"] or "-")
        for row in found
    ]
    env.answer(found, lambda: print_table(("Sink", *numbers, "Error"), rows, right=numbers))


# Asking.


def _words(given: Mapping[str, Any]) -> Words:
    """The filters that were given, as the control API's words."""
    words = {name: value for name, value in given.items() if value is not None}
    for value in words.values():
        value.encode()  # what is no UTF-8 is refused as everywhere
    return words


def _ask(env: Environment, **words: Any) -> dict[str, Any]:
    """A page: of the headend, or of the file that it left."""
    from fastpptp.admin.client import NotRunningError

    try:
        return env.headend().events(**words)
    except NotRunningError:
        if not env.bootstrap.events_path.exists():
            raise
    return _read(env, words)


def _ask_all(env: Environment, words: Words) -> dict[str, Any]:
    return _ask(env, **words)


def _read(env: Environment, words: Words) -> dict[str, Any]:
    from fastpptp.admin import views
    from fastpptp.admin.query import event_query
    from fastpptp.recorder.query import read

    query = event_query({word: str(value) for word, value in words.items()})
    return views.page(read(env.bootstrap.events_path, query))


def _all(env: Environment, words: Words, after: int = 0) -> Iterator[Event]:
    """Every event after a sequence number, oldest first.

    Who has the file reads it: a headend has better things to do with so many.
    """
    if _ask(env, per_page=1)["newest"] == after:  # and what happened before is in the file now
        return
    ask = _read if os.access(env.bootstrap.events_path, os.R_OK | os.W_OK) else _ask_all
    page = 1
    while True:
        found = ask(env, words | {"after": after, "page": page, "per_page": BATCH})
        yield from found["events"]
        if found["events"]:
            after, page = max(event["sequence"] for event in found["events"]), 1
        elif page < found["pages"]:
            page += 1  # nothing on this page had the text after all
        else:
            return


def _follow(env: Environment, words: Words, after: int) -> None:
    words = {word: value for word, value in words.items() if word != "per_page"}
    while True:
        time.sleep(LOOK)
        for event in _all(env, words, after):
            _print_as_it_comes(env, event)
            after = event["sequence"]
        newest = _ask(env, per_page=1)["newest"]
        if 0 < newest < after:  # a log that begins anew
            after = 0


def _clear_file(env: Environment) -> None:
    """Without a headend. A log that is damaged is put aside."""
    from fastpptp.recorder.log import EventDatabase

    path = env.bootstrap.events_path
    try:
        database = EventDatabase(path, capacity=1, patience=0.0)
        try:
            database.clear()
            database.clean = True
        finally:
            database.close()
    except OSError as error:
        problem = error.strerror or error
        raise UnavailableError(f"the event log {path} cannot be emptied: {problem}") from None


# Printing.


def _print_page(listed: list[Event], found: Mapping[str, Any], page: str | None) -> None:
    for event in listed:
        click.echo(event["line"])
    if page is not None:
        most = "" if found["exact"] else "at most "
        told = f"page {found['page']} of {found['pages']}, {most}{found['total']} events"
        click.echo(told, err=True)


def _print_as_it_comes(env: Environment, event: Event) -> None:
    click.echo(json.dumps(event) if env.as_json else event["line"])
    sys.stdout.flush()


@contextmanager
def _new(file: Path) -> Iterator[IO[str]]:
    """Standard output, or a file that is there when all is in it. It replaces none."""
    if str(file) == "-":
        yield sys.stdout
        return
    from fastpptp.store.files import new_file

    if file.exists():
        raise FastpptpError(f"{file} exists: name another file, or remove it")
    with (
        writing(file),
        new_file(file) as part,
        part.open("w", encoding="utf-8", newline="") as out,
    ):
        yield out


def _write_text(out: IO[str], found: Iterator[Event]) -> int:
    return _each(found, lambda event: out.write(event["line"] + "\n"))


def _write_json(out: IO[str], found: Iterator[Event]) -> int:
    """One array, an event a line."""
    first = True

    def write(event: Event) -> None:
        nonlocal first
        out.write(("[\n" if first else ",\n") + json.dumps(event))
        first = False

    count = _each(found, write)
    out.write("[]\n" if first else "\n]\n")
    return count


def _write_csv(out: IO[str], found: Iterator[Event]) -> int:
    """RFC 4180, with the columns' names; no spreadsheet calculates what a peer wrote."""
    rows = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    return _each(found, lambda event: rows.writerow([_inert(event[name]) for name in COLUMNS]))


def _inert(value: object) -> object:
    """A field that is text to a spreadsheet, too."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _each(found: Iterator[Event], write: Callable[[Event], object]) -> int:
    count = 0
    for event in found:
        write(event)
        count += 1
    return count


_WRITERS: Mapping[str, Callable[[IO[str], Iterator[Event]], int]] = {
    "text": _write_text,
    "json": _write_json,
    "csv": _write_csv,
}
