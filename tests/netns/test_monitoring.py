"""Throughput, the live screen and pings through the tunnel, with a client that is really up."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER = "192.0.2.1"
WAIT = 20.0


@pytest.fixture
def site(hosts: Hosts, tmp_path: Path) -> Iterator[tuple[Headend, Host]]:
    """A headend, and the host of alice, who is up."""
    server, client = hosts.add("server"), hosts.add("client")
    hosts.join(server, f"{SERVER}/24", client, "192.0.2.2/24")
    with Headend(server, tmp_path / "state", SERVER) as headend:
        headend.configure(["MSCHAPv2"], ["Required", "128-bit"])
        client.start(
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", "alice",
            "--password", "secret12",
        )  # fmt: skip
        headend.wait(lambda: [r["state"] for r in headend.sessions()] == ["up"], "has no session")
        yield headend, client


def test_ping_a_client(site: tuple[Headend, Host]) -> None:
    headend, _ = site
    found = headend.json("ping-client", "alice", "--count", "3", "--interval", "0.1")
    assert (found["address"], found["server_address"]) == ("172.16.1.10", INNER)
    assert (found["sent"], found["received"]) == (3, 3)
    assert all(0 < rtt < 2000 for rtt in found["rtt_ms"])
    assert "1 sent, 1 received; min/avg/max" in headend.cli("ping-client", "1", "--count", "1")


def test_top_by_throughput(site: tuple[Headend, Host]) -> None:
    headend, client = site
    flood = client.start("ping", "-q", "-i", "0.02", "-s", "1000", "-w", "10", INNER)
    (row,) = headend.json("sessions", "--top", "throughput")
    flood.terminate()
    assert row["rx_rate"] > 50_000
    assert row["throughput"] == row["rx_rate"] + row["tx_rate"]


def read_until(terminal: int, text: str) -> str:
    """What the screen was sent until this came."""
    seen, end = "", time.monotonic() + WAIT
    while text not in seen:
        assert time.monotonic() < end, seen[-2000:]
        seen += os.read(terminal, 65_536).decode(errors="replace")
    return seen


def test_the_live_screen(site: tuple[Headend, Host]) -> None:
    """On 80x24, with keys; the terminal is as before when it has ended."""
    headend, _ = site
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    before = termios.tcgetattr(inside)
    process = subprocess.Popen(
        headend.host.command(headend.command("top", "--interval", "0.3")),
        stdin=inside, stdout=inside, stderr=inside, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    try:
        shown = read_until(terminal, "by throughput")
        for text in ("sessions 1 (peak 1)", "CPU of workers  1: ", "Dropped", "172.16.1.10"):
            assert text in shown
        os.write(terminal, b"s")
        read_until(terminal, "by data")
        os.write(terminal, b"q")
        assert process.wait(WAIT) == 0
        assert termios.tcgetattr(inside) == before
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inside)
