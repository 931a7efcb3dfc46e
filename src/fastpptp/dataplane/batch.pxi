# MPPE for callers in Python: whole batches in numpy arrays that the caller owns.
#
# The types, shapes and errors are in _core.pyi, which says everything that a caller needs.
from libc.stdlib cimport realloc
import numpy as np

cdef enum:
    HEADER = 2                   # octets: flags A B C D and the coherency count (RFC 3078 3.1)
    FLAG_FLUSHED = 0x8000        # A
    FLAG_ENCRYPTED = 0x1000      # D
    COUNT = 0x0FFF

cdef enum:
    BATCH_OK = 0
    BATCH_MALFORMED = 1
    BATCH_LATE = 2
    BATCH_OUT_OF_STEP = 3

MPPE_OK = BATCH_OK
MPPE_MALFORMED = BATCH_MALFORMED
MPPE_LATE = BATCH_LATE
MPPE_OUT_OF_STEP = BATCH_OUT_OF_STEP

MPPE_STATE = np.dtype([
    ("start_key", np.uint8, 16),
    ("session_key", np.uint8, 16),
    ("key_length", np.uint8),
    ("salt_length", np.uint8),
    ("stateless", np.uint8),
    ("armed", np.uint8),
    ("i", np.uint8),
    ("j", np.uint8),
    ("coherency", np.uint16),
    ("rc4", np.uint8, 256),
])
assert MPPE_STATE.itemsize == sizeof(mppe_state)

CPU_LEVELS = ("portable", "sse", "avx2", "avx512")
KERNELS = {RC4_PORTABLE: "portable", RC4_STREAMS: "streams", RC4_LANES: "lanes"}


def cpu_level() -> str:
    """The best level in use."""
    if cpu.avx512:
        return "avx512"
    if cpu.avx2:
        return "avx2"
    return "sse" if cpu.sha_ni else "portable"


def set_cpu_level(str level not None):
    cdef mppe_engine *engine
    cpu_allow(CPU_AVX512)
    if level != "auto":
        best = CPU_LEVELS.index(cpu_level())
        if level not in CPU_LEVELS[:best + 1]:
            raise ValueError(f"{level!r} is not one of {(*CPU_LEVELS[:best + 1], 'auto')}")
        cpu_allow(CPU_LEVELS.index(level))
    plan_forget()
    engine = mppe_engine_new()
    if engine == NULL:
        raise MemoryError
    mppe_engine_free(engine)


cdef shape_name(int k):
    return f"{KERNELS[SHAPE[k].kernel]}-{SHAPE[k].width}"


def mppe_shapes():
    return [shape_name(k) for k in range(SHAPES) if plan_allows(PLAN_STEP, SHAPE[k])]


def mppe_plan():
    return {name: [shape_name(plan[kind][n]) for n in range(1, PLAN_STREAMS + 1)]
            for kind, name in enumerate(("step", "fresh-short", "fresh-long", "tables-short", "tables-long"))}


def set_mppe_shape(str name not None):
    if name not in mppe_shapes():
        raise ValueError(f"groups here have one of the shapes {mppe_shapes()}, not {name!r}")
    plan_force([shape_name(k) for k in range(SHAPES)].index(name))


def mppe_states(start_keys, int bits, bint stateless):
    cdef const uint8_t[:, ::1] keys = np.ascontiguousarray(start_keys, np.uint8)
    if bits not in (40, 56, 128):
        raise ValueError(f"MPPE has keys of 40, 56 and 128 bits, not {bits}")
    if keys.shape[1] != (16 if bits == 128 else 8):
        raise ValueError(f"a start key of {bits} bits has {16 if bits == 128 else 8} octets")
    states = np.zeros(len(keys), MPPE_STATE)
    cdef uint8_t[:, ::1] rows = state_rows(states)
    cdef Py_ssize_t k
    for k in range(keys.shape[0]):
        mppe_init(<mppe_state *> &rows[k, 0], &keys[k, 0], bits, stateless)
    return states


cdef state_rows(states):
    if not isinstance(states, np.ndarray) or states.dtype != MPPE_STATE or states.ndim != 1:
        raise TypeError("states must be a one-dimensional array of MPPE_STATE")
    if not states.flags.c_contiguous:
        raise ValueError("states must be contiguous")
    return states.view(np.uint8).reshape(len(states), MPPE_STATE.itemsize)


cdef inline uint32_t flag_packets(uint32_t after, uint32_t span) noexcept nogil:
    """How many of the `span` counts after this one end in FF: key changes of stateful mode (RFC 3078 7.2)."""
    return ((after + span + 1) >> 8) - ((after + 1) >> 8)


cdef class Mppe:
    cdef mppe_engine *engine
    cdef mppe_job *jobs
    cdef size_t capacity
    cdef bint busy

    def __cinit__(self):
        self.engine = mppe_engine_new()
        if self.engine == NULL:
            raise MemoryError

    def __dealloc__(self):
        mppe_engine_free(self.engine)
        free(self.jobs)

    cdef reserve(self, size_t count):
        cdef mppe_job *jobs
        if count > self.capacity:
            jobs = <mppe_job *> realloc(self.jobs, count * sizeof(mppe_job))
            if jobs == NULL:
                raise MemoryError
            self.jobs = jobs
            self.capacity = count

    cdef run(self, size_t count):
        if self.busy:
            raise RuntimeError("an Mppe serves one thread at a time")
        self.busy = True
        with nogil:
            mppe_crypt(self.engine, self.jobs, <uint32_t> count)
        self.busy = False

    cdef Py_ssize_t enter(
        self, uint8_t[:, ::1] states, const uint32_t[::1] index, uint8_t[:, ::1] packets,
        const uint32_t[::1] lengths, uint8_t[:, ::1] out
    ) except -1:
        """Check that everything fits together; returns the number of packets."""
        cdef Py_ssize_t count = index.shape[0], k
        if self.busy:
            raise RuntimeError("an Mppe serves one thread at a time")
        if packets.shape[0] < count or out.shape[0] < count or lengths.shape[0] < count:
            raise ValueError(f"index has {count} packets, the other arrays fewer")
        for k in range(count):
            if index[k] >= states.shape[0]:
                raise ValueError(f"packet {k} is of state {index[k]}, of which there are {states.shape[0]}")
            if <size_t> lengths[k] + HEADER > <size_t> min(packets.shape[1], out.shape[1]):
                raise ValueError(f"packet {k} has {lengths[k]} octets, too many for its row")
            if not (<mppe_state *> &states[index[k], 0]).armed:
                raise ValueError(f"state {index[k]} has no keys")
        self.reserve(count)
        return count

    cdef inline mppe_job *push(self, size_t k, mppe_state *state, const uint8_t *source, uint8_t *target,
                               uint32_t length) noexcept nogil:
        cdef mppe_job *job = &self.jobs[k]
        memset(job, 0, sizeof(mppe_job))
        job.state = state
        job.source = source
        job.target = target
        job.length = length
        return job

    def encrypt_batch(self, states, const uint32_t[::1] index, uint8_t[:, ::1] packets,
                      const uint32_t[::1] lengths, uint8_t[:, ::1] out=None):
        cdef uint8_t[:, ::1] rows = state_rows(states)
        cdef uint8_t[:, ::1] into = packets if out is None else out
        cdef Py_ssize_t count = self.enter(rows, index, packets, lengths, into), k
        cdef mppe_job *job
        for k in range(count):
            job = self.push(k, <mppe_state *> &rows[index[k], 0], &packets[k, 0] + HEADER,
                            &into[k, 0] + HEADER, lengths[k])
            seal(job)
        self.run(count)

    def decrypt_batch(self, states, const uint32_t[::1] index, uint8_t[:, ::1] packets,
                      const uint32_t[::1] lengths, uint8_t[:, ::1] out=None, uint8_t[::1] status=None,
                      int catch_up=2048):
        cdef uint8_t[:, ::1] rows = state_rows(states)
        cdef uint8_t[:, ::1] into = packets if out is None else out
        cdef Py_ssize_t count = self.enter(rows, index, packets, lengths, into), k
        cdef uint8_t[::1] told = np.zeros(count, np.uint8) if status is None else status
        cdef size_t jobs = 0
        if told.shape[0] < count or not 1 <= catch_up <= COUNT:
            raise ValueError("status is too short" if told.shape[0] < count else "catch_up is 1 to 4095")
        for k in range(count):
            self.push(jobs, <mppe_state *> &rows[index[k], 0], &packets[k, 0] + HEADER,
                      &into[k, 0] + HEADER, lengths[k])
            told[k] = <uint8_t> unseal(&self.jobs[jobs], catch_up)
            jobs += told[k] == BATCH_OK
        self.run(jobs)
        return np.asarray(told)

    def crypt_batch(self, states, const uint32_t[::1] index, uint8_t[:, ::1] packets,
                    const uint32_t[::1] lengths, uint8_t[:, ::1] out=None, const uint16_t[::1] changes=None,
                    const uint8_t[::1] initialize=None, uint8_t[:, ::1] keys=None, int repeat=1):
        cdef uint8_t[:, ::1] rows = state_rows(states)
        cdef uint8_t[:, ::1] into = packets if out is None else out
        cdef Py_ssize_t count = self.enter(rows, index, packets, lengths, into), k
        cdef mppe_job *job
        if ((changes is not None and changes.shape[0] < count)
                or (initialize is not None and initialize.shape[0] < count)
                or (keys is not None and (keys.shape[0] < count or keys.shape[1] < 16))):
            raise ValueError("changes, initialize and keys need a row for each packet, keys of 16 octets")
        for k in range(count):
            job = self.push(k, <mppe_state *> &rows[index[k], 0], &packets[k, 0] + HEADER,
                            &into[k, 0] + HEADER, lengths[k])
            job.changes = 0 if changes is None else changes[k]
            job.initialize = 0 if initialize is None else initialize[k]
            job.key_after = NULL if keys is None else &keys[k, 0]
        for k in range(repeat):
            self.run(count)

    def walk_ahead(self, int most=1):
        cdef int done = 0
        if self.busy:
            raise RuntimeError("an Mppe serves one thread at a time")
        while done < most and mppe_walk_ahead(self.engine):
            done += 1
        return done

    def forget(self, states):
        cdef uint8_t[:, ::1] rows = state_rows(states)
        cdef Py_ssize_t k
        if self.busy:
            raise RuntimeError("an Mppe serves one thread at a time")
        for k in range(rows.shape[0]):
            mppe_forget(self.engine, <mppe_state *> &rows[k, 0])


cdef void seal(mppe_job *job) noexcept nogil:
    """Take the next coherency count and write the header (RFC 3078 3.1, 7.2)."""
    cdef mppe_state *state = job.state
    cdef uint32_t count = (state.coherency + 1) & COUNT
    cdef bint flushed = state.stateless or count & 0xFF == 0xFF
    cdef uint32_t header = count | FLAG_ENCRYPTED | (FLAG_FLUSHED if flushed else 0)
    cdef uint8_t *octet = job.target - HEADER
    state.coherency = <uint16_t> count
    job.changes = flushed
    job.initialize = flushed
    octet[0] = <uint8_t> (header >> 8)
    octet[1] = <uint8_t> header


cdef int unseal(mppe_job *job, uint32_t catch_up) noexcept nogil:
    """What the header asks for before decrypting; the coherency moves on if the packet is taken."""
    cdef mppe_state *state = job.state
    cdef const uint8_t *octet = job.source - HEADER
    cdef uint32_t header = octet[0] << 8 | octet[1]
    cdef uint32_t span = (header - state.coherency) & COUNT
    if header & (FLAG_ENCRYPTED | 0x6000) != FLAG_ENCRYPTED:
        return BATCH_MALFORMED
    if span == 0 or span > catch_up:
        return BATCH_LATE
    if state.stateless:
        job.changes = <uint16_t> span
    elif span != 1 and not header & FLAG_FLUSHED:
        return BATCH_OUT_OF_STEP
    else:
        job.changes = <uint16_t> flag_packets(state.coherency, span)
        job.initialize = header & FLAG_FLUSHED != 0
    state.coherency = <uint16_t> (header & COUNT)
    return BATCH_OK


# Single steps, for the tests.

def rc4_crypt_octets(const uint8_t[::1] key not None, const uint8_t[::1] data not None):
    cdef uint8_t table[RC4_LONE]
    cdef uint8_t repeated[16]
    cdef uint32_t i = 1, j = 0
    cdef uint8_t[::1] out = bytearray(max(1, len(data)))
    if len(key) not in (8, 16):
        raise ValueError("MPPE has keys of 8 and 16 octets")
    memset(repeated, 0, 16)
    memcpy(repeated, &key[0], len(key))
    repeat_key(repeated, repeated, <int> len(key))
    rc4_schedule(<uint8_t *> table, repeated)
    if len(data):
        rc4_crypt(<uint8_t *> table, &i, &j, &data[0], &out[0], <uint32_t> len(data))
    return bytes(out[:len(data)])


def sha1_key(const uint8_t[::1] start not None, const uint8_t[::1] session not None, int lane=-1):
    """The digest of a key change; `lane` says at which place of a batch of 16 it is computed."""
    cdef uint8_t keys[16][32]
    cdef uint8_t digest[16][16]
    cdef int length = <int> len(start), place
    if length not in (8, 16) or len(session) != length or lane > 15:
        raise ValueError("two keys of 8 or of 16 octets, one of 16 lanes")
    for place in range(16):
        memset(keys[place], 0x55 + place, 32)
    place = max(lane, 0)
    memset(keys[place], 0, 32)
    memcpy(keys[place], &start[0], length)
    memcpy(keys[place] + 16, &session[0], length)
    if lane < 0:
        sha1_keys(keys[0], length, digest[0])
    else:
        sha1_keys_batch(keys[0], (0xAAAA & ~(1 << lane)) | ((length == 16) << lane), 16, digest[0])
    return bytes(digest[place][:length])
