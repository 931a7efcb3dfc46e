"""What the headend tells the agent it starts, and is told by it: lines of JSON on a socket pair."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from fastpptp.snmp.agent import Access
from fastpptp.snmp.notices import Ended, Failure, Notice, Refused
from fastpptp.snmp.usm import User

# Longer than any order and any notice.
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to ask on behalf of whom. The socket to answer on comes with it."""

    admin: Path
    access: Access


def send(connection: socket.socket, order: Order, listener: socket.socket) -> None:
    """Give the agent at the other end its order, and a copy of the UDP socket `listener`."""
    access = order.access
    plain = {
        "admin": str(order.admin),
        "read_community": access.read_community,
        "write_community": access.write_community,
        "user": access.user and [access.user.name, access.user.authentication, access.user.privacy],
        "managers": list(map(str, access.managers)),
    }
    socket.send_fds(connection, [json.dumps(plain).encode()], [listener.fileno()])


def receive(connection: socket.socket) -> tuple[Order, socket.socket]:
    """The order and the socket. EOFError: the headend is gone."""
    data, fds, _, _ = socket.recv_fds(connection, LONGEST, 1)
    if not data:
        raise EOFError
    plain = json.loads(data)
    access = Access(
        plain["read_community"], plain["write_community"],
        plain["user"] and User(*plain["user"]),
        tuple(map(IPv4Network, plain["managers"])),
    )  # fmt: skip
    return Order(Path(plain["admin"]), access), socket.socket(fileno=fds[0])


def notice_line(notice: Notice) -> bytes:
    if isinstance(notice, Ended):
        plain: list[object] = [notice.object, notice.manager]
    else:
        plain = [notice.failure.name, notice.count, notice.manager]
    return json.dumps(plain).encode() + b"\n"


def read_notice(line: bytes) -> Notice:
    plain = json.loads(line)
    if len(plain) == 2:
        return Ended(*plain)
    name, count, manager = plain
    return Refused(Failure[name], count, manager)
