"""An agent whose headend is a Snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from fastpptp.admin.meter import MONITORED
from fastpptp.admin.snapshot import EventCount, SessionRow, Snapshot, TunnelRow
from fastpptp.errors import UnavailableError
from fastpptp.snmp.agent import Access, Agent
from fastpptp.snmp.notices import Failure, Notice, Refused

ENGINE = bytes.fromhex("80000c0405") + b"fastpptp"
MANAGER = "192.0.2.9"
READ, WRITE = "read", "write"
COUNTERS = dict.fromkeys(SessionRow._fields, 0)


def session(number: int, **values: Any) -> SessionRow:
    plain: dict[str, Any] = {
        **COUNTERS, "id": number, "user": f"user{number}", "group": "", "client_type": "test",
        "peer": 0xC0000200 + number, "address": 0xAC100100 + number, "bits": 128,
        "stateless": True, "age": float(number), "bearer_type": 3, "framing_type": 3,
    }  # fmt: skip
    return SessionRow(**{**plain, **values})


def tunnel(connection: int, peer: int, sessions: int = 1) -> TunnelRow:
    return TunnelRow(connection, peer, 0xC0000201, sessions, 0x0100, 3, 3, 0, 1, "host", "vendor")


def snapshot(*sessions: SessionRow, tunnels: tuple[TunnelRow, ...] = ()) -> Snapshot:
    totals = {name: place for place, name in enumerate(MONITORED)}
    events = [EventCount("PPTP", 42, 7), EventCount("AUTH", 5, 3), EventCount("UNHEARD-OF", 1, 1)]
    return Snapshot("0.1", "host", 1000.0, totals, events, list(tunnels), list(sessions))


@dataclass
class FakeAdmin:
    """What a Source asks. `snapshots` are answered in turn, the last one again and again."""

    snapshots: list[Snapshot]
    asked: int = 0
    ended: list[object] = field(default_factory=list)
    fails: bool = False

    def snapshot(self) -> Snapshot:
        self.asked += 1
        if self.fails:
            raise UnavailableError("no headend is running")
        return self.snapshots[min(self.asked, len(self.snapshots)) - 1]

    def logout(self, **whom: object) -> list[int]:
        if self.fails:
            raise UnavailableError("no headend is running")
        self.ended.append(whom)
        return [1]

    def stop_tunnels(self, peer: str) -> int:
        self.ended.append(peer)
        return 1


class Site:
    """An agent that is asked at `now`."""

    def __init__(self, *snapshots: Snapshot, access: Access | None = None) -> None:
        self.now = 100.0
        self.told: list[Notice] = []
        self.admin = FakeAdmin(list(snapshots) or [snapshot(session(1))])
        wanted = access or Access(READ, WRITE)
        self.agent = Agent(
            wanted, self.admin, self.told.append,  # type: ignore[arg-type]
            engine=ENGINE, boots=7, clock=lambda: self.now,
        )  # fmt: skip

    def failures(self) -> list[Failure]:
        """Those that were told."""
        return [notice.failure for notice in self.told if isinstance(notice, Refused)]

    def ask(self, data: bytes, manager: str = MANAGER) -> bytes | None:
        return self.agent.handle(data, manager)


def grown(found: Snapshot, **values: Any) -> Snapshot:
    """A Snapshot in which every session has these values."""
    return replace(found, sessions=[row._replace(**values) for row in found.sessions])
