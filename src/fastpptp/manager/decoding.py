"""Debug and decode events: what was said on the wire and what came of it, for who wants to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from fastpptp.effects import Emit
from fastpptp.events.catalogue import (
    DEBUG,
    DEBUG_HIGH,
    DEBUG_LOW,
    DECODE_DETAIL,
    DECODE_HEADER,
    DECODE_HEADER_HEX,
    DECODE_PACKET_HEX,
    occur,
)
from fastpptp.hexdump import dump, line
from fastpptp.manager.debugging import Ears
from fastpptp.ppp import inspect as ppp
from fastpptp.ppp.events import AutomatonStep, FrameTrace, PhaseChange, RequestJudged
from fastpptp.ppp.frames import Protocol
from fastpptp.ppp.hidden import hidden
from fastpptp.pptp import inspect as pptp
from fastpptp.pptp.events import CallStep, ControlStep, MessageTrace

# Their frames are AUTHDECODE's: protocol field without compression, or behind FF 03.
_AUTHENTICATION = frozenset(
    protocol.to_bytes(2, "big") for protocol in (Protocol.PAP, Protocol.CHAP, Protocol.EAP)
)


@dataclass(frozen=True, slots=True)
class Told:
    """Whom an event is about, and how its text begins."""

    ears: Ears
    peer: IPv4Address
    user: str
    where: str

    def decode(
        self,
        cls: str,
        header: Callable[[], str],
        whole: Callable[[], str],
        header_hex: Callable[[], str],
        packet_hex: Callable[[], str],
    ) -> Iterator[Emit]:
        """One event for each severity that is wanted; only those are put in words."""
        wanted, peer, user = self.ears.wanted[cls], self.peer, self.user
        if DECODE_HEADER in wanted:
            yield Emit(occur(cls, 100, peer=peer, user=user, text=self.where + header()))
        if DECODE_DETAIL in wanted:
            yield Emit(occur(cls, 101, peer=peer, user=user, text=self.where + whole()))
        if DECODE_HEADER_HEX in wanted:
            yield Emit(occur(cls, 102, peer=peer, user=user, text=self.where + header_hex()))
        if DECODE_PACKET_HEX in wanted:
            text = self.where + header()
            yield Emit(occur(cls, 103, peer=peer, user=user, text=text, dump=packet_hex()))

    def step(self, cls: str, number: int, severity: int, words: Callable[[], str]) -> list[Emit]:
        if severity not in self.ears.wanted[cls]:
            return []
        text = self.where + words()
        return [Emit(occur(cls, number, peer=self.peer, user=self.user, text=text))]


def frame_decoded(told: Told, trace: FrameTrace) -> list[Emit]:
    """PPPDECODE, or AUTHDECODE for PAP, CHAP and EAP."""
    frame = trace.frame
    start = 2 if frame[:2] == b"\xff\x03" else 0
    authentication = frame[start : start + 2] in _AUTHENTICATION
    return list(
        told.decode(
            "AUTHDECODE" if authentication else "PPPDECODE",
            lambda: ppp.describe_header(frame),
            lambda: ppp.describe_frame(frame),
            lambda: line(ppp.header_of(frame)),
            lambda: dump(frame, hidden(frame)),
        )
    )


def message_decoded(told: Told, trace: MessageTrace) -> list[Emit]:
    """PPTPDECODE."""
    return list(
        told.decode(
            "PPTPDECODE",
            lambda: pptp.describe_header(trace),
            lambda: pptp.describe_trace(trace),
            lambda: line(pptp.header_of(trace)),
            lambda: dump(trace.octets),
        )
    )


def link_stepped(told: Told, event: PhaseChange | AutomatonStep | RequestJudged) -> list[Emit]:
    """PPPDBG."""
    if isinstance(event, PhaseChange):
        return told.step("PPPDBG", 100, DEBUG_HIGH, lambda: ppp.describe_phase(event))
    if isinstance(event, AutomatonStep):
        return told.step("PPPDBG", 101, DEBUG, lambda: ppp.describe_step(event))
    return told.step("PPPDBG", 102, DEBUG_LOW, lambda: ppp.describe_judgement(event))


def control_stepped(told: Told, event: ControlStep | CallStep, now: float) -> list[Emit]:
    """PPTPDBG."""
    if isinstance(event, ControlStep):
        step = event
        return told.step("PPTPDBG", 100, DEBUG_HIGH, lambda: pptp.describe_control_step(step, now))
    call = event
    if call.ignored:
        return told.step("PPTPDBG", 102, DEBUG_LOW, lambda: pptp.describe_call_step(call, now))
    return told.step("PPTPDBG", 101, DEBUG, lambda: pptp.describe_call_step(call, now))
