"""What is set and has no effect, because something else is off. It is no error: it is told."""

from __future__ import annotations

from collections.abc import Iterator

from fastpptp.errors import Problem
from fastpptp.settings.resolve import section
from fastpptp.settings.tree import Configuration


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


def _off(where: str, other: str) -> Problem:
    return Problem(where, "has no effect", f"{other} is off")
