"""fastpptp config history, backup and restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import tell_headend
from fastpptp.errors import UnavailableError

if TYPE_CHECKING:
    from fastpptp.store.history import Recorded

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@click.option("--user", metavar="NAME", help="What was changed about the user NAME.")
@click.option("--path", metavar="KEY", help="What was changed at KEY and below it, such as pptp.")
@click.option("--by", metavar="NAME", help="What NAME changed, or had sudo change.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@environment
def history(
    env: Environment, user: str | None, path: str | None, by: str | None, limit: int
) -> None:
    """Who changed what, when; the newest first. Passwords are not told."""
    if user is not None and path is not None:
        raise click.UsageError("Give --user or --path, not both.")
    wanted = f"users.{user}" if user is not None else path
    with env.store() as store:
        found = store.history(path=wanted, by=by, limit=limit)
    columns = ("Revision", "Time", "Who", "Key", "Old", "New")
    rows = [_row(change) for change in found]
    env.answer([_plain(change) for change in found], lambda: print_table(columns, rows))


def _row(change: Recorded) -> tuple[object, ...]:
    at = change.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return change.revision, at, change.author, change.path, change.old, change.new


def _plain(change: Recorded) -> dict[str, Any]:
    author = asdict(change.author)
    return {"revision": change.revision, "time": change.at.isoformat(), **author,
            "key": change.path, "old": change.old, "new": change.new}  # fmt: skip


@click.command()
@FILE
@click.option("--with-key", is_flag=True, help="Put the key file beside it, as FILE.key.")
@environment
def backup(env: Environment, file: Path, with_key: bool) -> None:
    """Copy the store to the new FILE, while the headend runs and others write.

    Passwords in it are sealed: without the key file nobody can use them, nor can you.
    """
    from fastpptp.store.restore import back_up, key_of

    key = env.bootstrap.key_path
    with env.store() as store:
        back_up(store, file, key if with_key else None)
    beside = str(key_of(file)) if with_key else None
    env.answer(
        {"file": str(file), "key_file": beside},
        lambda: click.echo(f"{file} written. " + _about_key(key, beside)),
    )


def _about_key(key: Path, beside: str | None) -> str:
    if beside:
        return f"{beside} opens the passwords in it: keep the two apart."
    return f"The passwords in it need the key file {key} to be restored: keep a copy elsewhere."


@click.command()
@FILE
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="KEYFILE",
    help="The key file of the backup; default FILE.key, else the present one.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Put FILE itself in the place of the store, for one that cannot be opened any more.",
)
@environment
def restore(env: Environment, file: Path, key: Path | None, replace: bool) -> None:
    """Restore the whole configuration from FILE, which `config backup` made, or change nothing.

    FILE is checked first. The store as it was is kept beside, and a running headend follows.
    """
    from fastpptp.store.restore import key_of
    from fastpptp.store.restore import restore as restore_store

    settings = env.bootstrap
    if replace:
        _no_headend(env)
    opens = key or (key_of(file) if key_of(file).exists() else settings.key_path)
    done = restore_store(settings.store_url, settings.key_path, file, opens, replace=replace)
    kept = [str(path) for path in done.kept]
    told = tell_headend(env)
    tree = done.tree
    counts = {"users": len(tree.users), "groups": len(tree.groups), "pools": len(tree.pools)}
    summary = ", ".join(f"{what} {count}" for what, count in counts.items())
    env.answer(
        {"restored": str(file), **counts, "kept": kept, "headend": told},
        lambda: click.echo(
            f"{file} restored: {summary}."
            + "".join(f"\nThe former one is kept as {path}." for path in kept)
            + ("" if told == "not running" else f"\nThe running headend {told}.")
        ),
    )


def _no_headend(env: Environment) -> None:
    """A headend would go on with the file that is put away."""
    try:
        env.headend().version()
    except UnavailableError:
        return
    raise UnavailableError("a headend is running on this store", "stop it first")
