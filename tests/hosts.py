"""Test hosts: network namespaces joined by links of their own.

A `Hosts` makes namespaces whose names carry this process's id, so that what a
crashed run left behind is recognized and removed by the next one. Addresses are
from 192.0.2.0/24 and 198.51.100.0/24 (RFC 5737): nothing real is ever a target.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

PREFIX = "fptest"
NETNS = Path("/run/netns")


def missing() -> str:
    """Why test hosts cannot be made here, or an empty string."""
    if os.geteuid() != 0:
        return "test hosts need root"
    if shutil.which("ip") is None:
        return "test hosts need ip (Debian: iproute2)"
    if not Path("/dev/net/tun").exists():
        return "test hosts need /dev/net/tun"
    return ""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def sweep() -> None:
    """Remove the namespaces of test processes that no longer live."""
    if not NETNS.is_dir():
        return
    for entry in NETNS.iterdir():
        match = re.fullmatch(rf"{PREFIX}(\d+)-.*", entry.name)
        if match and not Path("/proc", match[1]).exists():
            subprocess.run(["ip", "netns", "del", entry.name], check=False, capture_output=True)


@dataclass
class Host:
    """One namespace. `run` waits for a command in it, `start` does not."""

    name: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, words: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def run(
        self, *words: str, timeout: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(words), check=check, capture_output=True, text=True, timeout=timeout
        )

    def start(self, *words: str, log: Path | None = None) -> subprocess.Popen[str]:
        if log is None:
            process = subprocess.Popen(
                self.command(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        else:
            with log.open("a") as out:
                process = subprocess.Popen(
                    self.command(words),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
        self.processes.append(process)
        return process

    def link(self, device: str, *words: str) -> None:
        ip("-n", self.name, "link", "set", device, *words)

    def address(self, device: str, cidr: str) -> None:
        ip("-n", self.name, "addr", "add", cidr, "dev", device)
        self.link(device, "up")

    def route(self, *words: str) -> None:
        ip("-n", self.name, "route", "add", *words)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


class Hosts:
    """Context manager that owns namespaces and removes them, whatever happened."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self._count = 0

    def __enter__(self) -> Hosts:
        sweep()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for host in self._hosts.values():
            host.stop()
        for host in self._hosts.values():
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)

    def add(self, label: str) -> Host:
        name = f"{PREFIX}{os.getpid()}-{label}"
        ip("netns", "add", name)
        host = self._hosts[label] = Host(name)
        host.link("lo", "up")
        return host

    def __getitem__(self, label: str) -> Host:
        return self._hosts[label]

    def join(
        self, left: Host, left_cidr: str, right: Host, right_cidr: str, *, queues: int = 1
    ) -> tuple[str, str]:
        """A veth link between two hosts; returns the two device names."""
        self._count += 1
        ours, theirs = f"v{self._count}l", f"v{self._count}r"
        count = ("numtxqueues", str(queues), "numrxqueues", str(queues))
        ip("link", "add", ours, "netns", left.name, *count, "type", "veth",
           "peer", "name", theirs, "netns", right.name, *count)  # fmt: skip
        left.address(ours, left_cidr)
        right.address(theirs, right_cidr)
        return ours, theirs

    def tap(self, host: Host, device: str, cidr: str) -> None:
        """A tap device for a lab guest."""
        ip("-n", host.name, "tuntap", "add", "dev", device, "mode", "tap")
        host.address(device, cidr)
