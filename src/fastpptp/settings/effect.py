"""What is set and has no effect, because something else is off. It is no error: it is told."""

from __future__ import annotations

from collections.abc import Iterator

from fastpptp.errors import Problem
from fastpptp.events.routing import Destination
from fastpptp.settings.entries import (
    EMAIL_RECIPIENTS,
    SMTP_SERVERS,
    SYSLOG_SERVERS,
    TRAP_DESTINATIONS,
)
from fastpptp.settings.kinds import NOTHING
from fastpptp.settings.resolve import section
from fastpptp.settings.tree import Configuration

# The lists that a destination needs.
NEEDED = {
    Destination.SYSLOG: (SYSLOG_SERVERS,),
    Destination.EMAIL: (SMTP_SERVERS, EMAIL_RECIPIENTS),
    Destination.TRAP: (TRAP_DESTINATIONS,),
}


def without_effect(tree: Configuration) -> Iterator[Problem]:
    """Each such setting, and what to turn on for it."""
    methods = section(tree, "assignment")
    if not methods["from_authentication_server"]:
        for name, user in tree.users.items():
            if user.address is not None:
                yield _off(f"users.{name}.ip_address", "assignment.from_authentication_server")
    if not methods["from_client"]:
        for where in tree.setters("use_client_address", True):
            yield _off(f"{where}.use_client_address", "assignment.from_client")
    yield from nowhere(tree)


def nowhere(tree: Configuration) -> Iterator[Problem]:
    """Severities that go to a destination behind which nothing stands."""
    levels = {"events": tree.section("events")}
    levels |= {f"events.classes.{cls}": own for cls, own in tree.event_classes.items()}
    for destination, lists in NEEDED.items():
        lacking = [of for of in lists if not tree.entries(of.table)]
        for where, own in levels.items():
            enabled = own.get("enable", True)
            if lacking and enabled and own.get(destination.value, NOTHING) != NOTHING:
                nouns = " and no ".join(of.noun for of in lacking)
                adding = ", ".join(f"fastpptp {of.command} add" for of in lacking)
                yield Problem(
                    f"{where}.{destination.value}",
                    "has no effect",
                    f"there is no {nouns}: {adding}",
                )


def _off(where: str, other: str) -> Problem:
    return Problem(where, "has no effect", f"{other} is off")
