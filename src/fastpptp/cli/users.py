"""fastpptp user, group, base-group and pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fastpptp.cli.common import (
    Environment,
    checked,
    environment,
    ipv4,
    print_fields,
    print_table,
)
from fastpptp.cli.edit import (
    attribute_options,
    edit,
    given,
    inherit_option,
    names,
    new_password,
    password_options,
)
from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.tree import Configuration
from fastpptp.settings.writing import write_group, write_pool, write_user

INHERITED = "inherited"


def _address(text: str) -> str:
    """An address in the canonical plain form."""
    return str(ipv4(text))


ADDRESS = checked(_address)

# What an entry has beside its attributes, as the product calls it.
LABELS = {"ip_address": "IP Address", "subnet_mask": "Subnet Mask"}


def _tree(env: Environment) -> Configuration:
    with env.store() as store:
        return store.tree()


def _show(
    env: Environment,
    own: Mapping[str, Any],
    declared: Mapping[str, Attribute],
    absent: str,
) -> None:
    """What an entry sets itself, and what it leaves to the level above."""
    plain = {name: value for name, value in own.items() if name != "password"}

    def human() -> None:
        fields = {
            LABELS.get(name, name.capitalize()): plain[name]
            for name in plain
            if name not in declared
        }
        fields |= {a.label: plain.get(name, absent) for name, a in declared.items()}
        print_fields(fields)

    env.answer(plain, human)


# Users.


@click.group()
def user() -> None:
    """Users: add, list, show, set, delete."""


def _identity(command: Any) -> Any:
    for option in (
        click.option("--subnet-mask", metavar="ADDRESS", callback=ADDRESS,
                     help="Subnet Mask of the IP Address."),
        click.option("--ip-address", metavar="ADDRESS", callback=ADDRESS,
                     help="The user's own IP Address (assignment from the authentication server)."),
        click.option("--group", metavar="NAME", help="The group; none is the base group."),
    ):  # fmt: skip
        command = option(command)
    return password_options(command)


@user.command("add")
@click.argument("name")
@_identity
@attribute_options(attributes.at(Level.USER))
@environment
def user_add(
    env: Environment, name: str, password: str | None, password_file: Any,
    generate_password: bool, **values: Any,
) -> None:  # fmt: skip
    """Add the user NAME."""
    secret = new_password(password, password_file, generate_password, ask=True)
    wanted = given(values) | {"password": secret}
    edit(env, lambda draft: draft.add_user(name, wanted), f"User {name} added.")
    _print_generated(env, generate_password, secret)


@user.command("set")
@click.argument("name")
@inherit_option("Take this from the group again (group: from none). Repeatable.")
@_identity
@attribute_options(attributes.at(Level.USER))
@environment
def user_set(
    env: Environment, name: str, inherit: tuple[str, ...], password: str | None,
    password_file: Any, generate_password: bool, **values: Any,
) -> None:  # fmt: skip
    """Change the user NAME."""
    secret = new_password(password, password_file, generate_password, ask=False)
    wanted = given(values | {"password": secret})
    edit(env, lambda draft: draft.set_user(name, wanted, names(inherit)), f"User {name} changed.")
    _print_generated(env, generate_password, secret)


@user.command("delete")
@click.argument("name")
@environment
def user_delete(env: Environment, name: str) -> None:
    """Delete the user NAME; its sessions end."""
    edit(env, lambda draft: draft.delete_user(name), f"User {name} deleted.")


@user.command("list")
@environment
def user_list(env: Environment) -> None:
    """List the users."""
    users = _tree(env).users
    data = [{"name": name, **_without_password(write_user(entry))} for name, entry in users.items()]
    rows = [
        (name, entry.group or "-", entry.address, ", ".join(entry.attributes) or INHERITED)
        for name, entry in users.items()
    ]
    env.answer(data, lambda: print_table(("User", "Group", "IP Address", "Own attributes"), rows))


@user.command("show")
@click.argument("name")
@environment
def user_show(env: Environment, name: str) -> None:
    """Show the user NAME."""
    entry = _entry(_tree(env).users, name, "users")
    _show(env, {"name": name, **write_user(entry)}, attributes.at(Level.USER), INHERITED)


def _print_generated(env: Environment, generated: bool, secret: str | None) -> None:
    if generated:
        click.echo(f"Password: {secret}", err=env.as_json)


def _without_password(own: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if name != "password"}


def _entry(entries: Mapping[str, Any], name: str, table: str) -> Any:
    if name not in entries:
        raise ConfigurationError(Problem(f"{table}.{name}", "does not exist"))
    return entries[name]


# Groups.


@click.group()
def group() -> None:
    """Groups: add, list, show, set, delete."""


def _group_identity(command: Any) -> Any:
    kind = click.Choice(["Internal", "External"], case_sensitive=False)
    command = click.option("--type", "type", type=kind, help="Where its users are kept.")(command)
    return click.option("--password", help="The group's password, 4 to 32 characters.")(command)


@group.command("add")
@click.argument("name")
@_group_identity
@attribute_options(attributes.at(Level.GROUP))
@environment
def group_add(env: Environment, name: str, **values: Any) -> None:
    """Add the group NAME."""
    edit(env, lambda draft: draft.add_group(name, given(values)), f"Group {name} added.")


@group.command("set")
@click.argument("name")
@inherit_option("Take this from the base group again. Repeatable.")
@_group_identity
@attribute_options(attributes.at(Level.GROUP))
@environment
def group_set(env: Environment, name: str, inherit: tuple[str, ...], **values: Any) -> None:
    """Change the group NAME."""
    edit(
        env,
        lambda draft: draft.set_group(name, given(values), names(inherit)),
        f"Group {name} changed.",
    )


@group.command("delete")
@click.argument("name")
@environment
def group_delete(env: Environment, name: str) -> None:
    """Delete the group NAME, which no user is in."""
    edit(env, lambda draft: draft.delete_group(name), f"Group {name} deleted.")


@group.command("list")
@environment
def group_list(env: Environment) -> None:
    """List the groups."""
    tree = _tree(env)
    counts = dict.fromkeys(tree.groups, 0)
    for entry in tree.users.values():
        if entry.group is not None:
            counts[entry.group] += 1
    data = [
        {"name": name, "users": counts[name], **_without_password(write_group(entry))}
        for name, entry in tree.groups.items()
    ]
    rows = [
        (name, entry.type, counts[name], ", ".join(entry.attributes) or INHERITED)
        for name, entry in tree.groups.items()
    ]
    columns = ("Group", "Type", "Users", "Own attributes")
    env.answer(data, lambda: print_table(columns, rows, right=("Users",)))


@group.command("show")
@click.argument("name")
@environment
def group_show(env: Environment, name: str) -> None:
    """Show the group NAME."""
    entry = _entry(_tree(env).groups, name, "groups")
    _show(env, {"name": name, **write_group(entry)}, attributes.at(Level.GROUP), INHERITED)


@click.group("base-group")
def base_group() -> None:
    """The base group: show, set."""


@base_group.command("set")
@click.option("--reset", multiple=True, metavar="NAME", help="Set this to its default. Repeatable.")
@attribute_options(attributes.at(Level.BASE))
@environment
def base_set(env: Environment, reset: tuple[str, ...], **values: Any) -> None:
    """Change the base group."""
    edit(env, lambda draft: draft.set_base(given(values), names(reset)), "Base group changed.")


@base_group.command("show")
@environment
def base_show(env: Environment) -> None:
    """Show the base group."""
    declared = attributes.at(Level.BASE)
    own = {name: a.default for name, a in declared.items()} | dict(_tree(env).base)
    _show(env, own, declared, INHERITED)


# Pools.


@click.group()
def pool() -> None:
    """Address pools, in their order: add, list, set, move, delete."""


SERVER = click.option(
    "--server-address",
    metavar="ADDRESS",
    callback=ADDRESS,
    help="Our address for this pool, if not the system's.",
)
POOL_FIELDS = ("place", "first", "last", "server_address", "size", "in_use", "reserved", "free")
POOL_COLUMNS = (
    "Place", "First", "Last", "Server address", "Addresses", "In use", "Reserved", "Free",
)  # fmt: skip
POOL_NUMBERS = ("Place", *POOL_COLUMNS[4:])
PLACE = click.argument("place", type=click.IntRange(1))


@pool.command("add")
@click.argument("first", callback=ADDRESS)
@click.argument("last", callback=ADDRESS)
@SERVER
@environment
def pool_add(env: Environment, **values: Any) -> None:
    """Add the pool FIRST to LAST as the last one."""
    wanted = given(values)
    done = f"Pool {values['first']}-{values['last']} added."
    edit(env, lambda draft: draft.add_pool(wanted), done)


@pool.command("list")
@environment
def pool_list(env: Environment) -> None:
    """List the pools, and how much of them a running headend has in use."""
    usage = _usage(env)
    data = [
        {"place": place, **write_pool(entry), "size": len(entry), **usage.get(str(entry), {})}
        for place, entry in enumerate(_tree(env).pools, 1)
    ]
    rows = [
        [({"server_address": "system's"} | row).get(name) for name in POOL_FIELDS] for row in data
    ]
    env.answer(data, lambda: print_table(POOL_COLUMNS, rows, right=POOL_NUMBERS))


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
@click.option("--first", metavar="ADDRESS", callback=ADDRESS)
@click.option("--last", metavar="ADDRESS", callback=ADDRESS)
@SERVER
@click.option(
    "--inherit",
    multiple=True,
    type=click.Choice(["server-address"]),
    help="Use the system's again.",
)
@environment
def pool_set(env: Environment, place: int, inherit: tuple[str, ...], **values: Any) -> None:
    """Change the pool at PLACE."""
    edit(
        env,
        lambda draft: draft.modify_pool(place, given(values), names(inherit)),
        f"Pool {place} changed.",
    )


@pool.command("delete")
@PLACE
@environment
def pool_delete(env: Environment, place: int) -> None:
    """Delete the pool at PLACE."""
    edit(env, lambda draft: draft.delete_pool(place), f"Pool {place} deleted.")


@pool.command("move")
@PLACE
@click.argument("direction", type=click.Choice(["up", "down"]))
@environment
def pool_move(env: Environment, place: int, direction: str) -> None:
    """Move the pool at PLACE up or down."""
    to = place - 1 if direction == "up" else place + 1
    edit(env, lambda draft: draft.move_pool(place, to), f"Pool {place} moved {direction}.")
