"""What must be so before the headend starts, checked so that the answer says what to do.

`proc` and `sys` are where the kernel's facts are read from; tests bring their own trees.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from fastpptp.backends.capabilities import LOW_PORT
from fastpptp.errors import UnavailableError
from fastpptp.server.net import DEVICE, GRE, open_listener

PROC = Path("/proc")
SYS = Path("/sys")
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
LISTENING = "0A"


def check_capabilities(proc: Path = PROC) -> None:
    """CAP_NET_ADMIN makes the TUN device, CAP_NET_RAW the GRE socket."""
    held = int(_status(proc)["CapEff"], 16)
    lacking = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if lacking:
        raise UnavailableError(
            f"this process lacks {' and '.join(lacking)}",
            "Run as root (sudo fastpptp ...), or grant them to the service: "
            "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
        )


def _status(proc: Path) -> dict[str, str]:
    lines = (proc / "self" / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def check_tun_device(device: Path = DEVICE, modprobe: Sequence[str] = ("modprobe", "tun")) -> None:
    """/dev/net/tun; loading the module is tried once."""
    if device.exists():
        return
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(modprobe, capture_output=True, check=False, timeout=10)
    if not device.exists():
        raise UnavailableError(
            f"this machine has no {device}",
            "Load the kernel's tun module (modprobe tun); in a container, pass the device in "
            "(--device /dev/net/tun).",
        )


def check_gre_free(proc: Path = PROC, sys: Path = SYS) -> None:
    """No other program or kernel module answers for GRE on this host."""
    inodes = [row.inode for row in raw_sockets(proc) if row.port == GRE]
    if inodes:
        raise UnavailableError(
            f"GRE (IP protocol {GRE}) is already used by {owner_of(inodes[0], proc)}",
            "Stop it: two PPTP programs on one host both see every packet. "
            "If it is meant to be so, start with --share-gre.",
        )
    uses = _module_uses(sys, "pptp")
    if uses:
        raise UnavailableError(
            f"the kernel's pptp module is in use ({uses} references) and takes GRE",
            "Stop the PPTP program that uses it (accel-ppp, pppd's pptp plugin). "
            "If it is meant to be so, start with --share-gre.",
        )


def _module_uses(sys: Path, module: str) -> int:
    try:
        return int((sys / "module" / module / "refcnt").read_text())
    except (OSError, ValueError):
        return 0


class ProcSocket:
    """A row of /proc/net/tcp or /proc/net/raw: local port (raw: protocol), state, inode."""

    __slots__ = ("address", "inode", "port", "state")

    def __init__(self, line: str) -> None:
        words = line.split()
        address, port = words[1].split(":")
        self.address = IPv4Address(int(address, 16).to_bytes(4, "little"))
        self.port = int(port, 16)
        self.state = words[3]
        self.inode = int(words[9])


def raw_sockets(proc: Path = PROC) -> list[ProcSocket]:
    """The raw IPv4 sockets of this network namespace."""
    return _sockets(proc / "net" / "raw")


def _sockets(table: Path) -> list[ProcSocket]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [ProcSocket(line) for line in lines if line.strip()]


def owner_of(inode: int, proc: Path = PROC) -> str:
    """`pptpctrl (pid 417)`: the process that holds this socket, as far as we may see."""
    for pid, name in _holders(inode, proc):
        return f"{name} (pid {pid})"
    return "another process"


def _holders(inode: int, proc: Path) -> Iterator[tuple[int, str]]:
    wanted = f"socket:[{inode}]"
    for entry in sorted(proc.iterdir()):
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            if any(os.readlink(fd) == wanted for fd in (entry / "fd").iterdir()):
                yield int(entry.name), (entry / "comm").read_text().strip()


def listen(addresses: Sequence[IPv4Address], port: int, proc: Path = PROC) -> list[socket.socket]:
    """Listening sockets on every address, or UnavailableError and none."""
    listeners: list[socket.socket] = []
    try:
        for address in addresses:
            listeners.append(open_listener(address, port))
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise _refused(error, address, port, proc) from None
    return listeners


def _refused(error: OSError, address: IPv4Address, port: int, proc: Path) -> UnavailableError:
    if error.errno == errno.EADDRINUSE:
        who = _listener_on(address, port, proc)
        return UnavailableError(
            f"TCP port {port} on {address} is taken by {who}",
            f"Stop it, or listen on another address (--listen) or port (--port); "
            f"`ss -ltnp sport = :{port}` shows it.",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return UnavailableError(
            f"{address} is not an address of this machine",
            "`ip -4 address` lists them; choose one with --listen.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnavailableError(
            f"TCP port {port} on {address} may not be used by this process",
            LOW_PORT,
        )
    return UnavailableError(f"cannot listen on {address} port {port}: {error.strerror}")


def _listener_on(address: IPv4Address, port: int, proc: Path) -> str:
    for row in _sockets(proc / "net" / "tcp"):
        same = row.address in (address, IPv4Address(0)) or address == IPv4Address(0)
        if row.port == port and row.state == LISTENING and same:
            return owner_of(row.inode, proc)
    return "another process"
