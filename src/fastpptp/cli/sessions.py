"""fastpptp sessions, logout, reload: a running headend's commands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fastpptp.cli import live
from fastpptp.cli.columns import (
    Column,
    by_address,
    chosen,
    fitting,
    named,
    ordered,
    print_rows,
    rich_table,
)
from fastpptp.cli.common import (
    Environment,
    bits,
    clock,
    environment,
    environment_in_any_case,
    octets,
    word_options,
)
from fastpptp.errors import FastpptpError

if TYPE_CHECKING:
    from fastpptp.admin.client import AdminClient

Ask = Callable[..., list[dict[str, Any]]]


def _moment(value: str | None) -> str:
    return (value or "-")[:19].replace("T", " ")


def or_none(value: str | None) -> str:
    """What a session does without is None, as the product writes it."""
    return value or "None"


SESSION_COLUMNS = (
    Column("ID", "id", right=True),
    Column("User", "user"),
    Column("Group", "group"),
    Column("Public IP", "peer", order=by_address),
    Column("Assigned IP", "address", order=by_address),
    Column("Client Type", "client_type"),
    Column("Protocol", "protocol"),
    Column("Authentication", "method"),
    Column("Encryption", "encryption", text=or_none),
    Column("State", "state"),
    Column("Login Time", "login_time", text=_moment),
    Column("Duration", "duration", text=clock, right=True),
    Column("Rx", "rx_octets", text=octets, right=True),
    Column("Tx", "tx_octets", text=octets, right=True),
)

# Without these a narrow terminal does, the first ones first.
SPARE = (
    "Protocol", "Login Time", "Client Type", "State", "Info", "Authentication", "Group",
    "Encryption", "Duration", "Public IP", "Rx", "Tx",
)  # fmt: skip
UNCUT = 10_000  # columns of a file or a pipe


# Which sessions.
filters = word_options(
    ("--user", "NAME", "Of this user."),
    ("--group", "NAME", "Of this group; '' is the base group."),
    ("--client", "IP[/N]", "From this public address or network."),
    ("--address", "IP[/N]", "With this assigned address, or in it."),
    ("--method", "NAME", "Authenticated so, such as MSCHAP-V2."),
    ("--encryption", "WORD", "none, 128, stateless, ..."),
    ("--state", "NAME", "In this state, such as up."),
    ("--cause", "CODE", "Of those that ended: for this cause, such as idle-timeout."),
)

ENDED_COLUMNS = (
    *(column for column in SESSION_COLUMNS if column.title != "State"),
    Column("Ended", "ended_at", text=_moment),
    Column("Reason", "reason"),
    Column("Info", "info"),
    Column("Cause", "cause"),
)


# What the product ranks by, and how the ten are told apart.
TOP_TEN = 10
TOPS = {
    "data": Column("Data", "data", text=octets, right=True),
    "duration": named(SESSION_COLUMNS, "Duration"),
    "throughput": Column("Throughput", "throughput", text=bits, right=True),
}
INTERVAL = 1.0  # seconds between the two samples that throughput takes


def _top_ten(headend: AdminClient, filters: Mapping[str, object], by: str) -> list[dict[str, Any]]:
    query = {**filters, "by": by, "watcher": f"top ten {os.getpid()}"}
    if by == "throughput":
        headend.top(**query, limit=0)
        time.sleep(INTERVAL)
    found: list[dict[str, Any]] = headend.top(**query, limit=TOP_TEN)["sessions"]
    return found


@dataclass(frozen=True, slots=True)
class Listing:
    """Which sessions in what order, and what of them."""

    ask: Ask
    filters: Mapping[str, object]
    columns: Sequence[Column]
    sort: Column | None
    reverse: bool

    def rows(self) -> list[dict[str, Any]]:
        return ordered(self.ask(**self.filters), self.sort, self.reverse)


class Pages:
    """The sessions that ended, one page of them."""

    def __init__(self, headend: AdminClient, page: int | None, per_page: int | None) -> None:
        self._headend = headend
        self._where = {"page": page, "per_page": per_page}
        self._found: Mapping[str, Any] = {}

    def ask(self, **filters: object) -> list[dict[str, Any]]:
        self._found = self._headend.ended(**filters, **self._where)
        rows: list[dict[str, Any]] = self._found["ended"]
        return rows

    def tell(self) -> None:
        """Where there is more than what is shown."""
        if self._found.get("pages", 1) > 1:
            page, pages, total = (self._found[name] for name in ("page", "pages", "total"))
            click.echo(f"page {page} of {pages}, {total} sessions", err=True)


@click.command()
@click.option("--watch", is_flag=True, help="Show them anew each second, until Ctrl-C.")
@click.option("--ended", is_flag=True, help="Those that ended last, newest first, and why.")
@click.option("--top", type=click.Choice(list(TOPS)), help="The ten that have most of it.")
@click.option("--page", type=click.IntRange(1), help="Of those that ended: this page.")
@click.option("--per-page", type=click.IntRange(1, 10_000), help="Sessions a page; default 1000.")
@filters
@click.option("--sort", metavar="COLUMN", help="In the order of this column.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--columns", metavar="COLUMN,...", help="Show these columns alone.")
@environment
def sessions(
    env: Environment, watch: bool, ended: bool, top: str | None, page: int | None,
    per_page: int | None, sort: str | None, reverse: bool, columns: str | None, **filters: Any,
) -> None:  # fmt: skip
    """List the sessions; columns are named as in the list's head."""
    if top is not None and (watch or ended or sort or reverse):
        raise click.UsageError("--top goes with filters and --columns alone; see fastpptp top.")
    if (page or per_page or filters["cause"] is not None) and not ended:
        raise click.UsageError("--cause, --page and --per-page go with --ended.")
    if top is not None:
        rank = TOPS[top]
        columns_of_top = chosen((rank, *(c for c in SESSION_COLUMNS if c is not rank)), columns)
        ten = _top_ten(env.headend(), filters, top)
        env.answer(ten, lambda: print_rows(columns_of_top, ten))
        return
    known = ENDED_COLUMNS if ended else SESSION_COLUMNS
    shown_ones = chosen(known, columns)
    order = None if sort is None else named(known, sort)
    headend = env.headend()
    pages = Pages(headend, page, per_page)
    ask = pages.ask if ended else headend.sessions
    listing = Listing(ask, filters, shown_ones, order, reverse)
    if watch and not env.as_json:
        _watch(listing, () if columns else SPARE)
    else:
        rows = listing.rows()
        env.answer(rows, lambda: print_rows(shown_ones, rows))
        pages.tell()


def _watch(listing: Listing, spare: Sequence[str]) -> None:
    console = live.console(UNCUT)
    with suppress(KeyboardInterrupt), live.screens(console) as show:
        while True:
            rows = listing.rows()
            if console.is_terminal:  # it shows no more
                rows = rows[: console.height]
            show(rich_table(fitting(listing.columns, rows, console.width, spare), rows))
            time.sleep(1)


@click.command()
@click.argument("session_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--user", metavar="NAME", help="All sessions of a user.")
@click.option("--group", metavar="NAME", help="All sessions of a group.")
@click.option("--address", metavar="IP", help="Whoever has this address, assigned or public.")
@click.option("--all", is_flag=True, default=None, help="All sessions.")
@environment
def logout(env: Environment, session_ids: tuple[int, ...], **whom: Any) -> None:
    """End sessions: by ID, of a user, of a group, at an address, or all."""
    words = {word: value for word, value in whom.items() if value is not None}
    if len(words) + bool(session_ids) != 1:
        raise click.UsageError("Say whom: IDs, --user, --group, --address or --all.")
    headend = env.headend()
    if session_ids:
        ended = [number for one in session_ids for number in headend.logout(session=one)]
    else:
        ended = headend.logout(**words)
    plural = "" if len(ended) == 1 else "s"
    env.answer(ended, lambda: click.echo(f"{len(ended)} session{plural} ended."))
    if missing := [one for one in session_ids if one not in ended]:
        raise FastpptpError("\n".join(_why_not(headend, one) for one in missing))


def _why_not(headend: AdminClient, number: int) -> str:
    """What is with a session that could not be logged out."""
    from fastpptp.admin.client import AdminError

    with suppress(AdminError):
        if headend.session(number):
            return f"session {number} is ending already"
    return f"there is no session {number}"


@click.command()
@environment_in_any_case
def reload(env: Environment) -> None:
    """Have the headend follow the store and check its bootstrap file; SIGHUP does the same.

    What is wrong is refused whole, with exit code 4, and nothing changes.
    """
    # A headend that is there refuses the file as well, and keeps an event of it.
    try:
        done = env.headend().reload()
    except FastpptpError as error:
        raise env.refusal or error from None
    if env.refusal is not None:
        raise env.refusal
    env.answer(done, lambda: _print_reloaded(done))


def _print_reloaded(done: Mapping[str, Any]) -> None:
    click.echo(f"Revision {done['revision']} holds.")
    if done["restart"]:
        names = ", ".join(done["restart"])
        click.echo(f"From the next start of the headend: {names} (bootstrap file).")
