# From the inner port to the outer one: look-up, size, window, MPPE, PPP, GRE. Sequence number and
# coherency count are given here, after every queue; what the socket did not take goes out later as
# the same octets.


cdef void transmit_batch(worker *w) noexcept nogil:
    """What was read from the inner port. With many calls nothing of them is cached, so the look-ups
    go in stages over the batch, each fetching what the next one reads. Takes the frames."""
    cdef uint32_t k
    for k in range(w.inner.count):
        prefetch_route(w, &w.inner.batch[k])
    for k in range(w.inner.count):
        look_up(w, &w.inner.batch[k])
    for k in range(w.inner.count):
        transmit_inner(w, &w.inner.batch[k])


cdef inline uint8_t *inner_target(uint8_t *ip, int version) noexcept nogil:
    return ip + (24 if version == 6 else 16)


cdef inline void prefetch_route(worker *w, inner_packet *p) noexcept nogil:
    cdef uint8_t *ip = inner_ip(w, p)
    p.version = ip[0] >> 4
    if inner_well_formed(ip, p.version, p.length):
        route_prefetch(&w.routes, inner_target(ip, p.version), p.version)
    else:
        p.version = 0


cdef inline void look_up(worker *w, inner_packet *p) noexcept nogil:
    p.handle = 0
    if p.version:
        p.handle = route_find(&w.routes, inner_target(inner_ip(w, p), p.version), p.version)
        prefetch_sending(w, p.handle)


cdef inline void prefetch_sending(worker *w, uint32_t handle) noexcept nogil:
    prefetch_lines(&w.calls[handle & 0xFFFF], CALL_SENDING)
    prefetch(&w.rows[handle & 0xFFFF])


cdef void transmit_inner(worker *w, inner_packet *p) noexcept nogil:
    """A packet that was looked up. Takes the frame."""
    if p.handle == 0:
        drop(w, INNER_UNKNOWN if p.version else INNER_MALFORMED)
        frame_give(w, p.frame)
    elif w.vnet_header:
        transmit_offloaded(w, p)
    else:
        transmit_owned(w, p)


cdef void transmit_owned(worker *w, inner_packet *p) noexcept nogil:
    """One packet by the worker that has its call. Takes the frame."""
    if not owned(w, p.handle):
        # Without a steering program the kernel may give a queue the packets of any call.
        hand_over(w, SIDE_INNER, p.handle, 0, inner_ip(w, p), p.length)
        frame_give(w, p.frame)
    else:
        transmit_to(w, call_find(w, p.handle), p.frame, inner_ip(w, p), p.length)


cdef inline bint inner_well_formed(const uint8_t *ip, int version, uint32_t length) noexcept nogil:
    """The kernel made it; only what the code below relies on is checked."""
    if version == 4:
        return length >= IP_HEADER and (ip[0] & 15) * 4 >= IP_HEADER and get16(ip + 2) == length
    return version == 6 and length >= IPV6_HEADER


cdef void transmit_to(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """An inner packet for one call, NULL: it has just been closed. Takes the frame."""
    if may_transmit(w, call, ip, length, 1, length):
        transmit_permitted(w, call, frame, ip, length)
    else:
        frame_give(w, frame)


cdef inline bint may_transmit(
    worker *w, call_state *call, const uint8_t *ip, uint32_t length, uint32_t packets, uint32_t octets
) noexcept nogil:
    """Whether a packet, which stands for `packets` of `octets` in all, may go to this call at all."""
    if call == NULL:
        drop(w, CALL_CLOSED)
        return False
    if not call.gates & (GATE_6 if ip[0] >> 4 == 6 else GATE_4):
        refuse(w, call, GATE_CLOSED)
        return False
    if call_armed(call) and not call.send_key.armed:
        refuse(w, call, NO_KEYS)
        return False
    return call.filter == NO_FILTER or filter_passes(w, call, ip, length, OUTBOUND, packets, octets)


cdef void transmit_permitted(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """Takes the frame."""
    if length > call_mtu(w, call):
        too_big(w, call, frame, ip, length)
    else:
        clamp_mss(w, call, ip, length)
        transmit_data(w, call, frame, ip, length)


cdef void transmit_data(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """A packet that fits: now, or when the peer's window opens or the socket has room. Takes the frame."""
    if call.queued or window_full(call) or not out_make_data_room(w):
        queue_data(w, call, frame, ip, length)
    else:
        stage_data(w, call, frame, ip, length)


cdef void stage_data(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """Frame an inner packet and put it into the batch, where there is room. Takes the frame."""
    cdef call_stats *row = call_row(w, call)
    cdef uint32_t protocol = PPP_IPV6 if ip[0] >> 4 == 6 else PPP_IP
    cdef uint8_t *p = ip
    cdef uint8_t *end = ip + length
    row.tx_packets += 1
    row.tx_octets += length
    row.last_data = w.now
    trace_inner(w, call, TRACE_INNER_OUT, ip, length)
    if call.send_key.armed:
        p -= 2
        put16(p, protocol)
        p -= 2
        stage_encrypt(w, call, p, length + 2)
        protocol = PPP_COMPRESSED
    p = ppp_build(call, p, protocol)
    stage_out(w, call, frame, p, <uint32_t> (end - p))
    if call.limit_window and call.window_due == NEVER:
        call.window_due = w.now + call.ack_timeout
        schedule(w, call, call.window_due)


cdef void stage_out(
    worker *w, call_state *call, uint32_t frame, uint8_t *payload, uint32_t length
) noexcept nogil:
    """Put a payload into the batch; out_make_room was asked. Takes the frame."""
    cdef uint8_t *p = gre_build(call, payload, length)
    outer_push(w, call, frame, p, <uint32_t> (payload + length - p))


cdef bint out_make_room(worker *w) noexcept nogil:
    if w.out_count == OUT_BATCH:
        flush_out(w)
    return w.out_count < OUT_BATCH


cdef bint out_make_data_room(worker *w) noexcept nogil:
    """While the socket takes nothing, data never fills what control frames need."""
    if not out_has_data_room(w) and not w.out_stalled:
        flush_out(w)
    return out_has_data_room(w)


cdef inline bint out_has_data_room(worker *w) noexcept nogil:
    return w.out_count < OUT_BATCH - OUT_CONTROL


cdef void flush_out(worker *w) noexcept nogil:
    """Encrypt what is staged and send what the outer port takes."""
    run_jobs(w)
    if w.trace_count:
        trace_sent(w)
    outer_flush(w)


cdef void send_zlb(worker *w, call_state *call) noexcept nogil:
    """An acknowledgement alone (RFC 2637 4.1: S = 0, no payload)."""
    cdef uint32_t frame = frame_take(w) if out_make_room(w) else NO_FRAME_INDEX
    call.ack_due = NEVER
    if frame == NO_FRAME_INDEX:
        refuse(w, call, SEND_BACKLOG)
        return
    call_row(w, call).tx_zlb += 1
    stage_out(w, call, frame, frame_at(w, frame) + HEADROOM, 0)


cdef bint send_control(
    worker *w, call_state *call, const uint8_t *body, uint32_t length
) noexcept nogil:
    """A control frame, its two-octet protocol first. FF 03 always: only data is compressed."""
    cdef uint32_t frame = frame_take(w) if out_make_room(w) else NO_FRAME_INDEX
    cdef uint8_t *p
    if frame == NO_FRAME_INDEX or length > FRAME_ROOM:
        refuse(w, call, SEND_BACKLOG)
        frame_give(w, frame)
        return False
    call_row(w, call).control_sent += 1
    p = frame_at(w, frame) + HEADROOM - 2
    p[0] = PPP_ADDRESS
    p[1] = PPP_CONTROL
    memcpy(p + 2, body, length)
    stage_out(w, call, frame, p, length + 2)
    return True
