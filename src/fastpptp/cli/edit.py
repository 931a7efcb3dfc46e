"""Editing the store: what was asked for is one transaction, then a running headend is told.

The options for attributes come from their declarations (settings/attributes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from fastpptp.cli.common import Environment, checked, environment, shown
from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.settings.attributes import Attribute, Touches
from fastpptp.settings.diff import Change, latest
from fastpptp.settings.draft import Draft
from fastpptp.settings.touched import changed_users

F = TypeVar("F", bound=Callable[..., Any])

# What AdminClient.logout is asked once an edit is made.
Whose = Callable[[Draft], Mapping[str, object]]

NOT_RUNNING = "not running"
TAKES_EFFECT = {
    Touches.NOW: "It holds now.",
    Touches.NEXT_SESSION: "It holds from the next session.",
    Touches.RESTART: "It holds from the next start of the headend.",
}


@dataclass(frozen=True, slots=True)
class Editor:
    """Carries out one command's edit, or with `dry_run` only shows what it would change."""

    env: Environment
    dry_run: bool = False

    def __call__(
        self,
        change: Callable[[Draft], object],
        done: str,
        *,
        logout: Whose | None = None,
    ) -> None:
        """Make `change` and say so: the store first, then the headend, if one runs.

        `logout` tells whose sessions end then.
        """
        if self.dry_run:
            show_changes(self.env, preview(self.env, change))
            return
        with self.env.store() as store:
            with store.edit() as draft:
                change(draft)
            revision = store.revision()
        for problem in draft.without_effect:
            click.echo(f"Warning: {shown(str(problem))}", err=True)
        self._tell(draft.changes, revision, done, logout(draft) if logout else None)

    def _tell(
        self, made: list[Change], revision: int, done: str, logout: Mapping[str, object] | None
    ) -> None:
        touches, told = latest(made), tell_headend(self.env)
        data = {
            "changed": done,
            "takes_effect": touches.words,
            "revision": revision,
            "headend": told,
            "changes": plain(made),
        }
        said = f"{done} {_effect(touches, told)}"
        if logout and told != NOT_RUNNING:
            ended = data["logged_out"] = self.env.headend().logout(**logout, edited=True)
            said += f" Sessions ended: {len(ended)}."
        self.env.answer(data, lambda: click.echo(said))


def editing(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `environment`, for a command that edits: it gets an Editor, and has --dry-run."""

    @click.option("--dry-run", is_flag=True, help="Only show what would change.")
    @environment
    @wraps(command)
    def wrapped(env: Environment, *args: Any, dry_run: bool, **words: Any) -> Any:
        return command(Editor(env, dry_run), *args, **words)

    return wrapped


def preview(env: Environment, change: Callable[[Draft], object]) -> list[Change]:
    """What `change` would do; refused as it would be."""
    with env.store() as store:
        draft = Draft(store.tree())
    change(draft)
    draft.finish()
    return draft.changes


def show_changes(env: Environment, made: list[Change]) -> None:
    env.answer({"changes": plain(made)}, lambda: print_changes(made))


def print_changes(made: list[Change]) -> None:
    for change in made:
        click.echo(f"{shown(str(change))}  ({change.touches.words})")
    if not made:
        click.echo("Nothing would change.")


def plain(made: list[Change]) -> list[dict[str, Any]]:
    return [{**asdict(change), "touches": change.touches.words} for change in made]


def tell_headend(env: Environment) -> str:
    """Have a running headend follow the store: "follows", "not running" or what it said."""
    try:
        env.headend().reload()
    except UnavailableError:
        return NOT_RUNNING
    except FastpptpError as error:
        return f"refused: {error}"
    return "follows"


def _effect(touches: Touches, told: str) -> str:
    if told == NOT_RUNNING:
        return "No headend is running."
    return TAKES_EFFECT[touches] if told == "follows" else f"The running headend {told}"


# Options.


def attribute_options(
    declared: Mapping[str, Attribute], *, inherited: bool = False
) -> Callable[[F], F]:
    """Options for these attributes; the command gets those that were given as keywords.

    `inherited`: what is not given comes from the level above. A secret has no option here: see
    `password_options`.
    """

    def decorate(command: F) -> F:
        for name, attribute in reversed(list(declared.items())):
            if not attribute.kind.secret:
                command = click.option(
                    attribute.option, name, callback=checked(_read(attribute)), metavar="VALUE",
                    help=_about(attribute, inherited),
                )(command)  # fmt: skip
        return command

    return decorate


def plain_argument(attribute: Attribute) -> Callable[[F], F]:
    """A required argument for this attribute."""
    return click.argument(attribute.name, callback=checked(_read(attribute)))


def _about(attribute: Attribute, inherited: bool) -> str:
    """An option's help: what it is, what it takes, what holds without it."""
    told = f"{attribute.label}: {attribute.help}. Allowed: {attribute.kind.allowed}."
    default = attribute.kind.shown(attribute.default)
    if inherited:
        return f"{told} Default: inherited, or {default}."
    return f"{told} Default: {default}." if default else told


def _read(attribute: Attribute) -> Callable[[str], object]:
    """A reader of what a person types, into the attribute's canonical plain form."""

    def read(text: str) -> object:
        try:
            return attribute.kind.parse(text)
        except ValueError as error:
            raise ValueError(f"allowed: {error}") from None

    return read


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def inherit_option(what: str) -> Callable[[F], F]:
    return click.option("--inherit", multiple=True, metavar="NAME", help=what)


def logout_option(otherwise: str) -> Callable[[F], F]:
    about = f"End its sessions; without it {otherwise}."
    return click.option("--logout", is_flag=True, help=about)


def whose(**words: object) -> Whose:
    """The sessions of a `user` or a `group`."""
    return lambda draft: words


def of_changed_users(draft: Draft) -> Mapping[str, object]:
    """The sessions of all whom an edit leaves with something else than they had."""
    return {"users": changed_users(draft.before, draft.tree)}


RESET = click.option(
    "--reset", multiple=True, metavar="NAME", help="Set this to its default. Repeatable."
)


def names(wanted: Iterable[str]) -> tuple[str, ...]:
    """Attribute names as they are declared, however the option spelled them."""
    return tuple(name.lstrip("-").replace("-", "_") for name in wanted)
