# The life of the dataplane: arenas, workers, threads.
import mmap as _mmap
import os as _os
import socket as _socket
import threading as _threading

import numpy as _np


_COUNTERS = (
    "last_data", "rx_packets", "rx_octets", "tx_packets", "tx_octets", "rx_discards", "tx_discards",
    "rx_zlb", "tx_zlb", "ack_timeouts", "window_reopens", "out_of_window", "out_of_sequence", "lost",
    "control_received", "control_sent", "mppe_resets_received", "mppe_resets_sent", "opened",
    "window_held", "window_silent", "cleartext", "strays", "stray_source",
)

STATS_DTYPE = _np.dtype(
    [("handle", "<u4"), ("flow", "<u4"), *((name, "<u8") for name in _COUNTERS), ("reserved", "<u8", 7)]
)
DROP_TEXTS = drop_texts()

cdef enum:
    DROPS_SIZE = 64 * 64 * 8     # MAX_WORKERS rows of at most 64 reasons

assert STATS_DTYPE.itemsize == sizeof(call_stats) and DROP_REASONS <= 64
assert sizeof(call_stats) % CACHE_LINE == 0 and sizeof(call_state) % CACHE_LINE == 0
assert <size_t> &(<call_state *> NULL).send_key.rc4 == CALL_SENDING
assert <size_t> &(<call_state *> NULL).mppe_sequence == CALL_RECEIVING
assert <size_t> &(<call_state *> NULL).heard % CACHE_LINE == 0


cdef size_t _STATS_SIZE = ARENA_HEADER + DROPS_SIZE + CALLS * sizeof(call_stats)
cdef size_t _STATE_SIZE = ARENA_HEADER + CALLS * sizeof(call_state)


cdef void _header(uint8_t *arena, uint32_t size) noexcept nogil:
    cdef arena_header *header = <arena_header *> arena
    header.magic = ARENA_MAGIC
    header.version = ARENA_VERSION
    header.calls = CALLS
    header.record = size


cdef class Shards:
    """The workers and the arenas: everything of a Dataplane but its commands."""

    cdef worker **_workers
    cdef uint32_t _count
    cdef uint8_t *_state
    cdef object _stats_map
    cdef object _stats
    cdef object _drops
    cdef int _stats_fd
    cdef int _notify_fd
    cdef list _threads
    cdef dict _handles           # Call-ID -> handle, while open
    cdef dict _generations       # Call-ID -> the last generation
    cdef set _closing            # Call-IDs between close_call and CLOSED
    cdef dict _routes            # handle -> [(16 octets, length)]
    cdef uint32_t _route_count
    cdef uint32_t *_event_bits
    cdef int _steering_fd        # the map, -1 = the kernel spreads packets as it likes
    cdef int _owner_fd
    cdef uint8_t *_owners
    cdef dict _moved             # Call-ID -> its worker, where commands have put it
    cdef dict _steered           # (16 octets, length) -> handle

    def __cinit__(self):
        self._notify_fd = self._stats_fd = self._steering_fd = self._owner_fd = -1
        self._steered = {}
        self._moved = {}
        self._threads = []
        self._handles = {}
        self._generations = {}
        self._closing = set()
        self._routes = {}

    def __init__(
        self, outer_fds, tun_fds, *, workers=None, bint vnet_header=False, bint udp_offload=False,
        inner_mtu=1500, frames=4096, spin_microseconds=100, packet_fds=(),
    ):
        outer_fds, tun_fds = list(outer_fds), list(tun_fds)
        count = len(outer_fds) if workers is None else workers
        if not 0 < count <= MAX_WORKERS or len(outer_fds) != count or len(tun_fds) != count:
            raise ValueError(f"one outer and one inner descriptor for each of 1..{MAX_WORKERS} workers")
        packet_fds = list(packet_fds)
        if len(packet_fds) not in (0, count):
            raise ValueError("one packet socket for each worker, or none")
        _bounded("inner_mtu", inner_mtu, 68, FRAME_ROOM - HEADROOM - 4)
        _bounded("frames", frames, 1024, 1 << 20)
        _bounded("spin_microseconds", spin_microseconds, 0, 1000000)
        if self._workers != NULL:
            raise ValueError("already initialized")
        try:
            self._make_arenas()
            self._make_owners(count)
            self._make_workers(count, frames)
            self._open_workers(outer_fds, tun_fds, packet_fds or [-1] * count)
        except BaseException:
            self.close()
            raise
        if self._count > 1:
            self._steering_fd = steering_open(tun_fds[0], self._owner_fd)
        for k in range(self._count):
            self._workers[k].vnet_header = vnet_header
            self._workers[k].inner.gro.udp = udp_offload
            self._workers[k].inner_mtu = inner_mtu
            self._workers[k].spin_microseconds = spin_microseconds

    def _make_arenas(self):
        cdef uint8_t[::1] view
        self._stats_fd = _os.memfd_create("fastpptp-stats", _os.MFD_CLOEXEC)
        _os.ftruncate(self._stats_fd, _STATS_SIZE)
        self._stats_map = _mmap.mmap(self._stats_fd, _STATS_SIZE)
        view = self._stats_map
        _header(&view[0], sizeof(call_stats))
        fd = _os.memfd_create("fastpptp-state", _os.MFD_CLOEXEC)
        try:
            _os.ftruncate(fd, _STATE_SIZE)
            self._state = <uint8_t *> mmap(NULL, _STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        finally:
            _os.close(fd)
        if self._state == <uint8_t *> MAP_FAILED:
            self._state = NULL
            raise MemoryError("no room for the state arena")
        madvise(self._state, _STATE_SIZE, MADV_DONTDUMP)
        _header(self._state, sizeof(call_state))
        self._event_bits = <uint32_t *> memory_take(CALLS * sizeof(uint32_t))
        if self._event_bits == NULL:
            raise MemoryError("no room for the event bits")
        self._stats = _np.frombuffer(
            self._stats_map, STATS_DTYPE, CALLS, ARENA_HEADER + DROPS_SIZE
        )
        self._drops = _np.frombuffer(self._stats_map, "<u8", DROPS_SIZE // 8, ARENA_HEADER).reshape(-1, 64)
        self._stats.flags.writeable = False
        self._drops.flags.writeable = False

    def _make_owners(self, uint32_t count):
        if count > 1:
            self._owner_fd = owner_map_new()
        self._owners = owners_map(self._owner_fd, count)
        if self._owners == NULL:
            raise MemoryError("no room for the owners of calls")

    def _make_workers(self, uint32_t count, uint32_t frames):
        cdef uint8_t[::1] view = self._stats_map
        cdef worker *w
        self._workers = <worker **> memory_take(MAX_WORKERS * sizeof(worker *))
        if self._workers == NULL:
            raise MemoryError("no room for workers")
        for k in range(count):
            w = worker_new(frames)
            if w == NULL:
                raise MemoryError("no room for a worker")
            self._workers[k] = w
            self._count += 1
            w.index = k
            w.workers = count
            w.calls = <call_state *> (self._state + ARENA_HEADER)
            w.rows = <call_stats *> (&view[0] + ARENA_HEADER + DROPS_SIZE)
            w.drops = <uint64_t *> (&view[0] + ARENA_HEADER + DROPS_SIZE // MAX_WORKERS * w.index)
            w.event_bits = self._event_bits
            w.owners = self._owners
            w.owner_fd = self._owner_fd

    def _open_workers(self, list outer_fds, list tun_fds, list packet_fds):
        cdef worker *w
        self._notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        for k in range(self._count):
            w = self._workers[k]
            w.outer_fd = outer_fds[k]
            w.inner_fd = tun_fds[k]
            w.packet_fd = packet_fds[k]
            w.notify_fd = self._notify_fd
            _os.set_blocking(w.outer_fd, False)
            _os.set_blocking(w.inner_fd, False)
            inward, outward = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
            inward.setblocking(False)
            outward.setblocking(False)
            send_room(outward.fileno(), SIDE_BUFFER)
            w.side_fd = inward.detach()
            side = outward.detach()
            for j in range(self._count):
                self._workers[j].side_out[k] = side
            if not worker_open(w):
                raise OSError(errno, _os.strerror(errno))

    # Life.

    def start(self):
        """Start one thread for each worker."""
        self._ready()
        if self._threads:
            raise ValueError("already started")
        for k in range(self._count):
            self._workers[k].stop = 0
            thread = _threading.Thread(target=self._run, args=(k,), name=f"fastpptp-{k}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, int index):
        cdef worker *w = self._workers[index]
        with nogil:
            worker_run(w)

    def stop(self):
        """Stop the threads. Calls and commands stay; start() goes on with them."""
        for k in range(self._count):
            store32(&self._workers[k].stop, 1, __ATOMIC_RELEASE)
            self._wake(self._workers[k])
        for thread in self._threads:
            thread.join()
        self._threads = []

    def close(self):
        """Stop, wipe every key, release everything. Views of `stats` stay readable."""
        cdef size_t call_id
        self.stop()
        for k in range(self._count):
            descriptor_close(self._workers[0].side_out[k])
        for k in range(self._count):
            worker_free(self._workers[k])
        self._count = 0
        memory_give(self._workers, MAX_WORKERS * sizeof(worker *))
        self._workers = NULL
        if self._state != NULL:
            for call_id in self._generations:
                memset(self._state + ARENA_HEADER + call_id * sizeof(call_state), 0, sizeof(call_state))
            munmap(self._state, _STATE_SIZE)
            self._state = NULL
        memory_give(self._event_bits, CALLS * sizeof(uint32_t))
        self._event_bits = NULL
        memory_give(self._owners, OWNERS_SIZE)
        self._owners = NULL
        descriptor_close(self._notify_fd)
        descriptor_close(self._stats_fd)
        descriptor_close(self._steering_fd)
        descriptor_close(self._owner_fd)
        self._notify_fd = self._stats_fd = self._steering_fd = self._owner_fd = -1

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def __dealloc__(self):
        cdef uint32_t k
        for k in range(self._count):
            worker_free(self._workers[k])
        memory_give(self._workers, MAX_WORKERS * sizeof(worker *))
        memory_give(self._event_bits, CALLS * sizeof(uint32_t))
        memory_give(self._owners, OWNERS_SIZE)
        memory_give(self._state, _STATE_SIZE)

    def poll_once(self, now=None, worker_index=None):
        """Run one turn of the workers' loop here, at `now` (ms, default: the monotonic clock).

        Only while no threads run. Returns how much there was to do.
        """
        cdef uint64_t moment = clock_ns() // 1000000 if now is None else now
        cdef uint64_t work = 0
        self._ready()
        if self._threads:
            raise ValueError("the workers run by themselves")
        for k in range(self._count):
            if worker_index is None or worker_index == k:
                work += worker_turn(self._workers[k], moment)
        return work

    def _ready(self):
        if self._count == 0:
            raise ValueError("the dataplane is closed")

    # Commands go to a worker through its ring.

    cdef int _wake(self, worker *w) except -1:
        cdef uint64_t one = 1
        if load32(&w.sleeping, __ATOMIC_SEQ_CST) or w.stop:
            write(w.wake_fd, &one, 8)
        return 0

    cdef int _push(self, worker *w, uint32_t kind, uint32_t handle, uint32_t argument,
                   const void *body, uint32_t size) except -1:
        """Queue a command; the control plane waits while the ring is full."""
        cdef uint64_t end = 0
        cdef record *place = ring_reserve(&w.commands, size, &end)
        while place == NULL:
            if not self._threads:
                for k in range(self._count):
                    worker_turn(self._workers[k], self._workers[k].now)
            else:
                with nogil:
                    usleep(100)
            place = ring_reserve(&w.commands, size, &end)
        place.kind = kind
        place.handle = handle
        place.argument = argument
        if size:
            memcpy(record_body(place), body, size)
        ring_publish(&w.commands, end)
        return self._wake(w)

    cdef int _send(self, object handle, uint32_t kind, uint32_t argument=0,
                   const void *body=NULL, uint32_t size=0) except -1:
        """Queue a command for the worker that owns this call; a dead handle is ignored."""
        self._ready()
        if self._handles.get(handle & 0xFFFF) != handle:
            return 0
        return self._push(self._workers[self.worker_of(handle)], kind, handle, argument, body, size)

    def worker_of(self, handle):
        """The index of the worker that has this call, or will when its commands are carried out."""
        call_id = handle & 0xFFFF
        return self._moved.get(call_id, call_id % max(1, self._count))
