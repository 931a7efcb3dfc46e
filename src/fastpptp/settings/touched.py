"""Which users an edit leaves with something else than they had."""

from __future__ import annotations

from fastpptp.settings.inherit import Inheritance
from fastpptp.settings.tree import Configuration


def changed_users(before: Configuration, after: Configuration) -> list[str]:
    """The users of `before` who are gone, have another password or address, or other attributes.

    Whatever level an attribute comes from. `after` must have been judged.
    """
    old, new = Inheritance(before), Inheritance(after)
    found = []
    for name, entry in before.users.items():
        now = after.users.get(name)
        if (
            now is None
            or now != entry
            or old.user(name, entry).values != new.user(name, now).values
        ):
            found.append(name)
    return found
