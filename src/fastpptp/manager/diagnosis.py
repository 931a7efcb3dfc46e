"""What goes wrong on one session: which faults were seen, and the questions to its peer.

faults.py has the rules and the words, probe.py how a question is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any, Protocol

from fastpptp.effects import Effect, Examine, Look, Reading
from fastpptp.manager.faults import NONSENSE_REJECTS, Fault, Faults, rejects_ours
from fastpptp.manager.probe import Probe, path_plan, reach_plan
from fastpptp.ports import CallPolicy
from fastpptp.session import SessionState


class Subject(Protocol):
    """A session, as far as it matters here. `echo` sends an LCP Echo-Request of that size."""

    handle: int
    peer: IPv4Address
    user: str
    state: SessionState
    policy: CallPolicy

    def echo(self, size: int, now: float) -> list[Effect]: ...


class Diagnosis:
    """`faults` are those that were seen, each of which is told once; `gre_seen`: the peer sent any.

    `begun` is what the counters said when the call was connected, until its Link has heard the
    peer.
    """

    __slots__ = (
        "_echoes",
        "_probe",
        "_rejects",
        "_subject",
        "_telling",
        "begun",
        "faults",
        "gre_seen",
    )

    def __init__(self, subject: Subject, telling: Faults) -> None:
        self._subject = subject
        self._telling = telling
        self.faults: frozenset[Fault] = frozenset()
        self.gre_seen = False
        self.begun: Reading | None = None
        # The question that is under way.
        self._probe: Probe | None = None
        # Whether the peer has answered an echo; how many packets it rejected as nonsense.
        self._echoes = False
        self._rejects = 0

    def tell(self, fault: Fault, now: float, **fields: object) -> list[Effect]:
        """The event, unless this session or lately another one of its peer had this fault."""
        if fault in self.faults:
            return []
        self.faults |= {fault}
        return self._telling.tell(fault, self._subject.peer, self._subject.user, now, **fields)

    # Questions.

    @property
    def deadline(self) -> float | None:
        """When the question that is under way goes on."""
        return self._probe.due if self._probe else None

    def probe_path(self, now: float) -> None:
        """It is up: see whether large packets get through, in its turn."""
        self._ask_path(self._telling.probe_at(now))

    def _ask_path(self, at: float) -> None:
        self._probe = Probe(path_plan(self._subject.policy.mru), at, self._path_is_narrow)

    def probe_reach(self, now: float) -> list[Effect]:
        """What we send is not acknowledged any more: see whether the peer answers anything."""
        if self._probe is not None or not self._echoes:
            return []
        if self._subject.state is not SessionState.UP:
            return []
        self._probe = Probe(reach_plan(), now, self._peer_is_deaf)
        return self.handle_timer(now)

    def handle_timer(self, now: float) -> list[Effect]:
        return self._go_on(self._probe.advance(now), now) if self._probe else []

    def answered(self, size: int, now: float) -> list[Effect]:
        """An echo of this size came back."""
        return self._go_on(self._probe.answered(size, now), now) if self._probe else []

    def _go_on(self, size: int | None, now: float) -> list[Effect]:
        """With the probe: an echo of this size, or its end."""
        probe = self._probe
        if probe is None or self._subject.state is not SessionState.UP:
            self._probe = None
            return []
        self._echoes |= probe.heard
        if size is not None:
            return self._subject.echo(size, now)
        if probe.due is not None:
            return []
        self._probe = None
        return probe.conclusion(now)

    def _path_is_narrow(self, passes: int, now: float) -> list[Effect]:
        return self.tell(Fault.BLACK_HOLE, now, size=self._subject.policy.mru, passes=passes)

    def _peer_is_deaf(self, found: int, now: float) -> list[Effect]:
        seen = "it sends, but acknowledges nothing and answers no LCP echo any more"
        local_call_id = self._subject.handle & 0xFFFF
        return self.tell(Fault.ONE_WAY, now, local_call_id=local_call_id, seen=seen)

    # Nonsense.

    def rejected(self) -> list[Effect]:
        """A packet as of a protocol that nobody sends: the peer decrypted ours to nonsense."""
        self._rejects += 1
        if self._rejects % NONSENSE_REJECTS or Fault.WRONG_KEY in self.faults:
            return []
        return [Examine(self._subject.handle, Look.REJECTS)]

    def rejects_judged(self, found: Reading, now: float) -> list[Effect]:
        """The answer to that."""
        if not rejects_ours(found, self._rejects):
            return []
        seen = f"it rejected {self._rejects} packets as of protocols that nobody sent"
        return self.tell(Fault.WRONG_KEY, now, seen=seen)

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        return {
            "gre_seen": self.gre_seen,
            "faults": sorted(fault.name for fault in self.faults),
            "rejects": self._rejects,
            "echoes": self._echoes,
            # A question that is under way is asked from the beginning.
            "probe": self.deadline,
        }

    def load(self, snapshot: Mapping[str, Any]) -> None:
        self.gre_seen = snapshot["gre_seen"]
        self.faults = frozenset(Fault[name] for name in snapshot["faults"])
        self._rejects = snapshot["rejects"]
        self._echoes = snapshot["echoes"]
        if snapshot["probe"] is not None:
            self._ask_path(snapshot["probe"])
