# A worker's packet buffers: frames of one size, named by index, with room in front for headers.
# A frame that outlives its batch is linked into a list of its call and replaced, never copied.

cdef enum:
    FRAME_SIZE = 2048
    HEADROOM = 64                # outer IP 20, GRE 16, PPP 4, MPPE 2, protocol 2: 44
    FRAME_ROOM = 1984            # FRAME_SIZE - HEADROOM
    NO_FRAME_INDEX = 0           # frame 0 is never handed out


cdef struct frame_note:
    uint32_t next
    uint32_t sequence
    uint32_t stamp               # ms when it came, modulo 2**32
    uint16_t offset
    uint16_t length


cdef inline uint8_t *frame_at(worker *w, uint32_t frame) noexcept nogil:
    return w.frames + <size_t> frame * FRAME_SIZE


cdef inline uint32_t frame_take(worker *w) noexcept nogil:
    """A free frame, or 0 when the pool is empty."""
    if w.free_count == 0:
        return NO_FRAME_INDEX
    w.free_count -= 1
    return w.free[w.free_count]


cdef inline void frame_give(worker *w, uint32_t frame) noexcept nogil:
    if frame != NO_FRAME_INDEX:
        w.free[w.free_count] = frame
        w.free_count += 1


cdef inline bint pool_low(worker *w) noexcept nogil:
    """Whether frames may no longer be kept beyond their batch: a quarter stays for the batches."""
    return w.free_count < w.frame_count // 4


cdef void frames_give(worker *w, uint32_t first) noexcept nogil:
    cdef uint32_t following
    while first != NO_FRAME_INDEX:
        following = w.notes[first].next
        frame_give(w, first)
        first = following


cdef void list_append(worker *w, uint32_t *first, uint32_t *last, uint32_t frame) noexcept nogil:
    w.notes[frame].next = NO_FRAME_INDEX
    if first[0] == NO_FRAME_INDEX:
        first[0] = frame
    else:
        w.notes[last[0]].next = frame
    last[0] = frame


cdef uint32_t list_pop(worker *w, uint32_t *first) noexcept nogil:
    cdef uint32_t frame = first[0]
    if frame != NO_FRAME_INDEX:
        first[0] = w.notes[frame].next
    return frame
