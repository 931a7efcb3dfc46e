"""The command line, run in this process against a store of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fastpptp.cli import cli


class Installation:
    """A state directory and the commands that work on it."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """Any command; the result tells how it ended. A traceback fails the test."""
        result = CliRunner().invoke(
            cli, [*words, "--state-dir", str(self.state)], input=stdin, prog_name="fastpptp"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def done(self, *words: str, stdin: str | None = None) -> str:
        """What a command that must succeed prints."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def json(self, *words: str) -> Any:
        return json.loads(self.done(*words, "--json"))

    def lines(self, *words: str) -> list[str]:
        """The lines that a command prints, each without its columns' spaces."""
        return [" ".join(line.split()) for line in self.done(*words).splitlines()]

    def failed(self, code: int, *words: str, stdin: str | None = None) -> str:
        """What a command that must end with this exit code says."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == code, result.output
        return str(result.stderr)


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "state")


@pytest.fixture
def installed(empty: Installation, new_state: Path) -> Installation:
    shutil.copytree(new_state, empty.state)
    return empty


def names(listed: list[dict[str, object]]) -> list[object]:
    return [entry["name"] for entry in listed]
