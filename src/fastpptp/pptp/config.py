"""What a control connection says of itself, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp.codes import Bearer, Framing

_U16 = 0xFFFF
_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """Times in seconds; the defaults are those of RFC 2637 3.1.4 and 3.2.1.

    `host_name` and `vendor_name` are cut to the 64 octets of their fields.
    `maximum_channels` is said by a PAC only; a PNS says 0 (2.1).
    `echo_interval` 0: no Echo-Requests of ours. `trace`: a MessageTrace for each message;
    `debug`: an event for each step that is taken.
    """

    host_name: str = ""
    vendor_name: str = "fastpptp"
    firmware_revision: int = 1
    framing_capabilities: int = Framing.ASYNCHRONOUS | Framing.SYNCHRONOUS
    bearer_capabilities: int = Bearer.ANALOG | Bearer.DIGITAL
    maximum_channels: int = 0
    echo_interval: float = 60.0
    echo_timeout: float = 60.0
    establish_timeout: float = 60.0
    call_timeout: float = 60.0
    stop_timeout: float = 60.0
    trace: bool = False
    debug: bool = False

    def __post_init__(self) -> None:
        limits = {
            "firmware_revision": _U16,
            "maximum_channels": _U16,
            "framing_capabilities": _U32,
            "bearer_capabilities": _U32,
        }
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise LocalProtocolError(f"{name} must be 0..{limit}")
