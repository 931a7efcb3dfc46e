# Rings of records between one writer and one reader: commands (Python to a worker), punts (a worker
# to Python), and the list of calls with new events. Positions only grow; the size is a power of two.

cdef enum:
    COMMAND_RING = 1 << 20
    PUNT_RING = 1 << 20
    RECORD_ALIGN = 16
    RECORD_SKIP = 0              # a handle no call has: the rest of the ring is empty, go to its start
    EVERY_CALL = 0x10000         # nor this: a command that is for no one call


cdef struct record:
    uint32_t size                # of this header and the body, before alignment
    uint32_t kind
    uint32_t handle
    uint32_t argument


cdef struct ring:
    uint8_t *memory
    uint64_t size
    uint64_t written
    uint8_t padding[40]          # the two sides write to different cache lines
    uint64_t taken


cdef inline uint64_t record_span(uint64_t size) noexcept nogil:
    return (size + RECORD_ALIGN - 1) & ~(<uint64_t> RECORD_ALIGN - 1)


cdef inline bint ring_waits(ring *self) noexcept nogil:
    return load64(&self.written, __ATOMIC_ACQUIRE) != load64(&self.taken, __ATOMIC_ACQUIRE)


cdef inline uint64_t ring_used(ring *self) noexcept nogil:
    return load64(&self.written, __ATOMIC_ACQUIRE) - load64(&self.taken, __ATOMIC_ACQUIRE)


cdef record *ring_reserve(ring *self, uint32_t body, uint64_t *end) noexcept nogil:
    """Room for a record that ring_publish(self, end) makes visible, or NULL when the ring is full."""
    cdef uint64_t span = record_span(sizeof(record) + body)
    cdef uint64_t at = self.written & (self.size - 1)
    cdef uint64_t skipped = self.size - at if at + span > self.size else 0
    cdef record *place
    if self.written + skipped + span - load64(&self.taken, __ATOMIC_ACQUIRE) > self.size:
        return NULL
    if skipped:
        place = <record *> (self.memory + at)
        place.size = <uint32_t> skipped
        place.handle = RECORD_SKIP
        at = 0
    place = <record *> (self.memory + at)
    place.size = <uint32_t> (sizeof(record) + body)
    end[0] = self.written + skipped + span
    return place


cdef inline void ring_publish(ring *self, uint64_t end) noexcept nogil:
    store64(&self.written, end, __ATOMIC_RELEASE)


cdef record *ring_peek(ring *self) noexcept nogil:
    """The oldest record, or NULL. It stays valid until ring_drop."""
    cdef record *place
    if not ring_waits(self):
        return NULL
    place = <record *> (self.memory + (self.taken & (self.size - 1)))
    if place.handle == RECORD_SKIP:
        store64(&self.taken, self.taken + place.size, __ATOMIC_RELEASE)
        return ring_peek(self)
    return place


cdef inline void ring_drop(ring *self, record *place) noexcept nogil:
    store64(&self.taken, self.taken + record_span(place.size), __ATOMIC_RELEASE)


cdef inline void *record_body(record *self) noexcept nogil:
    return <uint8_t *> self + sizeof(record)


# Events are sticky bits of a call; the list holds each call at most once, so it cannot overflow.
cdef struct event_list:
    uint32_t calls[65536]
    uint64_t written
    uint64_t taken


cdef inline bint events_wait(event_list *self) noexcept nogil:
    return load64(&self.written, __ATOMIC_ACQUIRE) != self.taken


cdef void raise_event(worker *w, uint32_t call_id, uint32_t bits) noexcept nogil:
    cdef event_list *events = w.events
    if fetch_or32(&w.event_bits[call_id], bits, __ATOMIC_SEQ_CST) == 0:
        events.calls[events.written & (CALLS - 1)] = call_id
        store64(&events.written, events.written + 1, __ATOMIC_RELEASE)
    w.notify = True


cdef void notify(worker *w) noexcept nogil:
    """Make Python's descriptor readable if this turn left something for it."""
    cdef uint64_t one = 1
    if w.notify:
        w.notify = False
        write(w.notify_fd, &one, 8)


cdef void punt(
    worker *w, call_state *call, uint32_t protocol, const uint8_t *data, uint32_t length
) noexcept nogil:
    """Hand a control frame to Python, within the call's budget."""
    cdef uint64_t end
    cdef record *place
    cdef uint8_t *body
    if not punt_allowed(w, call):
        discard(w, call, PUNT_BUDGET)
        return
    place = ring_reserve(&w.punts, length + 2, &end)
    if place == NULL:
        discard(w, call, PUNT_RING_FULL)
        return
    place.handle = call.handle
    body = <uint8_t *> record_body(place)
    put16(body, protocol)
    memcpy(body + 2, data, length)
    ring_publish(&w.punts, end)
    call.control_pending += call.control_pending < 0xFFFF
    w.notify = True


cdef enum:
    PUNT_BURST = 64              # control frames of one call, and as many again each second
    SOURCE_BURST = 256           # the same of one peer address, while Python is behind
    SOURCES = 1024               # of which budgets are kept; addresses that collide share one


cdef inline bint budget_take(budget *self, uint64_t now, uint32_t burst) noexcept nogil:
    if <uint32_t> now - self.refilled >= 1000:
        self.refilled = <uint32_t> now
        self.tokens = burst
    if self.tokens == 0:
        return False
    self.tokens -= 1
    return True


cdef inline bint punt_allowed(worker *w, call_state *call) noexcept nogil:
    """A call's own budget; and once the ring fills, no source may have it for itself."""
    if not budget_take(&call.punts, w.now, PUNT_BURST):
        return False
    if ring_used(&w.punts) < PUNT_RING // 4:
        return True
    return budget_take(&w.sources[source_slot(call.peer_address)], w.now, SOURCE_BURST)


cdef inline uint32_t source_slot(uint32_t address) noexcept nogil:
    return (address * <uint32_t> 0x9E3779B1) >> 22
