# From the outer port to the inner one, a batch at a time: GRE, sequence, PPP, MPPE, filter, write.
# Only control frames leave the path.

cdef enum:
    PARK_LIMIT = 16
    PARK_TIME = 1000
    CLEARTEXT_TOLD = 8           # packets within CLEARTEXT_SPAN ms: a few may be late
    CLEARTEXT_SPAN = 10000


cdef void receive_gre(
    worker *w, uint32_t frame, const uint8_t *ip, uint32_t length, bint in_turn
) noexcept nogil:
    """One packet as the outer port gave it, in its frame, IP header first; `in_turn`: no older one of its
    call can be with another worker. Takes the frame."""
    cdef gre_packet g
    cdef call_state *call
    cdef int reason = gre_parse(ip, length, &g)
    if reason < 0:
        if not owned(w, g.call_id):
            pass_by(w, frame, ip, length, g.call_id)
            return
        call = &w.calls[g.call_id]
        if call.handle == 0:
            reason = UNKNOWN_CALL
        elif call.peer_address != g.source or call.local_address != g.destination:
            reason = WRONG_ADDRESS
            note_stray(w, &g)
    if reason >= 0:
        drop(w, reason)
        frame_give(w, frame)
        return
    if call.passage != PASSAGE_NONE and not in_turn:
        keep_early(w, call, frame, ip, length)
    else:
        trace_received(w, call, ip)
        receive_call(w, call, frame, &g)


cdef void note_stray(worker *w, gre_packet *g) noexcept nogil:
    """The number of a call of ours, but not its addresses: a guess, or a NAT that has several."""
    cdef call_stats *row = &w.rows[g.call_id]
    row.strays += 1
    row.stray_source = get32(<const uint8_t *> &g.source)


cdef void receive_call(worker *w, call_state *call, uint32_t frame, gre_packet *g) noexcept nogil:
    if not call.first_gre:
        call.first_gre = 1
        raise_event(w, g.call_id, EVENT_FIRST_GRE)
    prefetch_table(&call.receive_key)
    call.heard = w.now
    call.echoes_unanswered = 0
    if g.has_acknowledged:
        take_acknowledgement(w, call, g.acknowledged)
    if g.has_sequence:
        receive_sequence(w, call, frame, g)
    else:
        call_row(w, call).rx_zlb += 1
        frame_give(w, frame)


cdef void deliver(worker *w) noexcept nogil:
    """Carry everything in `ready` to where it belongs, in order."""
    cdef uint32_t k
    cdef packet *p
    if w.ready_count == 0:
        return
    for k in range(w.ready_count):
        classify(w, &w.ready[k])
    decrypt_batch_now(w)
    for k in range(w.ready_count):
        if w.ready[k].state == PACKET_INNER:
            receive_inner(w, &w.ready[k])
    inner_flush(w)
    for k in range(w.ready_count):
        p = &w.ready[k]
        if p.state != PACKET_KEPT:
            frame_give(w, p.frame)
        frame_give(w, p.plain_frame)
    w.ready_count = 0


cdef void classify(worker *w, packet *p) noexcept nogil:
    cdef int protocol = ppp_parse(&p.data, &p.length)
    p.state = PACKET_DROPPED
    if protocol < 0:
        discard(w, p.call, PPP_MALFORMED)
    elif protocol == PPP_IP or protocol == PPP_IPV6 or protocol == PPP_COMPRESSED:
        receive_data(w, p, protocol)
    else:
        call_row(w, p.call).control_received += 1
        if not (p.call.lcp_owned and own_frame(w, p.call, protocol, p.data, p.length)):
            punt(w, p.call, protocol, p.data, p.length)


cdef inline bint may_pass(call_state *call, int protocol) noexcept nogil:
    """The gate. What is encrypted shows its version only later, and meets the gate again."""
    if protocol == PPP_COMPRESSED:
        return call.gates and call.receive_key.armed
    return call.gates & (GATE_4 if protocol == PPP_IP else GATE_6) != 0


cdef void receive_data(worker *w, packet *p, int protocol) noexcept nogil:
    cdef call_state *call = p.call
    if call.parked or not may_pass(call, protocol):
        if call.control_pending:
            park(w, p, protocol)
        else:
            discard(w, call, NO_KEYS if protocol == PPP_COMPRESSED and call.gates else GATE_CLOSED)
    elif protocol == PPP_COMPRESSED:
        stage_decrypt(w, p)
    elif call_armed(call):
        discard(w, call, CLEARTEXT)
        note_cleartext(w, call)
    elif not inner_valid(protocol, p.data, &p.length):
        discard(w, call, INNER_MALFORMED)
    else:
        p.state = PACKET_INNER
        p.inner = <uint8_t *> p.data
        p.inner_length = p.length
        if p.unproven:
            commit_sequence(w, call, p.sequence)


cdef void note_cleartext(worker *w, call_state *call) noexcept nogil:
    """A peer that goes on sending in the clear is told of, once."""
    call_row(w, call).cleartext += 1
    if call.cleartext == CLEARTEXT_TOLD:
        return
    if w.now - call.cleartext_since > CLEARTEXT_SPAN:
        call.cleartext_since = w.now
        call.cleartext = 0
    call.cleartext += 1
    if call.cleartext == CLEARTEXT_TOLD:
        raise_event(w, call.handle & 0xFFFF, EVENT_CLEARTEXT)


cdef void park(worker *w, packet *p, int protocol) noexcept nogil:
    """Python may be about to open the gate: keep the frame until it has answered, at most 1 s."""
    cdef call_state *call = p.call
    cdef uint8_t *start = <uint8_t *> p.data - 2
    if call.parked_count >= PARK_LIMIT or pool_low(w):
        discard(w, call, PARK_FULL)
        return
    # The protocol in full: GRE's header stood where it is written.
    put16(start, protocol)
    w.notes[p.frame].offset = <uint16_t> (start - frame_at(w, p.frame))
    w.notes[p.frame].length = <uint16_t> (p.length + 2)
    w.notes[p.frame].sequence = p.sequence
    list_append(w, &call.parked, &call.parked_last, p.frame)
    call.parked_count += 1
    p.state = PACKET_KEPT
    if call.park_due == NEVER:
        call.park_due = w.now + PARK_TIME
        schedule(w, call, call.park_due)


cdef void replay_parked(worker *w, call_state *call) noexcept nogil:
    """Something changed: let what is parked try again, in order."""
    cdef uint32_t frame
    if call.parked == NO_FRAME_INDEX:
        return
    deliver(w)
    call.parked_count = 0
    while call.parked:
        frame = list_pop(w, &call.parked)
        push_ready(
            w, call, frame, frame_at(w, frame) + w.notes[frame].offset,
            w.notes[frame].length, w.notes[frame].sequence, False,
        )
    deliver(w)
    if call.parked == NO_FRAME_INDEX:
        call.park_due = NEVER


cdef void expire_parked(worker *w, call_state *call) noexcept nogil:
    call.park_due = NEVER
    if call.parked == NO_FRAME_INDEX:
        return
    while call.parked:
        discard(w, call, PARK_EXPIRED_FRAME)
        frame_give(w, list_pop(w, &call.parked))
    call.parked_count = 0
    raise_event(w, call.handle & 0xFFFF, EVENT_PARK_EXPIRED)


cdef void receive_inner(worker *w, packet *p) noexcept nogil:
    """A plain inner packet of the peer's: check it, and on to the inner port."""
    cdef call_state *call = p.call
    cdef call_stats *row = call_row(w, call)
    cdef uint8_t *ip = p.inner
    cdef bint six = ip[0] >> 4 == 6
    row.rx_packets += 1
    row.rx_octets += p.inner_length
    row.last_data = w.now
    if not call.gates & (GATE_6 if six else GATE_4):
        discard(w, call, GATE_CLOSED)
    elif not source_allowed(w, call, ip):
        discard(w, call, INNER_SOURCE)
    elif not destination_allowed(w, call, ip):
        discard(w, call, INNER_PEER)
    elif six and router_solicited(call, ip, p.inner_length):
        trace_inner(w, call, TRACE_INNER_IN, ip, p.inner_length)
        advertise(w, call)
    elif call.filter == NO_FILTER or filter_passes(w, call, ip, p.inner_length, INBOUND, 1, p.inner_length):
        clamp_mss(w, call, ip, p.inner_length)
        trace_inner(w, call, TRACE_INNER_IN, ip, p.inner_length)
        inner_write(w, ip, p.inner_length)
