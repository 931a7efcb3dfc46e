"""A dataplane in memory that keeps the real one's rules and breaks loudly on a caller's mistake."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastpptp.errors import LocalProtocolError
from fastpptp.ports import (
    CallEvent,
    CallPolicy,
    CallSpec,
    FilterLog,
    PacketFilter,
    Trace,
    TraceRecord,
)
from fastpptp.ppp.events import Direction

# The columns of the real one's stats.
COUNTERS = (
    "last_data", "rx_packets", "rx_octets", "tx_packets", "tx_octets", "rx_discards", "tx_discards",
    "rx_zlb", "tx_zlb", "ack_timeouts", "window_reopens", "out_of_window", "out_of_sequence",
    "lost", "control_received", "control_sent", "mppe_resets_received", "mppe_resets_sent",
    "opened", "window_held", "window_silent", "cleartext", "strays", "stray_source",
)  # fmt: skip
STATS = np.dtype(
    [
        ("handle", "<u4"),
        ("flow", "<u4"),
        *((name, "<u8") for name in COUNTERS),
        ("reserved", "<u8", 7),
    ]
)

IPV4 = 0x0021
IPV6 = 0x0057
_VERSIONS = {IPV4: 4, IPV6: 6}
PARK_LIMIT = 16


@dataclass(slots=True)
class FakeCall:
    """One open call: what the commands made of it, and the data that passed."""

    handle: int
    spec: CallSpec
    worker: int = 0
    policy: CallPolicy = field(default_factory=CallPolicy)
    keys: dict[Direction, tuple[bytes, int, bool]] = field(default_factory=dict)
    gates: set[int] = field(default_factory=set)
    lcp_owned: bool = False
    unanswered: int = 0
    parked: list[bytes] = field(default_factory=list)
    delivered: list[bytes] = field(default_factory=list)
    dropped: int = 0

    @property
    def peer(self) -> tuple[str, int]:
        return str(self.spec.peer_address), self.spec.peer_call_id


class FakeDataplane:
    """ports.Dataplane in memory.

    Commands are recorded in `commands`, control frames go to `transmit(handle, frame)`.
    A test hands in what the peer sent with `receive_frame`, raises events with `raise_event`, and
    lets close_call finish with `finish_closing` (at once when `instant_close`). A command that
    breaks the contract raises LocalProtocolError: a handle that is not open, a Call-ID opened
    twice or too soon, a generation used twice in a row, a gate before its address or before the
    keys that the policy requires, an echo owner without an LCP magic number, a filter not
    set, a move to a worker that is not there or of a call whose gate is open.
    """

    def __init__(
        self,
        transmit: Callable[[int, bytes], None] | None = None,
        *,
        instant_close: bool = True,
        workers: int = 1,
    ) -> None:
        self.workers = workers
        self.calls: dict[int, FakeCall] = {}
        self.commands: list[tuple[Any, ...]] = []
        self.closing: dict[int, FakeCall] = {}
        self._transmit = transmit or (lambda handle, frame: None)
        self._instant_close = instant_close
        self._generations: dict[int, int] = {}
        self._taken: set[int] = set()
        self._punts: deque[tuple[int, bytes]] = deque()
        self._events: dict[int, CallEvent] = {}
        self.filters: dict[str, PacketFilter] = {}
        self.filter_log: list[FilterLog] = []
        self.traced: dict[int, tuple[Trace, int, int]] = {}
        self.traces: list[TraceRecord] = []
        # Mapped, so that only what is touched is made: numpy would take huge pages.
        self._stats = np.frombuffer(mmap.mmap(-1, 65536 * STATS.itemsize), STATS)

    def fileno(self) -> int:
        """-1: nothing to wait for, a test looks by itself."""
        return -1

    @property
    def stats(self) -> Any:
        """(65536,) array of STATS, indexed by Call-ID."""
        return self._stats

    def drop_counts(self) -> dict[str, int]:
        """Nothing passes here, so nothing is dropped."""
        return {}

    # Commands.

    def open_call(self, handle: int, spec: CallSpec) -> None:
        self.commands.append(("open_call", handle, spec))
        call_id, generation = handle & 0xFFFF, handle >> 16
        self._demand(call_id != 0 and generation != 0, f"handle {handle:#x} is malformed")
        self._demand(call_id not in self._taken, f"Call-ID {call_id} is not free")
        self._demand(self._generations.get(call_id) != generation, "generation used twice in a row")
        self._generations[call_id] = generation
        self._taken.add(call_id)
        self._stats[call_id] = np.zeros((), STATS)
        self.calls[handle] = FakeCall(handle, spec, call_id % self.workers)

    def close_call(self, handle: int) -> None:
        self.commands.append(("close_call", handle))
        self.closing[handle] = self._call(handle)
        self._end_trace(handle)
        del self.calls[handle]
        self._events.pop(handle, None)
        self._punts = deque(punt for punt in self._punts if punt[0] != handle)
        if self._instant_close:
            self.finish_closing(handle)

    @property
    def movable(self) -> bool:
        return self.workers > 1

    def move_call(self, handle: int, worker: int) -> None:
        self.commands.append(("move_call", handle, worker))
        self._demand(0 <= worker < self.workers, f"there is no worker {worker}")
        self._demand(not self._call(handle).gates, "a call moves before its gate opens")
        self._call(handle).worker = worker

    def set_filters(self, filters: Mapping[str, PacketFilter]) -> None:
        self.commands.append(("set_filters", dict(filters)))
        self.filters = dict(filters)

    def set_policy(self, handle: int, policy: CallPolicy) -> None:
        self.commands.append(("set_policy", handle, policy))
        self._demand(
            policy.filter in (None, *self.filters), f"there is no filter {policy.filter!r}"
        )
        self._call(handle).policy = policy

    def set_keys(
        self, handle: int, direction: int, start_key: bytes, bits: int, stateless: bool
    ) -> None:
        self.commands.append(("set_keys", handle, direction, start_key, bits, stateless))
        wanted = {40: 8, 56: 8, 128: 16}.get(bits)
        self._demand(len(start_key) == wanted, f"a start key of {len(start_key)} octets")
        call = self._call(handle)
        call.keys[Direction(direction)] = (start_key, bits, stateless)
        self._replay(call)

    def clear_keys(self, handle: int) -> None:
        self.commands.append(("clear_keys", handle))
        self._call(handle).keys.clear()

    def open_gate(self, handle: int, version: int) -> None:
        self.commands.append(("open_gate", handle, version))
        call = self._call(handle)
        policy = call.policy
        armed = len(call.keys) == len(Direction)
        self._demand(armed or not policy.encryption_required, "gate opened without keys")
        self._demand(version != 4 or policy.peer_address is not None, "gate 4 without an address")
        self._demand(version != 6 or bool(policy.peer_identifier), "gate 6 without an identifier")
        call.gates.add(version)
        self._replay(call)

    def close_gate(self, handle: int, version: int) -> None:
        self.commands.append(("close_gate", handle, version))
        self._call(handle).gates.discard(version)

    def own_lcp(self, handle: int, owned: bool) -> None:
        self.commands.append(("own_lcp", handle, owned))
        self._call(handle).lcp_owned = owned

    def inject(self, handle: int, frame: bytes) -> None:
        self.commands.append(("inject", handle, frame))
        self._call(handle)
        self._demand(len(frame) >= 6, "a control frame is at least protocol, code, id, length")
        self._transmit(handle, frame)

    def control_done(self, handle: int) -> None:
        self.commands.append(("control_done", handle))
        call = self._call(handle)
        self._demand(call.unanswered > 0, "control_done without a punt")
        call.unanswered -= 1
        self._replay(call)

    # What the control plane reads.

    def read_punts(self, limit: int = 256) -> Sequence[tuple[int, bytes]]:
        return [self._punts.popleft() for _ in range(min(limit, len(self._punts)))]

    def read_events(self, limit: int = 256) -> Sequence[tuple[int, int]]:
        taken = list(self._events)[:limit]
        return [(handle, int(self._events.pop(handle))) for handle in taken]

    def read_filter_log(self, limit: int = 256) -> Sequence[FilterLog]:
        """What a test put into `filter_log`."""
        taken, self.filter_log = self.filter_log[:limit], self.filter_log[limit:]
        return taken

    def trace(self, handle: int, kinds: int, snap: int = 2048, rate: int = 0) -> None:
        self.commands.append(("trace", handle, kinds, snap, rate))
        self._demand(0 <= kinds < Trace.ENDED, f"{kinds} is not what can be traced")
        self._demand(64 <= snap <= 2048 and 0 <= rate <= 65535, "snap or rate is out of range")
        if handle not in self.calls:
            return
        if kinds:
            self.traced[handle] = Trace(kinds), snap, rate
        else:
            self._end_trace(handle)

    def read_trace(self, limit: int = 256) -> Sequence[TraceRecord]:
        """What a test put into `traces`, and the ends of traces."""
        taken, self.traces = self.traces[:limit], self.traces[limit:]
        return taken

    def filter_counts(self, name: str) -> Sequence[tuple[int, int]]:
        """Zeros: no packet is held against a rule here."""
        return [(0, 0)] * (len(self.filters[name].rules) + 2)

    # What a test does to it.

    def receive_frame(self, handle: int, frame: bytes) -> None:
        """A PPP frame, two-octet protocol first, from the peer: punt, pass, park or drop it."""
        call = self.calls.get(handle)
        if call is None:
            return
        version = _VERSIONS.get(int.from_bytes(frame[:2], "big"))
        if version is None:
            call.unanswered += 1
            self._punts.append((handle, frame))
        elif version in call.gates:
            self._deliver(call, frame)
        elif call.unanswered and len(call.parked) < PARK_LIMIT:
            call.parked.append(frame)
        else:
            call.dropped += 1

    def raise_event(self, handle: int, event: CallEvent) -> None:
        self._events[handle] = self._events.get(handle, CallEvent(0)) | event

    def finish_closing(self, handle: int) -> None:
        """Carry a close_call out: its row is final, its Call-ID is free."""
        del self.closing[handle]
        self._taken.discard(handle & 0xFFFF)
        self.raise_event(handle, CallEvent.CLOSED)

    def count(self, handle: int, *, rx_octets: int = 0, tx_octets: int = 0) -> None:
        """Add to a call's row as if traffic had passed."""
        row = self._stats[handle & 0xFFFF]
        row["rx_octets"] += rx_octets
        row["tx_octets"] += tx_octets

    def _end_trace(self, handle: int) -> None:
        if self.traced.pop(handle, None):
            self.traces.append(TraceRecord(handle, Trace.ENDED, 0, 0, 0, 0, 0, b""))

    def _replay(self, call: FakeCall) -> None:
        passed = [frame for frame in call.parked if self._may_pass(call, frame)]
        for frame in passed:
            self._deliver(call, frame)
        left = [frame for frame in call.parked if not self._may_pass(call, frame)]
        call.parked = left if call.unanswered else []
        call.dropped += 0 if call.unanswered else len(left)

    @staticmethod
    def _may_pass(call: FakeCall, frame: bytes) -> bool:
        return _VERSIONS.get(int.from_bytes(frame[:2], "big")) in call.gates

    def _deliver(self, call: FakeCall, frame: bytes) -> None:
        call.delivered.append(frame)
        row = self._stats[call.handle & 0xFFFF]
        row["rx_packets"] += 1
        row["rx_octets"] += len(frame) - 2

    def _call(self, handle: int) -> FakeCall:
        call = self.calls.get(handle)
        if call is None:
            raise LocalProtocolError(f"no call is open under handle {handle:#x}")
        return call

    @staticmethod
    def _demand(condition: bool, what: str) -> None:
        if not condition:
            raise LocalProtocolError(what)
