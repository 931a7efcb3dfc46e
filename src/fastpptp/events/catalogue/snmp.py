"""Class SNMP: the agent that network management asks."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    INFORMATION_HIGH,
    WARNING,
    WARNING_HIGH,
    EventType,
    Kinds,
)

SNMP: Kinds = {
    100: EventType(
        WARNING,
        "SNMP manager {manager} is refused: {reason} ({count} since this was last told)",
        "Somebody asks who may not. Each reason is told at once, then once a minute, with the "
        "manager that asked last.",
        "Correct the manager's community or user, or say whom to answer: `fastpptp snmp set`.",
        shows_peer=False,
    ),
    101: EventType(
        WARNING_HIGH,
        "The SNMP agent does not run: {problem}",
        "It has no socket or no process, and is tried again every five seconds; sessions are not "
        "touched by it.",
        "Free the port, or choose another address or port: `fastpptp snmp set`.",
        shows_peer=False,
    ),
    102: EventType(
        WARNING,
        "The SNMP agent ended and is started again: {reason}",
        "Somebody killed it, or a fault of fastpptp.",
        "If nobody killed it, report it.",
        shows_peer=False,
    ),
    103: EventType(
        INFORMATION_HIGH,
        "SNMP manager {manager} set {object} to destroy",
        "What that row of the table is, a session or the tunnels to a peer, is ended.",
        shows_peer=False,
    ),
    104: EventType(
        INFORMATION_HIGH,
        "The SNMP agent runs now",
        "What SNMP/101 told is over.",
        shows_peer=False,
    ),
}
