from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Installation


def test_export_and_import(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "out.toml"
    installed.done("user", "add", "alice", "--password", "secret12")
    installed.done("config", "export", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = installed.done("config", "export")
    assert file.read_text() == text
    installed.done("user", "delete", "alice")
    installed.done("config", "import", str(file), "--yes")
    assert installed.done("config", "export") == text


def test_import_from_standard_input(installed: Installation) -> None:
    installed.done("config", "import", "-", "--yes", stdin="[pptp]\nmax_tunnels = 7\n")
    assert installed.json("config", "list", "pptp")["pptp.max_tunnels"] == 7
    assert installed.json("user", "list") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pptp\n", ":1:6: Expected ']' at the end of a table declaration (TOML syntax)\n"),
        ("[pptp]\nmax_tunels = 1\n", "pptp.max_tunels: unknown key (did you mean max_tunnels?)"),
        (
            "[pptp]\npacket_window_size = 9999\nenabled = 3\n",
            "pptp.packet_window_size: 9999 is not valid (allowed: 0 to 32 packets)\n"
            "pptp.enabled: 3 is not valid (allowed: true or false)\n",
        ),
    ],
)
def test_a_wrong_file_changes_nothing(
    installed: Installation, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    before = installed.done("config", "export")
    for command in ("check", "diff", "import"):
        assert said in installed.failed(4, "config", command, str(file))
    assert installed.done("config", "export") == before


@pytest.fixture
def changed(installed: Installation, tmp_path: Path) -> Path:
    """A file that changes a limit and a password."""
    file = tmp_path / "new.toml"
    text = installed.done("config", "export").replace("cisco123", "another12")
    file.write_text(f"{text}\n[pptp]\nmax_tunnels = 7\n")
    return file


CHANGES = (
    "pptp.max_tunnels: 0 (unlimited), default -> 7  (now)\n"
    "users.pptpuser.password: ******** -> ********  (next session)\n"
)


class TestImport:
    def test_changes_are_shown_and_confirmed(self, installed: Installation, changed: Path) -> None:
        assert installed.done("config", "diff", str(changed)) == CHANGES
        assert installed.done("config", "import", str(changed), "--dry-run") == CHANGES
        said = installed.done("config", "import", str(changed), stdin="y\n")
        assert said.startswith(f"{CHANGES}Import {changed}? [y/N]: y\n")
        assert said.endswith(f"{changed} imported. No headend is running.\n")
        assert installed.json("pptp", "show")["max_tunnels"] == {"value": 7, "source": "set"}
        assert installed.done("config", "diff", str(changed)) == "Nothing would change.\n"

    def test_no_is_no(self, installed: Installation, changed: Path) -> None:
        before = installed.done("config", "export")
        for answer in ("n\n", "\n", ""):
            assert installed.run("config", "import", str(changed), stdin=answer).exit_code == 1
        assert installed.done("config", "export") == before

    def test_where_nobody_can_be_asked(self, installed: Installation, changed: Path) -> None:
        for words in ((str(changed), "--json"), ("-",)):
            said = installed.failed(2, "config", "import", *words, stdin=changed.read_text())
            assert "then use --yes" in said
        assert installed.json("config", "import", str(changed), "--yes")["changes"] == [
            {
                "path": "pptp.max_tunnels", "old": "0 (unlimited), default", "new": "7",
                "touches": "now",
            },
            {
                "path": "users.pptpuser.password", "old": "********", "new": "********",
                "touches": "next session",
            },
        ]  # fmt: skip

    def test_what_was_changed_meanwhile_is_not_lost(
        self, installed: Installation, changed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def somebody_else(text: str, **words: object) -> None:
            installed.done("user", "add", "alice", "--password", "secret12")

        monkeypatch.setattr("click.confirm", somebody_else)
        assert installed.failed(1, "config", "import", str(changed)) == (
            "fastpptp: the configuration was changed meanwhile: look at the changes again\n"
        )
        assert len(installed.json("user", "list")) == 2

    def test_passwords_that_stand_are_not_judged_anew(
        self, installed: Installation, tmp_path: Path
    ) -> None:
        file = tmp_path / "old.toml"
        installed.done("base-group", "set", "--minimum-password-length", "20")
        file.write_text(installed.done("config", "export"))
        installed.done("config", "import", str(file), "--yes")
        assert "the password has 8 characters" in installed.failed(4, "config", "check", str(file))


def test_errors_in_json(installed: Installation) -> None:
    said = json.loads(installed.failed(4, "config", "set", "pptp.max_tunels", "1", "--json"))
    assert said["problems"] == [
        {
            "where": "pptp.max_tunels",
            "what": "unknown key",
            "remedy": "did you mean max_tunnels?",
        }
    ]


def test_check_says_that_it_is_right(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "right.toml"
    file.write_text(installed.done("config", "export"))
    assert installed.done("config", "check", str(file)) == f"{file} is a valid configuration.\n"
    assert installed.json("config", "check", str(file)) == {"users": 1, "groups": 1, "pools": 1}


@pytest.mark.parametrize(
    ("key", "value", "kept", "after"),
    [
        ("pptp.max_tunnels", "7", 7, 0),
        ("base_group.idle_timeout", "0", 0, 30),
        ("events.log", "1-9", "1-9", "1-5"),
        ("assignment.from_client", "yes", True, False),
    ],
)
def test_set_and_reset(
    installed: Installation, key: str, value: str, kept: object, after: object
) -> None:
    installed.done("config", "set", key, value)
    assert installed.json("config", "list")[key] == kept
    installed.done("config", "reset", key)
    assert installed.json("config", "list")[key] == after


def test_event_classes_and_hours(installed: Installation) -> None:
    installed.done("config", "set", "events.classes.PPTP.log", "1-13")
    installed.done("config", "set", "access_hours.shop", "Mon-Fri 09:00-17:00; Sat 09:00-12:00")
    installed.done("user", "set", "pptpuser", "--access-hours", "shop")
    text = installed.done("config", "export")
    assert 'log = "1-13"' in text
    assert "Sat 09:00-12:00" in text
    installed.done("config", "set", "events.classes.PPTP.console", "1-4")
    installed.done("config", "reset", "events.classes.PPTP.log")
    installed.done("config", "reset", "events.classes.PPTP")
    installed.done("user", "set", "pptpuser", "--inherit", "access-hours")
    installed.done("config", "reset", "access_hours.shop")
    assert "PPTP" not in installed.done("config", "export").replace("MSCHAP", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "nowhere.key", "1"), "fastpptp: nowhere.key: unknown key"),
        (("set", "pptp.max_tunnels", "x"), "'x' is not valid (allowed: 0 to 65535, 0 = unlimited"),
        (("reset", "events.classes.NONE.log"), "events.classes.NONE"),
        (("list", "nowhere"), "fastpptp: nowhere: unknown key"),
    ],
)
def test_wrong_keys(installed: Installation, words: tuple[str, ...], said: str) -> None:
    assert said in installed.failed(4, "config", *words)


def test_a_change_says_when_it_holds(installed: Installation) -> None:
    said = installed.json("config", "set", "pptp.max_tunnels", "3")
    assert said == {
        "changed": "pptp.max_tunnels is set.",
        "takes_effect": "now",
        "revision": 3,
        "headend": "not running",
        "changes": [
            {
                "path": "pptp.max_tunnels",
                "old": "0 (unlimited), default",
                "new": "3",
                "touches": "now",
            }
        ],
    }
