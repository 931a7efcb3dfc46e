"""Debug at run time over the control API and by the command line, into the event log."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fastpptp.admin.client import AdminError
from fastpptp.manager.debugging import MOST_ORDERS
from fastpptp.store.history import this_process
from tests.unit.admin.test_api import Served, run
from tests.unit.server.support import link_config

CLASSES = "PPTPDBG,PPTPDECODE,PPPDBG,PPPDECODE,AUTHDBG,AUTHDECODE"


async def logged(made: Served, classes: str = CLASSES) -> list[dict[str, Any]]:
    found = await made.ask(made.client.events, **{"class": classes, "per_page": 10_000})
    events: list[dict[str, Any]] = found["events"]
    return events


def test_it_reaches_the_log_whatever_the_policy_says(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        assert await logged(made) == []
        order = await made.ask(made.client.debug, address="127.0.0.1")
        assert (order["severity"], order["seconds_left"]) == (13, 600)
        await made.rig.dial_up()
        found = await logged(made)
        assert {event["class"] for event in found} == set(CLASSES.split(","))
        assert {event["severity"] for event in found} == set(range(7, 14))
        assert {event["client"] for event in found} == {"127.0.0.1"}
        dumps = [event["text"].split("\n") for event in found if event["severity"] == 13]
        assert all(lines[1].startswith("0000  ") for lines in dumps)
        ended = await made.ask(made.client.end_debug)
        assert [order["address"] for order in ended] == ["127.0.0.1"]
        before = len(await logged(made))
        await made.rig.dial_up()
        assert len(await logged(made)) == before

    run(tmp_path, test)


def test_everybody_is_told_who_did_it(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        code, said = await made.cli("debug", "--user", "pptpuser", "--minutes", "5")
        assert code == 0
        assert said.startswith("Debug of user pptpuser at severity 13 is on until 20")
        await made.cli("debug", "--off", "--user", "pptpuser")
        texts = [event["text"] for event in await logged(made, "CONFIG")]
        who = this_process()
        until = said.split()[-1].rstrip(".")
        assert datetime.fromisoformat(until).tzinfo is not None
        assert texts == [
            f"Debug of user [pptpuser] at severity 13 is on until {until}, by {who}",
            f"Administrator {who}: debug of user [pptpuser] for 5 minutes",
            f"Debug of user [pptpuser] by {who} is off: ended by {who}",
            f"Administrator {who}: debug of user [pptpuser] ended",
        ]
        assert {e["severity"] for e in await logged(made, "CONFIG")} == {3, 4}

    run(tmp_path, test)


def test_a_users_alone(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.ask(made.client.debug, user="pptpuser", severity=11)
        await made.rig.dial_up()
        await made.rig.dial(link_config(user="nobody"))
        found = await logged(made)
        assert {event["class"] for event in found} >= {"PPPDBG", "PPPDECODE", "AUTHDBG"}
        assert all("nobody" not in event["text"] for event in found)
        assert {event["severity"] for event in found} <= set(range(7, 12))

    run(tmp_path, test)


def test_the_command_lists_and_ends(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        assert await made.cli("debug") == (0, "Nobody is debugged.\n")
        assert await made.cli("debug", "--off") == (0, "Nobody was debugged.\n")
        await made.cli("debug", "--user", "alice", "--severity", "9")
        await made.cli("debug", "--address", "192.0.2.0/24")
        code, said = await made.cli("debug")
        head, first, second = said.splitlines()
        assert code == 0
        assert head.split() == ["User", "Address", "Severity", "Until", "Left", "By"]
        assert first.split()[0] == "alice"
        assert "192.0.2.0/24" in second
        listed = json.loads((await made.cli("debug", "--json"))[1])
        assert [(o["user"], o["address"], o["severity"]) for o in listed] == [
            ("alice", None, 9),
            (None, "192.0.2.0/24", 13),
        ]
        assert await made.cli("debug", "--off", "--address", "192.0.2.0/24") == (
            0, "Debug of address 192.0.2.0/24 is off.\n",
        )  # fmt: skip
        assert await made.cli("debug", "--off") == (0, "Debug of user alice is off.\n")

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--user", "a", "--address", "192.0.2.1"), 2, "Say who: --user or --address."),
        (("--minutes", "5"), 2, "Say who is to be debugged"),
        (("--off", "--minutes", "5"), 2, "--off goes with --user or --address alone."),
        (("--user", "a", "--severity", "14"), 2, "14 is not in the range 1<=x<=13"),
        (("--user", "a", "--minutes", "0"), 2, "0 is not in the range 1<=x<=1440"),
        (("--address", "nowhere"), 4, "address: 'nowhere' is not valid (allowed: an IPv4 address"),
        (("--user", ""), 4, "user: '' is not valid"),
    ],
)
def test_wrong_words(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    async def test(made: Served) -> None:
        found, output = await made.cli("debug", *words)
        assert (found, said in output) == (code, True), output
        assert await made.ask(made.client.debugged) == []

    run(tmp_path, test)


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"user": "a", "address": "192.0.2.1"}', b'{"user": "a", "colour": 1}',
     b'{"user": 5}', b'{"user": null}', b'{"user": "a", "minutes": "5"}', b'{"user": "\\udcff"}'],
)  # fmt: skip
def test_wrong_requests(tmp_path: Path, body: bytes) -> None:
    async def test(made: Served) -> None:
        head = b"POST /v1/debug HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
        status, answer = await made.raw(head + str(len(body)).encode() + b"\r\n\r\n" + body)
        assert status == 422
        assert answer["problems"]
        assert await made.ask(made.client.debugged) == []

    run(tmp_path, test)


def test_there_is_a_bound(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        for number in range(MOST_ORDERS):
            made.rig.headend.start_debug(f"user{number}", None, 13, 60.0, "soon", "root")
        with pytest.raises(AdminError, match="32 users and addresses"):
            await made.ask(made.client.debug, user="one more")

    run(tmp_path, test)
