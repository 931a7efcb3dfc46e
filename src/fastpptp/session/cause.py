"""Why sessions end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from fastpptp.ppp.events import LinkEnd


class TerminateCause(Enum):
    """Why a session ended: RADIUS' number (RFC 2866 5.10), and the event log's word for it."""

    USER_REQUEST = (1, "User-Request", "User Requested")
    LOST_CARRIER = (2, "Lost-Carrier", "Lost Carrier")
    LOST_SERVICE = (3, "Lost-Service", "Lost Service")
    IDLE_TIMEOUT = (4, "Idle-Timeout", "Idle Timeout")
    SESSION_TIMEOUT = (5, "Session-Timeout", "Max time exceeded")
    ACCESS_HOURS = (5, "Session-Timeout", "Access Hours ended")
    ADMIN_RESET = (6, "Admin-Reset", "Administrator Reset")
    ADMIN_REBOOT = (7, "Admin-Reboot", "Administrator Shutdown")
    PORT_ERROR = (8, "Port-Error", "Port Error")
    NAS_ERROR = (9, "NAS-Error", "NAS Error")
    NAS_REQUEST = (10, "NAS-Request", "NAS Request")
    NAS_REBOOT = (11, "NAS-Reboot", "NAS Reboot")
    SERVICE_UNAVAILABLE = (15, "Service-Unavailable", "Service Unavailable")
    USER_ERROR = (17, "User-Error", "Error")

    def __init__(self, radius: int, label: str, text: str) -> None:
        self.radius = radius
        self.label = label
        self.text = text


CAUSE_OF_END: Mapping[LinkEnd, TerminateCause] = MappingProxyType(
    {
        LinkEnd.LOCAL: TerminateCause.NAS_REQUEST,
        LinkEnd.PEER_TERMINATED: TerminateCause.USER_REQUEST,
        LinkEnd.LOWER_LAYER_DOWN: TerminateCause.LOST_CARRIER,
        LinkEnd.NEGOTIATION_FAILED: TerminateCause.PORT_ERROR,
        LinkEnd.NO_ANSWER: TerminateCause.LOST_CARRIER,
        LinkEnd.LOOPBACK: TerminateCause.PORT_ERROR,
        LinkEnd.PEER_SILENT: TerminateCause.LOST_CARRIER,
        LinkEnd.NO_COMMON_AUTHENTICATION: TerminateCause.USER_ERROR,
        LinkEnd.AUTHENTICATION_FAILED: TerminateCause.USER_ERROR,
        LinkEnd.AUTHENTICATION_NOT_ALLOWED: TerminateCause.USER_ERROR,
        LinkEnd.ENCRYPTION_REQUIRED: TerminateCause.USER_ERROR,
        LinkEnd.NO_NETWORK_PROTOCOL: TerminateCause.SERVICE_UNAVAILABLE,
        LinkEnd.REQUEST_TIMED_OUT: TerminateCause.NAS_ERROR,
    }
)
