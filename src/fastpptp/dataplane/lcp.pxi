# What the worker answers itself from LCP Opened on: LCP Echo (RFC 1661 5.8) and CCP Reset
# (RFC 1962 5.7). MPPE needs no Reset-Ack, and none is ever sent (RFC 3078 8.2).

cdef enum:
    LCP_PROTOCOL_REJECT = 8
    LCP_ECHO_REQUEST = 9
    LCP_ECHO_REPLY = 10
    LCP_DISCARD_REQUEST = 11
    CCP_RESET_REQUEST = 14
    CCP_RESET_ACK = 15
    LCP_ECHO_SIZE = 8            # code, identifier, length, magic number
    PROBE_SIZE = 14              # with the mark and the size that Python's probes begin with
    PROBE_MARK = 0x66705450      # "fpTP"
    UNACKNOWLEDGED_LEAST = 8     # packets of ours that a round without acknowledgement takes,
    UNACKNOWLEDGED_ROUNDS = 2    # and rounds until that is told


cdef bint own_frame(
    worker *w, call_state *call, int protocol, const uint8_t *data, uint32_t length
) noexcept nogil:
    """Deal with a control frame here, or return False: it is Python's."""
    if length < 4 or get16(data + 2) < 4 or get16(data + 2) > length:
        return False
    length = get16(data + 2)
    if protocol == PPP_LCP:
        return own_lcp_frame(w, call, data, length)
    if protocol == PPP_CCP and data[0] == CCP_RESET_REQUEST:
        call_row(w, call).mppe_resets_received += 1
        # Repeats before the FLUSHED packet coalesce, one after it asks again.
        call.flush_pending = call.send_key.armed and not call.send_key.stateless
        return True
    return protocol == PPP_CCP and data[0] == CCP_RESET_ACK


cdef bint own_lcp_frame(worker *w, call_state *call, const uint8_t *data, uint32_t length) noexcept nogil:
    if data[0] == LCP_ECHO_REQUEST and length >= LCP_ECHO_SIZE:
        send_echo(w, call, LCP_ECHO_REPLY, data[1], data + LCP_ECHO_SIZE, length - LCP_ECHO_SIZE)
        return True
    if data[0] == LCP_PROTOCOL_REJECT and length >= 6:
        flush_misunderstood(w, call, get16(data + 4))
    if data[0] == LCP_ECHO_REPLY:
        return length < PROBE_SIZE or get32(data + LCP_ECHO_SIZE) != PROBE_MARK
    return data[0] == LCP_DISCARD_REQUEST


cdef void send_echo(
    worker *w, call_state *call, int code, int identifier, const uint8_t *data, uint32_t length
) noexcept nogil:
    """An Echo-Request or Echo-Reply with our magic number; never longer than the peer's MRU."""
    cdef uint8_t body[FRAME_SIZE]
    if LCP_ECHO_SIZE + length > call.mru:
        length = <uint32_t> call.mru - LCP_ECHO_SIZE
    put16(body, PPP_LCP)
    body[2] = <uint8_t> code
    body[3] = <uint8_t> identifier
    put16(body + 4, LCP_ECHO_SIZE + length)
    put32(body + 6, call.local_magic)
    if length:
        memcpy(body + 10, data, length)
    send_control(w, call, body, 10 + length)


cdef void echo_timer(worker *w, call_state *call) noexcept nogil:
    """Ask a peer that has been quiet; tell of one that stays so."""
    call.echo_due = NEVER
    if not call.lcp_owned or call.echo_interval == 0:
        return
    if w.now - call.heard < call.echo_interval:
        mind_acknowledgements(w, call)
        call.echo_due = call.heard + call.echo_interval
        return
    call.echo_due = w.now + call.echo_interval
    if call.echoes_unanswered >= call.echo_failures:
        call.echoes_unanswered = 0
        raise_event(w, call.handle & 0xFFFF, EVENT_PEER_SILENT)
    call.echoes_unanswered += 1
    call.echo_identifier += 1
    send_echo(w, call, LCP_ECHO_REQUEST, call.echo_identifier, NULL, 0)


cdef void mind_acknowledgements(worker *w, call_state *call) noexcept nogil:
    """The peer is heard. If it acknowledged before and now does nothing of what we go on sending,
    that may not arrive: told once, until it acknowledges again."""
    if call.tx_acked != call.echo_acked:
        call.unacknowledged = 0
    elif call.tx_acked == 0 or call.tx_next - call.echo_sent < UNACKNOWLEDGED_LEAST:
        return
    elif call.unacknowledged <= UNACKNOWLEDGED_ROUNDS:
        call.unacknowledged += 1
        if call.unacknowledged == UNACKNOWLEDGED_ROUNDS:
            raise_event(w, call.handle & 0xFFFF, EVENT_UNACKNOWLEDGED)
    call.echo_sent = call.tx_next
    call.echo_acked = call.tx_acked


cdef void send_reset_request(worker *w, call_state *call) noexcept nogil:
    cdef uint8_t body[6]
    call.reset_identifier += 1
    put16(body, PPP_CCP)
    body[2] = CCP_RESET_REQUEST
    body[3] = call.reset_identifier
    put16(body + 4, 4)
    if send_control(w, call, body, 6):
        call_row(w, call).mppe_resets_sent += 1
