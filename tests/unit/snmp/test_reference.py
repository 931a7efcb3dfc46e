"""docs/snmp.md and docs/mibs, and what every declaration must say for them."""

from __future__ import annotations

from pathlib import Path

from fastpptp.events.catalogue import CLASSES
from fastpptp.snmp import reference
from fastpptp.snmp.mib import Branch, Column, Scalar
from fastpptp.snmp.objects import GROUPS
from fastpptp.snmp.objects.event import CLASS_NUMBERS

DOCS = Path(__file__).resolve().parents[3] / "docs"


def objects() -> list[Scalar | Column]:
    found: list[Scalar | Column] = []
    for group in GROUPS:
        for part in group.parts:
            found += part.scalars if isinstance(part, Branch) else part.columns
    return found


def test_they_are_not_stale() -> None:
    assert (DOCS / "snmp.md").read_text() == reference.document(), "run `make docs`"
    assert (DOCS / "mibs" / "FASTPPTP-MIB.txt").read_text() == reference.mib(), "run `make docs`"


def test_every_object_is_in_them_once_and_explained() -> None:
    names = [thing.name for thing in objects()]
    assert len(set(names)) == len(names)
    for thing in objects():
        assert thing.help
        assert f"| {thing.number} | `{thing.name}` |" in reference.document()
        if thing.name.startswith("al"):
            assert f"\n{thing.name} OBJECT-TYPE\n" in reference.mib()


def test_every_class_of_events_has_a_number() -> None:
    """A new one gets the next, in snmp/objects/event.py; those that there are do not change."""
    assert set(CLASSES) <= set(CLASS_NUMBERS)
    assert sorted(CLASS_NUMBERS.values()) == list(range(1, len(CLASS_NUMBERS) + 1))
