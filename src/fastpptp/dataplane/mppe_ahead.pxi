# Keys walked ahead. A single stateless session's keys follow from each other, one after the other: that
# chain is what bounds a busy one. So in idle moments (mppe_walk_ahead()) the chains of the busiest few are
# walked on, and the keys kept in rings. A ring belongs to whoever has its start key and stands at the key
# before its first: no pointer to a state, so none can go stale.

cdef enum:
    AHEAD_RINGS = 4
    AHEAD_KEYS = 64              # of a ring; a power of 2
    AHEAD_BUSY = 4               # key changes in a window that make a state busy


cdef struct mppe_ring:
    mppe_walk walk               # stands at the last key
    uint8_t before[16]           # the key that the first one follows
    uint8_t key[AHEAD_KEYS][16]
    uint32_t first               # counts on, modulo AHEAD_KEYS
    uint32_t count
    uint32_t idle                # rings started since it was last used


cdef mppe_ring *ring_of(mppe_ring *ring, const mppe_walk *walk) noexcept nogil:
    """The ring whose keys come next in this walk, or NULL."""
    cdef int k
    for k in range(AHEAD_RINGS):
        if (
            ring[k].walk.key_length == walk.key_length
            and ring[k].walk.salt_length == walk.salt_length
            and memcmp(ring[k].before, walk.keys + 16, 16) == 0
            and memcmp(ring[k].walk.keys, walk.keys, 16) == 0
        ):
            return &ring[k]
    return NULL


cdef void ring_take(mppe_ring *ring, uint8_t *key) noexcept nogil:
    """The first key, which becomes the one before."""
    cdef uint8_t *first = ring.key[ring.first % AHEAD_KEYS]
    memcpy(key, first, 16)
    memcpy(ring.before, first, 16)
    memset(first, 0, 16)
    ring.first += 1
    ring.count -= 1
    ring.idle = 0


cdef inline bint ring_has_room(const mppe_ring *ring) noexcept nogil:
    return ring.walk.key_length != 0 and ring.count < AHEAD_KEYS


cdef void ring_put(mppe_ring *ring) noexcept nogil:
    """The walk has gone one key on."""
    memcpy(ring.key[(ring.first + ring.count) % AHEAD_KEYS], ring.walk.keys + 16, 16)
    ring.count += 1


cdef mppe_ring *ring_place(mppe_ring *ring, const mppe_walk *walk) noexcept nogil:
    """Where a walk may have its ring: where it had one, or the place of the longest unused."""
    cdef int k, oldest = 0
    for k in range(AHEAD_RINGS):
        if memcmp(ring[k].walk.keys, walk.keys, 16) == 0:
            return &ring[k]
        if ring[k].idle > ring[oldest].idle:
            oldest = k
    return &ring[oldest]


cdef void ring_start(mppe_ring *ring, const mppe_walk *walk) noexcept nogil:
    cdef mppe_ring *started = ring_place(ring, walk)
    cdef int k
    for k in range(AHEAD_RINGS):
        ring[k].idle += 1
    memset(started, 0, sizeof(mppe_ring))
    started.walk = walk[0]
    memcpy(started.before, walk.keys + 16, 16)
