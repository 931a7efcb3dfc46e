# RC4 (the cipher of RFC 3078) for a group of streams at once.
#
# One stream is a chain of dependent loads, which leaves most of the core idle. So packets are
# taken in groups and their streams advance side by side, in one of these shapes (kernel, width):
#
#     RC4_LANES      32, 16 or 8 streams as lanes of AVX-512 vectors (rc4_lanes.h)
#     RC4_STREAMS    4 to 1 in general registers, for x86-64 (rc4_x86.h)
#     RC4_PORTABLE   3 or 2 in one loop, a lone one with look-ahead: this file, the others' portable twin
#
# All of them take the same rc4_group, so that whoever fills one need not know what runs it:
#
#     fresh streams:       group.key, .source, .target, .length;        rc4_crypt_fresh()
#     streams in progress: group.table, rotation and j from the state;  rc4_crypt_tables()
#
# Which shape suits how many streams is measured (mppe_plan.pxi), not guessed.
from libc.string cimport memcmp, memcpy, memset


cdef extern from "rc4_avx512.h" nogil:
    enum: ROW
    ctypedef struct rc4_matrix:
        pass
    ctypedef struct rc4_group:
        uint32_t length[16]
        uint32_t rotation[16]
        uint32_t j[16]
        uint8_t key[16][16]
        const uint8_t *source[16]
        uint8_t *target[16]
        uint8_t *table[16]
    uint32_t rc4_x16_crypt(rc4_matrix *m, rc4_group *g, uint32_t offset, uint32_t floor, bint exact)
    uint32_t rc4_x8_crypt(rc4_matrix *m, rc4_group *g, uint32_t offset, uint32_t floor, bint exact)
    void rc4_x32_schedule(rc4_matrix *m, const rc4_group *g)
    void rc4_x16_schedule(rc4_matrix *m, const rc4_group *g)
    void rc4_x8_schedule(rc4_matrix *m, const rc4_group *g)
    void rc4_x16_load(rc4_matrix *m, const rc4_group *g)
    void rc4_x8_load(rc4_matrix *m, const rc4_group *g)
    void rc4_x16_save(rc4_matrix *m, const rc4_group *g)
    void rc4_x8_save(rc4_matrix *m, const rc4_group *g)


cdef extern from "rc4_x86.h" nogil:
    bint RC4_X86                 # compiled in
    enum: RC4_BLOCK
    enum: RC4_WIDEST
    ctypedef struct rc4_stream:
        uint32_t *table
        const uint8_t *source
        uint8_t *target
        uint32_t length
        uint32_t i
        uint32_t j
        uint32_t lane
    void rc4_x86_blocks(rc4_stream *s, int streams, uint32_t blocks)
    void rc4_x86_first(rc4_stream *s, int streams)
    void rc4_x86_schedules(uint32_t (*table)[256], const uint8_t (*key)[16], int streams)
    void rc4_x86_widen(const uint8_t *table, uint32_t *wide)
    void rc4_x86_narrow(const uint32_t *wide, uint8_t *table)


cdef extern from "<endian.h>" nogil:
    uint64_t htole64(uint64_t x)


cdef extern from *:
    """
    /* A branch that must stay one: as a conditional move it would lengthen the chain of loads. */
    #define RC4_RARELY(x) (__builtin_expect(!!(x), 0) && ({ __asm__ volatile(""); 1; }))
    """
    bint RC4_RARELY(bint condition) nogil


ctypedef fused rc4_cell:
    uint8_t                  # a table at rest
    uint32_t                 # in work: gets by without partial registers


cdef enum:
    RC4_LONE = 258               # a table, and what look-ahead may load past its end


cdef enum rc4_kernel:
    RC4_PORTABLE
    RC4_STREAMS
    RC4_LANES


# How a group is run: this many streams at a time.
cdef struct rc4_shape:
    rc4_kernel kernel
    int width


# What two groups run on.
cdef struct rc4_space:
    rc4_matrix matrix[2]
    uint32_t table[RC4_WIDEST][256]
    uint8_t lone[RC4_LONE]


cdef inline uint32_t rc4_step(uint32_t *table, uint32_t *at, uint32_t *j) noexcept nogil:
    """RC4 as it stands in every book; `at` is S[i]."""
    cdef uint32_t a = at[0], b
    j[0] = (j[0] + a) & 255
    b = table[j[0]]
    table[j[0]] = a
    at[0] = b
    return table[(a + b) & 255]


# One stream, with look-ahead: S[i + 2] is loaded before the stores of step i, and patched if j
# falls on it. Otherwise the processor, which cannot tell, holds the load back until the stores
# are done. Steps go in eights, so that indexes are constants but where the table wraps.

cdef inline uint32_t rc4_step_ahead(
    rc4_cell *table, rc4_cell *at, const rc4_cell *at2, uint32_t i1, uint32_t i2,
    uint32_t *j, uint32_t *now, uint32_t *then
) noexcept nogil:
    """Step i, with S[i] in `now` and S[i1] in `then`; at is S[i], at2 S[i2], i1 and i2 come after i."""
    cdef uint32_t a = now[0], b
    now[0] = then[0]
    then[0] = at2[0]
    j[0] = (j[0] + a) & 255
    b = table[j[0]]
    if RC4_RARELY(j[0] == i1):
        now[0] = a
    if RC4_RARELY(j[0] == i2):
        then[0] = a
    table[j[0]] = <rc4_cell> a
    at[0] = <rc4_cell> b
    return table[(a + b) & 255]


cdef inline void rc4_xor_eight(const uint8_t *source, uint8_t *target, uint64_t stream) noexcept nogil:
    cdef uint64_t text
    memcpy(&text, source, 8)
    text ^= htole64(stream)
    memcpy(target, &text, 8)


cdef inline uint64_t rc4_eight_ahead(
    rc4_cell *table, uint32_t i, uint32_t *j, uint32_t *now, uint32_t *then
) noexcept nogil:
    """Eight octets of key stream, the first lowest; i is at most 248."""
    cdef rc4_cell *at = table + i
    cdef uint64_t word = rc4_step_ahead(table, at, at + 2, i + 1, i + 2, j, now, then)
    word |= <uint64_t> rc4_step_ahead(table, at + 1, at + 3, i + 2, i + 3, j, now, then) << 8
    word |= <uint64_t> rc4_step_ahead(table, at + 2, at + 4, i + 3, i + 4, j, now, then) << 16
    word |= <uint64_t> rc4_step_ahead(table, at + 3, at + 5, i + 4, i + 5, j, now, then) << 24
    word |= <uint64_t> rc4_step_ahead(table, at + 4, at + 6, i + 5, i + 6, j, now, then) << 32
    word |= <uint64_t> rc4_step_ahead(table, at + 5, at + 7, i + 6, i + 7, j, now, then) << 40
    cdef uint32_t i8 = (i + 8) & 255, i9 = (i + 9) & 255
    word |= <uint64_t> rc4_step_ahead(table, at + 6, table + i8, i + 7, i8, j, now, then) << 48
    return word | <uint64_t> rc4_step_ahead(table, at + 7, table + i9, i8, i9, j, now, then) << 56


cdef uint32_t rc4_crypt_ahead(
    rc4_cell *table, uint32_t i, uint32_t j, const uint8_t *source, uint8_t *target, uint32_t eights
) noexcept nogil:
    """`eights` times eight octets from step i on, of which none crosses the table's end; returns j."""
    cdef uint32_t now = table[i], then = table[(i + 1) & 255], k
    for k in range(eights):
        rc4_xor_eight(source, target, rc4_eight_ahead(table, i, &j, &now, &then))
        source += 8
        target += 8
        i = (i + 8) & 255
    return j


cdef void rc4_octets(
    rc4_cell *table, uint32_t *pi, uint32_t *pj, const uint8_t *source, uint8_t *target, uint32_t length
) noexcept nogil:
    """One by one: what is between the eights. i is the next step's."""
    cdef uint32_t i = pi[0], j = pj[0], k, a, b
    for k in range(length):
        a = table[i]
        j = (j + a) & 255
        b = table[j]
        table[j] = <rc4_cell> a
        table[i] = <rc4_cell> b
        i = (i + 1) & 255
        target[k] = source[k] ^ <uint8_t> table[(a + b) & 255]
    pi[0] = i
    pj[0] = j


cdef inline uint32_t rc4_head(uint32_t i, uint32_t length, uint32_t block) noexcept nogil:
    """Octets to take one by one first, so that no block crosses the table's end."""
    return min(-i & (block - 1), length) if i + (length & -block) > 256 else 0


cdef void rc4_crypt(
    rc4_cell *table, uint32_t *i, uint32_t *j, const uint8_t *source, uint8_t *target, uint32_t length
) noexcept nogil:
    """One stream. i is the next step's."""
    cdef uint32_t head = rc4_head(i[0], length, 8), eights = (length - head) // 8, done = head + 8 * eights
    rc4_octets(table, i, j, source, target, head)
    if eights:
        j[0] = rc4_crypt_ahead(table, i[0], j[0], source + head, target + head, eights)
        i[0] = (i[0] + 8 * eights) & 255
    rc4_octets(table, i, j, source + done, target + done, length - done)


cdef inline void rc4_keyed_ahead(
    uint8_t *table, uint32_t i, uint32_t key, uint32_t *j, uint32_t *now, uint32_t *then
) noexcept nogil:
    j[0] += key
    rc4_step_ahead(table, table + i, table + i + 2, i + 1, i + 2, j, now, then)


cdef void rc4_schedule(uint8_t *table, const uint8_t *key) noexcept nogil:
    """The key schedule, for a key of 16 octets (a shorter one repeated), with the same look-ahead, which
    reaches past the end: `table` has RC4_LONE octets."""
    cdef uint32_t i, k, j = 0, now = 0, then = 1
    for i in range(<uint32_t> RC4_LONE):
        table[i] = <uint8_t> i
    for i in range(0, 256, 8):
        k = i & 8
        rc4_keyed_ahead(table, i, key[k], &j, &now, &then)
        rc4_keyed_ahead(table, i + 1, key[k + 1], &j, &now, &then)
        rc4_keyed_ahead(table, i + 2, key[k + 2], &j, &now, &then)
        rc4_keyed_ahead(table, i + 3, key[k + 3], &j, &now, &then)
        rc4_keyed_ahead(table, i + 4, key[k + 4], &j, &now, &then)
        rc4_keyed_ahead(table, i + 5, key[k + 5], &j, &now, &then)
        rc4_keyed_ahead(table, i + 6, key[k + 6], &j, &now, &then)
        rc4_keyed_ahead(table, i + 7, key[k + 7], &j, &now, &then)


# Two or three streams in one loop. Plain steps, since the streams fill each other's gaps. The portable twin
# of rc4_x86.h, and what the two share.

cdef inline void rc4_steps(rc4_stream *s, const int streams, uint32_t k, uint64_t *word) noexcept nogil:
    """Step k of a row of eight, of each stream."""
    cdef int lane
    for lane in range(streams):
        word[lane] |= <uint64_t> rc4_step(s[lane].table, s[lane].table + s[lane].i + k, &s[lane].j) << (8 * k)


cdef inline void rc4_eights(rc4_stream *from_, const int streams, uint32_t eights) noexcept nogil:
    """`eights` times eight octets of each stream, of which none crosses its table's end."""
    cdef rc4_stream s[3]
    cdef uint64_t word[3]
    cdef uint32_t n
    cdef int lane
    for lane in range(streams):
        s[lane] = from_[lane]
    for n in range(eights):
        for lane in range(streams):
            word[lane] = 0
        rc4_steps(s, streams, 0, word)
        rc4_steps(s, streams, 1, word)
        rc4_steps(s, streams, 2, word)
        rc4_steps(s, streams, 3, word)
        rc4_steps(s, streams, 4, word)
        rc4_steps(s, streams, 5, word)
        rc4_steps(s, streams, 6, word)
        rc4_steps(s, streams, 7, word)
        for lane in range(streams):
            rc4_xor_eight(s[lane].source, s[lane].target, word[lane])
            s[lane].source += 8
            s[lane].target += 8
            s[lane].i = (s[lane].i + 8) & 255
    for lane in range(streams):
        from_[lane] = s[lane]
        from_[lane].length -= 8 * eights


cdef void rc4_blocks(rc4_stream *s, int streams, rc4_kernel kernel, uint32_t blocks) noexcept nogil:
    """`blocks` times RC4_BLOCK octets of each stream, of which none crosses its table's end."""
    cdef uint32_t eights = blocks * (RC4_BLOCK // 8)
    if kernel == RC4_STREAMS:
        rc4_x86_blocks(s, streams, blocks)
    elif streams == 3:
        rc4_eights(s, 3, eights)
    else:
        rc4_eights(s, 2, eights)


cdef inline void rc4_finish(rc4_stream *s, rc4_group *g) noexcept nogil:
    if s.length:
        rc4_crypt(s.table, &s.i, &s.j, s.source, s.target, s.length)
    g.j[s.lane] = ROW * s.j - g.rotation[s.lane]


cdef int rc4_retire(rc4_stream *s, int streams, rc4_group *g) noexcept nogil:
    """Finish the streams with less than a block to go; returns how many are left."""
    cdef int lane, kept = 0
    for lane in range(streams):
        if s[lane].length < RC4_BLOCK:
            rc4_finish(&s[lane], g)
        else:
            s[kept] = s[lane]
            kept += 1
    return kept


cdef void rc4_lone_crypt(uint8_t *table, rc4_group *g) noexcept nogil:
    """The stream of lane 0 alone."""
    cdef uint32_t i = g.rotation[0] // ROW, j = ((g.j[0] + g.rotation[0]) // ROW) & 255
    rc4_crypt(table, &i, &j, g.source[0], g.target[0], g.length[0])
    g.j[0] = ROW * j - g.rotation[0]


cdef inline void rc4_stream_start(rc4_stream *s, uint32_t *table, rc4_group *g, uint32_t lane) noexcept nogil:
    s.lane = lane
    s.table = table
    s.i = g.rotation[lane] // ROW
    s.j = ((g.j[lane] + g.rotation[lane]) // ROW) & 255
    s.source = g.source[lane]
    s.target = g.target[lane]
    s.length = g.length[lane]


cdef inline void rc4_take(rc4_stream *s, uint32_t length) noexcept nogil:
    rc4_crypt(s.table, &s.i, &s.j, s.source, s.target, length)
    s.source += length
    s.target += length
    s.length -= length


cdef void rc4_heads(rc4_stream *s, int streams, rc4_kernel kernel) noexcept nogil:
    """Take each stream to where its blocks may begin. Fresh ones are all at the same place."""
    cdef uint32_t head[RC4_WIDEST]
    cdef bint fresh = kernel == RC4_STREAMS
    cdef int lane
    for lane in range(streams):
        head[lane] = rc4_head(s[lane].i, s[lane].length, RC4_BLOCK)
        fresh = fresh and s[lane].i == 1 and head[lane] == RC4_BLOCK - 1
    if fresh:
        rc4_x86_first(s, streams)
        return
    for lane in range(streams):
        if head[lane]:
            rc4_take(&s[lane], head[lane])


cdef void rc4_streams_crypt(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    """The streams of the first lanes, whose tables are in space.table."""
    cdef rc4_stream s[RC4_WIDEST]
    cdef uint32_t length
    cdef int lane, streams = shape.width, least = 1 if shape.kernel == RC4_STREAMS else 2
    for lane in range(streams):
        rc4_stream_start(&s[lane], space.table[lane], g, lane)
    rc4_heads(s, streams, shape.kernel)
    streams = rc4_retire(s, streams, g)
    while streams >= least:
        length = s[0].length
        for lane in range(1, streams):
            length = min(length, s[lane].length)
        rc4_blocks(s, streams, shape.kernel, length // RC4_BLOCK)
        streams = rc4_retire(s, streams, g)
    if streams:
        rc4_finish(&s[0], g)


cdef inline void rc4_schedules(uint32_t (*table)[256], uint8_t (*key)[16], const int streams) noexcept nogil:
    """Key schedules in one loop."""
    cdef uint32_t k, a
    cdef uint32_t j[3]
    cdef int lane
    for lane in range(streams):
        j[lane] = 0
        for k in range(256):
            table[lane][k] = k
    for k in range(256):
        for lane in range(streams):
            a = table[lane][k]
            j[lane] = (j[lane] + a + key[lane][k & 15]) & 255
            table[lane][k] = table[lane][j[lane]]
            table[lane][j[lane]] = a


include "rc4_group.pxi"
