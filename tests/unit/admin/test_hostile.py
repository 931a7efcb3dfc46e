"""Names that peers choose and words that administrators mistype: nothing forges a line, drives a
terminal or ends in a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.server.support import link_config, until

from .test_api import Served, run

# What must not come out as it is: C0, DEL, C1, line and paragraph separators, bidi controls.
HEAD = re.compile(r"^\d+ \d\d/\d\d/\d{4} ", re.MULTILINE)
FORBIDDEN = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

HOSTILE = [
    "root\n1 01/01/2026 00:00:00.000 SEV=1 AUTH/22 RPT=1\nUser [root] Group [x] connected",
    "a\r\nb",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "\x9b31m",
    "nul\0inside",
    "\u202eetihw\u2066",
    "\u2028next",
    "tab\tbed",
    "]['\"<>&;`$(reboot)",
    "{user} {0} %s %n",
    "=cmd|'/C calc'!A0",
    "\xff\xfe",
    "n" * 255,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_on_its_line(tmp_path: Path, name: str) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial(link_config(user=name))
        await until(lambda: "PPP/9" in made.rig.texts())
        await made.rig.dial_up()
        for words in (
            ("events",), ("events", "--newest-first", "--page", "1"), ("sessions",),
            ("sessions", "--ended"), ("top", "--count", "1"), ("statistics", "pptp"),
        ):  # fmt: skip
            code, said = await made.cli(*words)
            assert code == 0, said
            assert not FORBIDDEN.search(said), words
        code, said = await made.cli("events", "--json")
        events = json.loads(said)
        assert not FORBIDDEN.search("".join(e["text"] for e in events))
        assert len(HEAD.findall((await made.cli("events"))[1])) == len(events)

    run(tmp_path, test)


MISTYPED = {
    "group": ["\udcff"],
    "client": ["1.2.3.4\n", "::1", "999.1.1.1", "", "1.2.3.4/8"],
    "severity": ["", "1-", "-1", "13-1", "0-5", "14", "9" * 5000, "1,,2"],
    "class": ["PPTP,", "pptp'", "\udcff", "\x1b[31m"],
    "page": ["0", "9" * 40, "\udcff"],
}


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, values in MISTYPED.items() for value in values],
)
def test_what_is_wrong_is_told(tmp_path: Path, option: str, value: str) -> None:
    async def test(made: Served) -> None:
        code, said = await made.cli("events", f"--{option}", value)
        assert code in (2, 4), said
        assert option in said or "not UTF-8" in said
        assert not FORBIDDEN.search(said)

    run(tmp_path, test)


@pytest.mark.parametrize(
    "words",
    [("debug",), ("sessions",), ("logout",), ("events",), ("trace", "--pcap", "-")],
    ids=lambda words: str(words[0]),
)
def test_a_name_that_is_not_utf_8_is_refused_alike(tmp_path: Path, words: tuple[str, ...]) -> None:
    async def test(made: Served) -> None:
        code, said = await made.cli(*words, "--user", "\udcff")
        assert (code, said.splitlines()[-1]) == (2, "Error: an argument is not UTF-8: \\udcff")
        assert await made.ask(made.client.debugged) == []

    run(tmp_path, test)


def test_what_is_only_odd_finds_nothing(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        for value in ("%", "' OR 1=1 --", "x" * 2000):
            assert await made.cli("events", "--group", value, "--json") == (0, "[]\n")
        code, said = await made.cli("events", "--group", "x" * 60_000)
        assert (code, said.count("\n")) == (1, 1)
        assert "longer than the headend takes" in said

    run(tmp_path, test)
