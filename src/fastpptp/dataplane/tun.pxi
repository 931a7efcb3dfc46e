# The inner port over a TUN queue (or any descriptor that gives and takes one IP packet a call).
# With IFF_VNET_HDR the kernel hands over super-packets, which offload.pxi takes apart, and takes
# back those which it puts together.

cdef enum:
    INNER_BATCH = 64
    VNET_HEADER = 10
    SPILL = 65536


cdef struct inner_port:
    uint8_t *spill               # FRAME_SIZE octets in front of SPILL
    gro_table *gro


cdef uint32_t inner_receive(worker *w) noexcept nogil:
    """Read packets and stage them; returns how many reads there were."""
    cdef uint32_t count = 0, frame
    while count < INNER_BATCH:
        if w.out_count + OUT_RESERVE > OUT_BATCH:
            flush_out(w)
            if w.out_count:
                break
        frame = frame_take(w)
        if frame == NO_FRAME_INDEX:
            break
        if not (inner_read_offloaded(w, frame) if w.vnet_header else inner_read(w, frame)):
            break
        count += 1
    return count


cdef bint inner_read(worker *w, uint32_t frame) noexcept nogil:
    """One read. Takes the frame."""
    cdef uint8_t *ip = frame_at(w, frame) + HEADROOM
    cdef ssize_t length = read(w.inner_fd, ip, FRAME_ROOM)
    if length <= 0:
        frame_give(w, frame)
        return False
    transmit_inner(w, frame, ip, <uint32_t> length)
    return True


cdef bint inner_read_offloaded(worker *w, uint32_t frame) noexcept nogil:
    """One read behind a virtio header. Only a super-packet is longer than the frame. Takes the frame."""
    cdef uint8_t *ip = frame_at(w, frame) + HEADROOM
    cdef uint8_t header[VNET_HEADER]
    cdef iovec vectors[3]
    cdef ssize_t length
    vectors[0].iov_base = header
    vectors[0].iov_len = VNET_HEADER
    vectors[1].iov_base = ip
    vectors[1].iov_len = FRAME_ROOM
    vectors[2].iov_base = w.inner.spill + FRAME_SIZE
    vectors[2].iov_len = SPILL
    length = readv(w.inner_fd, vectors, 3)
    if length <= VNET_HEADER:
        frame_give(w, frame)
        return False
    transmit_offloaded(w, frame, header, <uint32_t> length - VNET_HEADER)
    return True


cdef void inner_write(worker *w, uint8_t *ip, uint32_t length) noexcept nogil:
    """A packet for the inside; its frame must live until inner_flush. Octets in front are overwritten."""
    if w.vnet_header:
        gro_take(w, ip, length)
    else:
        inner_written(w, write(w.inner_fd, ip, length))


cdef inline void inner_written(worker *w, ssize_t result) noexcept nogil:
    if result < 0:
        drop(w, INNER_WRITE)


cdef inline void inner_flush(worker *w) noexcept nogil:
    if w.vnet_header:
        gro_flush(w)


# The side door: without a steering program the kernel may give a queue packets of another worker's
# calls. They go over by datagram, the handle in front.

cdef void hand_over(worker *w, uint32_t handle, uint32_t frame, uint8_t *ip, uint32_t length) noexcept nogil:
    """Takes the frame."""
    memcpy(ip - 4, &handle, 4)
    if write(w.side_out[(handle & 0xFFFF) % w.workers], ip - 4, length + 4) < 0:
        drop(w, SEND_BACKLOG)
    frame_give(w, frame)


cdef uint32_t side_receive(worker *w) noexcept nogil:
    cdef uint32_t count = 0, frame, handle
    cdef uint8_t *ip
    cdef ssize_t length
    while count < INNER_BATCH and w.out_count + OUT_RESERVE <= OUT_BATCH:
        frame = frame_take(w)
        if frame == NO_FRAME_INDEX:
            break
        ip = frame_at(w, frame) + HEADROOM
        length = read(w.side_fd, ip - 4, FRAME_ROOM + 4)
        if length <= 4 + IP_HEADER:
            frame_give(w, frame)
            break
        memcpy(&handle, ip - 4, 4)
        transmit_to(w, call_find(w, handle), frame, ip, <uint32_t> length - 4)
        count += 1
    return count
