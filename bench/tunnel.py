"""Two hosts on a veth link, a headend on one, and a tunnel dialled from the other."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.headend import Headend
from tests.hosts import Host, Hosts

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
# What the server allows, and what dial asks for.
ENCRYPTION: dict[str, tuple[list[str], list[str]]] = {
    "no encryption": ([], ["--mppe", "none"]),
    "MPPE-128 stateless": (["Required", "Require Stateless", "128-bit"], []),
    "MPPE-128 stateful": (["Required", "128-bit"], ["--stateful"]),
}


def keep_on(cpu: int, process: int) -> None:
    """All threads of a process on one core."""
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {cpu})


@dataclass(frozen=True)
class Link:
    """The headend's host is on the first core, the client's end on the last."""

    server: Host
    client: Host
    headend: Headend
    folder: Path

    @contextmanager
    def tunnel(self, encryption: str) -> Iterator[None]:
        """A tunnel that is up; INNER is the server's address in it."""
        allowed, asked = ENCRYPTION[encryption]
        self.headend.configure(["MSCHAPv2"], allowed)
        up, log = self.folder / "up", self.folder / "dial.log"
        up.unlink(missing_ok=True)
        process = self.client.start(
            sys.executable, "-m", "fastpptp", "dial", SERVER,
            "--user", "alice", "--password", "secret12", *asked,
            "--exec", f"sh -c 'touch {up}; exec sleep 600'", log=log,
        )  # fmt: skip
        try:
            end = time.monotonic() + 30
            while not up.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no tunnel with {encryption}:\n{log.read_text()}")
                time.sleep(0.05)
            keep_on(max(os.sched_getaffinity(0)), process.pid)
            yield
        finally:
            process.terminate()
            process.wait(20)
            self.headend.wait_for_sessions(0)


@contextmanager
def link() -> Iterator[Link]:
    with tempfile.TemporaryDirectory() as name, Hosts() as hosts:
        folder = Path(name)
        server, client = hosts.add("server"), hosts.add("client")
        hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
        with Headend(server, folder, SERVER) as headend:
            if headend.process is not None:
                keep_on(min(os.sched_getaffinity(0)), headend.process.pid)
            yield Link(server, client, headend, folder)
