"""The load generator as a process on a test host, and what a headend under load holds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from fastpptp.admin.client import AdminClient
from tests.headend import Headend
from tests.hosts import Host

PASSWORD = "secret12"
USERS = tuple(f"load{number}" for number in range(64))

CONFIGURATION = """
[base_group]
pptp_authentication_protocols = ["MSCHAPv2"]
pptp_encryption = ["Required", "Require Stateless", "128-bit"]
simultaneous_logins = 65535
idle_timeout = 0

[[pools]]
first = "10.0.0.1"
last = "10.0.255.254"

[system]
server_address = "10.255.0.1"
handshakes_in_flight = {handshakes}
handshakes_per_source = {handshakes}

[events]
capacity = 100
"""


def configuration(handshakes: int = 4000) -> str:
    """Room for 65,534 sessions of USERS; the event log is short, so that it is soon full."""
    users = "".join(f'\n[users.{user}]\npassword = "{PASSWORD}"\n' for user in USERS)
    return CONFIGURATION.format(handshakes=handshakes) + users


@dataclass(frozen=True)
class Holdings:
    """What a headend holds: the admin API's holdings, descriptors, and anonymous memory.

    `octets` is RssAnon: the dataplane's arenas, shared memory, are `arena`.
    """

    named: dict[str, int]
    descriptors: int
    octets: int
    arena: int


class Watch:
    """A running headend from outside."""

    def __init__(self, headend: Headend) -> None:
        self.admin = AdminClient(headend.state / "admin.sock")
        self.process = Path("/proc", str(self.admin.version()["pid"]))

    def holdings(self) -> Holdings:
        named = self.admin.statistics()["holdings"]
        status = (self.process / "status").read_text()
        sizes = {name: int(size) << 10 for name, size in re.findall(r"(\w+):\s*(\d+) kB", status)}
        return Holdings(named, self._descriptors(), sizes["RssAnon"], sizes["RssShmem"])

    def _descriptors(self) -> int:
        """Open descriptors; that of our own request is closed a moment after its answer."""
        counts = []
        for _ in range(10):
            counts.append(len(list((self.process / "fd").iterdir())))
            time.sleep(0.02)
        return min(counts)

    def quiet(self, timeout: float = 30) -> Holdings:
        """The holdings once no session, connection or call that is being closed is left."""
        end = time.monotonic() + timeout
        while True:
            found = self.holdings()
            if not any(found.named[name] for name in ("connections", "sessions", "call_ids")):
                return found
            assert time.monotonic() < end, f"the headend does not come to rest: {found}"
            time.sleep(0.1)

    def processor_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = (self.process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


class Load:
    """`python -m fastpptp.client.load SERVER *words` on `host`; its lines are in `log`."""

    def __init__(self, host: Host, log: Path, server: str, *words: object) -> None:
        self._log = log
        self._command = [
            sys.executable, "-m", "fastpptp.client.load", server, "--password", PASSWORD,
            *(word for user in USERS for word in ("--user", user)), *map(str, words),
        ]  # fmt: skip
        self._host = host
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Load:
        self._log.write_text("")
        self._process = self._host.start(*self._command, log=self._log)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        assert self._process is not None
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> None:
        """End the holding of sessions: hang up."""
        assert self._process is not None
        self._process.terminate()

    def wait_for(self, phase: str, timeout: float = 60) -> dict[str, Any]:
        """The line of this phase."""
        end = time.monotonic() + timeout
        while True:
            text = self._log.read_text()
            for line in text.splitlines():
                if line.startswith("{") and line.endswith("}") and f'"phase": "{phase}"' in line:
                    found: dict[str, Any] = json.loads(line)
                    return found
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"the load generator came to no {phase}:\n{text[-4000:]}")
            time.sleep(0.05)
