"""fastpptp pool: Configuration | System | Address Management | Pools."""

from __future__ import annotations

from typing import Any

import click

from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import Editor, attribute_options, editing, given, names, plain_argument
from fastpptp.cli.show import tree_of
from fastpptp.errors import UnavailableError
from fastpptp.settings import attributes
from fastpptp.settings.attributes import POOL_ATTRIBUTES
from fastpptp.settings.writing import write_pool

FIELDS = ("place", "first", "last", "server_address", "size", "in_use", "reserved", "free")
COLUMNS = (
    "Place", "First", "Last", "Server address", "Addresses", "In use", "Reserved", "Free",
)  # fmt: skip
NUMBERS = ("Place", *COLUMNS[4:])
PLACE = click.argument("place", type=click.IntRange(1))
SERVER = attribute_options({"server_address": POOL_ATTRIBUTES["server_address"]})


@click.group()
def pool() -> None:
    """Address pools, in their order: add, list, set, move, delete."""


@pool.command()
@plain_argument(POOL_ATTRIBUTES["first"])
@plain_argument(POOL_ATTRIBUTES["last"])
@SERVER
@editing
def add(edit: Editor, **values: Any) -> None:
    """Add the pool FIRST to LAST as the last one."""
    wanted = given(values)
    done = f"Pool {values['first']}-{values['last']} added."
    edit(lambda draft: draft.add_pool(wanted), done)


@pool.command("list")
@environment
def list_(env: Environment) -> None:
    """List the pools, and how much of them a running headend has in use."""
    usage = _usage(env)
    data = [
        {"place": place, **write_pool(entry), "size": len(entry), **usage.get(str(entry), {})}
        for place, entry in enumerate(tree_of(env).pools, 1)
    ]
    rows = [[({"server_address": "system's"} | row).get(name) for name in FIELDS] for row in data]
    env.answer(data, lambda: print_table(COLUMNS, rows, right=NUMBERS))


def _usage(env: Environment) -> dict[str, dict[str, int]]:
    """What is in use of each pool, by its range; nothing where no headend runs."""
    counts = ("in_use", "reserved", "free")
    try:
        found = env.headend().pools()
    except UnavailableError:
        return {}
    return {f"{row['first']}-{row['last']}": {name: row[name] for name in counts} for row in found}


@pool.command("set")
@PLACE
@attribute_options(attributes.POOL_ATTRIBUTES)
@click.option(
    "--inherit",
    multiple=True,
    type=click.Choice(["server-address"]),
    help="Use the system's again.",
)
@editing
def set_(edit: Editor, place: int, inherit: tuple[str, ...], **values: Any) -> None:
    """Change the pool at PLACE."""
    edit(
        lambda draft: draft.modify_pool(place, given(values), names(inherit)),
        f"Pool {place} changed.",
    )


@pool.command()
@PLACE
@editing
def delete(edit: Editor, place: int) -> None:
    """Delete the pool at PLACE."""
    edit(lambda draft: draft.delete_pool(place), f"Pool {place} deleted.")


@pool.command()
@PLACE
@click.argument("direction", type=click.Choice(["up", "down"]))
@editing
def move(edit: Editor, place: int, direction: str) -> None:
    """Move the pool at PLACE up or down."""
    to = place - 1 if direction == "up" else place + 1
    edit(lambda draft: draft.move_pool(place, to), f"Pool {place} moved {direction}.")
