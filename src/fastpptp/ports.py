"""The ports: what policy and protocol ask of the world, as structural types.

Nothing here does anything. The real adapters are in dataplane/, backends/ and
server/; the doubles that ship are in testing/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, NamedTuple, Protocol


class CallEvent(IntFlag):
    """Sticky bits that the dataplane raises for a call (Dataplane.read_events)."""

    FIRST_GRE = 1  # the first enhanced GRE packet from the peer arrived
    PEER_SILENT = 2  # LCP echoes went unanswered
    IDLE = 4  # no data for the idle time-out
    RESYNC_FAILED = 8  # MPPE could not be brought back in step: renegotiate CCP
    PARK_EXPIRED = 16  # parked data frames were dropped after 1 s
    CLOSED = 32  # close_call was carried out; the stats row is final, the Call-ID is free
    NEVER_DECRYPTED = 64  # with RESYNC_FAILED: no packet of this call ever could be
    CLEARTEXT = 128  # the peer goes on sending data in the clear, which is dropped; once
    THROTTLED = 256  # the peer's window holds packets back most of the time; once
    UNACKNOWLEDGED = 512  # the peer is heard and acknowledges nothing any more


@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call as the dataplane sees it. Times in milliseconds, windows in packets."""

    peer_call_id: int
    local_address: IPv4Address
    peer_address: IPv4Address
    receive_window: int = 16
    peer_window: int = 64
    limit_transmit_to_window: bool = False
    ack_delay: int = 500
    ack_timeout: int = 3000
    reorder_packets: int = 32
    reorder_time: int = 5


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What may pass on a call, and how. Sent whole whenever a part of it changes.

    `mru` is the largest frame the peer takes (octets of PPP information field);
    `mss` clamps TCP SYNs both ways, 0 = derived from the MRU and encryption.
    `filter` names a traffic filter of Dataplane.set_filters.
    `echo_interval` in ms, 0 = no echoes; `idle_timeout` in ms, 0 = never.
    """

    mru: int = 1400
    mss: int = 0
    address_compression: bool = False
    protocol_compression: bool = False
    encryption_required: bool = False
    local_magic: int = 0
    echo_interval: int = 0
    echo_failures: int = 3
    idle_timeout: int = 0
    peer_address: IPv4Address | None = None
    peer_prefix: IPv6Network | None = None
    peer_identifier: bytes = b""
    local_identifier: bytes = b""
    routes: tuple[tuple[IPv4Address | IPv6Address, int], ...] = ()
    check_source: bool = True
    client_to_client: bool = True
    filter: str | None = None


# Every port, ICMP type or code.
ANY = (0, 65535)


@dataclass(frozen=True, slots=True)
class PacketRule:
    """One rule of a traffic filter: what it concerns, and what is done with that.

    `inbound` is from the peer. `source` and `destination` are an address as a number and the
    mask of its bits that must agree, (0, 0) being any; `version` is theirs, 0 = both. `first` and
    `second` are ranges of source and destination port, or of ICMP type and code, both ends
    included. `established` is TCP with ACK or RST.
    """

    name: str
    inbound: bool
    forward: bool
    log: bool = False
    version: int = 0
    protocol: int | None = None
    established: bool = False
    source: tuple[int, int] = (0, 0)
    destination: tuple[int, int] = (0, 0)
    first: tuple[int, int] = ANY
    second: tuple[int, int] = ANY


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """A traffic filter: the first rule that concerns a packet decides, else `forward`.

    `fragments` and `source_routing` say whether such packets may pass at all.
    """

    rules: tuple[PacketRule, ...] = ()
    forward: bool = False
    log: bool = False
    fragments: bool = True
    source_routing: bool = False


class FilterLog(NamedTuple):
    """A packet that a rule logs (None: the default action). `packet` is its start.

    `suppressed` counts those that the same worker left out before, for they came too fast.
    """

    handle: int
    filter: str
    rule: str | None
    inbound: bool
    forwarded: bool
    length: int
    suppressed: int
    packet: bytes


class Trace(IntFlag):
    """What of a call is traced, and what a TraceRecord is. `IN` is from the peer.

    Outer packets are as they came and as they are handed to the kernel; inner ones are those that
    passed every check, one for each packet on the wire.
    """

    OUTER_IN = 1
    OUTER_OUT = 2
    INNER_IN = 4
    INNER_OUT = 8
    ENDED = 16  # in records: the last of a trace, without a packet

    OUTER = OUTER_IN | OUTER_OUT
    INNER = INNER_IN | INNER_OUT


# Octets that are kept of a data packet for the event log.
DATA_SNAP = 128


class TraceRecord(NamedTuple):
    """A packet of a traced call. `time` is ns since 1970, `length` the octets of the whole packet.

    Since the trace began so many were `suppressed` above its rate, and so many were lost because
    the reader was too slow.
    """

    handle: int
    kind: int
    time: int
    length: int
    suppressed: int
    lost_outer: int
    lost_inner: int
    packet: bytes


class Dataplane(Protocol):
    """Every packet. A handle names one life of our Call-ID: `generation << 16 | call_id`.

    The caller chooses handles: a Call-ID that is free, a generation (1..65535) that differs
    from the one before. Commands are carried out in the order given. After close_call the
    handle is dead; CallEvent.CLOSED tells when its stats row (index: Call-ID) is final, and
    only then may the Call-ID be opened again.
    """

    def fileno(self) -> int:
        """A descriptor that is readable while punts or events wait."""
        ...

    def open_call(self, handle: int, spec: CallSpec) -> None: ...

    def close_call(self, handle: int) -> None: ...

    @property
    def workers(self) -> int:
        """How many workers share the calls; a call begins with worker Call-ID modulo workers."""
        ...

    @property
    def movable(self) -> bool:
        """Whether move_call does anything."""
        ...

    def move_call(self, handle: int, worker: int) -> None:
        """Have another worker (from 0) carry a call, with all that is in it and on its way."""
        ...

    def set_policy(self, handle: int, policy: CallPolicy) -> None: ...

    def set_filters(self, filters: Mapping[str, PacketFilter]) -> None:
        """Replace all traffic filters, for calls that are up as well.

        A call whose filter is gone passes nothing until its policy names another.
        """
        ...

    def set_keys(
        self, handle: int, direction: int, start_key: bytes, bits: int, stateless: bool
    ) -> None: ...

    def clear_keys(self, handle: int) -> None: ...

    def open_gate(self, handle: int, version: int) -> None: ...

    def close_gate(self, handle: int, version: int) -> None: ...

    def own_lcp(self, handle: int, owned: bool) -> None:
        """From LCP Opened until it closes the worker sends and answers echoes and CCP resets."""
        ...

    def inject(self, handle: int, frame: bytes) -> None:
        """Send a control frame (two-octet protocol first), in order with the other commands."""
        ...

    def control_done(self, handle: int) -> None:
        """The punted control frame of this call was answered: parked data may go on."""
        ...

    def read_punts(self, limit: int = 256) -> Sequence[tuple[int, bytes]]: ...

    def read_events(self, limit: int = 256) -> Sequence[tuple[int, int]]: ...

    def read_filter_log(
        self, limit: int = 256
    ) -> Sequence[tuple[int, str, str | None, bool, bool, int, int, bytes]]:
        """Packets that rules log, as the fields of FilterLog."""
        ...

    def filter_counts(self, name: str) -> Sequence[tuple[int, int]]:
        """(packets, octets) of each rule, of the default action, of what was dropped unjudged."""
        ...

    def trace(self, handle: int, kinds: int, snap: int = 2048, rate: int = 0) -> None:
        """Copy a call's packets from now on, at most `rate` a second (0: all); no kinds: stop."""
        ...

    def read_trace(
        self, limit: int = 256
    ) -> Sequence[tuple[int, int, int, int, int, int, int, bytes]]:
        """Packets of traced calls, oldest first, as the fields of TraceRecord."""
        ...

    @property
    def stats(self) -> Any:
        """numpy structured array, one row a Call-ID, written by the workers."""
        ...

    def drop_counts(self) -> dict[str, int]:
        """Packets that were dropped, by reason, over all calls; reasons that occurred alone."""
        ...
