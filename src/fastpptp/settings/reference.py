"""docs/settings.md out of the declarations: `python -m fastpptp.settings.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS
from fastpptp.settings.hours import ALLOWED, BUILT_IN

INTRODUCTION = """\
# Settings

Made from the declarations (src/fastpptp/settings/attributes.py) by `make docs`: edit those.

Every setting is a key of the TOML tree (`fastpptp config export`), an option of its noun on the
command line (`fastpptp pptp set --max-tunnels 5`), and a line of `show`, which also tells where the
value comes from. A change is checked as a whole and made as a whole or not at all; `--dry-run`
only shows it. **Holds from** says when a running headend follows.
"""

INHERITANCE = """\
## Base group, groups and users

What a user does not set it has from its group, what a group does not set it has from the base
group, and what that does not set is the default. **Levels** are those that can set it; `--inherit
NAME` takes a value from the level above again. A user without a group belongs to the base group.
"""

COLUMNS = ("Setting", "Key", "Option", "Allowed", "Default", "Holds from", "Meaning", "Note")
LEVELS = {Level.BASE: "base", Level.GROUP: "group", Level.USER: "user"}


def text() -> str:
    """The whole document."""
    return "\n".join(_document())


def _document() -> Iterator[str]:
    yield INTRODUCTION
    for section, screen in attributes.SCREENS.items():
        yield from _part(
            screen.title, f"`[{section}]`; `fastpptp {screen.command} show`, `set`.",
            attributes.SECTIONS[section].values(),
        )  # fmt: skip
    yield from _part(
        "Configuration | System | Events | Classes",
        "`[events.classes.CLASS]`; `fastpptp event-class list`, `show`, `set`, `delete`. "
        "A range that is not set is that of Events | General.",
        attributes.EVENT_CLASS,
    )
    for of in LISTS.values():
        yield from _part(
            of.title,
            f"`[{of.table}.{of.metavar}]`; `fastpptp {of.command} list`, `show`, `add`, `set`, "
            f"`move`, `delete`. {of.about}",
            of.attributes.values(),
        )
    yield from _part(
        "Configuration | System | Address Management | Pools",
        "`[[pools]]`, in their order; `fastpptp pool list`, `add`, `set`, `move`, `delete`.",
        attributes.POOL,
    )
    yield from _hours()
    yield from _part(
        "Configuration | Policy Management | Traffic Management | Filters",
        "`[filters.NAME]`; `fastpptp filter list`, `show`, `add`, `set`, `delete`. A group or user "
        "has one as its Filter; what it counts, `show` shows.",
        attributes.FILTER,
    )
    yield from _part(
        "Configuration | Policy Management | Traffic Management | Rules",
        "`[[filters.NAME.rules]]`, the first that concerns a packet decides; `fastpptp filter rule "
        "add`, `set`, `move`, `delete`. A later fragment has no ports: a rule with ports forwards "
        "it by its addresses, or leaves it to a rule that forwards, never to the default action.",
        attributes.RULE,
    )
    yield INHERITANCE
    for level in (Level.GROUP, Level.USER):
        yield from _part(
            f"Identity of a {level.value}",
            f"`[{level.value}s.NAME]`; `fastpptp {level.value} list`, `show`, `add`, `set`, "
            "`copy`, `rename`, `delete`.",
            attributes.IDENTITY[level].values(),
        )
    for tab, declared in attributes.TABS.items():
        yield from _part(
            f"{tab} tab",
            "`[base_group]`, `[groups.NAME]`, `[users.NAME]`; `fastpptp base-group set`, "
            "`group set`, `user set`.",
            declared,
        )


def _hours() -> Iterator[str]:
    yield "## Configuration | Policy Management | Access Hours\n"
    yield (
        "`[access_hours]`: `NAME = [...]`, a list of "
        f"{ALLOWED}; `fastpptp hours list`, `show`, `add`, `set`, `delete`. "
        f"Built in: {', '.join(BUILT_IN)}. A change holds from the next session.\n"
    )


def _part(title: str, where: str, declared: Iterable[Attribute]) -> Iterator[str]:
    rows = list(declared)
    inherited = any(attribute.name in attributes.at(Level.GROUP) for attribute in rows)
    columns = (*COLUMNS[:5], "Levels", *COLUMNS[5:]) if inherited else COLUMNS
    yield f"{'###' if rows[0].levels else '##'} {title}\n"
    yield f"{where}\n"
    yield _row(columns)
    yield "|" + "---|" * len(columns)
    for attribute in rows:
        yield _row(_cells(attribute, inherited))
    yield ""


def _cells(attribute: Attribute, inherited: bool) -> Iterator[str]:
    yield attribute.label
    yield f"`{attribute.name}`"
    yield f"`{attribute.option}`"
    yield attribute.kind.allowed
    yield _default(attribute)
    if inherited:
        yield ", ".join(word for level, word in LEVELS.items() if level in attribute.levels)
    yield attribute.touches.words
    yield attribute.help
    yield attribute.note


def _default(attribute: Attribute) -> str:
    if attribute.default == "" or attribute.kind.secret:
        return str(attribute.default)  # one that everybody has is no secret
    return attribute.kind.shown(attribute.default)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
