"""docs/settings.md, and what every declaration must say for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpptp.settings import attributes, reference
from fastpptp.settings.entries import LISTS
from tests.unit.settings.test_kinds import EVERY

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def test_it_is_not_stale() -> None:
    assert DOCUMENT.read_text() == reference.text(), "run `make docs`"


@pytest.mark.parametrize("attribute", EVERY, ids=lambda a: a.name)
def test_every_setting_is_in_it_and_explained(attribute: attributes.Attribute) -> None:
    assert attribute.help
    assert f"| {attribute.label} | `{attribute.name}` | `{attribute.option}` |" in reference.text()


def test_every_list_is_in_it() -> None:
    for table, of in LISTS.items():
        assert f"`[{table}.{of.metavar}]`; `fastpptp {of.command} list`" in reference.text()
        for attribute in of.attributes.values():
            assert attribute.help
            assert f"| {attribute.label} | `{attribute.name}` |" in reference.text()


def test_every_section_is_in_it() -> None:
    for section, screen in attributes.SCREENS.items():
        assert f"`[{section}]`; `fastpptp {screen.command} show`" in reference.text()
