"""fastpptp sessions, session, logout, events, statistics, reload: a running headend's commands."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from fastpptp.cli.common import (
    Environment,
    clock,
    environment,
    octets,
    print_fields,
    print_table,
    shown,
)
from fastpptp.errors import FastpptpError

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    "ID", "User", "Group", "Public IP", "Assigned IP", "Client Type", "Protocol", "Authentication",
    "Encryption", "State", "Login Time", "Duration", "Rx", "Tx",
)  # fmt: skip
NUMBERS = ("ID", "Duration", "Rx", "Tx")
ACRONYMS = {word.lower(): word for word in ("ID", "MPPE", "ZLB")}


@click.command()
@click.option("--watch", is_flag=True, help="Show them anew each second, until Ctrl-C.")
@click.option("--group", metavar="NAME", help="Only those of this group.")
@environment
def sessions(env: Environment, watch: bool, group: str | None) -> None:
    """List the sessions."""
    if watch and not env.as_json:
        _watch(env, group)
    else:
        rows = _rows(env, group)
        env.answer(rows, lambda: print_table(COLUMNS, map(_row, rows), right=NUMBERS))


def _rows(env: Environment, group: str | None) -> list[dict[str, Any]]:
    found = env.headend().sessions()
    return [row for row in found if group is None or (row["group"] or "") == group]


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        row["id"], row["user"], row["group"], row["peer"], row["address"], row["client_type"],
        row["protocol"], row["method"], row["encryption"] or "None", row["state"],
        (row["login_time"] or "-")[:19].replace("T", " "), clock(row["duration"]),
        octets(row["rx_octets"]), octets(row["tx_octets"]),
    )  # fmt: skip


def _watch(env: Environment, group: str | None) -> None:
    from rich.console import Console
    from rich.live import Live

    width = None if sys.stdout.isatty() else 200  # a file or a pipe cuts nothing
    screen = Console(width=width, highlight=False)
    with (
        suppress(KeyboardInterrupt),
        Live(_screen(_rows(env, group)), console=screen, screen=screen.is_terminal) as live,
    ):
        while True:
            time.sleep(1)
            live.update(_screen(_rows(env, group)))


def _screen(rows: list[dict[str, Any]]) -> Table:
    """The sessions, as much of them as the terminal has room for."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        made.add_column(column, justify="right" if column in NUMBERS else "left")
    for row in rows:
        made.add_row(*(Text(shown(value)) for value in _row(row)))
    return made


@click.command()
@click.argument("session_id", metavar="ID", type=int)
@environment
def session(env: Environment, session_id: int) -> None:
    """Show all about the session ID."""
    found = env.headend().session(session_id)
    env.answer(found, lambda: _print_detail(found))


def _print_detail(found: Mapping[str, Any]) -> None:
    counters = found["counters"]
    skipped = ("counters", "mppe")
    fields = {_label(name): value for name, value in found.items() if name not in skipped}
    fields["Duration"] = clock(found["duration"])
    print_fields(fields | {_label(name): value for name, value in counters.items()})


def _label(name: str) -> str:
    words = name.replace("_", " ").capitalize().split()
    return " ".join(ACRONYMS.get(word.lower(), word) for word in words)


@click.command()
@click.argument("session_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--user", metavar="NAME", help="All sessions of a user.")
@click.option("--group", metavar="NAME", help="All sessions of a group.")
@click.option("--all", "everyone", is_flag=True, help="All sessions.")
@environment
def logout(
    env: Environment, session_ids: tuple[int, ...], user: str | None, group: str | None,
    everyone: bool,
) -> None:  # fmt: skip
    """End sessions: by ID, of a user, of a group, or all."""
    if sum((bool(session_ids), user is not None, group is not None, everyone)) != 1:
        raise click.UsageError("Say whom: IDs, --user, --group or --all.")
    headend = env.headend()
    if session_ids:
        ended = [number for one in session_ids for number in headend.logout(session=one)]
    elif everyone:
        ended = headend.logout(all=True)
    else:
        ended = headend.logout(user=user) if user is not None else headend.logout(group=group)
    plural = "" if len(ended) == 1 else "s"
    env.answer(ended, lambda: click.echo(f"{len(ended)} session{plural} ended."))
    if missing := [str(one) for one in session_ids if one not in ended]:
        raise FastpptpError(f"there is no session {', '.join(missing)}")


@click.command()
@click.option("--class", "class_", metavar="CLASS,...", help="Event classes, such as PPTP,AUTH.")
@click.option("--severity", metavar="N-N,...", help="Severities, such as 1-5.")
@click.option("--client", metavar="IP", help="One client's; 0.0.0.0 is every client.")
@click.option("--group", metavar="NAME", help="One group's.")
@click.option("--newest-first", is_flag=True, help="Newest first; else oldest first.")
@click.option("--per-page", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--page", type=click.IntRange(1), help="Pages from the first on; else the newest.")
@click.option("--clear", is_flag=True, help="Empty the event log.")
@environment
def events(
    env: Environment, class_: str | None, clear: bool, newest_first: bool, page: int | None,
    per_page: int, **filters: Any,
) -> None:  # fmt: skip
    """Show the event log: the newest events, or page by page."""
    headend = env.headend()
    if clear:
        headend.clear_events()
        env.answer([], lambda: click.echo("The event log is empty."))
        return
    # Without a page the newest ones are wanted, whichever comes first on the screen.
    backwards = newest_first or page is None
    query = {"class": class_, **filters, "per_page": per_page, "page": page or 1}
    found = headend.events(newest=int(backwards), **query)
    listed = found["events"] if newest_first or not backwards else found["events"][::-1]
    env.answer(listed, lambda: _print_events(listed, found, page))


def _print_events(listed: list[dict[str, Any]], found: Mapping[str, Any], page: int | None) -> None:
    for event in listed:
        click.echo(event["line"])
    if page is not None:
        click.echo(f"page {found['page']} of {found['pages']}, {found['total']} events", err=True)


@click.command()
@environment
def statistics(env: Environment) -> None:
    """Show counters since the start of the headend."""
    found = env.headend().statistics()
    human = {_label(name): value for name, value in found.items() if not isinstance(value, dict)}
    for name in ("by_encryption", "by_method"):
        human |= {f"Sessions with {key}": count for key, count in found[name].items()}
    human |= {f"Dropped, {reason}": count for reason, count in found["drops"].items()}
    env.answer(found, lambda: print_fields(human))


@click.command()
@environment
def reload(env: Environment) -> None:
    """Have the headend follow the store (SIGHUP does the same)."""
    revision = env.headend().reload()
    env.answer({"revision": revision}, lambda: click.echo(f"Revision {revision} holds."))
