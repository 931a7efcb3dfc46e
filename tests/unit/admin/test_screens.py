"""What the screens say, in the product's words."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import pytest

from fastpptp.admin.workers import worker_seconds
from fastpptp.cli import detail
from tests.unit.admin.test_api import Served, pass_traffic, run
from tests.unit.dataplane.test_workers import farm
from tests.unit.server.support import link_config, until


def test_the_detail_has_the_words_of_the_lists(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await pass_traffic(made, rx_octets=12_345, flow=1)
        code, said = await made.cli("session", "1")
        assert code == 0
        told = dict(re.split(r":\s+", line, maxsplit=1) for line in said.splitlines())
        titles = (await made.cli("sessions"))[1].splitlines()[0]
        listed = re.split(r"\s{2,}", titles)
        assert list(told)[:10] == [*listed[:9], "Compression"]
        assert [told[name] for name in ("Public IP", "Assigned IP", "Authentication")] == [
            "127.0.0.1", "172.16.1.10", "MSCHAP-V2",
        ]  # fmt: skip
        assert (told["Encryption"], told["Compression"]) == ("MPPE 128-bit stateless", "None")
        assert (told["Rx Octets"], told["Flow"]) == ("12345", "Local")
        assert {"Server Address", "Local Call ID", "Local PPD", "Tx ZLB"} <= told.keys()
        clear = await made.ask(made.client.session, 1) | {"encryption": None}
        assert dict(detail.fields(clear))["Encryption"] == "None"

    run(tmp_path, test)


def test_counts_by_cause_follow_the_reset(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await made.cli("logout", "1")
        await until(lambda: not made.rig.headend.manager.holdings()["closing_calls"])
        await made.rig.dial(link_config(user="nobody"))
        await until(lambda: made.rig.headend.statistics().logins_failed)

        async def counted() -> dict[str, str]:
            said = (await made.cli("statistics"))[1].partition("\nSince the installation\n")[0]
            return dict(re.split(r":\s+", line, maxsplit=1) for line in said.splitlines())

        told = await counted()
        assert (told["Ended, admin-logout"], told["Logins failed, user-not-found"]) == ("1", "1")
        await made.cli("statistics", "--reset")
        assert "Ended, admin-logout" not in await counted()
        await made.rig.dial(link_config(user="nobody"))
        await until(lambda: made.rig.headend.statistics().logins_failed.total() == 2)
        assert (await counted())["Logins failed, user-not-found"] == "1"

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("classes", "ppp"), [("pptp", False), ("PPTP, PPP", True), ("Pptp,ppp", True)]
)
def test_classes_in_any_case(tmp_path: Path, classes: str, ppp: bool) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        code, said = await made.cli("events", "--class", classes)
        told = [cls in said for cls in (" PPTP/", " PPP/", " AUTH/")]
        assert (code, told) == (0, [True, ppp, False])

    run(tmp_path, test)


def test_pages_end_where_the_log_does(tmp_path: Path) -> None:
    """A log of a million events has more pages than one page may have events."""

    async def test(made: Served) -> None:
        await made.rig.dial_up()
        code, said = await made.cli("events", "--per-page", "1", "--page", "20000")
        last = (await made.cli("events", "--per-page", "1", "--page", "last"))[1]
        assert (code, said) == (0, last)

    run(tmp_path, test)


def test_workers_count_from_1_as_their_cards_do(tmp_path: Path) -> None:
    with farm(2) as (dataplane, _, _):
        dataplane.start()
        assert worker_seconds().keys() == {"1", "2"}
        dataplane.stop()

    async def test(made: Served) -> None:
        await made.rig.dial_up()
        found = await made.ask(made.client.session, 1)
        assert found["worker"] == 1  # there is one

    run(tmp_path, test)


def test_what_is_ending_is_not_logged_out_again(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        made.rig.receivers.clear()  # its LCP Terminate-Request is not answered
        assert await made.cli("logout", "1") == (0, "1 session ended.\n")
        code, said = await made.cli("logout", "1", "7")
        assert (code, said.splitlines()) == (1, [
            "0 sessions ended.", "fastpptp: session 1 is ending already", "there is no session 7",
        ])  # fmt: skip
        assert await made.cli("logout", "--all") == (0, "0 sessions ended.\n")
        assert made.rig.texts("CONFIG") == ["CONFIG/104"]

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "head"),
    [
        (("sessions", "--watch"), b"User  "),
        (("top", "--interval", "0.2"), b"  sessions 1 (peak 1)"),
    ],
    ids=lambda words: str(words[0]),
)
def test_screens_come_through_a_pipe_one_by_one(
    tmp_path: Path, words: tuple[str, ...], head: bytes
) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        process = await started(made, *words, stdout=PIPE)
        assert process.stdout is not None
        seen = 0
        while seen < 2:
            seen += head in await asyncio.wait_for(process.stdout.readline(), 20)
        process.send_signal(signal.SIGINT)
        assert b"Traceback" not in (await process.communicate())[0]
        assert process.returncode == 0

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ((), ["ID", "User", "Public IP", "Assigned IP", "Encryption", "Duration", "Rx", "Tx"]),
        (("--columns", "user,group"), ["User", "Group"]),
    ],
)
def test_a_narrow_terminal_has_whole_columns(
    tmp_path: Path, words: tuple[str, ...], titles: list[str]
) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        process = await started(made, "sessions", "--watch", *words, stdout=its)
        os.close(its)
        os.set_blocking(ours, False)
        said = b""

        def read() -> bytes:
            nonlocal said
            with suppress(BlockingIOError):
                said += os.read(ours, 65536)
            return said

        await until(lambda: b"pptpuser" in read(), timeout=20)
        process.send_signal(signal.SIGINT)
        await process.wait()
        os.close(ours)
        text = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", said.decode())
        (line,) = [line for line in text.splitlines() if "User" in line]
        assert re.split(r"\s{2,}", line.strip()) == titles
        assert "…" not in text

    run(tmp_path, test)


async def started(made: Served, *words: str, stdout: int) -> Process:
    """A command as a process of its own, which SIGINT ends though it may be ignored here."""
    return await asyncio.create_subprocess_exec(
        "env", "--default-signal=INT",
        sys.executable, "-m", "fastpptp", *words, "--state-dir", str(made.path.parent),
        stdin=DEVNULL, stdout=stdout, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
