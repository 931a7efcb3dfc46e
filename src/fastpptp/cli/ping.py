"""fastpptp ping-client: whether a client answers at the other end of its tunnel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from fastpptp.cli.common import Environment, environment
from fastpptp.errors import FastpptpError

if TYPE_CHECKING:
    from fastpptp.admin.client import AdminClient


@click.command("ping-client")
@click.argument("who", metavar="ID|USER")
@click.option("--count", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--interval", type=click.FloatRange(0.01, 60), default=1.0, show_default=True)
@environment
def ping_client(env: Environment, who: str, count: int, interval: float) -> None:
    """Ping a session's client through its tunnel, from the headend's own address.

    A client whose firewall drops pings is up all the same.
    """
    headend = env.headend()
    session = _session(headend, who)
    rtts: list[float | None] = []
    answer: dict[str, Any] = {}
    for number in range(1, count + 1):
        answer = headend.ping(session)
        rtts.append(None if answer["rtt"] is None else answer["rtt"] * 1000)
        if not env.as_json:
            _print_reply(answer["address"], number, rtts[-1])
        if number < count:
            time.sleep(interval)
    received = [rtt for rtt in rtts if rtt is not None]
    done = {
        "session": session, "address": answer["address"],
        "server_address": answer["server_address"], "sent": count, "received": len(received),
        "rtt_ms": rtts,
    }  # fmt: skip
    env.answer(done, lambda: _print_summary(count, received))
    if not received:
        raise FastpptpError(f"{answer['address']} (session {session}) does not answer")


def _session(headend: AdminClient, who: str) -> int:
    """The number of the session that is meant."""
    if who.isdecimal():
        return int(who)
    numbers = [row["id"] for row in headend.sessions(user=who)]
    if len(numbers) != 1:
        has = f"sessions {', '.join(map(str, numbers))}: say which" if numbers else "no session"
        raise FastpptpError(f"{who} has {has}")
    return int(numbers[0])


def _print_reply(address: str, number: int, rtt: float | None) -> None:
    told = "no reply" if rtt is None else f"{rtt:.2f} ms"
    click.echo(f"{address} {number}: {told}")


def _print_summary(sent: int, received: list[float]) -> None:
    told = f"{sent} sent, {len(received)} received"
    if received:
        mean = sum(received) / len(received)
        told += f"; min/avg/max {min(received):.2f}/{mean:.2f}/{max(received):.2f} ms"
    click.echo(told)
