"""Which class serves the spec of a sink, and how its thread goes about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastpptp.events.routing import Destination, Mail, SyslogServer, TrapDestination
from fastpptp.recorder.files import Console, ConsoleSink, FileSink, LogFile
from fastpptp.recorder.mail import MailSink
from fastpptp.recorder.sinks import BATCH, QUEUE, Sink
from fastpptp.recorder.syslog import SyslogSink
from fastpptp.recorder.traps import TrapSink

MAIL_INTERVAL = 10.0  # seconds that events gather for one message


@dataclass(frozen=True, slots=True)
class Kind:
    """The sinks of one type of spec: of which destination, and how one is opened and fed."""

    destination: Destination
    open: Callable[[Any], Sink]
    linger: float = 0.0
    batch: int = BATCH


# A spec is a frozen dataclass whose str() names the sink to people.
KINDS: Mapping[type, Kind] = {
    LogFile: Kind(Destination.LOG, FileSink),
    Console: Kind(Destination.CONSOLE, ConsoleSink),
    SyslogServer: Kind(Destination.SYSLOG, SyslogSink),
    Mail: Kind(Destination.EMAIL, MailSink, linger=MAIL_INTERVAL, batch=QUEUE),
    TrapDestination: Kind(Destination.TRAP, TrapSink),
}
