"""Events as SNMP traps over UDP: SNMPv1 (RFC 1157), SNMPv2c (RFC 3416) or SNMPv3 (usm.py).

docs/event-routing.md tells the objects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from fastpptp.ber import (
    IP_ADDRESS,
    TIME_TICKS,
    integer,
    object_identifier,
    octet_string,
    sequence,
)
from fastpptp.events.catalogue import printable
from fastpptp.events.format import one_line
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import SnmpUser, SnmpVersion, TrapDestination
from fastpptp.recorder.datagrams import Datagrams, udp
from fastpptp.recorder.usm import UsmUser

Oid = tuple[int, ...]

# The product's event statistics (ALTIGA-EVENT-STATS-MIB), and below them ours.
EVENT_STATS: Oid = (1, 3, 6, 1, 4, 1, 3076, 2, 1, 2, 4)
NOTIFICATION_ID: Oid = (*EVENT_STATS, 1, 1, 0)  # alStatsEventNotificationId: class/number
TRAPS: Oid = (*EVENT_STATS, 100)
EVENT_TRAP = 1  # TRAPS.0.1 in SNMPv2c, enterprise TRAPS and specific 1 in SNMPv1 (RFC 3584 3.2)
CLASS, NUMBER, SEVERITY, TEXT, PEER, SEQUENCE, REPEAT, USER, GROUP = range(1, 10)

SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SNMP_TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)

V1_TRAP_PDU, V2_TRAP_PDU = 0xA4, 0xA7
VERSIONS = {SnmpVersion.V1: 0, SnmpVersion.V2C: 1}
ENTERPRISE_SPECIFIC = 6
NO_ADDRESS = bytes(4)  # RFC 3584 3.1: the receiver knows where a message came from
LONGEST_TEXT = 1024  # octets: the message stays one packet
MOST = 0x7FFFFFFF  # Integer32; greater numbers begin again at 0

_OBJECTS = {column: object_identifier((*TRAPS, column, 0)) for column in range(CLASS, GROUP + 1)}
_NOTIFICATION_ID = object_identifier(NOTIFICATION_ID)
_UP_TIME = object_identifier(SYS_UP_TIME)
_TRAP_OID = sequence(object_identifier(SNMP_TRAP_OID), object_identifier((*TRAPS, 0, EVENT_TRAP)))


class TrapSink:
    """Sends each record to one destination. Nobody confirms a trap."""

    def __init__(self, spec: TrapDestination, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec = spec
        self._clock = clock
        self._started = clock()
        self._ids = count(1)
        self._datagrams = Datagrams(lambda: udp(spec.host, spec.port))
        self._user = None if spec.user is None else usm_user(spec.user)

    def deliver(self, records: Sequence[EventRecord]) -> None:
        """Send a trap for each; PartlyDeliveredError from the first on that is known as lost."""
        up = int((self._clock() - self._started) * 100)
        self._datagrams.send([self._message(record, up) for record in records])

    def close(self) -> None:
        self._datagrams.close()

    def _message(self, record: EventRecord, up: int) -> bytes:
        if self._spec.version is SnmpVersion.V1:
            pdu = v1_trap(record, up)
        else:
            pdu = v2_trap(record, up, next(self._ids) & MOST)
        if self._user is not None:
            return self._user.wrap(pdu)
        version = integer(VERSIONS[self._spec.version])
        return sequence(version, octet_string(self._spec.community.encode()), pdu)


def usm_user(user: SnmpUser) -> UsmUser:
    return UsmUser(
        user.name, user.authentication, user.authentication_password, user.privacy_password
    )


def v1_trap(record: EventRecord, up: int) -> bytes:
    """A Trap-PDU (RFC 1157 4.1.6); `up` is sysUpTime, in hundredths of a second."""
    return sequence(
        object_identifier(TRAPS),
        octet_string(NO_ADDRESS, IP_ADDRESS),
        integer(ENTERPRISE_SPECIFIC),
        integer(EVENT_TRAP),
        _ticks(up),
        sequence(*_objects(record)),
        tag=V1_TRAP_PDU,
    )


def v2_trap(record: EventRecord, up: int, request: int) -> bytes:
    """An SNMPv2-Trap-PDU (RFC 3416 4.2.6)."""
    variables = sequence(sequence(_UP_TIME, _ticks(up)), _TRAP_OID, *_objects(record))
    return sequence(integer(request), integer(0), integer(0), variables, tag=V2_TRAP_PDU)


def _ticks(up: int) -> bytes:
    return integer(up % (1 << 32), TIME_TICKS)


def _objects(record: EventRecord) -> Iterator[bytes]:
    """What a trap tells, each name with its value; what is not known is left out."""
    yield sequence(_NOTIFICATION_ID, octet_string(f"{record.cls}/{record.number}".encode()))
    peer = None if record.peer is None else octet_string(record.peer.packed, IP_ADDRESS)
    for column, value in (
        (CLASS, _text(record.cls)),
        (NUMBER, integer(record.number)),
        (SEVERITY, integer(record.severity)),
        (TEXT, _text(one_line(record))),
        (PEER, peer),
        (SEQUENCE, integer(record.sequence & MOST)),
        (REPEAT, integer(record.repeat & MOST)),
        (USER, _text(record.user)),
        (GROUP, _text(record.group)),
    ):
        if value is not None:
            yield sequence(_OBJECTS[column], value)


def _text(text: str) -> bytes | None:
    """A DisplayString (RFC 2579): ASCII, without control characters; None of an empty one."""
    shown = printable(text).encode("ascii", "backslashreplace")[:LONGEST_TEXT]
    return octet_string(shown) if shown else None
