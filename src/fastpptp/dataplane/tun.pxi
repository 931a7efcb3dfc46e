# The inner port over a TUN queue (or any descriptor that gives and takes one IP packet a call).
# With IFF_VNET_HDR the kernel hands over super-packets, which segment.pxi takes apart, and takes
# back those which gro.pxi puts together.

cdef enum:
    INNER_BATCH = 64
    VNET_HEADER = 10
    SPILL = 65536


# What was read and is to be sent. The packet is in its frame, of a super-packet what fits there.
cdef struct inner_packet:
    uint32_t frame
    uint32_t length
    uint32_t handle              # whose it is; 0: nobody's
    uint8_t version              # of IP; 0: malformed
    uint8_t vnet[10]             # VNET_HEADER octets


cdef struct inner_port:
    inner_packet batch[64]       # INNER_BATCH
    uint32_t count
    uint8_t *spill               # FRAME_SIZE octets in front of SPILL
    gro_table *gro


cdef inline uint8_t *inner_ip(worker *w, inner_packet *p) noexcept nogil:
    return frame_at(w, p.frame) + HEADROOM


cdef uint32_t inner_receive(worker *w) noexcept nogil:
    """Read packets and stage them for sending; returns how many reads there were."""
    cdef uint32_t count = 0
    cdef bint more = True
    while more and count < INNER_BATCH:
        more = inner_read_batch(w, INNER_BATCH - count)
        transmit_batch(w)
        count += w.inner.count
    return count


cdef bint inner_read_batch(worker *w, uint32_t limit) noexcept nogil:
    """Read up to a super-packet, of which the spill holds one. False: no more can be read."""
    cdef inner_packet *p
    w.inner.count = 0
    while w.inner.count < limit:
        p = &w.inner.batch[w.inner.count]
        p.frame = frame_take(w)
        if p.frame == NO_FRAME_INDEX:
            return False
        if not (inner_read_offloaded(w, p) if w.vnet_header else inner_read(w, p)):
            frame_give(w, p.frame)
            return False
        w.inner.count += 1
        if p.length > FRAME_ROOM:
            break
    return True


cdef bint inner_read(worker *w, inner_packet *p) noexcept nogil:
    """One read; False when there is nothing."""
    cdef ssize_t length = read(w.inner_fd, inner_ip(w, p), FRAME_ROOM)
    if length <= 0:
        return False
    p.length = <uint32_t> length
    return True


cdef bint inner_read_offloaded(worker *w, inner_packet *p) noexcept nogil:
    """One read behind a virtio header. Only a super-packet is longer than the frame."""
    cdef iovec vectors[3]
    cdef ssize_t length
    vectors[0].iov_base = p.vnet
    vectors[0].iov_len = VNET_HEADER
    vectors[1].iov_base = inner_ip(w, p)
    vectors[1].iov_len = FRAME_ROOM
    vectors[2].iov_base = w.inner.spill + FRAME_SIZE
    vectors[2].iov_len = SPILL
    length = readv(w.inner_fd, vectors, 3)
    if length <= VNET_HEADER:
        return False
    p.length = <uint32_t> length - VNET_HEADER
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
