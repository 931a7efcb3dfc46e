# MPPE's rules (RFC 3078) around the engine: which key a packet is under, and what to believe.
#
# Sending is simple: the next coherency count, in the order of sending. Receiving, a packet may be
# lost, late or forged. The encrypted packets of a batch are first taken as what they nearly always
# are, the next ones, and decrypted together on the live state, of which a snapshot is kept. If any
# of them was not as expected, or its plaintext makes no sense, the call goes back to its snapshot
# and its packets are tried one by one, each on a copy that is kept only if the plaintext is
# plausible. So no forged packet moves a key.

cdef enum:
    MPPE_FLUSHED = 0x8000
    MPPE_ENCRYPTED = 0x1000
    MPPE_OTHER_BITS = 0x6000     # B and C belong to MPPC
    COHERENCY = 0x0FFF
    COHERENCY_SLACK = 256        # packets that the peer may have dropped between MPPE and GRE
    STEPS_FREE = 16              # key changes that cost no token
    STEPS_BURST = 65535
    STEPS_PER_SECOND = 16384
    FLUSH_INTERVAL = 100         # ms; each FLUSHED packet may reuse key stream (RFC 3078 9)
    FLUSH_DOUBT = 3000
    RESET_INTERVAL = 500
    RESYNC_INTERVAL = 30000
    RESYNC_AFTER = 16            # implausible packets in a row, or unanswered Reset-Requests
    CANDIDATES = 4

cdef enum:
    BATCH_UNSEEN = 0
    BATCH_FAST = 1
    BATCH_SLOW = 2


# What to do before decrypting a packet.
cdef struct mppe_step:
    uint32_t changes
    uint8_t initialize
    uint8_t flush_changes_key    # 0 or 1: what this candidate says of the peer; 2: nothing


cdef inline void prefetch_table(mppe_state *key) noexcept nogil:
    """A stateful key's table, which the engine reads once the batch is whole."""
    if key.armed and not key.stateless:
        prefetch_lines(key.rc4, sizeof(key.rc4))


cdef inline uint32_t flags_within(uint32_t after, uint32_t span) noexcept nogil:
    """How many of the `span` counts after this one end in FF: stateful key changes (RFC 3078 7.2)."""
    return ((after + span + 1) >> 8) - ((after + 1) >> 8)


cdef uint32_t coherency_span(call_state *call, uint32_t sequence, uint32_t count) noexcept nogil:
    """Packets since the last that decrypted: the coherency difference modulo 4,096, made as large as
    the GRE sequence difference allows."""
    cdef uint32_t span = (count - call.receive_key.coherency) & COHERENCY
    cdef uint32_t gap = sequence - call.mppe_sequence
    if gap > span and <int32_t> gap > 0:
        span += (gap - span) & ~(<uint32_t> COHERENCY)
    return span


cdef int receive_steps(
    call_state *call, uint32_t sequence, uint32_t header, mppe_step *steps
) noexcept nogil:
    """Fill `steps` with what may lead to this packet's key, likeliest first; returns how many."""
    cdef uint32_t count = header & COHERENCY
    cdef uint32_t span = coherency_span(call, sequence, count)
    cdef uint32_t flags
    if call.receive_key.stateless:
        steps[0] = mppe_step(span, 1, 2)
        steps[1] = mppe_step(span - (COHERENCY + 1), 1, 2)
        return 0 if span == 0 else 2 if span > COHERENCY + 1 else 1
    if not header & MPPE_FLUSHED:
        if span & COHERENCY != 1:
            return 0
        flags = flags_within(call.receive_key.coherency, 1)
        steps[0] = mppe_step(flags, <uint8_t> flags, 2)
        return 1
    return flushed_steps(call, count, span, steps)


cdef int flushed_steps(call_state *call, uint32_t count, uint32_t span, mppe_step *steps) noexcept nogil:
    """FLUSHED restarts RC4 under the current key (RFC 3078 8.2); Linux also changes the key.

    A lost flag packet changed it too, and so, on Linux, did a lost FLUSHED one.
    """
    cdef uint32_t flags = flags_within(call.receive_key.coherency, span)
    cdef uint32_t extra = call.flush_changes_key
    if count & 0xFF == 0xFF:
        steps[0] = mppe_step(flags, 1, 2)
        steps[1] = mppe_step(flags + 1, 1, 2)
        return 2
    steps[0] = mppe_step(flags + extra, 1, <uint8_t> extra)
    steps[1] = mppe_step(flags + 1 - extra, 1, <uint8_t> (1 - extra))
    steps[2] = mppe_step(flags + 2, 1, 1)
    return 3


cdef inline bint mppe_acceptable(const uint8_t *data, uint32_t length) noexcept nogil:
    """Encrypted, not compressed, and long enough for a protocol field."""
    return length > 3 and get16(data) & (MPPE_ENCRYPTED | MPPE_OTHER_BITS) == MPPE_ENCRYPTED


cdef void stage_decrypt(worker *w, packet *p) noexcept nogil:
    """Take an encrypted packet (data at the MPPE header) into the batch."""
    cdef call_state *call = p.call
    cdef uint32_t header
    cdef mppe_step steps[CANDIDATES]
    if not mppe_acceptable(p.data, p.length):
        distrust(w, p, MPPE_HEADER)
        return
    p.plain_frame = frame_take(w)
    if p.plain_frame == NO_FRAME_INDEX:
        discard(w, call, NO_FRAME)
        return
    header = get16(p.data)
    p.header = <uint16_t> header
    p.state = PACKET_ENCRYPTED
    if call.batch_mode == BATCH_UNSEEN:
        call.batch_mode = BATCH_FAST
        call.batch_snapshot = <uint16_t> w.snapshot_count
        snapshot_take(w, call, &w.snapshots[w.snapshot_count])
        w.snapshot_count += 1
    if p.unproven or call.out_of_step or (header - call.receive_key.coherency) & COHERENCY > STEPS_FREE:
        call.batch_mode = BATCH_SLOW
    if call.batch_mode == BATCH_FAST:
        if receive_steps(call, p.sequence, header, steps) and steps[0].changes <= STEPS_FREE:
            job_push(w, p, &steps[0], &call.receive_key)
            call.receive_key.coherency = <uint16_t> (header & COHERENCY)
            call.mppe_sequence = p.sequence
        else:
            call.batch_mode = BATCH_SLOW


cdef void job_push(worker *w, packet *p, mppe_step *step, mppe_state *key) noexcept nogil:
    cdef mppe_job *job = &w.jobs[w.job_count]
    w.job_count += 1
    job.state = key
    job.source = p.data + 2
    job.target = frame_at(w, p.plain_frame) + HEADROOM
    job.key_after = NULL
    job.length = p.length - 2
    job.changes = <uint16_t> step.changes
    job.initialize = step.initialize
    job.reserved = 0


cdef inline void run_jobs(worker *w) noexcept nogil:
    if w.job_count:
        mppe_crypt(w.engine, w.jobs, w.job_count)
        w.job_count = 0


cdef void snapshot_take(worker *w, call_state *call, mppe_snapshot *kept) noexcept nogil:
    kept.handle = call.handle
    kept.sequence = call.mppe_sequence
    if call.receive_key.stateless:
        memcpy(&kept.key, &call.receive_key, KEY_HEAD)
    else:
        kept.key = call.receive_key


cdef void snapshot_restore(call_state *call, mppe_snapshot *kept) noexcept nogil:
    call.mppe_sequence = kept.sequence
    if call.receive_key.stateless:
        memcpy(&call.receive_key, &kept.key, KEY_HEAD)
    else:
        call.receive_key = kept.key


cdef void decrypt_batch_now(worker *w) noexcept nogil:
    """Decrypt what was staged, and settle every packet of it."""
    cdef uint32_t k
    cdef packet *p
    run_jobs(w)
    for k in range(w.ready_count):
        p = &w.ready[k]
        if p.state == PACKET_ENCRYPTED and p.call.batch_mode == BATCH_FAST and not plausible(w, p):
            p.call.batch_mode = BATCH_SLOW
    for k in range(w.snapshot_count):
        snapshot_settle(w, &w.snapshots[k])
    for k in range(w.ready_count):
        p = &w.ready[k]
        if p.state == PACKET_ENCRYPTED:
            if p.call.batch_mode == BATCH_SLOW:
                decrypt_alone(w, p)
            else:
                decrypted(w, p)
    for k in range(w.snapshot_count):
        w.calls[w.snapshots[k].handle & 0xFFFF].batch_mode = BATCH_UNSEEN
    memset(w.snapshots, 0, w.snapshot_count * sizeof(mppe_snapshot))
    w.snapshot_count = 0


cdef inline void snapshot_settle(worker *w, mppe_snapshot *kept) noexcept nogil:
    cdef call_state *call = &w.calls[kept.handle & 0xFFFF]
    if call.batch_mode == BATCH_SLOW:
        snapshot_restore(call, kept)


cdef bint plausible(worker *w, packet *p) noexcept nogil:
    """Whether the plaintext is an inner packet; if so the packet is set to it."""
    cdef const uint8_t *data = frame_at(w, p.plain_frame) + HEADROOM
    cdef uint32_t length = p.length - 2
    cdef int protocol = ppp_protocol(&data, &length, data, length)
    if not inner_valid(protocol, data, &length):
        return False
    p.inner = <uint8_t *> data
    p.inner_length = length
    return True


cdef void decrypted(worker *w, packet *p) noexcept nogil:
    p.state = PACKET_INNER
    p.call.decrypted = w.now
    p.call.implausible = 0
    if p.unproven:
        commit_sequence(w, p.call, p.sequence)


cdef void decrypt_alone(worker *w, packet *p) noexcept nogil:
    """One packet, on a copy of the key, each way that may be the right one."""
    cdef call_state *call = p.call
    cdef mppe_step steps[CANDIDATES]
    cdef mppe_state *trial = &w.trial
    cdef int k, count = receive_steps(call, p.sequence, p.header, steps)
    p.state = PACKET_DROPPED
    if count == 0:
        fall_out_of_step(w, p)
        return
    if not coherency_believable(call, p):
        distrust(w, p, MPPE_COHERENCY)
        return
    for k in range(count):
        if not spend_steps(w, call, steps[k].changes):
            distrust(w, p, MPPE_KEY_STEPS)
            return
        trial[0] = call.receive_key
        job_push(w, p, &steps[k], trial)
        run_jobs(w)
        if plausible(w, p):
            commit_key(w, p, &steps[k])
            return
    distrust(w, p, MPPE_IMPLAUSIBLE)


cdef inline bint coherency_believable(call_state *call, packet *p) noexcept nogil:
    """Not further ahead of the last packet than GRE's own numbers are, by more than a little."""
    cdef uint32_t span = coherency_span(call, p.sequence, p.header & COHERENCY)
    return <int32_t> (span - (p.sequence - call.mppe_sequence)) <= COHERENCY_SLACK


cdef void commit_key(worker *w, packet *p, mppe_step *step) noexcept nogil:
    cdef call_state *call = p.call
    call.receive_key = w.trial
    call.receive_key.coherency = p.header & COHERENCY
    call.mppe_sequence = p.sequence
    call.out_of_step = 0
    call.resets_unanswered = 0
    if step.flush_changes_key < 2:
        call.flush_changes_key = step.flush_changes_key
        call.flush_proven = 1
    decrypted(w, p)


cdef bint spend_steps(worker *w, call_state *call, uint32_t changes) noexcept nogil:
    """Catching up is bounded for each call: a key change costs as much as a packet."""
    cdef uint64_t earned = (w.now - call.step_refilled) * STEPS_PER_SECOND // 1000
    if changes <= STEPS_FREE:
        return True
    if earned:
        call.step_refilled = w.now
        earned += call.step_tokens
        call.step_tokens = STEPS_BURST if earned > STEPS_BURST else <uint32_t> earned
    if changes > call.step_tokens:
        return False
    call.step_tokens -= changes
    return True


cdef void fall_out_of_step(worker *w, packet *p) noexcept nogil:
    """No way to this packet's key. Stateful: a packet was lost, all wait for a FLUSHED one."""
    cdef call_state *call = p.call
    if call.receive_key.stateless:
        distrust(w, p, MPPE_COHERENCY)
        return
    discard(w, call, MPPE_AWAITS_FLUSH)
    call.out_of_step = 1
    if coherency_span(call, p.sequence, p.header & COHERENCY) > p.sequence - call.mppe_sequence:
        # More packets than GRE counted: rather a forged one than a lost one.
        retract_sequence(w, p)
    if w.now < call.reset_due:
        return
    call.reset_due = w.now + RESET_INTERVAL
    call.resets_unanswered += 1
    send_reset_request(w, call)
    if call.resets_unanswered >= RESYNC_AFTER:
        call.resets_unanswered = 0
        lost_step(w, call)


cdef void distrust(worker *w, packet *p, int reason) noexcept nogil:
    """Forged, or we lost the key: which, only repetition tells."""
    cdef call_state *call = p.call
    discard(w, call, reason)
    retract_sequence(w, p)
    call.implausible += 1
    if call.implausible < RESYNC_AFTER or w.now < call.resync_due or w.now - call.decrypted < 2000:
        return
    call.resync_due = w.now + RESYNC_INTERVAL
    lost_step(w, call)


cdef void lost_step(worker *w, call_state *call) noexcept nogil:
    """We cannot find the peer's key again. If there never was one, it has another than we."""
    cdef uint32_t bits = EVENT_RESYNC_FAILED
    if call_row(w, call).rx_packets == 0:
        bits |= EVENT_NEVER_DECRYPTED
    raise_event(w, call.handle & 0xFFFF, bits)


cdef inline void ask_for_resync(worker *w, call_state *call) noexcept nogil:
    call.resync_due = w.now + RESYNC_INTERVAL
    raise_event(w, call.handle & 0xFFFF, EVENT_RESYNC_FAILED)


# Sending.

cdef void flush_misunderstood(worker *w, call_state *call, uint32_t rejected) noexcept nogil:
    """The peer rejects a protocol (RFC 1661 5.7). Soon after a FLUSHED packet of ours, and one that
    nobody sent, it was our data under another key: this peer takes FLUSHED the other way."""
    if rejected == PPP_IP or rejected == PPP_IPV6 or rejected & 0xF000 == 0x8000 or call.flush_proven:
        return
    if call.flushed == 0 or w.now - call.flushed > FLUSH_DOUBT or w.now < call.resync_due:
        return
    call.flush_changes_key = not call.flush_changes_key
    ask_for_resync(w, call)


cdef void stage_encrypt(worker *w, call_state *call, uint8_t *p, uint32_t length) noexcept nogil:
    """`p` is two octets of MPPE header, to be written, then `length` octets of plaintext."""
    cdef mppe_job *job = &w.jobs[w.job_count]
    cdef mppe_state *key = &call.send_key
    cdef uint32_t count = (key.coherency + 1) & COHERENCY
    cdef bint flag = count & 0xFF == 0xFF
    cdef bint flush = call.flush_pending and w.now - call.flushed >= FLUSH_INTERVAL
    w.job_count += 1
    prefetch_table(key)
    key.coherency = <uint16_t> count
    job.state = key
    job.source = p + 2
    job.target = p + 2
    job.key_after = NULL
    job.length = length
    job.reserved = 0
    job.initialize = key.stateless or flag or flush
    job.changes = key.stateless or flag or (flush and call.flush_changes_key)
    put16(p, count | MPPE_ENCRYPTED | (MPPE_FLUSHED if job.initialize else 0))
    if flag or flush:
        call.flush_pending = 0
    if flush and not flag:
        call.flushed = w.now
