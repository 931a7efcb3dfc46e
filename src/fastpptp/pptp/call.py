"""One call on a control connection (RFC 2637 3.2): its state, Call IDs, and what was agreed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp import tables
from fastpptp.pptp.codes import Role
from fastpptp.pptp.tables import CallState, CallTable


class CallKind(Enum):
    """Seen from the PAC, as everywhere in the RFC: a PNS asks for outgoing calls."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"


_TABLES: Mapping[tuple[Role, CallKind], CallTable] = MappingProxyType(
    {
        (Role.PAC, CallKind.OUTGOING): tables.PAC_OUTGOING,
        (Role.PNS, CallKind.OUTGOING): tables.PNS_OUTGOING,
        (Role.PAC, CallKind.INCOMING): tables.PAC_INCOMING,
        (Role.PNS, CallKind.INCOMING): tables.PNS_INCOMING,
    }
)


@dataclass(eq=False, slots=True)
class Call:
    """A call, changed by its ControlConnection alone; compared by identity.

    A Call ID may be any 16-bit number, 0 too: `has_local_id` and `has_peer_id` tell whether it
    is known yet. Windows are in packets, delays in 1/10 s, speeds in bits a second.
    `receive_window` and `processing_delay` are what we say, `peer_...` what the peer says.
    """

    VERSION: ClassVar[int] = 1

    role: Role
    kind: CallKind
    state: CallState = CallState.IDLE
    local_call_id: int = 0
    peer_call_id: int = 0
    has_local_id: bool = False
    has_peer_id: bool = False
    # The owner has had its CallEnded.
    ended: bool = False
    serial: int = 0
    minimum_bps: int = 0
    maximum_bps: int = 0
    bearer_type: int = 0
    framing_type: int = 0
    phone_number: str = ""
    subaddress: str = ""
    dialed_number: str = ""
    dialing_number: str = ""
    physical_channel: int = 0
    connect_speed: int = 0
    receive_window: int = 0
    processing_delay: int = 0
    peer_window: int = 0
    peer_processing_delay: int = 0
    # Monotonic seconds of our last WAN-Error-Notify, None before the first.
    wan_error_at: float | None = None

    @property
    def table(self) -> CallTable:
        return _TABLES[self.role, self.kind]

    @property
    def established(self) -> bool:
        return self.state is CallState.ESTABLISHED

    def snapshot(self) -> dict[str, Any]:
        """The call as plain data; `version` says how to read it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {k: v.value if isinstance(v, Enum) else v for k, v in values.items()}
        return {"version": self.VERSION, **plain}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Call:
        """LocalProtocolError: the snapshot is of another version."""
        check_version("Call", cls.VERSION, snapshot)
        values = {field.name: snapshot[field.name] for field in fields(cls)}
        values["role"] = Role(values["role"])
        values["kind"] = CallKind(values["kind"])
        values["state"] = CallState(values["state"])
        return cls(**values)


def check_version(what: str, version: int, snapshot: Mapping[str, Any]) -> None:
    if snapshot.get("version") != version:
        raise LocalProtocolError(
            f"{what} snapshot of version {snapshot.get('version')}, not {version}"
        )
