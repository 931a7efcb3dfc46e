"""Traces over the control API's socket and by the command line."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.utils import PcapNgReader

from fastpptp.admin.client import AdminError
from fastpptp.errors import ConfigurationError
from fastpptp.ports import Trace, TraceRecord
from fastpptp.trace.pcapng import BlockReader
from tests.unit.admin.test_api import Served, run
from tests.unit.server.support import Rig, until


def copied(rig: Rig, kind: Trace, port: int) -> None:
    """Have the dataplane copy a packet of the only session."""
    (view,) = rig.headend.manager.sessions()
    packet = bytes(IP() / UDP(sport=port))
    record = TraceRecord(view.handle, kind, time.time_ns(), len(packet), 0, 0, 0, packet)
    rig.dataplane.traces.append(record)


def ports(data: bytes) -> list[tuple[str, int]]:
    with PcapNgReader(io.BytesIO(data)) as found:
        return [(one.sniffed_on, one[UDP].sport) for one in found if UDP in one]


def outer_packets(data: bytes) -> int:
    """How many a file has that is still written."""
    reader = BlockReader()
    reader.feed(data)
    return reader.packets.get(0, 0)


async def traced(api: Served) -> None:
    await until(lambda: bool(api.rig.dataplane.traced))


def test_the_file_comes_as_a_stream_and_ends_when_it_is_told(tmp_path: Path) -> None:
    async def test(api: Served) -> None:
        await api.rig.dial_up()
        (view,) = api.rig.headend.manager.sessions()
        stream = await api.ask(api.client.trace, session=view.id, inner=1)
        assert stream.sessions == 1
        reader = BlockReader()
        reader.feed(await api.ask(stream.read))
        copied(api.rig, Trace.INNER_IN, 7)
        data = await api.ask(stream.read)
        reader.feed(data)
        assert reader.packets == {1: 1}
        await api.ask(api.client.end_trace, stream.number)
        while data := await api.ask(stream.read):
            reader.feed(data)
        stream.close()
        assert reader.dropped == {0: 0, 1: 0}
        assert "[pptpuser]" not in reader.comment
        assert reader.comment.startswith(f"CONFIDENTIAL: packets of session {view.id}, taken by ")
        begun = api.rig.event("CONFIG", 104)
        assert begun.fields["what"] == f"trace of session {view.id} begun"
        assert f"process {os.getpid()}" in begun.fields["who"]
        await until(lambda: "CONFIG/111" in api.rig.texts())
        assert api.rig.event("CONFIG", 111).fields["reason"].startswith("ended by ")

    run(tmp_path, test)


def test_a_client_that_goes_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastpptp.server.tracefile.LOOK", 0.05)

    async def test(api: Served) -> None:
        await api.rig.dial_up()
        stream = await api.ask(api.client.trace, user="pptpuser")
        await api.ask(stream.read)
        stream.close()
        stream._response.close()
        await until(lambda: "CONFIG/111" in api.rig.texts())
        assert api.rig.dataplane.traced == {}

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, "does not say whose"),
        ({"user": "a", "session": 1}, "does not say whose"),
        ({"user": "a", "snap": 63}, "64 to 2048"),
        ({"user": "a", "inner": 2}, "0 or 1"),
        ({"user": "a", "count": 0}, "1 or more"),
        ({"user": "a", "seconds": "nan"}, "up to"),
        ({"user": "a", "size": 100}, "4096 or more"),
        ({"address": "a"}, "IPv4 address"),
        ({"user": "a", "color": "red"}, "not known"),
    ],
)
def test_wrong_words_are_named(tmp_path: Path, words: dict[str, Any], told: str) -> None:
    async def test(api: Served) -> None:
        with pytest.raises(ConfigurationError, match=told):
            await api.ask(api.client.trace, **words)
        assert "CONFIG/104" not in api.rig.texts()

    run(tmp_path, test)


def test_what_is_not_there(tmp_path: Path) -> None:
    async def test(api: Served) -> None:
        with pytest.raises(AdminError, match="there is no session 9"):
            await api.ask(api.client.trace, session=9)
        with pytest.raises(AdminError, match="there is no trace 9"):
            await api.ask(api.client.end_trace, 9)
        assert await api.cli("trace", "--session", "9", "--pcap", str(tmp_path / "f")) == (
            1, "fastpptp: there is no session 9\n",
        )  # fmt: skip
        assert not (tmp_path / "f").exists()

    run(tmp_path, test)


def test_the_command_writes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "alice.pcapng"

    async def test(api: Served) -> None:
        await api.rig.dial_up()
        words = ("trace", "--user", "pptpuser", "--inner", "--count", "2", "--pcap", str(path))
        command = asyncio.create_task(api.cli(*words))
        await traced(api)
        copied(api.rig, Trace.OUTER_IN, 1)
        copied(api.rig, Trace.INNER_IN, 2)
        code, output = await command
        assert code == 0
        assert output.startswith("CONFIDENTIAL: packets of user [pptpuser], taken by ")
        assert "Passwords may be in this file." in output
        assert "1 session traced. Ctrl-C ends.\n" in output
        assert output.endswith(f"{path}: 1 outer and 1 inner packets, 0 lost\n")
        assert ports(path.read_bytes()) == [("outer", 1), ("inner", 2)]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

        code, output = await api.cli(*words)
        assert (code, output) == (
            4, f"fastpptp: {path}: exists (name another file, or replace it with --force)\n",
        )  # fmt: skip
        path.chmod(0o644)
        command = asyncio.create_task(api.cli(*words, "--force", "--json"))
        await traced(api)
        copied(api.rig, Trace.INNER_OUT, 3)
        copied(api.rig, Trace.INNER_OUT, 4)
        code, output = await command
        assert code == 0
        answer = json.loads(output[output.index("{") :])
        assert answer == {"file": str(path), "outer": 0, "inner": 2, "lost": 0}
        assert ports(path.read_bytes()) == [("inner", 3), ("inner", 4)]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    run(tmp_path, test)


def test_whoever_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "f"

    async def test(api: Served) -> None:
        words = ("trace", "--user", "pptpuser", "--count", "1", "--pcap", str(path))
        command = asyncio.create_task(api.cli(*words))
        await until(lambda: api.rig.headend.tracer.active)
        await api.rig.dial_up()
        copied(api.rig, Trace.OUTER_IN, 1)
        code, output = await command
        assert code == 0
        assert "No such session yet: waiting. Ctrl-C ends.\n" in output

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "--session, --user or --address"),
        (("--user", "a", "--session", "1"), 2, "--session, --user or --address"),
        (("--address", "a"), 2, "IPv4 address"),
        (("--user", "a", "--snap", "4000"), 2, "64<=x<=2048"),
        (("--user", "a", "--size", "0.0001"), 2, "0.01<=x"),
    ],
)
def test_wrong_usage(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    async def test(api: Served) -> None:
        found, output = await api.cli("trace", *words, "--pcap", str(tmp_path / "f"))
        assert found == code
        assert told in output

    run(tmp_path, test)


def test_only_a_plain_file_is_written(tmp_path: Path) -> None:
    async def test(api: Served) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        os.mkfifo(tmp_path / "fifo")
        for name in ("link", "fifo"):
            words = ("trace", "--user", "a", "--force", "--pcap", str(tmp_path / name))
            code, output = await api.cli(*words)
            assert code == 4
            assert "is no plain file" in output
        path = tmp_path / "no" / "f"
        assert await api.cli("trace", "--user", "a", "--pcap", str(path)) == (
            3, f"fastpptp: {path}: No such file or directory\nchoose another place\n",
        )  # fmt: skip
        await until(lambda: not api.rig.headend.tracer.active)

    run(tmp_path, test)


def test_a_full_disk_is_told_with_what_the_file_holds(tmp_path: Path) -> None:
    """A process that may write files of 4 KiB alone stands for it: no more goes in."""
    path = tmp_path / "f"

    async def test(api: Served) -> None:
        await api.rig.dial_up()
        process = await asyncio.create_subprocess_exec(
            "prlimit", "--fsize=4096", sys.executable, "-B", "-m", "fastpptp", "trace", "--user",
            "pptpuser", "--inner", "--pcap", str(path), "--state-dir", str(api.path.parent),
            stderr=subprocess.PIPE,
        )  # fmt: skip
        await until(lambda: bool(api.rig.dataplane.traced), timeout=20)
        assert process.stderr is not None
        while b"Ctrl-C ends." not in await process.stderr.readline():
            pass
        copied(api.rig, Trace.OUTER_IN, 1)
        await until(lambda: outer_packets(path.read_bytes()) == 1)
        for number in range(2, 200):
            copied(api.rig, Trace.OUTER_IN, number)
        told = (await process.communicate())[1].decode()
        assert process.returncode == 3
        found = ports(path.read_bytes())
        assert found == [("outer", number) for number in range(1, len(found) + 1)]
        assert told == (
            f"fastpptp: {path}: File too large\n"
            f"it holds {len(found)} outer and 0 inner packets, 0 lost\n"
        )
        await until(lambda: not api.rig.headend.tracer.active)

    run(tmp_path, test)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """As a process of its own, into a pipe: `| wireshark -k -i -`."""

    async def test(api: Served) -> None:
        await api.rig.dial_up()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fastpptp", "trace", "--user", "pptpuser", "--inner",
            "--pcap", "-", "--state-dir", str(api.path.parent),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        await until(lambda: bool(api.rig.dataplane.traced), timeout=20)
        data = await process.stdout.read(1)
        copied(api.rig, Trace.INNER_IN, 5)
        while b"\x06\0\0\0" not in data:
            data += await process.stdout.read(65536)
        process.send_signal(number)
        rest, told = await process.communicate()
        assert process.returncode == 0
        assert told.decode().endswith("Ctrl-C ends.\n0 outer and 1 inner packets, 0 lost\n")
        reader = BlockReader()
        assert reader.feed(data + rest) == data + rest
        assert reader.dropped == {0: 0, 1: 0}
        assert ports(data + rest) == [("inner", 5)]

    run(tmp_path, test)
