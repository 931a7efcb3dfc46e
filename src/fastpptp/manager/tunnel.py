"""A tunnel: one control connection, its sessions, and the log's words for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.manager.admission import PPTP_NOT_ENABLED
from fastpptp.manager.headend import HeadendSession
from fastpptp.pptp import (
    ControlConfig,
    ControlConnection,
    DisconnectResult,
    GeneralError,
    StartResult,
)
from fastpptp.pptp.events import (
    CallEnd,
    CallEnded,
    ControlEnd,
    ControlEnded,
    ControlEvent,
    PeerInfo,
)
from fastpptp.session import TerminateCause

_CAUSES: Mapping[CallEnd, TerminateCause] = MappingProxyType(
    {
        CallEnd.CLEARED_PEER: TerminateCause.USER_REQUEST,
        CallEnd.DISCONNECTED_PEER: TerminateCause.USER_REQUEST,
        CallEnd.ENDED_LOCAL: TerminateCause.NAS_REQUEST,
        CallEnd.REFUSED_PEER: TerminateCause.USER_ERROR,
        CallEnd.REFUSED_LOCAL: TerminateCause.SERVICE_UNAVAILABLE,
        CallEnd.NO_ANSWER: TerminateCause.LOST_CARRIER,
        CallEnd.CONTROL_CLOSED: TerminateCause.LOST_CARRIER,
    }
)

# Ends that nobody has to look into.
_ORDERLY = frozenset({ControlEnd.STOPPED_LOCAL, ControlEnd.STOPPED_PEER})


@dataclass(slots=True)
class Tunnel:
    """One control connection with a peer; its sessions by our Call-ID."""

    connection: int
    control: ControlConnection
    local: IPv4Address
    peer: IPv4Address
    sessions: dict[int, HeadendSession] = field(default_factory=dict)
    info: PeerInfo | None = None
    refusal: Occurrence | None = None
    stopping: bool = False
    # Since when it has no session.
    idle_since: float = 0.0
    lost: int = 0

    @property
    def established(self) -> bool:
        return self.info is not None

    def call_cause(self, event: CallEnded, later: Sequence[ControlEvent]) -> TerminateCause:
        """Why a call ended; that its connection was stopped is told by a later event."""
        if event.end is CallEnd.CONTROL_CLOSED:
            ends = {e.end for e in later if isinstance(e, ControlEnded)}
            if ControlEnd.STOPPED_PEER in ends:
                return TerminateCause.USER_REQUEST
            self.lost += 1
        return _CAUSES[event.end]

    def closed(self, event: ControlEnded) -> Occurrence:
        """PPTP/34. Hanging up a tunnel that carried nothing is no error (pptp-linux does it)."""
        quiet = event.end is ControlEnd.CARRIER_LOST and not self.lost
        if event.end in _ORDERLY or quiet:
            return occur("PPTP", 34, peer=self.peer, reason="None")
        info = event.detail or event.end.value
        return occur("PPTP", 34, peer=self.peer, reason="Error", info=info)


def complaint(event: ControlEnded, peer: IPv4Address, config: ControlConfig) -> Occurrence | None:
    """What a peer did wrong that ended its control connection."""
    if event.end in (ControlEnd.PROTOCOL_ERROR, ControlEnd.VERSION):
        return occur("PPTP", 110, peer=peer, detail=event.detail or event.end.value)
    if event.end is ControlEnd.ECHO_TIMEOUT:
        return occur("PPTP", 112, peer=peer, seconds=f"{config.echo_timeout:g}")
    if event.end is ControlEnd.ESTABLISH_TIMEOUT:
        return occur("PPTP", 113, peer=peer, seconds=f"{config.establish_timeout:g}")
    return None


def disconnect_result(cause: TerminateCause) -> tuple[int, int]:
    """Result and error of the Call-Disconnect-Notify that tells this cause (RFC 2637 2.13)."""
    if cause in (TerminateCause.LOST_CARRIER, TerminateCause.USER_REQUEST):
        return DisconnectResult.LOST_CARRIER, GeneralError.NONE
    if cause in (TerminateCause.NAS_ERROR, TerminateCause.PORT_ERROR):
        return DisconnectResult.GENERAL_ERROR, GeneralError.PAC_ERROR
    return DisconnectResult.ADMIN_SHUTDOWN, GeneralError.NONE


def start_result(refusal: Occurrence) -> tuple[int, int]:
    """Result and error of the Start-Control-Connection-Reply for a refusal (RFC 2637 2.2)."""
    if refusal.number == PPTP_NOT_ENABLED:
        return StartResult.NOT_AUTHORIZED, GeneralError.NONE
    return StartResult.GENERAL_ERROR, GeneralError.NO_RESOURCE
