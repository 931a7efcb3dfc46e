"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 3 unavailable, 4 configuration."""

from __future__ import annotations

import sys

import click

from fastpptp import __version__
from fastpptp.cli.backup import backup, history, restore
from fastpptp.cli.common import Commands, Environment, environment
from fastpptp.cli.config import config
from fastpptp.cli.debug import debug
from fastpptp.cli.detail import session
from fastpptp.cli.dial import dial
from fastpptp.cli.doctor import doctor
from fastpptp.cli.events import events
from fastpptp.cli.filters import filter_
from fastpptp.cli.groups import base_group, group
from fastpptp.cli.hours import hours
from fastpptp.cli.lists import NOUNS
from fastpptp.cli.ping import ping_client
from fastpptp.cli.pools import pool
from fastpptp.cli.sections import SECTIONS, event_class
from fastpptp.cli.serve import init, serve
from fastpptp.cli.sessions import logout, reload, sessions
from fastpptp.cli.statistics import statistics
from fastpptp.cli.top import top
from fastpptp.cli.trace import trace
from fastpptp.cli.unit import install_unit, uninstall_unit
from fastpptp.cli.users import user


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """fastpptp: a PPTP headend for Linux.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something is unavailable (the headend does
    not run, a capability is missing, a port is taken), 4 the configuration is refused.
    """


@click.command()
@environment
def version(env: Environment) -> None:
    """Print the version."""
    env.answer({"version": __version__}, lambda: click.echo(f"fastpptp {__version__}"))


for command in (
    init, serve, *SECTIONS, event_class, *NOUNS, pool, hours, filter_, base_group, group, user,
    config, sessions, session, logout, ping_client, top, trace, debug, events, statistics, reload,
    dial, doctor, version,
):  # fmt: skip
    cli.add_command(command)


for command in (history, backup, restore):
    config.add_command(command)


for command in (install_unit, uninstall_unit):
    cli.add_command(command)


def main() -> None:
    """The console script."""
    sys.exit(cli(prog_name="fastpptp"))
