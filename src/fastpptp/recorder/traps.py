"""Events as SNMP traps over UDP: SNMPv1 (RFC 1157), SNMPv2c (RFC 3416) or SNMPv3 (usm.py).

PDUs are encoded by pysnmp and sent by a socket of our own: neither an engine nor a MIB nor an event
loop is needed to send what nobody answers. docs/event-routing.md tells the objects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyasn1.codec.ber import encoder
from pysnmp.proto import api

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
ENTERPRISE_SPECIFIC = 6
LONGEST_TEXT = 1024  # octets: the message stays one packet
MOST = 0x7FFFFFFF  # Integer32; greater numbers begin again at 0

_MODULES = {
    SnmpVersion.V1: api.PROTOCOL_MODULES[api.SNMP_VERSION_1],
    SnmpVersion.V2C: api.PROTOCOL_MODULES[api.SNMP_VERSION_2C],
    SnmpVersion.V3: api.PROTOCOL_MODULES[api.SNMP_VERSION_2C],
}


class TrapSink:
    """Sends each record to one destination. Nobody confirms a trap."""

    def __init__(self, spec: TrapDestination, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec = spec
        self._clock = clock
        self._started = clock()
        self._datagrams = Datagrams(lambda: udp(spec.host, spec.port))
        self._user = None if spec.user is None else usm_user(spec.user)

    def deliver(self, records: Sequence[EventRecord]) -> None:
        """Send a trap for each; PartlyDeliveredError from the first on that is known as lost."""
        up = int((self._clock() - self._started) * 100)
        self._datagrams.send([self._message(trap(record, self._spec, up)) for record in records])

    def close(self) -> None:
        self._datagrams.close()

    def _message(self, pdu: Any) -> bytes:
        """The message that carries a PDU, encoded."""
        if self._user is not None:
            return self._user.wrap(bytes(encoder.encode(pdu)))
        module: Any = _MODULES[self._spec.version]
        made = module.Message()
        module.apiMessage.set_defaults(made)
        module.apiMessage.set_community(made, self._spec.community.encode())
        module.apiMessage.set_pdu(made, pdu)
        return bytes(encoder.encode(made))


def usm_user(user: SnmpUser) -> UsmUser:
    return UsmUser(
        user.name, user.authentication, user.authentication_password, user.privacy_password
    )


def trap(record: EventRecord, spec: TrapDestination, up: int) -> Any:
    """A trap's PDU; `up` is sysUpTime, in hundredths of a second."""
    module: Any = _MODULES[spec.version]
    pdu = module.TrapPDU()
    module.apiTrapPDU.set_defaults(pdu)
    up %= 1 << 32  # TimeTicks
    objects = list(_objects(record, module))
    if spec.version is SnmpVersion.V1:
        module.apiTrapPDU.set_enterprise(pdu, TRAPS)
        module.apiTrapPDU.set_generic_trap(pdu, ENTERPRISE_SPECIFIC)
        module.apiTrapPDU.set_specific_trap(pdu, EVENT_TRAP)
        module.apiTrapPDU.set_timestamp(pdu, up)
    else:
        kind = module.ObjectIdentifier((*TRAPS, 0, EVENT_TRAP))
        objects = [(SYS_UP_TIME, module.TimeTicks(up)), (SNMP_TRAP_OID, kind), *objects]
    module.apiTrapPDU.set_varbinds(pdu, objects)
    return pdu


def _objects(record: EventRecord, module: Any) -> Iterator[tuple[Oid, Any]]:
    """What a trap tells; what is not known is left out."""
    fields = record.occurrence.fields
    yield NOTIFICATION_ID, module.OctetString(f"{record.cls}/{record.number}".encode())
    numbers = {NUMBER: record.number, SEVERITY: record.severity,
               SEQUENCE: record.sequence, REPEAT: record.repeat}  # fmt: skip
    texts = {CLASS: record.cls, TEXT: one_line(record),
             USER: fields.get("user", ""), GROUP: fields.get("group", "")}  # fmt: skip
    found = {column: module.Integer(number & MOST) for column, number in numbers.items()}
    found |= {column: module.OctetString(display(text)) for column, text in texts.items() if text}
    if record.peer is not None:
        found[PEER] = module.IpAddress(str(record.peer))
    for column, value in sorted(found.items()):
        yield (*TRAPS, column, 0), value


def display(text: str) -> bytes:
    """A DisplayString (RFC 2579): ASCII, without control characters."""
    return printable(text).encode("ascii", "backslashreplace")[:LONGEST_TEXT]
