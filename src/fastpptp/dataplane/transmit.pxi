# From the inner port to the outer one: look-up, size, window, MPPE, PPP, GRE. Sequence number and
# coherency count are given here, after every queue; what the socket did not take goes out later as
# the same octets.


cdef void transmit_inner(worker *w, uint32_t frame, uint8_t *ip, uint32_t length) noexcept nogil:
    """A packet from the inner port. Takes the frame."""
    cdef int version = ip[0] >> 4 if length else 0
    cdef uint32_t handle = 0
    if not inner_well_formed(ip, version, length):
        drop(w, INNER_MALFORMED)
        frame_give(w, frame)
        return
    handle = route_find(&w.routes, ip + (16 if version == 4 else 24), version)
    if handle == 0:
        drop(w, INNER_UNKNOWN)
        frame_give(w, frame)
    elif (handle & 0xFFFF) % w.workers != w.index:
        hand_over(w, handle, frame, ip, length)
    else:
        transmit_to(w, call_find(w, handle), frame, ip, length)


cdef inline bint inner_well_formed(const uint8_t *ip, int version, uint32_t length) noexcept nogil:
    """The kernel made it; only what the code below relies on is checked."""
    if version == 4:
        return length >= IP_HEADER and (ip[0] & 15) * 4 >= IP_HEADER and get16(ip + 2) == length
    return version == 6 and length >= IPV6_HEADER


cdef void transmit_to(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """An inner packet for one call, NULL: it has just been closed. Takes the frame."""
    if call == NULL:
        drop(w, CALL_CLOSED)
        frame_give(w, frame)
    elif not call.gates & (GATE_6 if ip[0] >> 4 == 6 else GATE_4):
        refuse(w, call, GATE_CLOSED)
        frame_give(w, frame)
    elif call_armed(call) and not call.send_key.armed:
        refuse(w, call, NO_KEYS)
        frame_give(w, frame)
    elif length > call_mtu(w, call):
        too_big(w, call, frame, ip, length)
    else:
        clamp_mss(w, call, ip, length)
        transmit_data(w, call, frame, ip, length)


cdef void transmit_data(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """A packet that fits: now, or when the peer's window opens. Takes the frame."""
    if call.queued or window_full(call):
        queue_data(w, call, frame, ip, length)
    else:
        stage_data(w, call, frame, ip, length)


cdef void stage_data(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """Frame an inner packet and put it into the batch. Takes the frame."""
    cdef call_stats *row = call_row(w, call)
    cdef uint32_t protocol = PPP_IPV6 if ip[0] >> 4 == 6 else PPP_IP
    cdef uint8_t *p = ip
    cdef uint8_t *end = ip + length
    if not out_make_room(w):
        refuse(w, call, SEND_BACKLOG)
        frame_give(w, frame)
        return
    row.tx_packets += 1
    row.tx_octets += length
    row.last_data = w.now
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
    if not out_has_room(w):
        flush_out(w)
    return out_has_room(w)


cdef inline bint out_has_room(worker *w) noexcept nogil:
    return w.out_count < OUT_BATCH


cdef void flush_out(worker *w) noexcept nogil:
    """Encrypt what is staged and send what the outer port takes."""
    run_jobs(w)
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
