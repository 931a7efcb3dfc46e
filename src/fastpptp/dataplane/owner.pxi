# Which worker has a call: an octet for each Call-ID. All who give packets to workers read it, the
# workers themselves and the kernel's programs: the filter of each raw GRE socket, the TUN's steering.
# At first it is the Call-ID modulo workers; move_call (face.pxi) changes it. It lies in a BPF map that
# is mapped here. Without CAP_BPF it is plain memory: raw sockets then filter by the modulo, and calls
# stay where they are.
#
# A move is two commands: the old worker gives, the new one takes, and does nothing that was commanded
# later before the call is there. Call and counters lie in the arenas and stay; what waits in frames
# goes through the side door, and so does what still comes to the old worker.

cdef extern from *:
    """
    static int owner_map_new(void)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_ARRAY;
        attr.key_size = 4;
        attr.value_size = 65536;
        attr.max_entries = 1;
        attr.map_flags = BPF_F_MMAPABLE;
        return bpf_call(BPF_MAP_CREATE, &attr);
    }

    /* Enhanced GRE (version 1, 0x880B) for calls of one worker; offsets from the IP header. */
    static int owner_filter_attach(int fd, int map, unsigned int worker)
    {
        struct bpf_insn code[] = {
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
            INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 15),
            INSN(BPF_ALU64 | BPF_LSH | BPF_K, 0, 0, 0, 2),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 7, 0, 0, 0),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 2),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 12, 0x880B),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 0),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 7),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 9, 1),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 6),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 0xFFFF),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, map),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 0, 0, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_B, 0, 1, 0, 0),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, worker),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0x40000),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        int program = bpf_program_new(BPF_PROG_TYPE_SOCKET_FILTER, code, sizeof code / sizeof code[0]);
        int result;
        if (program < 0)
            return -1;
        result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program);
        close(program);
        return result;
    }
    """
    int owner_map_new() nogil
    int owner_filter_attach(int fd, int map, unsigned int worker) nogil

cdef enum:
    STRAGGLERS = 1000            # ms after a move in which the old worker passes on what comes to it

# What goes through a side door. The packet follows.
cdef enum:
    SIDE_INNER                   # an inner packet to be sent
    SIDE_OUTER                   # a packet as the outer port gave it
    SIDE_HELD                    # a payload that came ahead of its sequence number
    SIDE_PARKED                  # a payload that waits for Python


cdef struct side_note:
    uint32_t kind
    uint32_t handle
    uint32_t sequence


cdef uint8_t *owners_map(int map, uint32_t workers) noexcept nogil:
    """The octets of the map, or of plain memory; NULL when there is none."""
    cdef uint8_t *owners
    cdef void *memory
    cdef uint32_t k
    if map < 0:
        owners = <uint8_t *> memory_take(CALLS)
    else:
        memory = mmap(NULL, CALLS, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0)
        owners = NULL if memory == MAP_FAILED else <uint8_t *> memory
    if owners != NULL:
        for k in range(<uint32_t> CALLS):
            owners[k] = <uint8_t> (k % workers)
    return owners


cdef inline uint32_t owner_of(worker *w, uint32_t handle) noexcept nogil:
    return load8(&w.owners[handle & 0xFFFF], __ATOMIC_ACQUIRE)


cdef inline bint owned(worker *w, uint32_t handle) noexcept nogil:
    return owner_of(w, handle) == w.index


cdef void give_call(worker *w, call_state *call, uint32_t target) noexcept nogil:
    """Let another worker have a call. From the store on this one touches nothing of it."""
    cdef uint32_t k, handle = call.handle
    cdef uint32_t held = call.held, parked = call.parked, queued = call.queued
    flush_out(w)
    mppe_forget(w.engine, &call.receive_key)
    mppe_forget(w.engine, &call.send_key)
    if call.wheel_due != NEVER:
        wheel_unlink(w, call)
    for k in range(w.ack_count):
        if w.acks[k] == handle:
            w.acks[k] = 0
    call.ack_listed = call.backlogged = 0
    call.held = call.parked = call.queued = NO_FRAME_INDEX
    call.held_count = call.parked_count = call.queued_count = 0
    call.moved = w.now
    call.moved_from = <uint8_t> w.index
    store8(&w.owners[handle & 0xFFFF], <uint8_t> target, __ATOMIC_RELEASE)
    pass_frames(w, SIDE_PARKED, handle, parked)
    pass_frames(w, SIDE_HELD, handle, held)
    pass_frames(w, SIDE_INNER, handle, queued)
    store8(&call.given, 1, __ATOMIC_RELEASE)


cdef void pass_frames(worker *w, uint32_t kind, uint32_t handle, uint32_t first) noexcept nogil:
    """A list of frames through the side door, in order. Takes the frames."""
    cdef uint32_t frame
    cdef frame_note *note
    while first != NO_FRAME_INDEX:
        frame = list_pop(w, &first)
        note = &w.notes[frame]
        hand_over(w, kind, handle, note.sequence, frame_at(w, frame) + note.offset, note.length)
        frame_give(w, frame)


cdef bint take_call(worker *w, uint32_t handle) noexcept nogil:
    """The other end of give_call; False while that has not happened."""
    cdef call_state *call = call_find(w, handle)
    if call == NULL or not load8(&call.given, __ATOMIC_ACQUIRE):
        return False
    call.given = 0
    while side_receive(w):
        pass
    schedule_next(w, call)
    return True


cdef void hand_over(
    worker *w, uint32_t kind, uint32_t handle, uint32_t sequence, const uint8_t *data, uint32_t length
) noexcept nogil:
    """A packet to the worker that has its call."""
    cdef side_note note
    cdef iovec vectors[2]
    note.kind = kind
    note.handle = handle
    note.sequence = sequence
    vectors[0].iov_base = &note
    vectors[0].iov_len = sizeof(side_note)
    vectors[1].iov_base = <void *> data
    vectors[1].iov_len = length
    if writev(w.side_out[owner_of(w, handle)], vectors, 2) < 0:
        drop(w, SEND_BACKLOG)


cdef bint straggles(worker *w, uint32_t call_id) noexcept nogil:
    """Whether a packet for another worker's call came here because the call was ours until just now."""
    cdef call_state *call = &w.calls[call_id]
    return call.moved != NEVER and call.moved_from == w.index and w.now - call.moved < STRAGGLERS


cdef uint32_t side_receive(worker *w) noexcept nogil:
    """Take what other workers have for us; returns how many packets."""
    cdef uint32_t k, count = 0
    w.inner.count = 0
    while count < INNER_BATCH and side_read(w):
        count += 1
        if w.ready_count > READY_FULL:
            deliver(w)
    for k in range(w.inner.count):
        transmit_owned(w, &w.inner.batch[k])
    deliver(w)
    return count


cdef bint side_read(worker *w) noexcept nogil:
    """One packet; False when there is none."""
    cdef side_note note
    cdef iovec vectors[2]
    cdef ssize_t length
    cdef uint32_t frame = frame_take(w)
    if frame == NO_FRAME_INDEX:
        return False
    vectors[0].iov_base = &note
    vectors[0].iov_len = sizeof(side_note)
    vectors[1].iov_base = frame_at(w, frame) + HEADROOM
    vectors[1].iov_len = FRAME_ROOM
    length = readv(w.side_fd, vectors, 2) - <ssize_t> sizeof(side_note)
    if length <= 0:
        frame_give(w, frame)
        return False
    side_take(w, &note, frame, <uint32_t> length)
    return True


cdef void side_take(worker *w, side_note *note, uint32_t frame, uint32_t length) noexcept nogil:
    """What came through the door, to where it would have gone without. Takes the frame."""
    cdef inner_packet *p = &w.inner.batch[w.inner.count]
    cdef uint8_t *data = frame_at(w, frame) + HEADROOM
    cdef call_state *call = call_find(w, note.handle)
    if note.kind == SIDE_INNER:
        p.frame = frame
        p.handle = note.handle
        p.length = length
        prefetch_sending(w, p.handle)
        w.inner.count += 1
    elif note.kind == SIDE_OUTER:
        receive_gre(w, frame, data, length)
    elif call == NULL:
        drop(w, CALL_CLOSED)
        frame_give(w, frame)
    elif note.kind == SIDE_HELD:
        receive_held(w, call, frame, note.sequence, data, length)
    else:
        push_ready(w, call, frame, data, length, note.sequence, False)


cdef void receive_held(
    worker *w, call_state *call, uint32_t frame, uint32_t sequence, const uint8_t *data, uint32_t length
) noexcept nogil:
    """A payload that another worker held for its turn. Takes the frame."""
    cdef gre_packet g
    g.sequence = sequence
    g.payload = data
    g.length = <uint16_t> length
    receive_sequence(w, call, frame, &g)
