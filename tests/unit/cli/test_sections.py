"""fastpptp pptp, system, assignment, event-general and event-class."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpptp.settings import attributes
from fastpptp.settings.kinds import MASK
from tests.unit.cli.conftest import Installation


def test_every_section_has_a_screen() -> None:
    assert attributes.SECTIONS.keys() == attributes.SCREENS.keys()


@pytest.mark.parametrize("section", attributes.SECTIONS)
def test_options_and_screens_come_from_the_declarations(
    installed: Installation, section: str
) -> None:
    noun = attributes.SCREENS[section].command
    said = " ".join(installed.done(noun, "set", "--help").split())
    shown = installed.json(noun, "show")
    for name, attribute in attributes.SECTIONS[section].items():
        assert attribute.option in said
        assert shown[name] == {"value": attribute.default, "source": "default"}
    assert f"\n{attributes.SCREENS[section].title}\n" in installed.done(noun, "show")


def test_help_has_range_and_default(installed: Installation) -> None:
    said = " ".join(installed.done("pptp", "set", "--help").split())
    assert (
        "Acknowledgement Delay: how long an acknowledgement waits for data to ride on. Allowed: "
        "50 to 5000 ms, 0 = at once. Default: 500 ms."
    ) in said


def test_set_and_reset(installed: Installation) -> None:
    said = installed.done("pptp", "set", "--enabled", "no", "--max-tunnels", "5")
    assert said == (
        "Configuration | System | Tunneling Protocols | PPTP changed. No headend is running.\n"
    )
    assert "Enabled no (set here)" in installed.lines("pptp", "show")
    assert installed.json("pptp", "show")["max_tunnels"] == {"value": 5, "source": "set"}
    installed.done("pptp", "set", "--reset", "enabled", "--reset", "max-tunnels")
    assert "Enabled yes (default)" in installed.lines("pptp", "show")


def test_event_classes(installed: Installation) -> None:
    installed.done("event-general", "set", "--console", "1-4")
    assert "Enable no (default)" in installed.lines("event-class", "show", "PPTP")
    installed.done("event-class", "set", "PPTP", "--log", "1-13")
    assert installed.json("event-class", "list") == {"PPTP": {"log": "1-13"}}
    assert "PPTP log 1-13" in installed.lines("event-class", "list")
    shown = installed.lines("event-class", "show", "PPTP")
    assert "Severity to Log 1-13 (set here)" in shown
    assert "Severity to Console 1-4 (from event-general)" in shown
    installed.done("event-class", "delete", "PPTP")
    assert installed.json("event-class", "list") == {}


def test_a_secret_is_shown_to_nobody(installed: Installation, tmp_path: Path) -> None:
    """Not by screens, lists, the history, previews or the store; an export has it in the clear."""
    file = tmp_path / "community"
    file.write_text("s3cret-read\nmore\n")
    told = installed.done(
        "snmp", "set", "--read-community-file", str(file), "--write-community", "s3cret-write",
        "--enabled", "yes",
    )  # fmt: skip
    assert installed.json("snmp", "show")["read_community"] == {"value": MASK, "source": "set"}
    assert installed.json("config", "list", "snmp")["snmp.write_community"] == MASK
    told += installed.done("snmp", "show")
    told += installed.done("config", "list")
    told += installed.done("config", "history", "--json")
    told += installed.done("snmp", "set", "--read-community", "s3cret-third", "--dry-run")
    told += installed.failed(4, "snmp", "set", "--read-community", "s3cret" * 6)
    assert "s3cret" not in told
    assert "Read Community ******** (set here)" in installed.lines("snmp", "show")
    for kept in installed.state.rglob("*"):
        assert not kept.is_file() or b"s3cret" not in kept.read_bytes(), kept
    exported = installed.done("config", "export")
    assert 'read_community = "s3cret-read"' in exported
    installed.done("snmp", "set", "--read-community", "none")
    assert "Read Community none (set here)" in installed.lines("snmp", "show")


def test_a_secret_is_given_once(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "community"
    file.write_text("public\n")
    said = installed.failed(
        2, "snmp", "set", "--read-community", "x", "--read-community-file", str(file)
    )
    assert "Give one of --read-community, --read-community-file." in said
