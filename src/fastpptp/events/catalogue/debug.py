"""The classes *DBG and *DECODE: what a session does step by step, and what it says and hears.

They are made only where somebody wants them: where the class's ranges take them, or while
`fastpptp debug` is on for the session. Passwords never show, in hexadecimal neither.
"""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    DEBUG,
    DEBUG_HIGH,
    DEBUG_LOW,
    DECODE_DETAIL,
    DECODE_HEADER,
    DECODE_HEADER_HEX,
    DECODE_PACKET_HEX,
    EventType,
    Kinds,
)

PPTPDBG: Kinds = {
    100: EventType(
        DEBUG_HIGH,
        "{text}",
        "A control connection changed its state (RFC 2637 3.1): on what, and until when.",
    ),
    101: EventType(
        DEBUG,
        "{text}",
        "A call changed its state (RFC 2637 3.2): on what, and until when.",
    ),
    102: EventType(
        DEBUG_LOW,
        "{text}",
        "A message that changed nothing: it did not fit the state of its call.",
    ),
}

PPPDBG: Kinds = {
    100: EventType(
        DEBUG_HIGH,
        "{text}",
        "The link went from one phase to another (RFC 1661 3.2).",
    ),
    101: EventType(
        DEBUG,
        "{text}",
        "A control protocol's automaton took a step (RFC 1661 4.1): the event, both states, what "
        "it did, and when its Restart timer is due.",
    ),
    102: EventType(
        DEBUG_LOW,
        "{text}",
        "What a Configure-Request of the peer was judged, with the options that were not liked.",
    ),
}

AUTHDBG: Kinds = {
    100: EventType(
        DEBUG_HIGH,
        "{text}",
        "Which user and group a name stands for, and by which rule it was found.",
    ),
    101: EventType(
        DEBUG,
        "{text}",
        "How often logins failed, how long they are held off, and how many logins the user has.",
    ),
    102: EventType(
        DEBUG_LOW,
        "{text}",
        "The attributes that hold for the user, each with the level that sets it.",
    ),
}


def _decode(what: str, header: str) -> Kinds:
    return {
        100: EventType(DECODE_HEADER, "{text}", f"{what}: a line for its header."),
        101: EventType(DECODE_DETAIL, "{text}", f"{what}: all of it, in pppd's form."),
        102: EventType(DECODE_HEADER_HEX, "{text}", f"{what}: {header} in hexadecimal."),
        103: EventType(DECODE_PACKET_HEX, "{text}\n{dump}", f"{what}: its octets in hexadecimal."),
    }


PPTPDECODE = _decode("A control message", "the 12 octets before its fields")
PPPDECODE = {
    **_decode("A PPP control frame", "protocol, code, identifier and length"),
    103: EventType(
        DECODE_PACKET_HEX,
        "{text}\n{dump}",
        "A PPP control frame: its octets in hexadecimal. Or, while `fastpptp debug` at this "
        "severity is on for the session, a data packet with its headers: some a second, the rest "
        "is counted.",
    ),
}
AUTHDECODE = _decode("A PAP, CHAP or EAP packet", "protocol, code, identifier and length")
