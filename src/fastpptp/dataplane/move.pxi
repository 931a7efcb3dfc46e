# A call's move to another worker, in two commands: the old worker gives, the new one takes, and does
# nothing that was commanded later before the call is there. Call and counters lie in the arenas and
# stay; what waits in frames goes through the side door, and so does what still comes to the old worker.
#
# No packet is lost or overtaken on the way. The old worker waits until all that it staged is sent. When
# it has let go, the kernel gives new packets to the new worker, while older ones are still in the old
# one's queue, or in its hands. It passes them on, and behind the last of them a note. Until that comes
# the new worker keeps what it received itself, and gives no gap up.

cdef extern from *:
    """
    #include <linux/sock_diag.h>

    /* Octets of memory that the packets in a socket's queue take. */
    static int socket_queue(int fd)
    {
        unsigned int memory[SK_MEMINFO_VARS] = {0};
        socklen_t size = sizeof memory;
        if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size))
            return -1;
        return memory[SK_MEMINFO_RMEM_ALLOC];
    }
    """
    int socket_queue(int fd) nogil

cdef enum:
    STRAGGLERS = 1000            # ms after a move in which the old worker passes on what comes to it
    OVERLAP = 10                 # ms after a move in which the old worker gets copies
    GIVE_PATIENCE = 100          # ms that a socket which stays full may hold up a move
    GIVES = 64                   # moves that a worker has begun and not finished
    SIDE_BUFFER = 4 << 20
    SOCKET_PACKET = 512          # octets of memory that the kernel takes for a packet, at least
    PORT_TURNS = 65              # in which a port's ring is through: PORT_RECEIVES / RX_BATCH, and one

# How far a move is, in the call.
cdef enum:
    PASSAGE_NONE
    PASSAGE_OPEN                 # the old worker may still have packets of this call
    PASSAGE_OVER                 # all have come

# What a turn left in the outer sockets and rings.
cdef enum:
    OUTER_EMPTY
    OUTER_MORE
    OUTER_STUCK                  # nothing could be read

# What goes through a side door. The packet follows.
cdef enum:
    SIDE_INNER                   # an inner packet to be sent
    SIDE_OUTER                   # a packet as the outer port gave it
    SIDE_HELD                    # a payload that came ahead of its sequence number
    SIDE_PARKED                  # a payload that waits for Python
    SIDE_LAST                    # nothing: the old worker has no more of this call


cdef struct side_note:
    uint32_t kind
    uint32_t handle
    uint32_t sequence


cdef bint must_wait(worker *w, record *place) noexcept nogil:
    """Whether this command, and all behind it, cannot be carried out yet."""
    if place.kind == COMMAND_TAKE:
        w.blocked = not take_call(w, place.handle)
    elif place.kind == COMMAND_GIVE:
        w.blocked = not may_give(w)
        if not w.blocked:
            w.give_due = NEVER
    return w.blocked


cdef bint may_give(worker *w) noexcept nogil:
    """Whether nothing of this worker is left that the new one could overtake."""
    flush_out(w)
    if w.give_due == NEVER:
        w.give_due = w.now + GIVE_PATIENCE
    if w.give_count == GIVES:
        forget_copies(w)
    if w.give_count == GIVES or w.detained != NO_FRAME_INDEX:
        return False
    return (w.out_count == 0 and not w.out_waiting) or w.now >= w.give_due


cdef void give_call(worker *w, call_state *call, uint32_t target) noexcept nogil:
    """Let another worker have a call. From the store on this one touches nothing of it."""
    cdef uint32_t k, handle = call.handle
    cdef uint32_t held = call.held, parked = call.parked, queued = call.queued
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
    call.passage = PASSAGE_OPEN
    store8(&w.owners[CALLS + (handle & 0xFFFF)], <uint8_t> (w.index + 1), __ATOMIC_RELEASE)
    store8(&w.owners[handle & 0xFFFF], <uint8_t> target, __ATOMIC_RELEASE)
    w.gives[w.give_count] = give(handle, turns_waiting(w), NEVER)
    w.give_count += 1
    pass_frames(w, SIDE_PARKED, handle, parked)
    pass_frames(w, SIDE_HELD, handle, held)
    pass_frames(w, SIDE_INNER, handle, queued)


cdef uint32_t turns_waiting(worker *w) noexcept nogil:
    """So many full batches, at most, lie in the outer sockets and rings now."""
    cdef int queued = socket_queue(w.outer_fd) if w.outer_named else -1
    cdef uint32_t turns
    if queued < 0:
        return <uint32_t> -1     # only an empty socket tells
    turns = <uint32_t> queued // (SOCKET_PACKET * RX_BATCH) + 1
    return turns if w.port_count == 0 or turns > PORT_TURNS else PORT_TURNS


cdef void finish_gives(worker *w, uint32_t count) noexcept nogil:
    """At the end of a turn's receiving. Of the first `count` moves, which were begun before it, those
    of which nothing older can be left are told to be over."""
    cdef uint32_t k, left = 0
    cdef bint through
    cdef give *g
    if w.outer_rest & OUTER_STUCK or w.detained != NO_FRAME_INDEX:
        return
    for k in range(w.give_count):
        g = &w.gives[k]
        if g.copies != NEVER:
            if w.now >= g.copies:
                end_copies(w, g.handle & 0xFFFF)
                continue
        elif k < count:
            g.turns -= g.turns > 0
            through = w.outer_rest == OUTER_EMPTY or g.turns == 0
            if through and hand_over(w, SIDE_LAST, g.handle, 0, NULL, 0):
                g.copies = w.now + OVERLAP
        w.gives[left] = g[0]
        left += 1
    w.give_count = left


cdef void forget_copies(worker *w) noexcept nogil:
    """Room for more moves: those that wait for nothing else end now."""
    cdef uint32_t k, left = 0
    for k in range(w.give_count):
        if w.gives[k].copies != NEVER:
            end_copies(w, w.gives[k].handle & 0xFFFF)
        else:
            w.gives[left] = w.gives[k]
            left += 1
    w.give_count = left


cdef inline void end_copies(worker *w, uint32_t call_id) noexcept nogil:
    """Unless they are another worker's by now."""
    if load8(&w.owners[CALLS + call_id], __ATOMIC_ACQUIRE) == w.index + 1:
        store8(&w.owners[CALLS + call_id], 0, __ATOMIC_RELEASE)


cdef void pass_frames(worker *w, uint32_t kind, uint32_t handle, uint32_t first) noexcept nogil:
    """A list of frames through the side door, in order. Takes the frames."""
    cdef uint32_t frame
    cdef frame_note *note
    while first != NO_FRAME_INDEX:
        frame = list_pop(w, &first)
        note = &w.notes[frame]
        if not hand_over(w, kind, handle, note.sequence, frame_at(w, frame) + note.offset, note.length):
            drop(w, SEND_BACKLOG)
        frame_give(w, frame)


cdef bint take_call(worker *w, uint32_t handle) noexcept nogil:
    """The other end of give_call; False while that has not happened, or more is to come."""
    cdef call_state *call = call_find(w, handle)
    if call == NULL:
        return False
    if call.passage != PASSAGE_OVER:
        side_receive(w)
        if call.passage != PASSAGE_OVER:
            return False
    call.passage = PASSAGE_NONE
    release_early(w, call)
    schedule_next(w, call)
    return True


cdef void keep_early(
    worker *w, call_state *call, uint32_t frame, const uint8_t *ip, uint32_t length
) noexcept nogil:
    """A packet for a call of which the old worker may have older ones. Takes the frame."""
    if pool_low(w):
        discard(w, call, REORDER_FULL)
        frame_give(w, frame)
        return
    w.notes[frame].offset = <uint16_t> (ip - frame_at(w, frame))
    w.notes[frame].length = <uint16_t> length
    list_append(w, &call.early, &call.early_last, frame)


cdef void release_early(worker *w, call_state *call) noexcept nogil:
    cdef uint32_t frame
    while call.early != NO_FRAME_INDEX:
        frame = list_pop(w, &call.early)
        receive_gre(w, frame, frame_at(w, frame) + w.notes[frame].offset, w.notes[frame].length, True)
        if w.ready_count > READY_FULL:
            deliver(w)
    deliver(w)


cdef bint hand_over(
    worker *w, uint32_t kind, uint32_t handle, uint32_t sequence, const uint8_t *data, uint32_t length
) noexcept nogil:
    """A packet to the worker that has its call; False when its side door is full."""
    cdef side_note note
    cdef iovec vectors[2]
    note.kind = kind
    note.handle = handle
    note.sequence = sequence
    vectors[0].iov_base = &note
    vectors[0].iov_len = sizeof(side_note)
    vectors[1].iov_base = <void *> data
    vectors[1].iov_len = length
    return writev(w.side_out[owner_of(w, handle)], vectors, 2) >= 0


cdef inline bint just_moved(worker *w, call_state *call) noexcept nogil:
    """Whether copies may come of what the old worker got as well."""
    return call.moved != NEVER and w.now - call.moved < STRAGGLERS


cdef inline bint straggles(worker *w, uint32_t call_id) noexcept nogil:
    """Whether a packet for another worker's call came here because the call was ours until just now."""
    cdef call_state *call = &w.calls[call_id]
    if call.moved == NEVER or call.moved_from != w.index:
        return False
    return call.passage != PASSAGE_NONE or w.now - call.moved < STRAGGLERS


cdef void pass_by(
    worker *w, uint32_t frame, const uint8_t *ip, uint32_t length, uint32_t call_id
) noexcept nogil:
    """A packet of another worker's call, which got it too, unless it is on the move. Takes the frame."""
    if straggles(w, call_id):
        if w.detained != NO_FRAME_INDEX or not hand_over(w, SIDE_OUTER, call_id, 0, ip, length):
            w.notes[frame].offset = <uint16_t> (ip - frame_at(w, frame))
            w.notes[frame].length = <uint16_t> length
            w.notes[frame].sequence = call_id
            list_append(w, &w.detained, &w.detained_last, frame)
            return
    frame_give(w, frame)


cdef bint pass_detained(worker *w) noexcept nogil:
    """What a side door had no room for; False while it still has none. Meanwhile nothing is received:
    the socket's queue has more room than we."""
    cdef frame_note *note
    while w.detained != NO_FRAME_INDEX:
        note = &w.notes[w.detained]
        if not hand_over(
            w, SIDE_OUTER, note.sequence, 0, frame_at(w, w.detained) + note.offset, note.length
        ):
            w.outer_rest = OUTER_STUCK
            return False
        frame_give(w, list_pop(w, &w.detained))
    return True


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
    if length < 0:
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
        receive_gre(w, frame, data, length, True)
    elif note.kind == SIDE_LAST:
        frame_give(w, frame)
        if call != NULL:
            call.passage = PASSAGE_OVER
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
