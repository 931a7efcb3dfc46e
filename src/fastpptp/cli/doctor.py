"""fastpptp doctor."""

from __future__ import annotations

import click

from fastpptp.cli.common import FAILED, Environment, environment
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.settings.resolve import PolicySnapshot

COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command()
@environment
@click.pass_context
def doctor(context: click.Context, env: Environment) -> None:
    """Look for what keeps a headend from working here, and say what to do.

    Nothing is changed. Exit code 1 when the headend would not work.
    """
    from fastpptp.server.doctor import State, examine, gather

    found = examine(gather(env.bootstrap, _policy(env), running=_running(env)))
    data = [
        {"check": f.check, "state": f.state.value, "what": f.what, "remedy": f.remedy}
        for f in found
    ]

    def human() -> None:
        width = max(len(finding["check"]) for finding in data) + 2
        for finding in data:
            state = click.style(f"{finding['state']:<9}", COLOURS[finding["state"]])
            click.echo(f"{state}{finding['check']:<{width}}{finding['what']}")
            if finding["remedy"]:
                click.echo(" " * (9 + width) + finding["remedy"])

    env.answer(data, human)
    context.exit(FAILED if any(f.state is State.FAILURE for f in found) else 0)


def _policy(env: Environment) -> PolicySnapshot | FastpptpError:
    try:
        with env.store() as store:
            return store.snapshot()
    except FastpptpError as error:
        return error


def _running(env: Environment) -> bool:
    try:
        env.headend().statistics()
    except UnavailableError:
        return False
    return True
