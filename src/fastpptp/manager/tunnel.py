"""A tunnel: one control connection, its sessions, and the log's words for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.manager.admission import PPTP_NOT_ENABLED
from fastpptp.manager.debugging import Debugging, Ears
from fastpptp.manager.decoding import Told
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
from fastpptp.session import Cause

_CALLS: Mapping[CallEnd, Cause] = MappingProxyType(
    {
        CallEnd.CLEARED_PEER: Cause.CALL_CLEARED,
        CallEnd.DISCONNECTED_PEER: Cause.CALL_DISCONNECTED,
    }
)

# What the peer did to its control connection.
_CONTROL: Mapping[ControlEnd, Cause] = MappingProxyType(
    {
        ControlEnd.STOPPED_PEER: Cause.CONTROL_STOPPED,
        ControlEnd.CARRIER_LOST: Cause.CONTROL_LOST,
        ControlEnd.PROTOCOL_ERROR: Cause.CONTROL_ERROR,
        ControlEnd.ECHO_TIMEOUT: Cause.CONTROL_SILENT,
        ControlEnd.ESTABLISH_TIMEOUT: Cause.NOT_ESTABLISHED,
        ControlEnd.VERSION: Cause.BAD_VERSION,
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
    ears: Ears
    sessions: dict[int, HeadendSession] = field(default_factory=dict)
    info: PeerInfo | None = None
    refusal: Occurrence | None = None
    # Why we stop it, once we do.
    stopped_for: Cause | None = None
    # Since when it has no session.
    idle_since: float = 0.0
    lost: int = 0
    # Whose it was when it was last asked.
    user: str = ""

    def listen(self, debugging: Debugging) -> None:
        """Make those debug and decode events that somebody wants to hear now, and no others.

        It is a user's tunnel while it has sessions and all are that user's.
        """
        names = {session.user for session in self.sessions.values()}
        self.user = names.pop() if len(names) == 1 else ""
        self.ears = heard = debugging.ears(self.peer, self.user)
        self.control.trace = heard.hears("PPTPDECODE")
        self.control.debug = heard.hears("PPTPDBG")

    def told(self, direction: str = "") -> Told:
        return Told(self.ears, self.peer, self.user, f"[{self.peer}] {direction}")

    @property
    def established(self) -> bool:
        return self.info is not None

    def call_cause(self, event: CallEnded, later: Sequence[ControlEvent]) -> Cause:
        """Why a call ended; what ended its connection is told by a later event."""
        if event.end is not CallEnd.CONTROL_CLOSED:
            return _CALLS[event.end]
        cause = next(self.cause(e) for e in later if isinstance(e, ControlEnded))
        self.lost += cause is not Cause.CONTROL_STOPPED
        return cause

    def cause(self, event: ControlEnded) -> Cause:
        """Why the tunnel ended: what we stopped it for, or what the peer did."""
        return self.stopped_for or _CONTROL[event.end]

    def closed(self, event: ControlEnded) -> Occurrence:
        """PPTP/34. Hanging up a tunnel that carried nothing is no error (pptp-linux does it)."""
        cause, reason, info = self.cause(event), "Error", event.detail or event.end.value
        quiet = event.end is ControlEnd.CARRIER_LOST and not self.lost
        if event.end in _ORDERLY or quiet:
            reason, info = "None", ""
        return occur("PPTP", 34, peer=self.peer, reason=reason, info=info, code=cause)


def complaint(event: ControlEnded, peer: IPv4Address, config: ControlConfig) -> Occurrence | None:
    """What a peer did wrong that ended its control connection."""
    cause = _CONTROL.get(event.end)
    if event.end in (ControlEnd.PROTOCOL_ERROR, ControlEnd.VERSION):
        return occur("PPTP", 110, peer=peer, detail=event.detail or event.end.value, code=cause)
    if event.end is ControlEnd.ECHO_TIMEOUT:
        return occur("PPTP", 112, peer=peer, seconds=f"{config.echo_timeout:g}", code=cause)
    if event.end is ControlEnd.ESTABLISH_TIMEOUT:
        return occur("PPTP", 113, peer=peer, seconds=f"{config.establish_timeout:g}", code=cause)
    return None


def disconnect_result(cause: Cause) -> tuple[int, int]:
    """Result and error of the Call-Disconnect-Notify that tells this cause (RFC 2637 2.13)."""
    if cause.acct in ("User-Request", "Lost-Carrier"):
        return DisconnectResult.LOST_CARRIER, GeneralError.NONE
    if cause.acct in ("Port-Error", "NAS-Error"):
        return DisconnectResult.GENERAL_ERROR, GeneralError.PAC_ERROR
    return DisconnectResult.ADMIN_SHUTDOWN, GeneralError.NONE


def start_result(refusal: Occurrence) -> tuple[int, int]:
    """Result and error of the Start-Control-Connection-Reply for a refusal (RFC 2637 2.2)."""
    if refusal.number == PPTP_NOT_ENABLED:
        return StartResult.NOT_AUTHORIZED, GeneralError.NONE
    return StartResult.GENERAL_ERROR, GeneralError.NO_RESOURCE
