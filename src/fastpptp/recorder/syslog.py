"""Events to a syslog server: RFC 3164 messages over UDP, TCP or a unix socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastpptp.events.catalogue import FAULT, INFORMATION_HIGH, INFORMATION_LOW, WARNING
from fastpptp.events.format import MONTHS, cisco_ios, original
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import SyslogFormat, SyslogServer, Transport
from fastpptp.recorder.datagrams import Datagrams, udp, unix
from fastpptp.recorder.stream import Stream

TAG = "fastpptp"

# Octets of a message, header included. RFC 5426 3.2: what a receiver of datagrams should take;
# what rsyslog and syslog-ng take by default otherwise.
LONGEST: Mapping[Transport, int] = {
    Transport.UDP: 2048,
    Transport.TCP: 8192,
    Transport.UNIX: 8192,
}
ENDING = "..."

# RFC 3164 4.1.1.
LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG = range(3, 8)


def syslog_severity(severity: int) -> int:
    """syslog's severity for one of ours: 1 is err, 2-3 warning, 4 notice, 5-6 info, 7-13 debug."""
    if severity <= FAULT:
        return LOG_ERR
    if severity <= WARNING:
        return LOG_WARNING
    if severity <= INFORMATION_HIGH:
        return LOG_NOTICE
    return LOG_INFO if severity <= INFORMATION_LOW else LOG_DEBUG


def message(record: EventRecord, server: SyslogServer, host: str) -> bytes:
    """The message of RFC 3164 4.1, without framing; too long a text is cut.

    syslog(3) tells no host, and servers expect none on their unix socket.
    """
    wall = record.wall
    line = (cisco_ios if server.format is SyslogFormat.CISCO_IOS else original)(record)
    origin = "" if server.transport is Transport.UNIX else f"{host} "
    text = (
        f"<{server.facility * 8 + syslog_severity(record.severity)}>"
        f"{MONTHS[wall.month - 1]} {wall.day:2} {wall:%H:%M:%S} {origin}{TAG}: {line}"
    )
    return cut(text, LONGEST[server.transport])


def cut(text: str, octets: int) -> bytes:
    """UTF-8 of at most so many octets; one that was cut says so by its ending."""
    encoded = text.encode(errors="backslashreplace")
    if len(encoded) <= octets:
        return encoded
    kept = encoded[: octets - len(ENDING)].decode(errors="ignore")
    return (kept + ENDING).encode()


def counted(frame: bytes) -> bytes:
    """Octet counting (RFC 6587 3.4.1): a message may hold anything and stays one."""
    return b"%d %b" % (len(frame), frame)


class Carrier(Protocol):
    """What carries messages."""

    def send(self, messages: Sequence[bytes], /) -> None: ...

    def close(self) -> None: ...


class SyslogSink:
    """Hands records to one syslog server."""

    def __init__(self, spec: SyslogServer) -> None:
        self._spec = spec
        self._host = host_name()
        self._frame: Callable[[bytes], bytes] = counted
        if spec.transport is not Transport.TCP:
            self._frame = bytes
        self._carrier = _carrier(spec)

    def deliver(self, records: Sequence[EventRecord]) -> None:
        """Send them in their order; PartlyDeliveredError from the first on that was not taken."""
        messages = [message(record, self._spec, self._host) for record in records]
        self._carrier.send([self._frame(each) for each in messages])

    def close(self) -> None:
        self._carrier.close()


def _carrier(spec: SyslogServer) -> Carrier:
    if spec.transport is Transport.TCP:
        return Stream(spec.server, spec.port)
    if spec.transport is Transport.UNIX:
        return Datagrams(lambda: unix(spec.server))
    return Datagrams(lambda: udp(spec.server, spec.port))


def host_name() -> str:
    """This host's name without its domain (RFC 3164 4.1.2)."""
    return socket.gethostname().partition(".")[0] or "localhost"
