"""Control messages in one readable line, in pppd's manner:

[PPTP Outgoing-Call-Reply <call-id 0x2deb> <peer-call-id 0x0> <result 1 Connected> ...]
"""

from __future__ import annotations

from typing import Any

from fastpptp.pptp.codes import Bearer, Code, Framing, name_of
from fastpptp.pptp.messages import Field, Message


def describe(message: Message) -> str:
    """The line. Octets of a peer's text that are not printable are escaped."""
    layout = message.LAYOUT
    values = ((field, getattr(message, field.name)) for field in layout.fields)
    shown = [_show(field, value) for field, value in values if value or not field.optional]
    return f"[PPTP {' '.join([layout.kind.text, *shown])}]"


def printable(text: str) -> str:
    """Text from the wire made fit for a log: one line, ASCII, no control characters."""
    return "".join(c if " " <= c <= "~" and c != "\\" else f"\\x{ord(c):02x}" for c in text)


def _show(field: Field, value: Any) -> str:
    return f"<{field.label} {_value(field, value)}>"


def _value(field: Field, value: Any) -> str:
    show = field.show
    if isinstance(show, str):
        if show == "text":
            return '"' + printable(value).replace('"', "\\x22") + '"'
        return str(value) if show == "d" else f"0x{value:{show}}"
    if issubclass(show, Code):
        return f"{value} {name_of(show, value)}"
    return f"{value:#x}{_bits(show, value)}"


def _bits(flags: type[Framing] | type[Bearer], value: int) -> str:
    return "".join(f" {flag.name.lower()}" for flag in flags if flag.name and value & flag)
