"""fastpptp pptp, system, assignment, dhcp, snmp, event-general, event-class: whole screens."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import RESET, Editor, attribute_options, editing, given, names
from fastpptp.cli.passwords import secret_options
from fastpptp.cli.show import Layer, set_here, show_values, tree_of
from fastpptp.events.catalogue import CLASSES
from fastpptp.settings import attributes


def _noun(section: str) -> click.Group:
    """`show` and `set` for a section."""
    screen, declared = attributes.SCREENS[section], attributes.SECTIONS[section]
    noun = click.Group(
        screen.command,
        help=f"{screen.title}: show, set.",
        short_help=f"{screen.title.rpartition(' | ')[2]}: show, set.",
    )

    @noun.command(help=f"Show {screen.title}: every setting, set here or default.")
    @environment
    def show(env: Environment) -> None:
        show_values(env, screen.title, declared, set_here(tree_of(env).section(section)))

    @noun.command("set", help=f"Change {screen.title}.")
    @RESET
    @attribute_options(declared)
    @secret_options(declared)
    @editing
    def set_(edit: Editor, reset: tuple[str, ...], **values: Any) -> None:
        edit(
            lambda draft: draft.set_section(section, given(values), names(reset)),
            f"{screen.title} changed.",
        )

    return noun


SECTIONS = tuple(map(_noun, attributes.SCREENS))

CLASS = click.argument("name", metavar="CLASS", type=click.Choice(list(CLASSES)))


@click.group("event-class", short_help="Event classes: list, show, set, delete.")
def event_class() -> None:
    """Configuration | System | Events | Classes: list, show, set, delete."""


@event_class.command("list")
@environment
def list_(env: Environment) -> None:
    """List the classes that override where events go."""
    classes = tree_of(env).event_classes
    data = {name: dict(own) for name, own in classes.items()}
    rows = [(name, ", ".join(f"{n} {v}" for n, v in own.items())) for name, own in classes.items()]
    env.answer(data, lambda: print_table(("Class", "Overrides"), rows))


@event_class.command()
@CLASS
@environment
def show(env: Environment, name: str) -> None:
    """Show where the events of CLASS go."""
    tree = tree_of(env)
    own = tree.event_classes.get(name)
    here = Layer("default", "default", {"enable": False}) if own is None else set_here(own)
    above = Layer("events", "from event-general", tree.section("events"))
    show_values(env, f"Class {name}", attributes.EVENT_CLASS_ATTRIBUTES, here, above)


@event_class.command("set")
@CLASS
@RESET
@attribute_options(attributes.EVENT_CLASS_ATTRIBUTES)
@editing
def set_(edit: Editor, name: str, reset: tuple[str, ...], **values: Any) -> None:
    """Have CLASS override the defaults."""
    edit(
        lambda draft: draft.set_event_class(name, given(values), names(reset)),
        f"Event class {name} changed.",
    )


@event_class.command()
@CLASS
@editing
def delete(edit: Editor, name: str) -> None:
    """Have CLASS follow the defaults again."""
    edit(lambda draft: draft.delete_event_class(name), f"Event class {name} deleted.")
