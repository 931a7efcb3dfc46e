# Copies of a call's packets for whoever traces it: the outer ones as they came and as they are handed
# to the kernel, the inner ones as the inside has them, one for each packet on the wire. Off by default,
# and then a test of one octet that the packet has fetched anyway. Nothing waits for the reader: what
# finds the ring full is lost and counted with its call.

cdef enum:
    TRACE_RING = 4 << 20
    TRACE_SPARE = 1 << 16        # of the ring, for TRACE_ENDED alone
    TRACE_LEAST = 64             # octets kept of a packet, at least

# What a trace is of, and what a record is. fastpptp.ports.Trace spells them for Python.
cdef enum:
    TRACE_OUTER_IN = 1           # from the peer, as it came
    TRACE_OUTER_OUT = 2
    TRACE_INNER_IN = 4           # from the peer, decrypted and allowed to pass
    TRACE_INNER_OUT = 8          # not encrypted yet
    TRACE_ENDED = 16             # the last record of a trace, without a packet
    TRACE_OUTER = 3
    TRACE_ALL = 15


cdef struct trace_order:
    uint16_t snap
    uint16_t rate


# The packet follows.
cdef struct trace_body:
    uint64_t stamp               # ns of CLOCK_REALTIME
    uint32_t length              # octets of the whole packet
    uint32_t suppressed          # packets above the rate, since the trace began
    uint32_t lost_outer          # packets that found the ring full, likewise
    uint32_t lost_inner


cdef inline void trace_received(worker *w, call_state *call, const uint8_t *ip) noexcept nogil:
    """A whole IPv4 packet from the peer; what pads it is left out."""
    if call.traced & TRACE_OUTER_IN:
        trace_packet(w, call, TRACE_OUTER_IN, NULL, ip, get16(ip + 2))


cdef inline void trace_inner(
    worker *w, call_state *call, uint32_t kind, const uint8_t *ip, uint32_t length
) noexcept nogil:
    if call.traced & kind:
        trace_packet(w, call, kind, NULL, ip, length)


cdef inline void trace_staged(worker *w, call_state *call, uint32_t message) noexcept nogil:
    """A message was put into the batch. It may not be encrypted yet: it is copied when all are."""
    if call.traced & TRACE_OUTER_OUT:
        w.trace_marks[w.trace_count] = trace_mark(call.handle, message)
        w.trace_count += 1


cdef void trace_sent(worker *w) noexcept nogil:
    """Copy the messages that were marked, before the outer port has them."""
    cdef uint32_t k
    cdef call_state *call
    for k in range(w.trace_count):
        call = call_find(w, w.trace_marks[k].handle)
        if call != NULL:
            trace_message(w, call, w.trace_marks[k].message)
    w.trace_count = 0


cdef void trace_message(worker *w, call_state *call, uint32_t message) noexcept nogil:
    """A message of the batch. What goes by the raw socket gets its IPv4 header from the kernel: here
    it gets one with identification 0."""
    cdef const uint8_t *data = <const uint8_t *> w.out_vectors[message].iov_base
    cdef uint32_t length = <uint32_t> w.out_vectors[message].iov_len
    cdef uint8_t header[20]      # IP_HEADER
    if w.out_ways[message] == WAY_RAW:
        outer_ip(header, length + IP_HEADER, 0, call.local_address, call.peer_address)
        trace_packet(w, call, TRACE_OUTER_OUT, header, data, length)
    elif w.out_ways[message] == WAY_PACKET:
        trace_packet(w, call, TRACE_OUTER_OUT, NULL, data, length)
    else:
        trace_packet(w, call, TRACE_OUTER_OUT, NULL, data + ETHERNET, length - ETHERNET)


cdef void trace_packet(
    worker *w, call_state *call, uint32_t kind, const uint8_t *header, const uint8_t *data,
    uint32_t length
) noexcept nogil:
    """Copy the start of a packet, with an IPv4 header in front of it unless that is NULL."""
    cdef uint32_t before = IP_HEADER if header != NULL else 0
    cdef uint32_t kept = call.trace_snap if length + before > call.trace_snap else length + before
    cdef uint64_t end = 0
    cdef uint8_t *body
    if call.trace_rate and not budget_take(&call.trace_budget, w.now, call.trace_rate):
        call.trace_suppressed += 1
        return
    body = NULL
    if ring_used(&w.traces) <= TRACE_RING - TRACE_SPARE:
        body = trace_record(w, call, kind, length + before, kept, &end)
    if body == NULL:
        call.trace_lost_outer += kind & TRACE_OUTER != 0
        call.trace_lost_inner += kind & TRACE_OUTER == 0
        return
    if before:
        memcpy(body, header, IP_HEADER)
    memcpy(body + before, data, kept - before)
    ring_publish(&w.traces, end)


cdef uint8_t *trace_record(
    worker *w, call_state *call, uint32_t kind, uint32_t length, uint32_t kept, uint64_t *end
) noexcept nogil:
    """Where `kept` octets go in a record that ring_publish(end) makes visible. NULL: no room."""
    cdef record *place = ring_reserve(&w.traces, <uint32_t> sizeof(trace_body) + kept, end)
    cdef trace_body *body
    if place == NULL:
        return NULL
    body = <trace_body *> record_body(place)
    place.kind = kind
    place.handle = call.handle
    body.stamp = wall_ns()
    body.length = length
    body.suppressed = call.trace_suppressed
    body.lost_outer = call.trace_lost_outer
    body.lost_inner = call.trace_lost_inner
    return <uint8_t *> (body + 1)


cdef void trace_order_take(worker *w, call_state *call, uint32_t kinds, trace_order *order) noexcept nogil:
    """Begin a trace, change one that runs, or end it."""
    if kinds == 0:
        trace_close(w, call)
        return
    if not call.traced:
        call.trace_suppressed = call.trace_lost_outer = call.trace_lost_inner = 0
    call.traced = <uint8_t> kinds
    call.trace_snap = order.snap
    call.trace_rate = order.rate
    call.trace_budget.refilled = <uint32_t> w.now
    call.trace_budget.tokens = order.rate


cdef void trace_close(worker *w, call_state *call) noexcept nogil:
    """Copy what is staged, and say that this was all."""
    cdef uint64_t end = 0
    if not call.traced:
        return
    run_jobs(w)
    trace_sent(w)
    if trace_record(w, call, TRACE_ENDED, 0, 0, &end) != NULL:
        ring_publish(&w.traces, end)
    call.traced = 0


cdef inline uint64_t wall_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    return <uint64_t> t.tv_sec * 1000000000 + <uint64_t> t.tv_nsec
