"""fastpptp top: a live screen of throughput, drops and the workers' load."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from fastpptp.cli import live
from fastpptp.cli.columns import Column, by_address, rich_table
from fastpptp.cli.common import Environment, bits, clock, environment, octets, shown

if TYPE_CHECKING:
    from rich.console import Group

    from fastpptp.admin.client import AdminClient

NAME_WIDTH = 18  # so that the rest has room in 80 columns


def _short(name: object) -> str:
    text = shown(name)
    return text if len(text) <= NAME_WIDTH else text[: NAME_WIDTH - 1] + "…"


COLUMNS = (
    Column("ID", "id", right=True),
    Column("User", "user", text=_short),
    Column("Assigned IP", "address", order=by_address),
    Column("Rx", "rx_rate", text=bits, right=True),
    Column("Tx", "tx_rate", text=bits, right=True),
    Column("Data", "data", text=octets, right=True),
    Column("Duration", "duration", text=clock, right=True),
)
# What s goes through: the orders that the headend knows.
ORDERS = ("throughput", "data", "duration", "user", "address")
HEAD = 6  # lines that are not sessions
UP, DOWN = "\x1b[A", "\x1b[B"
ALL = 65_536  # sessions


@dataclass(frozen=True, slots=True)
class Reading:
    """What the headend said at one time, monotonic seconds."""

    at: float
    page: dict[str, Any]
    statistics: dict[str, Any]


@dataclass(slots=True)
class Screen:
    """How the administrator wants it: the place in ORDERS, and the first session shown."""

    order: int = 0
    first: int = 0

    def press(self, key: str, rows: int) -> bool:
        """Obey a key; whether the screen stays."""
        if key == "s":
            self.order = (self.order + 1) % len(ORDERS)
        elif key in (UP, DOWN):
            self.first += 1 if key == DOWN else -1
        self.first = max(0, min(self.first, rows - 1))
        return key != "q"

    def page(self, headend: AdminClient, limit: int) -> dict[str, Any]:
        """The sessions to be shown, and what all carry, since this last asked."""
        order = ORDERS[self.order]
        return headend.top(by=order, first=self.first, limit=limit, watcher=f"top {os.getpid()}")

    def show(self, before: Reading, after: Reading) -> Group:
        from rich.console import Group
        from rich.text import Text

        lines = [_totals(after), _workers(before, after), _drops(before, after)]
        told = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
        by = ORDERS[self.order]
        keys = Text(f"q quit   s sort (by {by})   up, down", style="dim", no_wrap=True)
        return Group(*told, rich_table(COLUMNS, after.page["sessions"]), keys)


def read(headend: AdminClient, screen: Screen, limit: int) -> Reading:
    statistics = headend.statistics()
    return Reading(time.monotonic(), screen.page(headend, limit), statistics)


def _totals(after: Reading) -> str:
    rx, tx = after.page["rx_rate"], after.page["tx_rate"]
    counts = after.statistics
    return (
        f"{time.strftime('%H:%M:%S')}  sessions {counts['active_sessions']} "
        f"(peak {counts['peak_sessions']})  tunnels {counts['active_tunnels']}  "
        f"rx {bits(rx)}  tx {bits(tx)}"
    )


def _workers(before: Reading, after: Reading) -> str:
    seconds = max(after.at - before.at, 1e-3)
    old = before.statistics["worker_seconds"]
    loads = (
        f"{number}: {max(used - old.get(number, 0), 0) / seconds:.0%}"
        for number, used in after.statistics["worker_seconds"].items()
    )
    return "CPU of workers  " + ("  ".join(loads) or "none")


def _drops(before: Reading, after: Reading) -> str:
    """Reasons whose counts grow come first, with how much."""
    old = before.statistics["drops"]
    counts = after.statistics["drops"]
    grown = {reason: max(count - old.get(reason, 0), 0) for reason, count in counts.items()}
    order = sorted(counts, key=lambda reason: (-grown[reason], -counts[reason]))
    told = (
        f"{reason} {octets(counts[reason])}" + (f" (+{grown[reason]})" if grown[reason] else "")
        for reason in order
        if counts[reason]
    )
    return "Dropped  " + (", ".join(told) or "nothing")


@click.command()
@click.option("--interval", type=click.FloatRange(0.2, 60), default=2.0, show_default=True)
@click.option("--count", type=click.IntRange(1), help="End after so many screens.")
@environment
def top(env: Environment, interval: float, count: int | None) -> None:
    """Watch throughput, drops and load. q ends it, s sorts, up and down scroll."""
    headend, screen = env.headend(), Screen()
    if env.as_json:
        read(headend, screen, 0)
        time.sleep(interval)
        after = read(headend, screen, ALL)
        answer = {"sessions": after.page["sessions"], "statistics": after.statistics}
        env.answer(answer, lambda: None)
        return
    with suppress(KeyboardInterrupt), _keys() as wait:
        _run(headend, screen, interval, count, wait)


def _run(
    headend: AdminClient, screen: Screen, interval: float, count: int | None,
    wait: Callable[[float], str],
) -> None:  # fmt: skip
    console = live.console()
    rows = max(console.height - HEAD, 1)
    before = after = read(headend, screen, rows)
    drawn = 0
    with live.screens(console) as show:
        while True:
            show(screen.show(before, after))
            drawn += 1
            if drawn == count:
                return
            end = time.monotonic() + interval
            while (key := wait(max(end - time.monotonic(), 0))) != "":
                if not screen.press(key, after.page["total"]):
                    return
                after = replace(after, page=screen.page(headend, rows))
                show(screen.show(before, after))
            rows = max(console.height - HEAD, 1)
            before, after = after, read(headend, screen, rows)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits so many seconds for a key; "" if none was pressed."""
    if not sys.stdin.isatty():
        yield _no_keys
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)

    def wait(seconds: float) -> str:
        ready, _, _ = select.select([terminal], [], [], seconds)
        return os.read(terminal, 16).decode(errors="replace") or "q" if ready else ""

    try:
        yield wait
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _no_keys(seconds: float) -> str:
    time.sleep(seconds)
    return ""
