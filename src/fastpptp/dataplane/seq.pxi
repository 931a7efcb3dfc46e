# Sequence numbers (RFC 2637 4.2, 4.3): what is next, what waits for its turn, what the peer still
# owes an acknowledgement for. All comparisons are modulo 2**32.

cdef enum:
    REORDER_FAR = 1024           # further ahead than this is believed only once the packet proves itself
    QUEUE_LIMIT = 64             # packets of one call behind the peer's window,
    BACKLOG_LIMIT = 256          # or behind a socket that is full
    THROTTLE_PERIOD = 10000      # ms, in which a window that holds packets back half of the time
    THROTTLE_RATE = 1000         # and lets fewer than these through each second is told of


cdef void receive_sequence(worker *w, call_state *call, uint32_t frame, gre_packet *g) noexcept nogil:
    """Put a payload where its number belongs: ready, held, or dropped. Takes the frame."""
    cdef int32_t ahead
    if not call.rx_started and g.sequence <= 1:
        # The first is 0 by the RFC and 1 by common practice.
        call.rx_started = 1
        call.rx_next = g.sequence
    ahead = <int32_t> (g.sequence - call.rx_next)
    if ahead == 0:
        deliver_next(w, call, frame, g.payload, g.length)
        release_run(w, call)
        return
    if ahead < 0 and just_moved(w, call):
        frame_give(w, frame)         # most likely a copy
        return
    call_row(w, call).out_of_sequence += 1
    if ahead < 0:
        receive_late(w, call, frame, g)
    elif ahead > REORDER_FAR:
        while call.held:
            release_gap(w, call)
        push_ready(w, call, frame, g.payload, g.length, g.sequence, True)
    elif call.reorder_packets == 0 or pool_low(w):
        give_up_to(w, call, g.sequence)
        deliver_next(w, call, frame, g.payload, g.length)
        release_run(w, call)
    else:
        hold(w, call, frame, g)


cdef inline void deliver_next(
    worker *w, call_state *call, uint32_t frame, const uint8_t *data, uint32_t length
) noexcept nogil:
    push_ready(w, call, frame, data, length, call.rx_next, False)
    w.ready[w.ready_count - 1].gap = call.rx_gap
    call.rx_gap = 0
    call.rx_next += 1
    note_unacknowledged(w, call)


cdef void receive_late(worker *w, call_state *call, uint32_t frame, gre_packet *g) noexcept nogil:
    """Too late for MPPE and for the network layer; an LCP Echo is as good as ever."""
    cdef const uint8_t *data = g.payload
    cdef uint32_t length = g.length
    call_row(w, call).out_of_window += 1
    if ppp_parse(&data, &length) == PPP_LCP and length >= 4 and (
        data[0] == LCP_ECHO_REQUEST or data[0] == LCP_ECHO_REPLY
    ):
        push_ready(w, call, frame, g.payload, g.length, g.sequence, True)
        return
    discard(w, call, LATE)
    frame_give(w, frame)


cdef void hold(worker *w, call_state *call, uint32_t frame, gre_packet *g) noexcept nogil:
    """Keep a packet that came before its predecessors, in order."""
    cdef uint32_t *link = &call.held
    while link[0] and <int32_t> (w.notes[link[0]].sequence - g.sequence) < 0:
        link = &w.notes[link[0]].next
    if link[0] and w.notes[link[0]].sequence == g.sequence:
        if not just_moved(w, call):
            call_row(w, call).out_of_window += 1
            discard(w, call, DUPLICATE)
        frame_give(w, frame)
        return
    w.notes[frame].sequence = g.sequence
    w.notes[frame].stamp = <uint32_t> w.now
    w.notes[frame].offset = <uint16_t> (g.payload - frame_at(w, frame))
    w.notes[frame].length = g.length
    w.notes[frame].next = link[0]
    link[0] = frame
    call.held_count += 1
    if call.held_count > call.reorder_packets:
        release_gap(w, call)
    elif call.hold_due == NEVER:
        call.hold_due = w.now + call.reorder_time
        schedule(w, call, call.hold_due)


cdef void release_run(worker *w, call_state *call) noexcept nogil:
    """Deliver what is held, up to the next gap."""
    cdef uint32_t frame
    while call.held and w.notes[call.held].sequence == call.rx_next:
        frame = list_pop(w, &call.held)
        call.held_count -= 1
        deliver_next(w, call, frame, frame_at(w, frame) + w.notes[frame].offset, w.notes[frame].length)
    if call.held == NO_FRAME_INDEX:
        call.hold_due = NEVER


cdef void release_gap(worker *w, call_state *call) noexcept nogil:
    """Give up the gap in front of what is held."""
    if call.held == NO_FRAME_INDEX:
        return
    give_up_to(w, call, w.notes[call.held].sequence)
    release_run(w, call)


cdef void hold_timer(worker *w, call_state *call) noexcept nogil:
    """Give up every gap that was waited for long enough, and cannot be filled by another worker."""
    cdef uint32_t waited
    call.hold_due = NEVER
    if call.passage != PASSAGE_NONE:
        call.hold_due = w.now + 1
        return
    while call.held:
        waited = <uint32_t> w.now - w.notes[call.held].stamp
        if waited < call.reorder_time:
            call.hold_due = w.now + call.reorder_time - waited
            return
        release_gap(w, call)


cdef inline void give_up_to(worker *w, call_state *call, uint32_t sequence) noexcept nogil:
    call.rx_gap = sequence - call.rx_next
    call_row(w, call).lost += call.rx_gap
    call.rx_next = sequence
    call.rx_started = 1


cdef void commit_sequence(worker *w, call_state *call, uint32_t sequence) noexcept nogil:
    """A packet from far ahead proved itself: the peer really is there."""
    if <int32_t> (sequence - call.rx_next) >= 0:
        give_up_to(w, call, sequence)
        call.rx_gap = 0
        call.rx_next += 1
        note_unacknowledged(w, call)


cdef void retract_sequence(worker *w, packet *p) noexcept nogil:
    """This was no packet of the peer's: let the real one in, and those that were given up for it."""
    cdef call_state *call = p.call
    if p.unproven or call.rx_next != p.sequence + 1:
        return
    call.rx_next = p.sequence - p.gap
    call_row(w, call).lost -= p.gap
    if <int32_t> (call.rx_acked - call.rx_next) > 0:
        call.rx_acked = call.rx_next


cdef inline void push_ready(
    worker *w, call_state *call, uint32_t frame, const uint8_t *data, uint32_t length,
    uint32_t sequence, bint unproven,
) noexcept nogil:
    cdef packet *p = &w.ready[w.ready_count]
    w.ready_count += 1
    p.call = call
    p.frame = frame
    p.plain_frame = NO_FRAME_INDEX
    p.data = data
    p.length = length
    p.sequence = sequence
    p.gap = 0
    p.unproven = unproven
    p.state = PACKET_NEW


# Acknowledgements.

cdef inline void note_unacknowledged(worker *w, call_state *call) noexcept nogil:
    """A payload came: its acknowledgement rides on data, or goes alone after a while."""
    if call.ack_due == NEVER:
        call.ack_due = w.now + call.ack_delay
        schedule(w, call, call.ack_due)
    if not call.ack_listed and w.ack_count < ACK_LIST:
        call.ack_listed = 1
        w.acks[w.ack_count] = call.handle
        w.ack_count += 1


cdef void acknowledge_listed(worker *w) noexcept nogil:
    """At the end of a turn: half of the window we advertised must not stay unacknowledged."""
    cdef uint32_t k, half
    cdef call_state *call
    for k in range(w.ack_count):
        call = call_find(w, w.acks[k])
        if call == NULL:
            continue
        call.ack_listed = 0
        half = call.receive_window // 2 if call.receive_window > 1 else 1
        if call.rx_next - call.rx_acked >= half or (call.ack_delay == 0 and call.ack_due != NEVER):
            send_zlb(w, call)
    w.ack_count = 0


cdef void take_acknowledgement(worker *w, call_state *call, uint32_t acknowledged) noexcept nogil:
    """The peer has everything up to this number; nonsense is ignored."""
    cdef uint32_t count = acknowledged + 1 - call.tx_acked
    if count == 0 or count > call.tx_next - call.tx_acked:
        return
    call.tx_acked += count
    if not call.limit_window:
        return
    # RFC 2637 4.2.3: one more packet for each window that got through.
    call.window_filled += <uint16_t> (count if count < call.window else call.window)
    if call.window_filled >= call.window:
        call.window_filled = 0
        call.window += call.window < call.peer_window
    call.window_due = w.now + call.ack_timeout if call.tx_next != call.tx_acked else NEVER
    schedule(w, call, call.window_due)
    drain_queue(w, call, QUEUE_LIMIT)


cdef inline bint window_full(call_state *call) noexcept nogil:
    return call.limit_window and call.tx_next - call.tx_acked >= call.window


cdef void reopen_window(worker *w, call_state *call) noexcept nogil:
    """RFC 2637 4.2.2: no acknowledgement in time. Take it as lost, go on with half the window."""
    call.window_due = NEVER
    if call.tx_next == call.tx_acked:
        return
    call_row(w, call).window_reopens += 1
    call_row(w, call).window_silent += call.tx_acked == call.window_mark
    call.tx_acked = call.tx_next
    call.window_mark = call.tx_acked
    call.window = (call.window + 1) // 2
    call.window_filled = 0
    drain_queue(w, call, QUEUE_LIMIT)


cdef void drain_queue(worker *w, call_state *call, uint32_t most) noexcept nogil:
    """Send what waits, as far as there is window and room."""
    cdef uint32_t frame
    while most and call.queued and not window_full(call) and out_has_data_room(w):
        frame = list_pop(w, &call.queued)
        call.queued_count -= 1
        most -= 1
        stage_data(w, call, frame, frame_at(w, frame) + w.notes[frame].offset, w.notes[frame].length)
    if call.queued == NO_FRAME_INDEX:
        call_row(w, call).flow = 0
        end_waiting(w, call)
    elif not window_full(call):
        backlog_join(w, call)


cdef void note_waiting(worker *w, call_state *call) noexcept nogil:
    """A packet has to wait for the peer's window: measure for how much of the time that is so."""
    cdef uint64_t period, waited
    call_row(w, call).window_held += 1
    if call.throttle_since == NEVER:
        begin_period(w, call)
    if call.waiting_since == NEVER:
        call.waiting_since = w.now
    period = w.now - call.throttle_since
    if period < THROTTLE_PERIOD:
        return
    waited = call.waiting_time + (w.now - call.waiting_since)
    if (
        2 * waited >= period and not call.throttled
        and <uint64_t> (call.tx_next - call.throttle_mark) * 1000 < period * THROTTLE_RATE
    ):
        call.throttled = 1
        raise_event(w, call.handle & 0xFFFF, EVENT_THROTTLED)
    begin_period(w, call)
    call.waiting_since = w.now


cdef void begin_period(worker *w, call_state *call) noexcept nogil:
    call.throttle_since = w.now
    call.throttle_mark = call.tx_next
    call.waiting_time = 0


cdef inline void end_waiting(worker *w, call_state *call) noexcept nogil:
    """Nothing waits any more."""
    if call.waiting_since != NEVER:
        call.waiting_time += <uint32_t> (w.now - call.waiting_since)
        call.waiting_since = NEVER


cdef void queue_data(
    worker *w, call_state *call, uint32_t frame, uint8_t *inner, uint32_t length
) noexcept nogil:
    """Keep an inner packet until the window opens or the socket has room. Takes the frame."""
    cdef bint windowed = window_full(call)
    call_row(w, call).flow |= FLOW_PEER if windowed else FLOW_LOCAL
    if windowed:
        note_waiting(w, call)
    if (
        call.queued_count >= (QUEUE_LIMIT if windowed else BACKLOG_LIMIT)
        or pool_low(w)
        or not (windowed or backlog_join(w, call))
    ):
        call_row(w, call).flow |= FLOW_LOCAL
        refuse(w, call, WINDOW_QUEUE_FULL if windowed else SEND_BACKLOG)
        frame_give(w, frame)
        return
    w.notes[frame].offset = <uint16_t> (inner - frame_at(w, frame))
    w.notes[frame].length = <uint16_t> length
    list_append(w, &call.queued, &call.queued_last, frame)
    call.queued_count += 1


# Calls with packets behind a full socket. They are served in turn, a packet each, so that nobody's
# flood is before another's packet.

cdef bint backlog_join(worker *w, call_state *call) noexcept nogil:
    """See that this call has its turn; False when too many wait."""
    if call.backlogged:
        return True
    if w.backlog_count == BACKLOG:
        return False
    call.backlogged = 1
    w.backlog[(w.backlog_first + w.backlog_count) & (BACKLOG - 1)] = call.handle
    w.backlog_count += 1
    return True


cdef void backlog_serve(worker *w) noexcept nogil:
    """Send one packet of each waiting call, and again, as far as there is room."""
    cdef uint32_t handle
    cdef call_state *call
    while w.backlog_count and out_has_data_room(w):
        handle = w.backlog[w.backlog_first & (BACKLOG - 1)]
        w.backlog_first += 1
        w.backlog_count -= 1
        call = call_find(w, handle)
        if call != NULL and owned(w, handle):
            call.backlogged = 0
            drain_queue(w, call, 1)
