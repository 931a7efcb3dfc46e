"""What must hold between the parts of a Configuration. All problems are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address
from typing import Any

from fastpptp.dhcp.client import DhcpConfig
from fastpptp.errors import ConfigurationError, Problem
from fastpptp.methods import AuthMethod
from fastpptp.settings import attributes
from fastpptp.settings.attributes import (
    INTERNAL,
    KEY_LENGTHS,
    MAX_GROUP_NAME,
    MAX_PASSWORD,
    REQUIRED,
    Level,
)
from fastpptp.settings.behind import static_routes
from fastpptp.settings.filters import MAX_NAME, filter_problems
from fastpptp.settings.hours import BUILT_IN, read_hours
from fastpptp.settings.inherit import AUTHENTICATION, ENCRYPTION, Inheritance, Resolved
from fastpptp.settings.kinds import AUTHENTICATION_PROTOCOLS, NOTHING
from fastpptp.settings.resolve import section
from fastpptp.settings.sinks import entry_problems
from fastpptp.settings.tree import EMPTY, Configuration, PoolRange, UserEntry, Values

MAX_USER_NAME = 64

# A Link waits 30 s for its address (ppp/config.py), and pools may have to be tried after DHCP.
MOST_PATIENCE = 25.0

KEYED = frozenset({AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2, AuthMethod.EAP})


def check(tree: Configuration, before: Configuration = EMPTY) -> None:
    """Raise ConfigurationError with every problem of `tree`.

    The rules for a password hold for those that are new or differ from `before`: a group's
    rules may become stricter without locking out the users it has.
    """
    problems = list(_problems(tree, before))
    if problems:
        raise ConfigurationError(*problems)


def broken_rules(password: str, rule: Callable[[str], Any]) -> Iterator[tuple[str, str, str]]:
    """What a new password breaks of its group's rules, whose values `rule` tells by their names.

    Each is the name of the rule, what is wrong, and what is wanted.
    """
    least = rule("minimum_password_length")
    if not least <= len(password) <= MAX_PASSWORD:
        said = f"the password has {len(password)} characters"
        yield "minimum_password_length", said, f"{least} to {MAX_PASSWORD}"
    if not rule("allow_alphabetic_only_passwords") and password.isalpha():
        said = "the password has letters only"
        yield "allow_alphabetic_only_passwords", said, "add a digit or a sign"


def _password(where: str, password: str, group: Resolved) -> Iterator[Problem]:
    """What is wrong with a new password, by which rule, and where that was set."""
    for name, what, wanted in broken_rules(password, group.__getitem__):
        rule = f"{attributes.at(Level.GROUP)[name].label}, {group.sources[name].words}"
        yield Problem(where, what, f"{wanted}: {rule}")


def _problems(tree: Configuration, before: Configuration) -> Iterator[Problem]:
    inheritance = Inheritance(tree)
    base = inheritance.base
    yield from _hours(tree)
    yield from _filters(tree)
    yield from entry_problems(tree)
    yield from _level("base_group", tree, tree.base, base)
    for name, group in tree.groups.items():
        where = f"groups.{name}"
        yield from _name(where, name, MAX_GROUP_NAME)
        if name.casefold() == NOTHING:
            yield Problem(where, "would be no group", "choose another name")
        yield from _type(where, group.type)
        yield from _fewer(where, group.attributes, base, "the base group")
        yield from _level(where, tree, group.attributes, inheritance.groups[name])
    for name, user in tree.users.items():
        yield from _user(name, user, inheritance, tree, before)
    yield from _user_addresses(tree)
    yield from static_routes(tree)
    yield from _assignment(tree)
    yield from _snmp(tree)
    yield from _pools(tree)


def _hours(tree: Configuration) -> Iterator[Problem]:
    for name, spans in tree.hours.items():
        where = f"access_hours.{name}"
        yield from _name(where, name, 48)
        if name in BUILT_IN:
            yield Problem(where, "is built in", "choose another name")
        try:
            read_hours(name, spans)
        except ValueError as error:
            yield Problem(where, "cannot be read", f"allowed: {error}")


def _filters(tree: Configuration) -> Iterator[Problem]:
    for name, entry in tree.filters.items():
        yield from _name(f"filters.{name}", name, MAX_NAME)
        for place, rule in enumerate(entry.rules, 1):
            yield from _name(
                f"filters.{name}.rules[{place}].name", str(rule.get("name", "")), MAX_NAME
            )
    yield from filter_problems(tree.filters)


def _name(where: str, name: str, longest: int) -> Iterator[Problem]:
    if not 1 <= len(name) <= longest or not name.isprintable() or name != name.strip():
        yield Problem(
            where, "is not a name", f"1 to {longest} printable characters, no space at its ends"
        )


def _type(where: str, kind: str) -> Iterator[Problem]:
    if kind != INTERNAL:
        yield Problem(
            f"{where}.type", f"{kind} needs a RADIUS server and none can be configured",
            f"allowed: {INTERNAL}",
        )  # fmt: skip


def _fewer(where: str, own: Values, parent: Resolved, above: str) -> Iterator[Problem]:
    """A level may allow fewer protocols than the one above it, never more, never none."""
    if AUTHENTICATION not in own:
        return
    mine = AUTHENTICATION_PROTOCOLS.load(own[AUTHENTICATION])
    path = f"{where}.{AUTHENTICATION}"
    if not mine:
        yield Problem(path, "allows no protocol at all", "check one, or inherit")
    elif more := mine - parent[AUTHENTICATION]:
        allowed = _words(parent[AUTHENTICATION]) or "nothing"
        yield Problem(path, f"{_words(more)} is not allowed by {above}", f"allowed: {allowed}")


def _level(where: str, tree: Configuration, own: Values, values: Resolved) -> Iterator[Problem]:
    """What one level sets must make sense together with what it inherits."""
    hours = values["access_hours"]
    if "access_hours" in own and hours not in BUILT_IN and hours not in tree.hours:
        known = ", ".join((*BUILT_IN, *tree.hours))
        yield Problem(f"{where}.access_hours", f"{hours!r} is not defined", f"allowed: {known}")
    if "filter" in own and values["filter"] not in (None, *tree.filters):
        known = ", ".join((NOTHING, *tree.filters))
        yield Problem(
            f"{where}.filter", f"there is no filter {values['filter']!r}", f"allowed: {known}"
        )
    if "sep_card_assignment" in own and not values["sep_card_assignment"]:
        yield Problem(
            f"{where}.sep_card_assignment", "names no card", "check at least one of 1 to 4"
        )
    if "pptp_compression" in own and values["pptp_compression"] != NOTHING:
        yield Problem(f"{where}.pptp_compression", "MPPC is not available", f"allowed: {NOTHING}")
    if not own.keys() & {AUTHENTICATION, ENCRYPTION}:
        return
    protocols, boxes = values[AUTHENTICATION], values[ENCRYPTION]
    if AUTHENTICATION in own and AuthMethod.EAP in protocols:
        yield Problem(
            f"{where}.{AUTHENTICATION}",
            "EAP Proxy needs a RADIUS server and none can be configured",
            "leave EAP Proxy out",
        )
    if REQUIRED in boxes and not (protocols and protocols <= KEYED):
        yield Problem(
            f"{where}.{ENCRYPTION}",
            "Required, but the authentication protocols yield no keys",
            f"set {AUTHENTICATION} to MSCHAPv1, MSCHAPv2 or both, without PAP and CHAP",
        )
    if REQUIRED in boxes and not boxes & KEY_LENGTHS.keys():
        yield Problem(
            f"{where}.{ENCRYPTION}", "Required without a key length",
            f"add {' or '.join(KEY_LENGTHS)}",
        )  # fmt: skip


def _user(
    name: str,
    user: UserEntry,
    inheritance: Inheritance,
    tree: Configuration,
    before: Configuration,
) -> Iterator[Problem]:
    where = f"users.{name}"
    if name not in before.users:
        yield from _name(where, name, MAX_USER_NAME)
    if user.group is not None and user.group not in tree.groups:
        known = ", ".join(tree.groups) or "none: add the group first"
        yield Problem(f"{where}.group", f"there is no group {user.group!r}", f"allowed: {known}")
        return
    group = inheritance.group(user.group)
    old = before.users.get(name)
    if not user.password:
        yield Problem(f"{where}.password", "is missing", "a user needs a password")
    elif old is None or old.password != user.password:
        yield from _password(f"{where}.password", user.password, group)
    if user.attributes:
        above = "the base group" if user.group is None else f"the group {user.group}"
        yield from _fewer(where, user.attributes, group, above)
        yield from _level(where, tree, user.attributes, inheritance.user(name, user))


def _user_addresses(tree: Configuration) -> Iterator[Problem]:
    owners: dict[IPv4Address, str] = {}
    servers = _server_addresses(tree)
    for name, user in tree.users.items():
        if user.netmask is not None:
            yield from _netmask(f"users.{name}.subnet_mask", user)
        if user.address is None:
            continue
        where = f"users.{name}.ip_address"
        yield from _usable(where, user.address)
        if user.address in servers:
            yield Problem(where, f"{user.address} is the server's own", "choose another")
        first = owners.setdefault(user.address, name)
        if first != name:
            yield Problem(where, f"{user.address} is the user {first}'s", "choose another")


def _netmask(where: str, user: UserEntry) -> Iterator[Problem]:
    holes = ~int(user.netmask or 0) & 0xFFFFFFFF
    if holes & (holes + 1):
        yield Problem(where, f"{user.netmask} is not a mask", "such as 255.255.255.0")
    elif user.address is None:
        yield Problem(where, "is set without ip_address", "set both or none")


def _usable(where: str, address: IPv4Address) -> Iterator[Problem]:
    if address.is_multicast or address.is_loopback or address.is_unspecified or (
        address.is_reserved
    ):  # fmt: skip
        yield Problem(where, f"{address} cannot be a host's address", "a unicast address")


def _assignment(tree: Configuration) -> Iterator[Problem]:
    methods, dhcp = section(tree, "assignment"), DhcpConfig(**section(tree, "dhcp"))
    if methods["dhcp"] and not dhcp.servers:
        yield Problem(
            "assignment.dhcp", "there is no DHCP server to ask", "name at least one in dhcp.servers"
        )
    if dhcp.patience > MOST_PATIENCE:
        yield Problem(
            "dhcp.retries",
            f"a session would wait {dhcp.patience:g} s for an address, and is given up before",
            f"timeout and retries of at most {MOST_PATIENCE:g} s together, such as 2 and 2",
        )
    if not any(methods.values()):
        yield Problem("assignment", "every method is off", "turn on at least one, such as pools")


def _snmp(tree: Configuration) -> Iterator[Problem]:
    snmp = section(tree, "snmp")
    read, write, user = snmp["read_community"], snmp["write_community"], snmp["user"]
    if snmp["enabled"] and not (read or write or user):
        yield Problem(
            "snmp.enabled", "nobody could ask: there is no community and no user",
            "set snmp.read_community, or snmp.user and its passwords",
        )  # fmt: skip
    if read and read == write:
        yield Problem(
            "snmp.write_community", "is the read community, which would then write",
            "choose another, or none",
        )  # fmt: skip
    if user and not snmp["authentication_password"]:
        yield Problem(
            "snmp.user", f"{user} has no authentication password",
            "set snmp.authentication_password",
        )  # fmt: skip


def _pools(tree: Configuration) -> Iterator[Problem]:
    yield from _usable("system.server_address", section(tree, "system")["server_address"])
    for place, pool in enumerate(tree.pools, 1):
        where = f"pools[{place}]"
        if pool.last < pool.first:
            yield Problem(where, f"{pool} is reversed", f"write {pool.last}-{pool.first}")
            continue
        yield from _usable(where, pool.first)
        yield from _usable(where, pool.last)
        yield from _collisions(where, pool, tree.pools[: place - 1])
        for server in _server_addresses(tree):
            if server in pool:
                yield Problem(where, f"{pool} holds the server address {server}", "leave it out")


def _collisions(where: str, pool: PoolRange, others: Iterable[PoolRange]) -> Iterator[Problem]:
    for place, other in enumerate(others, 1):
        if pool.overlaps(other):
            yield Problem(where, f"{pool} overlaps pools[{place}] {other}", "part them")


def _server_addresses(tree: Configuration) -> set[IPv4Address]:
    own = {pool.server_address for pool in tree.pools if pool.server_address}
    return own | {section(tree, "system")["server_address"]}


def _words(protocols: frozenset[AuthMethod]) -> str:
    found = AUTHENTICATION_PROTOCOLS.dump(protocols)
    return ", ".join(found) if isinstance(found, list) else ""
