"""Two hosts on a veth link, a headend on one, and a tunnel dialled from the other; or a relay."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

from bench.machines import SETTLING, TUN, attended, machine, running
from fastpptp.ports import CallPolicy, CallSpec
from tests.headend import Headend
from tests.hosts import Host, Hosts

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
RELAYED, PEER = "172.16.2.1", "172.16.2.2"  # the ends of a relay, inside
HANDLE = 1 << 16 | 1
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
    outer: str

    @contextmanager
    def tunnel(self, encryption: str) -> Iterator[None]:
        """A tunnel that is up; INNER is the server's address in it."""
        allowed, asked = ENCRYPTION[encryption]
        self.headend.configure(["MSCHAPv2"], allowed)
        up, log = self.folder / "up", self.folder / "dial.log"
        up.unlink(missing_ok=True)
        process = self.client.start(
            sys.executable, "-m", "fastpptp", "dial", SERVER,
            "--user", "alice", "--password", "secret12", *asked, *dial_by(self.outer),
            "--exec", f"sh -c 'touch {up}; exec sleep 600'", log=log,
        )  # fmt: skip
        try:
            end = time.monotonic() + 30
            while not up.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no tunnel with {encryption}:\n{log.read_text()}")
                time.sleep(0.05)
            keep_on(max(os.sched_getaffinity(0)), process.pid)
            if self.outer != "raw":
                time.sleep(SETTLING)
            yield
        finally:
            process.terminate()
            process.wait(20)
            self.headend.wait_for_sessions(0)


@cache
def dial_by(outer: str) -> tuple[str, ...]:
    """What tells `dial` to send as the headend does; it may know nothing of that."""
    words = (sys.executable, "-m", "fastpptp", "dial", "--help")
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return ("--outer", outer) if "--outer" in text else ()


def joined(hosts: Hosts, label: str) -> tuple[Host, Host]:
    server, client = hosts.add(f"{label}-server"), hosts.add(f"{label}-client")
    hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
    return server, client


@contextmanager
def link(hosts: Hosts, outer: str = "auto", headend: type[Headend] = Headend) -> Iterator[Link]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, client = joined(hosts, outer)
        with headend(server, folder, SERVER, outer=outer) as running_one:
            if running_one.process is not None:
                keep_on(min(os.sched_getaffinity(0)), running_one.process.pid)
            yield Link(server, client, running_one, folder, outer)


@contextmanager
def relay(hosts: Hosts, outer: str) -> Iterator[tuple[Host, Host]]:
    """The dataplanes of a headend and a client, one call between them, and nothing else.

    RELAYED is the server's address in it.
    """
    server, client = joined(hosts, f"{outer}-relay")
    ends = ((server, SERVER, CLIENT, RELAYED, PEER), (client, CLIENT, SERVER, PEER, RELAYED))
    cpus = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        for cpu, (host, local, remote, inner, inner_peer) in zip(
            (cpus[0], cpus[-1]), ends, strict=True
        ):
            dataplane = stack.enter_context(machine(host, IPv4Address(local), outer))
            dataplane.open_call(HANDLE, CallSpec(1, IPv4Address(local), IPv4Address(remote)))
            dataplane.set_policy(HANDLE, CallPolicy(peer_address=IPv4Address(inner_peer)))
            dataplane.open_gate(HANDLE, 4)
            host.address(TUN, f"{inner}/24")
            host.link(TUN, "mtu", "1400")
            stack.enter_context(running(dataplane, cpu))
            stack.enter_context(attended(dataplane))
        time.sleep(SETTLING)
        yield server, client
