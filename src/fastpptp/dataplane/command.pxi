# Commands, Python's side of a call: what they carry, and what a worker does on each.

cdef enum:
    COMMAND_OPEN
    COMMAND_CLOSE
    COMMAND_POLICY
    COMMAND_KEYS
    COMMAND_CLEAR_KEYS
    COMMAND_OPEN_GATE
    COMMAND_CLOSE_GATE
    COMMAND_OWN_LCP
    COMMAND_INJECT
    COMMAND_CONTROL_DONE
    COMMAND_ADJACENCY
    COMMAND_ROUTE_ADD
    COMMAND_ROUTE_REMOVE
    COMMAND_GIVE
    COMMAND_TAKE
    COMMAND_PORT_OPEN
    COMMAND_PORT_CLOSE
    COMMAND_FILTERS
    COMMAND_TRACE

cdef enum:
    DIRECTION_RECEIVE = 0
    DIRECTION_SEND = 1


cdef struct open_body:
    uint32_t local_address
    uint32_t peer_address
    uint32_t ack_delay
    uint32_t ack_timeout
    uint16_t peer_call_id
    uint16_t receive_window
    uint16_t peer_window
    uint16_t reorder_packets
    uint16_t reorder_time
    uint8_t limit_window


cdef struct policy_body:
    uint32_t local_magic
    uint32_t echo_interval
    uint32_t idle_timeout
    uint32_t inner_address
    uint16_t mru
    uint16_t mss
    uint16_t filter
    uint8_t compression
    uint8_t encryption_required
    uint8_t check_source
    uint8_t client_to_client
    uint8_t prefix_length
    uint8_t echo_failures
    uint8_t routed
    uint8_t prefix[16]
    uint8_t peer_identifier[8]
    uint8_t local_identifier[8]


cdef struct adjacency_body:
    uint32_t device
    uint16_t mtu                 # 0 = not known
    uint8_t address[6]


cdef struct keys_body:
    uint8_t start_key[16]
    uint32_t bits
    uint32_t stateless


cdef struct route_body:
    uint8_t prefix[16]
    uint32_t length


cdef uint32_t run_commands(worker *w) noexcept nogil:
    """Carry out what was in the ring when this began, up to a move that cannot be made yet; returns how
    many commands."""
    cdef uint32_t count = 0
    cdef uint64_t end = load64(&w.commands.written, __ATOMIC_ACQUIRE)
    cdef record *place
    while w.commands.taken != end:
        place = ring_peek(&w.commands)
        if must_wait(w, place):
            break
        run_command(w, place)
        ring_drop(&w.commands, place)
        count += 1
    return count


cdef void run_command(worker *w, record *place) noexcept nogil:
    cdef call_state *call
    cdef void *body = record_body(place)
    if place.kind == COMMAND_OPEN:
        open_call(w, place.handle, <open_body *> body)
    elif place.kind == COMMAND_ROUTE_ADD:
        route_add(&w.routes, (<route_body *> body).prefix, (<route_body *> body).length, place.handle)
    elif place.kind == COMMAND_ROUTE_REMOVE:
        route_remove(&w.routes, (<route_body *> body).prefix, (<route_body *> body).length, place.handle)
    elif place.kind == COMMAND_PORT_OPEN:
        adopt_port(w, (<xdp_port **> body)[0])
    elif place.kind == COMMAND_PORT_CLOSE:
        close_ports(w, <int> place.argument)
    elif place.kind == COMMAND_FILTERS:
        w.filters = (<filter_set **> body)[0]
    else:
        call = call_find(w, place.handle)
        if call != NULL:
            run_call_command(w, call, place, body)


cdef void run_call_command(worker *w, call_state *call, record *place, void *body) noexcept nogil:
    if place.kind == COMMAND_CLOSE:
        close_call(w, call)
    elif place.kind == COMMAND_POLICY:
        set_policy(w, call, <policy_body *> body)
    elif place.kind == COMMAND_KEYS:
        set_keys(w, call, place.argument, <keys_body *> body)
    elif place.kind == COMMAND_CLEAR_KEYS:
        clear_keys(w, call)
    elif place.kind == COMMAND_OPEN_GATE:
        open_gate(w, call, place.argument)
    elif place.kind == COMMAND_CLOSE_GATE:
        call.gates &= ~(GATE_6 if place.argument == 6 else GATE_4) & 0xFF
    elif place.kind == COMMAND_OWN_LCP:
        own_lcp(w, call, place.argument)
    elif place.kind == COMMAND_INJECT:
        send_control(w, call, <uint8_t *> body, place.size - <uint32_t> sizeof(record))
    elif place.kind == COMMAND_GIVE:
        give_call(w, call, place.argument)
    elif place.kind == COMMAND_TRACE:
        trace_order_take(w, call, place.argument, <trace_order *> body)
    elif place.kind == COMMAND_ADJACENCY:
        set_adjacency(call, <adjacency_body *> body)
    elif place.kind == COMMAND_CONTROL_DONE:
        call.control_pending -= call.control_pending > 0
        replay_parked(w, call)


cdef void open_call(worker *w, uint32_t handle, open_body *body) noexcept nogil:
    cdef call_state *call = &w.calls[handle & 0xFFFF]
    cdef call_stats *row = &w.rows[handle & 0xFFFF]
    memset(call, 0, sizeof(call_state))
    memset(row, 0, sizeof(call_stats))
    row.handle = handle
    row.opened = w.now
    row.last_data = w.now
    call.handle = handle
    call.local_address = body.local_address
    call.peer_address = body.peer_address
    call.peer_call_id = body.peer_call_id
    call.receive_window = body.receive_window
    call.peer_window = body.peer_window
    call.window = (body.peer_window + 1) // 2          # RFC 2637 4.2.1
    call.limit_window = body.limit_window
    call.ack_delay = body.ack_delay
    call.ack_timeout = body.ack_timeout
    call.reorder_packets = body.reorder_packets
    call.reorder_time = body.reorder_time
    call.mru = 1400
    call.prefix_length = NO_PREFIX
    call.check_source = 1
    call.flush_changes_key = 1
    call.heard = w.now
    call.punts.refilled = <uint32_t> w.now
    call.punts.tokens = PUNT_BURST


cdef void close_call(worker *w, call_state *call) noexcept nogil:
    """Forget the call and its keys; the row stays as it is."""
    cdef uint32_t call_id = call.handle & 0xFFFF
    trace_close(w, call)
    clear_keys(w, call)
    frames_give(w, call.held)
    frames_give(w, call.parked)
    frames_give(w, call.queued)
    if call.wheel_due != NEVER:
        wheel_unlink(w, call)
    memset(call, 0, sizeof(call_state))
    raise_event(w, call_id, EVENT_CLOSED)


cdef void set_policy(worker *w, call_state *call, policy_body *body) noexcept nogil:
    call.mru = body.mru
    call.mss = body.mss
    call.filter = body.filter
    call.compression = body.compression
    call.encryption_required = body.encryption_required
    call.check_source = body.check_source
    call.client_to_client = body.client_to_client
    call.routed = body.routed
    call.local_magic = body.local_magic
    call.echo_failures = body.echo_failures
    call.inner_address = body.inner_address
    call.prefix_length = body.prefix_length
    memcpy(call.prefix, body.prefix, 16)
    memcpy(call.peer_identifier, body.peer_identifier, 8)
    memcpy(call.local_identifier, body.local_identifier, 8)
    set_clocks(w, call, body.echo_interval, body.idle_timeout)


cdef void set_clocks(
    worker *w, call_state *call, uint32_t echo_interval, uint32_t idle_timeout
) noexcept nogil:
    if call.idle_timeout != idle_timeout:
        call.idle_timeout = idle_timeout
        call.idle_due = call_row(w, call).last_data + idle_timeout if idle_timeout else NEVER
        schedule(w, call, call.idle_due)
    if call.echo_interval != echo_interval:
        call.echo_interval = echo_interval
        own_lcp(w, call, call.lcp_owned)


cdef void own_lcp(worker *w, call_state *call, uint32_t owned) noexcept nogil:
    call.lcp_owned = owned != 0
    call.echoes_unanswered = 0
    call.echo_due = w.now + call.echo_interval if owned and call.echo_interval else NEVER
    schedule(w, call, call.echo_due)


cdef void clear_keys(worker *w, call_state *call) noexcept nogil:
    run_jobs(w)
    mppe_forget(w.engine, &call.receive_key)
    mppe_forget(w.engine, &call.send_key)
    memset(&call.receive_key, 0, sizeof(mppe_state))
    memset(&call.send_key, 0, sizeof(mppe_state))


cdef void set_keys(worker *w, call_state *call, uint32_t direction, keys_body *body) noexcept nogil:
    run_jobs(w)
    if direction == DIRECTION_SEND:
        mppe_init(&call.send_key, body.start_key, body.bits, body.stateless)
        call.flush_pending = 0
    else:
        mppe_init(&call.receive_key, body.start_key, body.bits, body.stateless)
        call.mppe_sequence = call.rx_next - 1
        call.step_tokens = STEPS_BURST
        call.step_refilled = w.now
        call.decrypted = w.now
        call.implausible = 0
        call.out_of_step = 0
        call.resets_unanswered = 0
        replay_parked(w, call)
    memset(body, 0, sizeof(keys_body))


cdef void set_adjacency(call_state *call, adjacency_body *body) noexcept nogil:
    call.hop_device = body.device
    call.hop_mtu = body.mtu
    memcpy(call.hop_address, body.address, 6)


cdef void open_gate(worker *w, call_state *call, uint32_t version) noexcept nogil:
    call.gates |= GATE_6 if version == 6 else GATE_4
    replay_parked(w, call)
    if version == 6:
        advertise(w, call)
