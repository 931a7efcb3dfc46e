"""fastpptp debug: a session's debug and decode events into the log, for a while."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.columns import Column, print_rows
from fastpptp.cli.common import Environment, clock, environment

COLUMNS = (
    Column("User", "user"),
    Column("Address", "address"),
    Column("Severity", "severity", right=True),
    Column("Until", "until"),
    Column("Left", "seconds_left", text=clock, right=True),
    Column("By", "who"),
)


@click.command()
@click.option("--user", metavar="NAME", help="The sessions of this user.")
@click.option("--address", metavar="IP[/N]", help="Of clients at this public address or network.")
@click.option(
    "--severity", type=click.IntRange(1, 13), metavar="N",
    help="Events up to this one: 7-9 debug, 10-13 decode. [default: 13]",
)  # fmt: skip
@click.option(
    "--minutes", type=click.IntRange(1, 1440), metavar="N",
    help="It ends by itself after so many. [default: 10]",
)  # fmt: skip
@click.option("--off", is_flag=True, help="End it now; without --user or --address all.")
@environment
def debug(
    env: Environment, user: str | None, address: str | None, off: bool, severity: int | None,
    minutes: int | None,
) -> None:  # fmt: skip
    """Put all that a user's or a client's sessions do and say into the event log for a while,
    whatever the event classes say. Without options: list who is debugged now.

    Look on with fastpptp events --follow.
    """
    if off and (severity or minutes):
        raise click.UsageError("--off goes with --user or --address alone.")
    whom = {"user": user, "address": address}
    named = sum(value is not None for value in whom.values())
    if named > 1 and not off:
        raise click.UsageError("Say who: --user or --address.")
    if not named and (severity or minutes):
        raise click.UsageError("Say who is to be debugged: --user or --address.")
    headend = env.headend()
    if off:
        ended = headend.end_debug(**whom)
        env.answer(ended, lambda: click.echo(_ended(ended)))
    elif named:
        order = headend.debug(**whom, severity=severity, minutes=minutes)
        env.answer(order, lambda: click.echo(_begun(order)))
    else:
        orders = headend.debugged()
        env.answer(orders, lambda: _list(orders))


def _whom(order: dict[str, Any]) -> str:
    return f"user {order['user']}" if order["address"] is None else f"address {order['address']}"


def _begun(order: dict[str, Any]) -> str:
    return f"Debug of {_whom(order)} at severity {order['severity']} is on until {order['until']}."


def _ended(orders: list[dict[str, Any]]) -> str:
    if not orders:
        return "Nobody was debugged."
    return "\n".join(f"Debug of {_whom(order)} is off." for order in orders)


def _list(orders: list[dict[str, Any]]) -> None:
    if orders:
        print_rows(COLUMNS, orders)
    else:
        click.echo("Nobody is debugged.")
