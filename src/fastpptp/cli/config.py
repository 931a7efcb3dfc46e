"""fastpptp config: the whole configuration as TOML, and single settings by their key path."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from fastpptp.bootstrap import read_text, unknown_key
from fastpptp.cli.common import Environment, environment, print_table, writing
from fastpptp.cli.edit import (
    Editor,
    editing,
    of_changed_users,
    preview,
    print_changes,
    show_changes,
)
from fastpptp.errors import ConfigurationError, FastpptpError, Problem
from fastpptp.settings import attributes, toml
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.check import check as judge
from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import Configuration

BASE = "base_group"
CLASSES = "events.classes"
HOURS = "access_hours"

LOGOUT = click.option(
    "--logout",
    is_flag=True,
    help="End the sessions of users whom this deletes, disables or changes, in whatever level.",
)


@click.group()
def config() -> None:
    """The configuration as a whole: in and out, its history, backups, and single settings."""


FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


@config.command()
@FILE
@environment
def check(env: Environment, file: Path) -> None:
    """Check FILE (TOML, - is standard input), every password as a new one; nothing is changed."""
    tree = _read(file)
    judge(tree)
    data = {"users": len(tree.users), "groups": len(tree.groups), "pools": len(tree.pools)}
    env.answer(data, lambda: click.echo(f"{file} is a valid configuration."))


@config.command()
@FILE
@environment
def diff(env: Environment, file: Path) -> None:
    """Show what importing FILE would change, and from when each change holds."""
    tree = _read(file)
    show_changes(env, preview(env, lambda draft: draft.replace(tree)))


@config.command("import")
@FILE
@click.option("--yes", is_flag=True, help="Do not ask.")
@LOGOUT
@editing
def import_(edit: Editor, file: Path, yes: bool, logout: bool) -> None:
    """Replace the whole configuration by FILE (TOML, - is standard input), or change nothing.

    What would change is shown first, and confirmed.
    """
    tree = _read(file)
    seen = None if yes or edit.dry_run else _confirmed(edit, tree, file)
    edit(
        lambda draft: _import(draft, tree, seen),
        f"{file} imported.",
        logout=of_changed_users if logout else None,
    )


def _confirmed(edit: Editor, tree: Configuration, file: Path) -> Configuration:
    """Show what an import changes, and ask; the tree that it was shown against."""
    if edit.env.as_json or str(file) == "-":
        raise click.UsageError("Nobody can be asked here: look with `config diff`, then use --yes.")
    with edit.env.store() as store:
        draft = Draft(store.tree())
    draft.replace(tree)
    draft.finish()
    print_changes(draft.changes)
    click.confirm(f"Import {file}?", abort=True)
    return draft.before


def _import(draft: Draft, tree: Configuration, seen: Configuration | None) -> None:
    if seen is not None and draft.before != seen:
        raise FastpptpError("the configuration was changed meanwhile: look at the changes again")
    draft.replace(tree)


def _read(file: Path) -> Configuration:
    if str(file) == "-":
        return toml.parsed(sys.stdin.read(), "standard input")
    return toml.parsed(read_text(file), str(file))


@config.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@environment
def export(env: Environment, file: Path) -> None:
    """Write the whole configuration to FILE (- is standard output) as TOML, passwords included."""
    with env.store() as store:
        text = toml.dumps(store.tree())
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    with writing(file):
        file.touch(mode=0o600, exist_ok=True)  # before anything is in it
        file.write_text(text, encoding="utf-8")
    env.answer({"file": str(file)}, lambda: click.echo(f"{file} written."))


@config.command("list")
@click.argument("section", required=False)
@environment
def list_(env: Environment, section: str | None) -> None:
    """List the settings (of SECTION: pptp, system, assignment, events or base_group)."""
    with env.store() as store:
        tree = store.tree()
    rows = [row for row in _settings(tree) if section in (None, row[0].split(".")[0])]
    if not rows:
        raise ConfigurationError(unknown_key(str(section), str(section), _sections()))
    data = {key: value for key, value, _ in rows}
    human = [(key, value, attribute.touches.words) for key, value, attribute in rows]
    env.answer(data, lambda: print_table(("Key", "Value", "A change holds from"), human))


def _sections() -> dict[str, Mapping[str, Attribute]]:
    return {**attributes.SECTIONS, BASE: attributes.at(Level.BASE)}


def _settings(tree: Configuration) -> Iterator[tuple[str, Any, Attribute]]:
    for section, declared in _sections().items():
        own = tree.base if section == BASE else tree.section(section)
        for name, attribute in declared.items():
            value = own.get(name, attribute.default)
            yield f"{section}.{name}", attribute.kind.told(value), attribute


@config.command("set")
@click.argument("key")
@click.argument("value")
@LOGOUT
@editing
def set_(edit: Editor, key: str, value: str, logout: bool) -> None:
    """Set KEY to VALUE.

    KEY is what `config list` shows, such as pptp.max_tunnels; events.classes.CLASS.NAME; or
    access_hours.NAME with spans such as "Mon-Fri 09:00-17:00; Sat 09:00-12:00".
    """
    edit(
        lambda draft: _set(draft, key, value),
        f"{key} is set.",
        logout=of_changed_users if logout else None,
    )


@config.command()
@click.argument("key")
@editing
def reset(edit: Editor, key: str) -> None:
    """Give KEY its default again; an event class or access hours as a whole are deleted."""
    edit(lambda draft: _reset(draft, key), f"{key} is reset.")


def _set(draft: Draft, key: str, value: str) -> None:
    where, _, name = key.rpartition(".")
    if where == HOURS:
        draft.set_hours(name, [span.strip() for span in value.split(";") if span.strip()])
        return
    read = {name: _parsed(_declared(where, key), name, key, value)}
    if where == BASE:
        draft.set_base(read)
    elif where.startswith(CLASSES + "."):
        draft.set_event_class(where.removeprefix(CLASSES + "."), read)
    else:
        draft.set_section(where, read)


def _reset(draft: Draft, key: str) -> None:
    where, _, name = key.rpartition(".")
    if where == HOURS:
        draft.delete_hours(name)
    elif where == CLASSES:
        draft.delete_event_class(name)
    elif where == BASE:
        draft.set_base({}, [name])
    elif where.startswith(CLASSES + "."):
        draft.set_event_class(where.removeprefix(CLASSES + "."), {}, [name])
    else:
        draft.set_section(where, {}, [name])


def _declared(where: str, key: str) -> Mapping[str, Attribute]:
    if where.startswith(CLASSES + "."):
        return attributes.EVENT_CLASS_ATTRIBUTES
    if where not in _sections():
        raise ConfigurationError(unknown_key(key, where, (*_sections(), CLASSES, HOURS)))
    return _sections()[where]


def _parsed(declared: Mapping[str, Attribute], name: str, key: str, value: str) -> Any:
    if name not in declared:
        raise ConfigurationError(unknown_key(key, name, declared))
    kind = declared[name].kind
    try:
        return kind.parse(value)
    except ValueError as error:
        said = "it" if kind.secret else repr(value)
        problem = Problem(key, f"{said} is not valid", f"allowed: {error}")
        raise ConfigurationError(problem) from None
