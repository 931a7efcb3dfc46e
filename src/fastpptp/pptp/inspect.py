"""Control messages in one readable line, in pppd's manner:

[PPTP Outgoing-Call-Reply <call-id 0x2deb> <peer-call-id 0x0> <result 1 Connected> ...]
"""

from __future__ import annotations

from typing import Any

from fastpptp.pptp.codes import Bearer, Code, Framing, name_of
from fastpptp.pptp.events import CallStep, ControlStep, MessageTrace
from fastpptp.pptp.messages import HEADER, Field, Message


def describe(message: Message) -> str:
    """The line. Octets of a peer's text that are not printable are escaped."""
    layout = message.LAYOUT
    values = ((field, getattr(message, field.name)) for field in layout.fields)
    shown = [_show(field, value) for field, value in values if value or not field.optional]
    return f"[PPTP {' '.join([layout.kind.text, *shown])}]"


def describe_trace(trace: MessageTrace) -> str:
    """As describe; what is no message is told by its first octets."""
    if trace.message is None:
        return f"[no PPTP message: {trace.octets[:16].hex()}]"
    return describe(trace.message)


def describe_header(trace: MessageTrace) -> str:
    """The type and the length alone: `[PPTP Echo-Request len=16]`."""
    if trace.message is None:
        return f"[no PPTP message: {len(trace.octets)} octets]"
    return f"[PPTP {trace.message.LAYOUT.kind.text} len={len(trace.octets)}]"


def header_of(trace: MessageTrace) -> bytes:
    """Length, type, cookie and control message type (RFC 2637 1.4)."""
    return trace.octets[: HEADER.size]


def describe_control_step(step: ControlStep, now: float) -> str:
    """`control connection idle -> closed on TCP closed by the peer; timer in 60 s`."""
    on = step.event.value if step.event else "what is no message"
    states = f"{step.before.value} -> {step.after.value}"
    return f"control connection {states} on {on}{_timer(step.deadline, now)}"


def describe_call_step(step: CallStep, now: float) -> str:
    """`call 0x2deb (peer 0x1) wait_cs_ans -> established on our owner takes the call`."""
    call = f"call {step.call.local_call_id:#x} (peer {step.call.peer_call_id:#x})"
    if step.ignored:
        return f"{call} {step.before.value}: {step.event.value} ignored"
    states = f"{step.before.value} -> {step.after.value}"
    return f"{call} {states} on {step.event.value}{_timer(step.deadline, now)}"


def _timer(deadline: float | None, now: float) -> str:
    return "" if deadline is None else f"; timer in {deadline - now:.0f} s"


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
