"""fastpptp statistics: the headend's counters; their Reset and Restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fastpptp.cli.columns import Column, by_address, print_rows
from fastpptp.cli.common import Environment, environment, label, print_fields, print_table, shown

SESSION_COLUMNS = (
    Column("ID", "id", right=True),
    Column("Peer IP", "peer", order=by_address),
    Column("User", "user"),
    Column("Rx Octets", "rx_octets", right=True),
    Column("Tx Octets", "tx_octets", right=True),
    Column("Rx Packets", "rx_packets", right=True),
    Column("Tx Packets", "tx_packets", right=True),
    Column("Rx Discards", "rx_discards", right=True),
    Column("Tx Discards", "tx_discards", right=True),
    Column("Rx ZLB", "rx_zlb", right=True),
    Column("Tx ZLB", "tx_zlb", right=True),
    Column("Ack Timeouts", "ack_timeouts", right=True),
    Column("Window Reopens", "window_reopens", right=True),
    Column("Flow", "flow"),
    Column("Local Window", "local_window", right=True),
    Column("Peer Window", "peer_window", right=True),
    Column("Local PPD", "local_delay", right=True),
    Column("Peer PPD", "peer_delay", right=True),
    Column("Out of Window", "out_of_window", right=True),
    Column("Out of Sequence", "out_of_sequence", right=True),
)
ENTITIES = ("tunnels", "sessions")
TRAFFIC = ("control_received", "control_sent", "payload_received", "payload_sent")


@click.command()
@click.argument("what", type=click.Choice(["pptp"]), required=False)
@click.option("--reset", "order", flag_value="reset", help="Count from 0 in what you are shown.")
@click.option("--restore", "order", flag_value="restore", help="Show the real counters again.")
@environment
def statistics(env: Environment, what: str | None, order: str | None) -> None:
    """Show counters since the start of the headend, or since your --reset.

    pptp: the product's screen, with a row for each session. Reset and Restore are for you alone
    and change no counter.
    """
    headend = env.headend()
    if order is not None:
        headend.reset() if order == "reset" else headend.restore()
    if what == "pptp":
        found = headend.pptp_statistics()
        env.answer(found, lambda: _print_pptp(found))
    else:
        found = headend.statistics()
        env.answer(found, lambda: _print_totals(found))


def _print_totals(found: Mapping[str, Any]) -> None:
    """What is counted beside what it came to since the installation."""
    from fastpptp.manager.statistics import BY_CAUSE  # half of a command's start: only where needed

    ever = found["since_installation"]
    human = {label(name): value for name, value in found.items() if not isinstance(value, dict)}
    human["Reset at"] = found["reset_at"] or "never"
    for name in ("by_encryption", "by_method"):
        human |= {f"Sessions with {key}": count for key, count in found[name].items()}
    for name in BY_CAUSE:
        human |= {_label_of(f"{name}.{cause}"): n for cause, n in found[name].items() if n}
    human |= {f"Dropped, {reason}": count for reason, count in found["drops"].items() if count}
    print_fields(human)
    click.echo("\nSince the installation")
    print_fields({_label_of(name): ever[name] for name in sorted(ever)})


def _label_of(name: str) -> str:
    """`ended.idle-timeout` is Ended, idle-timeout."""
    kind, _, cause = name.partition(".")
    return f"{label(kind)}, {cause}" if cause else label(kind)


def _print_pptp(found: Mapping[str, Any]) -> None:
    totals = found["totals"]
    if found["reset_at"]:
        click.echo(f"Counted since the reset at {found['reset_at']}.\n")
    counts = ("total", "active", "peak", "limit")
    rows = [(label(of), *(_total(totals, f"{count}_{of}") for count in counts)) for of in ENTITIES]
    print_table(("", *map(label, counts)), rows, right=map(label, counts))
    click.echo()
    units = ("octets", "packets", "discards")
    rows = [(label(of), *(_total(totals, f"{of}_{unit}") for unit in units)) for of in TRAFFIC]
    print_table(("", *map(label, units)), rows, right=map(label, units))
    click.echo()
    print_rows(SESSION_COLUMNS, found["sessions"])


def _total(totals: Mapping[str, Any], name: str) -> str:
    if name.startswith("limit") and totals[name] is None:
        return "unlimited"
    return shown(totals.get(name))
