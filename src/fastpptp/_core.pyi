"""The extension. Only fastpptp.dataplane imports it."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from fastpptp.ports import CallPolicy, CallSpec, PacketFilter

# The dataplane.

STATS_DTYPE: np.dtype[np.void]
DROP_TEXTS: tuple[str, ...]

class DropReason(IntEnum):
    OUTER_TRUNCATED = ...
    OUTER_OVERRUN = ...
    OUTER_BUFFER_FULL = ...
    OUTER_MALFORMED = ...
    GRE_MALFORMED = ...
    GRE_VERSION = ...
    GRE_LENGTH = ...
    UNKNOWN_CALL = ...
    WRONG_ADDRESS = ...
    LATE = ...
    DUPLICATE = ...
    REORDER_FULL = ...
    PPP_MALFORMED = ...
    PUNT_BUDGET = ...
    PUNT_RING_FULL = ...
    GATE_CLOSED = ...
    CLEARTEXT = ...
    NO_KEYS = ...
    PARK_FULL = ...
    PARK_EXPIRED_FRAME = ...
    MPPE_HEADER = ...
    MPPE_COHERENCY = ...
    MPPE_AWAITS_FLUSH = ...
    MPPE_KEY_STEPS = ...
    MPPE_IMPLAUSIBLE = ...
    INNER_MALFORMED = ...
    INNER_SOURCE = ...
    INNER_PEER = ...
    FILTERED = ...
    FILTER_UNJUDGED = ...
    INNER_UNKNOWN = ...
    INNER_TOO_BIG = ...
    INNER_WRITE = ...
    WINDOW_QUEUE_FULL = ...
    SEND_BACKLOG = ...
    SEND_FAILED = ...
    NO_FRAME = ...
    CALL_CLOSED = ...
    DROP_REASONS = ...

def drop_texts() -> tuple[str, ...]: ...

class Adjacency(Protocol):
    """The next hop to a peer."""

    @property
    def device(self) -> int: ...
    @property
    def address(self) -> bytes: ...
    @property
    def mtu(self) -> int: ...

class XdpDevice:
    """An interface whose GRE goes by AF_XDP."""

    device: int  # interface index
    queues: int
    native: bool  # the driver runs the program, else the kernel does, behind the driver
    zero_copy: bool
    def fileno(self) -> int:
        """The program's descriptor, for bpf(2)."""

class Dataplane:
    def __init__(
        self,
        outer_fds: Sequence[int],
        tun_fds: Sequence[int],
        *,
        workers: int | None = None,
        vnet_header: bool = False,
        udp_offload: bool = False,
        inner_mtu: int = 1500,
        frames: int = 4096,
        spin_microseconds: int = 100,
        packet_fds: Sequence[int] = (),
        xdp: bool = False,
    ) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def poll_once(self, now: int | None = None, worker_index: int | None = None) -> int: ...
    def fileno(self) -> int: ...
    def open_call(self, handle: int, spec: CallSpec) -> None: ...
    def close_call(self, handle: int) -> None: ...
    def move_call(self, handle: int, worker: int) -> None: ...
    def worker_of(self, handle: int) -> int: ...
    @property
    def movable(self) -> bool: ...
    def set_policy(self, handle: int, policy: CallPolicy) -> None: ...
    def set_filters(self, filters: Mapping[str, PacketFilter]) -> None: ...
    def filter_counts(self, name: str) -> list[tuple[int, int]]: ...
    def read_filter_log(
        self, limit: int = 256
    ) -> list[tuple[int, str, str | None, bool, bool, int, int, bytes]]: ...
    def trace(self, handle: int, kinds: int, snap: int = 2048, rate: int = 0) -> None: ...
    def read_trace(
        self, limit: int = 256
    ) -> list[tuple[int, int, int, int, int, int, int, bytes]]: ...
    def set_keys(
        self, handle: int, direction: int, start_key: bytes, bits: int, stateless: bool
    ) -> None: ...
    def clear_keys(self, handle: int) -> None: ...
    def open_gate(self, handle: int, version: int) -> None: ...
    def close_gate(self, handle: int, version: int) -> None: ...
    def own_lcp(self, handle: int, owned: bool) -> None: ...
    def inject(self, handle: int, frame: bytes) -> None: ...
    def set_adjacency(self, handle: int, adjacency: Adjacency | None) -> None: ...
    def prepare_xdp(self, device: int) -> XdpDevice: ...
    def open_xdp(self, device: int | XdpDevice) -> XdpDevice: ...
    def close_xdp(self, device: int) -> None: ...
    @property
    def xdp_devices(self) -> dict[int, XdpDevice]: ...
    def control_done(self, handle: int) -> None: ...
    def read_punts(self, limit: int = 256) -> list[tuple[int, bytes]]: ...
    def read_events(self, limit: int = 256) -> list[tuple[int, int]]: ...
    @property
    def stats(self) -> npt.NDArray[Any]: ...
    @property
    def drops(self) -> npt.NDArray[np.uint64]: ...
    def drop_counts(self) -> dict[str, int]: ...
    def stats_fileno(self) -> int: ...
    @property
    def steered(self) -> bool: ...
    @property
    def workers(self) -> int: ...

# MPPE for callers with buffers of their own (dataplane/batch.pxi).
#
# A packet is a row of `packets` (N or more rows, C-contiguous): two octets for the MPPE header,
# then `lengths[k]` octets of text; what follows is not touched. `out` is as `packets`, or None: in
# place. `index[k]` says which of `states` packet k belongs to. Packets of one state are taken in
# the order of their rows. Arrays are the caller's and are borrowed for the call. ValueError:
# shapes, indexes or lengths that do not fit, a state without keys; nothing has been done then.
# RuntimeError: another thread is in the same Mppe. The GIL is released while packets are encrypted.

MPPE_STATE: np.dtype[np.void]  # one direction of one session: 296 octets, no pointers
MPPE_OK: int
MPPE_MALFORMED: int  # not encrypted, or compressed
MPPE_LATE: int  # behind what was received, or further ahead than catch_up
MPPE_OUT_OF_STEP: int  # stateful: a packet was lost; only a FLUSHED one helps (RFC 3078 8.2)
CPU_LEVELS: tuple[str, ...]

def mppe_states(
    start_keys: npt.NDArray[np.uint8], bits: int, stateless: bool
) -> npt.NDArray[np.void]:
    """States armed with RFC 3079 start keys: (S, 16) octets for 128 bits, (S, 8) for 40 and 56."""

class Mppe:
    """A workspace of about 100 KiB for batches of any size; one thread at a time."""

    def encrypt_batch(
        self,
        states: npt.NDArray[np.void],
        index: npt.NDArray[np.uint32],
        packets: npt.NDArray[np.uint8],
        lengths: npt.NDArray[np.uint32],
        out: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """Give each packet the next coherency count of its state, its header, and encrypt it."""
    def decrypt_batch(
        self,
        states: npt.NDArray[np.void],
        index: npt.NDArray[np.uint32],
        packets: npt.NDArray[np.uint8],
        lengths: npt.NDArray[np.uint32],
        out: npt.NDArray[np.uint8] | None = None,
        status: npt.NDArray[np.uint8] | None = None,
        catch_up: int = 2048,
    ) -> npt.NDArray[np.uint8]:
        """Decrypt what follows the headers; returns `status` (N octets): MPPE_OK or why not.

        A stateless state walks over up to `catch_up` (1 to 4095) lost packets. MPPE has no
        integrity: a forged header moves the state. fastpptp.Dataplane guards against that, this
        does not.
        """
    def crypt_batch(
        self,
        states: npt.NDArray[np.void],
        index: npt.NDArray[np.uint32],
        packets: npt.NDArray[np.uint8],
        lengths: npt.NDArray[np.uint32],
        out: npt.NDArray[np.uint8] | None = None,
        changes: npt.NDArray[np.uint16] | None = None,
        initialize: npt.NDArray[np.uint8] | None = None,
        keys: npt.NDArray[np.uint8] | None = None,
        repeat: int = 1,
    ) -> None:
        """The cipher alone: `changes[k]` key changes, then RC4 over the text, not the header.

        `initialize[k]` restarts a stateful state's RC4 (a key change does so too). `keys` (N, 16)
        takes the session key that each packet used. `repeat` runs the batch so often, to measure.
        """
    def walk_ahead(self, most: int = 1) -> int:
        """In idle moments: walk the keys of busy stateless sessions up to `most` steps ahead.

        Returns how many steps there were to do.
        """
    def forget(self, states: npt.NDArray[np.void]) -> None:
        """Wipe keys that were walked ahead for these states."""

def cpu_level() -> str:
    """The best of CPU_LEVELS in use."""

def set_cpu_level(level: str) -> None:
    """Use no more than this of CPU_LEVELS, or what there is ("auto"); measures the kernels again.

    ValueError: the CPU has not got it. For tests; the setting is the process's.
    """

def mppe_shapes() -> list[str]:
    """The kernels that run here and their widths, such as "streams-4" (dataplane/rc4.pxi)."""

def mppe_plan() -> dict[str, list[str]]:
    """The shape that is taken first where 1, 2, ... 32 streams wait, for each kind of work."""

def set_mppe_shape(name: str) -> None:
    """Run groups of this shape only, until set_cpu_level(). For tests."""

def rc4_crypt_octets(key: bytes, data: bytes) -> bytes:
    """RC4 of one text under a key of 8 or 16 octets. For tests."""

def sha1_key(start: bytes, session: bytes, lane: int = -1) -> bytes:
    """The digest of GetNewKeyFromSHA (RFC 3079 3.4), alone or in a lane of 16. For tests."""

# Enhanced GRE for callers with buffers of their own (dataplane/gre_batch.pxi).
#
# A packet is `length` octets from octet `start` of its row of `packets` (N or more rows,
# C-contiguous). `headers` (N) has a GRE_HEADER for each, in the CPU's order, addresses as on the
# wire. Both arrays are the caller's and are borrowed for the call. The GIL is released; threads
# may work at the same time on different arrays. TypeError: another dtype. ValueError: packets that
# do not lie in their rows, or are longer than 65,535 octets; nothing has been done then.

GRE_HEADER: np.dtype[np.void]  # start, length, sequence, acknowledged, call_id, flags, status, ...
GRE_ACKNOWLEDGED: int  # in flags: `acknowledged` is there
GRE_SEQUENCED: int  # in flags: `sequence` is there; set by both calls
GRE_OK: int  # status
GRE_BAD: int  # no enhanced GRE
GRE_BAD_VERSION: int  # GRE of another version or protocol
GRE_BAD_LENGTH: int  # the payload is cut short, or has no sequence number

def gre_encap_batch(headers: npt.NDArray[np.void], packets: npt.NDArray[np.uint8]) -> None:
    """Write each header in front of its payload; `start` and `length` become the packet's.

    16 octets in front of a payload must be free, or ValueError. A payload of no octets makes an
    acknowledgement alone, without a sequence number (RFC 2637 4.1).
    """

def gre_decap_batch(
    headers: npt.NDArray[np.void], packets: npt.NDArray[np.uint8], ipv4: bool = False
) -> int:
    """Read each packet; `start` and `length` become its payload's. Returns how many are GRE_OK.

    With `ipv4` packets begin with their IPv4 header, as raw sockets deliver them, and `source` and
    `target` take its addresses. The header of a packet that is not GRE_OK keeps all but `status`.
    """

# The C API, in include/fastpptp.h (dataplane/capi.pxi).

_C_API: object

def capi_layout() -> dict[str, dict[str, int]]:
    """Sizes and offsets of the C API's structs in octets, as the extension has them. For tests."""
