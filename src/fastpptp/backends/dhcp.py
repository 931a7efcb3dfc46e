"""The DHCP client's UDP socket and clock: asyncio around addresses/dhcp.py.

Port 67 is the relay agent's: servers answer to it at giaddr, which is the address that this
machine has towards the server, or the setting Relay Address.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address

from fastpptp.addresses.dhcp import Answered, Asking, DhcpLeases, Gone, Outcome
from fastpptp.backends.alarm import Alarm
from fastpptp.backends.capabilities import LOW_PORT, Capability, raised
from fastpptp.dhcp.client import DhcpConfig, DhcpLease, Send
from fastpptp.dhcp.message import NOWHERE
from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import Occurrence, occur

PORT = 67
LARGEST = 1500  # octets of a datagram that is read
BUFFER = 1 << 20  # octets: at a stop every lease is given back at once
ROUND = 64  # datagrams read before the loop gets its turn


class DhcpPort:
    """One headend's. `answered` and `gone` are called from the loop, never from within a call.

    `port` is both ends'; tests bring another. Outside of `follow(on=True)` there is no socket,
    and every asking is answered with None.
    """

    def __init__(
        self,
        leases: DhcpLeases,
        *,
        answered: Callable[[int, DhcpLease | None], object],
        gone: Callable[[int], object],
        record: Callable[[Occurrence], object],
        port: int = PORT,
    ) -> None:
        self._leases = leases
        self._answered = answered
        self._gone = gone
        self._record = record
        self._port = port
        self._config = DhcpConfig()
        self._socket: socket.socket | None = None
        self._bound: IPv4Address | None = None
        self._alarm = Alarm(self._due)

    def holdings(self) -> dict[str, int]:
        return self._leases.holdings()

    def follow(self, config: DhcpConfig, on: bool) -> None:
        """Ask by this configuration from now on. Leases are kept, and renewed, also when off."""
        self._config = config
        self._leases.update(config)
        address = config.relay_address or NOWHERE
        if self._socket is not None and self._bound == address:
            return
        if on:
            self._close_socket()
            self._open(address)

    def ask(self, token: int, asking: Asking) -> None:
        """Find an address; `answered` is told later, once."""
        if self._socket is None:
            asyncio.get_running_loop().call_soon(self._answered, token, None)
            return
        self._carry_out(self._leases.ask(token, asking, _now()))

    def release(self, address: IPv4Address) -> None:
        self._carry_out(self._leases.release(address, _now()))

    def close(self) -> None:
        """Give every lease back, and let go of the socket."""
        self._carry_out(self._leases.release_all(_now()))
        self._alarm.cancel()
        self._close_socket()

    def _open(self, address: IPv4Address) -> None:
        try:
            self._socket = open_port(address, self._port)
        except UnavailableError as error:
            self._record(occur("DHCP", 108, problem=error.what, remedy=error.remedy))
            return
        self._bound = address
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _close_socket(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        assert self._socket is not None
        with suppress(OSError):  # nothing more, or an ICMP error of an earlier datagram
            for _ in range(ROUND):
                data, (source, _port) = self._socket.recvfrom(LARGEST)
                self._carry_out(self._leases.receive(data, IPv4Address(source), _now()))

    def _carry_out(self, outcomes: Iterable[Outcome]) -> None:
        call_soon = asyncio.get_running_loop().call_soon
        for outcome in outcomes:
            if isinstance(outcome, Send):
                self._send(outcome)
            elif isinstance(outcome, Answered):
                call_soon(self._answered, outcome.token, outcome.lease)
            elif isinstance(outcome, Gone):
                call_soon(self._gone, outcome.token)
            else:
                self._record(outcome)
        self._alarm.set(self._leases.get_timer())

    def _send(self, send: Send) -> None:
        """What cannot be sent is lost on the way: it will be sent again."""
        if self._socket is None:
            return
        with suppress(OSError):
            giaddr = self._config.relay_address or source_towards(send.server)
            data = replace(send.message, giaddr=giaddr).encode()
            self._socket.sendto(data, (str(send.server), self._port))

    def _due(self) -> None:
        self._carry_out(self._leases.handle_timer(_now()))


def _now() -> float:
    return asyncio.get_running_loop().time()


def open_port(address: IPv4Address, port: int = PORT) -> socket.socket:
    """The socket, not blocking; UnavailableError says what is in its way."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, buffer, BUFFER)
    try:
        with raised(Capability.NET_BIND_SERVICE):
            made.bind((str(address), port))
    except OSError as error:
        made.close()
        raise UnavailableError(
            f"UDP port {port} on {address}: {error.strerror}",
            _REMEDIES.get(error.errno or 0, "See `ip -4 address` and `ss -lunp`."),
        ) from None
    return made


_REMEDIES = {
    errno.EADDRINUSE: "Another DHCP server or relay has it (`ss -lunp sport = :67` shows it): stop "
    "it, or name an address that it leaves free (dhcp.relay_address).",
    errno.EADDRNOTAVAIL: "dhcp.relay_address must be an address of this machine.",
    errno.EACCES: LOW_PORT,
}


def source_towards(server: IPv4Address) -> IPv4Address:
    """The address of this machine from which packets to `server` come. OSError: no way there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((str(server), PORT))
        return IPv4Address(probe.getsockname()[0])
