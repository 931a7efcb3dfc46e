"""What a person reads when something is missing: golden texts, exit codes, no tracebacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fastpptp.cli import cli
from tests.unit.cli.conftest import Installation


def test_no_store(empty: Installation) -> None:
    assert empty.failed(3, "user", "list") == (
        f"fastpptp: there is no store at {empty.state}/fastpptp.db\nrun `fastpptp init`\n"
    )


def test_no_key(installed: Installation) -> None:
    (installed.state / "fastpptp.key").unlink()
    assert installed.failed(3, "user", "list") == (
        f"fastpptp: key file {installed.state}/fastpptp.key does not exist\n"
        "restore it from a backup: passwords cannot be read without it. "
        "For a new installation run `fastpptp init`\n"
    )


def test_the_key_of_another_store(installed: Installation) -> None:
    key = installed.state / "fastpptp.key"
    key.write_text("00" * 32 + "\n")
    said = installed.failed(3, "user", "list")
    assert said.startswith(f"fastpptp: key file {key} is not the key of this store\n")


def test_a_key_that_others_can_read(installed: Installation) -> None:
    key = installed.state / "fastpptp.key"
    key.chmod(0o644)
    said = installed.failed(4, "user", "list")
    assert said == f"fastpptp: {key}: mode 0644 lets others read the key (chmod 600 {key})\n"


def test_a_store_that_is_none(installed: Installation) -> None:
    store = installed.state / "fastpptp.db"
    whole = store.read_bytes()
    backup = "put a backup in its place: fastpptp config restore FILE\n"
    for content, why in (
        (b"no database" * 10_000, "file is not a database"),
        (whole[:12_000], "database disk image is malformed"),
    ):
        store.write_bytes(content)
        assert installed.failed(3, "config", "export") == (
            f"fastpptp: store sqlite:///{store}: {why}\n{backup}"
        )
    store.unlink()
    store.mkdir()
    assert installed.failed(3, "user", "list") == (
        f"fastpptp: store {store}: is a directory\nname a file\n"
    )


@pytest.mark.parametrize(
    "words",
    [("sessions",), ("session", "1"), ("logout", "--all"), ("events",), ("statistics",),
     ("reload",)],
)  # fmt: skip
def test_no_headend(installed: Installation, words: tuple[str, ...]) -> None:
    assert installed.failed(3, *words) == (
        f"fastpptp: no headend is running: nothing answers on {installed.state}/admin.sock\n"
        "Start it with `fastpptp serve`, or name its state directory with --state-dir.\n"
    )


@pytest.mark.parametrize("words", [("logout",), ("logout", "1", "--all")])
def test_logout_wants_to_know_whom(installed: Installation, words: tuple[str, ...]) -> None:
    assert "Say whom" in installed.failed(2, *words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen = 5\n", "listen: 5 is not valid (allowed: a list of IPv4 addresses"),
        ("prot = 1\n", "prot: unknown key (did you mean port?)"),
        ("port = \n", ":1:8: Invalid value (TOML syntax)"),
    ],
)
def test_a_wrong_bootstrap_file(
    installed: Installation, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "fastpptp.toml"
    file.write_text(text)
    assert said in installed.failed(4, "user", "list", "--config", str(file))


def test_a_wrong_bootstrap_file_and_no_headend(empty: Installation, tmp_path: Path) -> None:
    file = tmp_path / "fastpptp.toml"
    file.write_text("prot = 1\n")
    said = empty.failed(4, "reload", "--config", str(file))
    assert said == f"fastpptp: {file}: prot: unknown key (did you mean port?)\n"


def test_a_missing_bootstrap_file(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    assert installed.failed(3, "user", "list", "--config", str(file)) == (
        f"fastpptp: {file} does not exist\nname an existing file\n"
    )


def test_a_bootstrap_file_places_the_store(empty: Installation, tmp_path: Path) -> None:
    file = tmp_path / "fastpptp.toml"
    file.write_text(f'store = "sqlite:///{tmp_path}/other.db"\nkey_file = "{tmp_path}/other.key"\n')
    empty.done("init", "--config", str(file))
    assert (tmp_path / "other.db").exists()
    assert (tmp_path / "other.key").exists()
    empty.failed(3, "user", "list")


def test_help_says_what_exit_codes_mean() -> None:
    said = CliRunner().invoke(cli, ["--help"]).output
    assert "3 something is unavailable" in " ".join(said.split())


def test_a_file_that_cannot_be_written(installed: Installation, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    for words in (("config", "export"), ("config", "backup")):
        assert installed.failed(3, *words, str(path)) == (
            f"fastpptp: {path}: No such file or directory\nchoose another place\n"
        )


def test_the_systems_errors_have_no_numbers(installed: Installation, tmp_path: Path) -> None:
    (tmp_path / "etc").touch()
    said = installed.failed(1, "install-unit", "--root", str(tmp_path))
    assert said == f"fastpptp: {tmp_path}/etc/systemd/system: Not a directory\n"
