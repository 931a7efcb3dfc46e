"""The descriptors of the headend: listening sockets, raw GRE sockets, the queues of a TUN."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path

from fastpptp.errors import UnavailableError

GRE = 47  # IP protocol number
BACKLOG = 4096
RECEIVE_BUFFER = 16 << 20  # octets; a full one makes the kernel answer ICMP protocol-unreachable
SEND_BUFFER = 4 << 20

DEVICE = Path("/dev/net/tun")
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_MULTI_QUEUE = 0x0100
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
IFF_TUN_EXCL = 0x8000  # not a further queue of somebody else's device

TUNSETOFFLOAD = 0x400454D0
TUN_F_CSUM = 0x01
TUN_F_TSO4 = 0x02
TUN_F_TSO6 = 0x04
TUN_F_USO4 = 0x20
TUN_F_USO6 = 0x40
TCP_OFFLOAD = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
UDP_OFFLOAD = TUN_F_USO4 | TUN_F_USO6  # Linux 6.2

SO_ATTACH_FILTER = 26
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
RETURN_ZERO = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: take no octet


def open_tcp() -> socket.socket:
    """A TCP socket, not blocking.

    It names its protocol, and so do the connections that it accepts: asyncio sets TCP_NODELAY
    on no others, and a control message must not wait for the acknowledgement of the one before.
    """
    return socket.socket(
        socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP
    )


def open_listener(address: IPv4Address, port: int) -> socket.socket:
    """A listening TCP socket, not blocking. OSError as bind(2) gives it."""
    listener = open_tcp()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def open_gre() -> socket.socket:
    """A raw socket that gets every GRE packet of this host, with large buffers, not blocking."""
    try:
        gre = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, GRE)
    except PermissionError:
        raise UnavailableError(
            "a raw GRE socket needs CAP_NET_RAW", "Run as root, or grant the capability."
        ) from None
    _buffer(gre, SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
    _buffer(gre, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
    return gre


def _buffer(sock: socket.socket, force: int, plain: int, size: int) -> None:
    """Set a buffer's size beyond the system's maximum if we may, up to it if not."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, plain, size)


def open_receiver_of_last_resort() -> socket.socket:
    """A raw GRE socket that takes nothing, so its buffer never fills.

    While it exists the kernel sees a receiver for GRE and answers no protocol-unreachable;
    each packet costs one clone more. For machines without nftables.
    """
    gre = open_gre()
    instruction = ctypes.create_string_buffer(RETURN_ZERO)
    program = struct.pack("@HP", 1, ctypes.addressof(instruction))
    gre.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    return gre


class Offload(Enum):
    """What a TUN's kernel hands over and takes as super-packets."""

    NONE = "none"
    TCP = "TCP"
    TCP_AND_UDP = "TCP and UDP"


@dataclass(frozen=True, slots=True)
class Tun:
    """A TUN device: one descriptor a queue, behind virtio headers unless `offload` is NONE."""

    name: str
    fds: tuple[int, ...]
    offload: Offload

    def close(self) -> None:
        """Close the queues; the device goes with the last of them."""
        for fd in self.fds:
            with suppress(OSError):
                os.close(fd)


def open_tun(name: str, queues: int) -> Tun:
    """Create TUN device `name` ("pptp%d": the kernel chooses the number) with `queues` queues.

    Where the kernel has no segmentation offload for it, the device is made without.
    """
    try:
        return _open_tun(name, queues, IFF_VNET_HDR)
    except UnavailableError:
        raise
    except OSError:
        return _open_tun(name, queues, 0)


def _open_tun(name: str, queues: int, header: int) -> Tun:
    flags = IFF_TUN | IFF_NO_PI | header | (IFF_MULTI_QUEUE if queues > 1 else 0)
    fds: list[int] = []
    try:
        for exclusive in (IFF_TUN_EXCL, *[0] * (queues - 1)):
            fds.append(os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
            request = struct.pack("16sH22x", name.encode(), flags | exclusive)
            name = fcntl.ioctl(fds[-1], TUNSETIFF, request)[:16].rstrip(b"\0").decode()
    except OSError as error:
        Tun(name, tuple(fds), Offload.NONE).close()
        raise _tun_refused(name, error) from None
    made = Tun(name, tuple(fds), Offload.NONE)
    if not header:
        return made
    try:
        return Tun(name, made.fds, _set_offload(made.fds))
    except OSError:
        made.close()
        raise


def _set_offload(fds: Sequence[int]) -> Offload:
    try:
        for fd in fds:
            fcntl.ioctl(fd, TUNSETOFFLOAD, TCP_OFFLOAD | UDP_OFFLOAD)
    except OSError:
        for fd in fds:
            fcntl.ioctl(fd, TUNSETOFFLOAD, TCP_OFFLOAD)
        return Offload.TCP
    return Offload.TCP_AND_UDP


def _tun_refused(name: str, error: OSError) -> UnavailableError:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return UnavailableError(
            f"this machine has no {DEVICE}", "Load the kernel's tun module: modprobe tun"
        )
    if error.errno == errno.EBUSY:
        return UnavailableError(
            f"there is a network device {name} already",
            "Stop the program that has it, or choose another name with --tun.",
        )
    if error.errno == errno.EACCES:
        return UnavailableError(
            f"this user may not open {DEVICE}",
            f"chmod 666 {DEVICE}, as udev has it: CAP_NET_ADMIN is what making a device takes.",
        )
    if error.errno == errno.EPERM:
        return UnavailableError(
            f"creating TUN device {name} needs CAP_NET_ADMIN",
            "Run as root, or grant the capability.",
        )
    return UnavailableError(
        f"TUN device {name} cannot be made: {error.strerror}",
        "Another kind of device may have this name; choose another with --tun.",
    )
