"""The agent on a UDP socket, until the headend's end of a socket pair is closed."""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct

from fastpptp.admin.client import AdminClient
from fastpptp.snmp import order
from fastpptp.snmp.agent import Agent
from fastpptp.snmp.mib import ALTIGA
from fastpptp.snmp.notices import Notice

# Datagrams are answered in rounds, between which the headend may have gone.
ROUND = 64
LARGEST_DATAGRAM = 65_535

MACHINE = Path("/etc/machine-id")
ENGINE_OCTETS = 5  # RFC 3411 SnmpEngineID: octets of the administrator's choice
IDENTIFIER = 8

# 2020-01-01: seconds since then rise with each start and are below 2**31 until 2088.
EPOCH = 1_577_836_800

# in_pktinfo (ip(7)): the address that was asked is the one that answers.
PACKET_INFO = Struct("I4s4s")
IP_PKTINFO = 8


def serve(connection: socket.socket) -> None:
    """Answer until the other end of `connection`, the headend's, is closed."""
    try:
        told, listener = order.receive(connection)
    except EOFError:
        return
    with listener, selectors.DefaultSelector() as selector:
        server = _Server(told, listener, connection)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while not any(key.fileobj is connection for key, _ in selector.select()):
            server.answer()


class _Server:
    """An Agent on a socket."""

    def __init__(
        self, told: order.Order, listener: socket.socket, connection: socket.socket
    ) -> None:
        self._listener = listener
        self._connection = connection
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._agent = Agent(
            told.access, AdminClient(told.admin), self._tell,
            engine=engine_identifier(told.admin), boots=int(time.time()) - EPOCH,
        )  # fmt: skip

    def answer(self) -> None:
        """Answer what waits, a round of it."""
        for _ in range(ROUND):
            try:
                data, control, _, peer = self._listener.recvmsg(
                    LARGEST_DATAGRAM, socket.CMSG_SPACE(PACKET_INFO.size)
                )
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for an answer of before
            found = self._agent.handle(data, peer[0])
            if found is not None:
                self._send(found, _from(control), peer)

    def _send(self, data: bytes, source: bytes, peer: tuple[str, int]) -> None:
        info = PACKET_INFO.pack(0, source, bytes(4))
        try:
            self._listener.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, peer)
        except OSError:
            self._agent.counts["unanswered"] += 1

    def _tell(self, notice: Notice) -> None:
        """Tell the headend; it has to keep up, or is not told."""
        with suppress(OSError):
            self._connection.send(order.notice_line(notice), socket.MSG_DONTWAIT)


def _from(control: list[tuple[int, int, bytes]]) -> bytes:
    """The address that a datagram came to."""
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            local: bytes = PACKET_INFO.unpack(data[: PACKET_INFO.size])[1]
            return local
    return bytes(4)


def engine_identifier(admin: Path) -> bytes:
    """The same at each start of this headend on this machine, and no other's."""
    try:
        machine = MACHINE.read_text()
    except OSError:
        machine = socket.gethostname()
    digest = hashlib.sha256(f"{machine} {admin.absolute()}".encode()).digest()
    enterprise = 0x80000000 | ALTIGA[-1]
    return enterprise.to_bytes(4) + bytes((ENGINE_OCTETS,)) + digest[:IDENTIFIER]
