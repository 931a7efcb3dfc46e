# The outer port over AF_XDP, both ways: what the program on an interface takes for us comes straight
# into our frames, and what goes to a known next hop leaves from them, both headers written in place.
# It passes neither netfilter nor the queueing discipline, and packet sniffers do not see what comes,
# so it is for whoever owns the host to ask for. The raw socket has all the rest: fragments, IP options,
# calls that are not open yet, other workers' queues, packets above the MTU, peers without a next hop.

cdef enum:
    ETHERNET = 14
    PORT_ROUND = 1000            # ms between two looks at a port's losses
    PORT_PAUSE = 100             # ms before a device that refused is tried again
    PORT_REST = 1000             # ms until a closed port's frames are surely nobody's


# Receiving.

cdef uint32_t xdp_receive(worker *w) noexcept nogil:
    """Take a batch in from every port; returns how many packets came."""
    cdef uint32_t slot, count = 0
    if w.port_count and w.now >= w.ports_due:
        look_after_ports(w)
    for slot in range(w.port_count):
        if w.ports[slot] != NULL and not w.ports[slot].closed:
            count += port_receive(w, w.ports[slot], slot)
    return count


cdef uint32_t port_receive(worker *w, xdp_port *port, uint32_t slot) noexcept nogil:
    cdef uint32_t k, got
    cdef xdp_desc *place
    port_reclaim(w, port)
    got = xdp_waiting(&port.receive)
    if got == 0:
        return 0
    # A packet finds all commands carried out that were given before it came.
    run_commands(w)
    if port.closed:
        return 0
    if got > RX_BATCH:
        got = RX_BATCH
        w.outer_rest |= OUTER_MORE
    for k in range(got):
        place = xdp_packet(&port.receive, k)
        prefetch_call(w, w.frames + place.addr + ETHERNET, place.len - ETHERNET)
    for k in range(got):
        place = xdp_packet(&port.receive, k)
        port_take(w, w.frames + place.addr + ETHERNET, place.len - ETHERNET)
        if w.ready_count > READY_FULL:
            deliver(w)
    xdp_taken(&port.receive, got)
    port.filled -= got
    deliver(w)
    port_fill(w, port, slot)
    return got


cdef inline void port_take(worker *w, uint8_t *ip, uint32_t length) noexcept nogil:
    """A packet that the program let through, which no kernel has looked at."""
    cdef uint32_t frame = <uint32_t> ((ip - w.frames) // FRAME_SIZE)
    w.lent[frame] = 0
    if sum_fold(sum_add(ip, IP_HEADER, 0)) == 0xFFFF:
        receive_gre(w, frame, ip, length, False)
    else:
        drop(w, OUTER_MALFORMED)
        frame_give(w, frame)


cdef void port_fill(worker *w, xdp_port *port, uint32_t slot) noexcept nogil:
    """Lend the kernel frames to receive into, up to this port's share of the pool."""
    cdef uint32_t share = w.frame_count // 2 // w.port_count
    cdef uint32_t frame, count = 0
    if share > PORT_RECEIVES:
        share = PORT_RECEIVES
    while port.filled + count < share:
        frame = frame_take(w)
        if frame == NO_FRAME_INDEX:
            break
        w.lent[frame] = <uint8_t> (slot + 1)
        xdp_address(&port.fill, count)[0] = <uint64_t> frame * FRAME_SIZE
        count += 1
    if count:
        xdp_given(&port.fill, count)
        port.filled += count
    if xdp_sleeps(&port.fill):
        recvfrom(port.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL)


# Sending.

cdef inline xdp_port *port_to(worker *w, call_state *call, uint32_t *slot) noexcept nogil:
    """The port by which this call's next hop is reached, or NULL."""
    cdef uint32_t k
    cdef xdp_port *port
    for k in range(w.port_count):
        port = w.ports[k]
        if port == NULL or port.device != <int> call.hop_device or not port.sends:
            continue
        if not port.closed and w.now >= port.blocked:
            slot[0] = k
            return port
    return NULL


cdef void xdp_push(worker *w, xdp_port *port, call_state *call, uint32_t k) noexcept nogil:
    """Give message `k`, GRE so far, both its headers (IEEE 802.3, RFC 894)."""
    cdef uint8_t *ethernet = outer_header(w, call, k) - ETHERNET
    memcpy(ethernet, call.hop_address, 6)
    memcpy(ethernet + 6, port.source, 6)
    put16(ethernet + 12, ETH_P_IP)
    w.out_vectors[k].iov_base = ethernet
    w.out_vectors[k].iov_len += ETHERNET


cdef int xdp_send(worker *w, uint32_t slot, uint32_t count) noexcept nogil:
    """Hand over the next `count` messages, or as many as there is room for; their number, or -errno."""
    cdef xdp_port *port = w.ports[slot]
    cdef uint32_t k, room
    cdef int error
    if port == NULL or port.closed:
        return -ENXIO
    error = port_kick(w, port)           # what the device refused before goes first, or nothing
    if error and error != EAGAIN:
        return -error
    port_reclaim(w, port)
    room = xdp_room(&port.transmit)
    if room == 0:
        w.out_waiting = <uint8_t> (WAY_PORT + slot)
        return -EAGAIN
    if count > room:
        count = room
    for k in range(count):
        port_put(w, port, slot, k)
    xdp_given(&port.transmit, count)
    if port_kick(w, port) == EAGAIN:
        w.out_waiting = <uint8_t> (WAY_PORT + slot)
    return <int> count


cdef inline void port_put(worker *w, xdp_port *port, uint32_t slot, uint32_t k) noexcept nogil:
    """The `k`-th next message into the ring, its frame with it."""
    cdef uint32_t message = w.out_sent + k
    cdef xdp_desc *place = xdp_packet(&port.transmit, k)
    place.addr = <uint64_t> (<uint8_t *> w.out_vectors[message].iov_base - w.frames)
    place.len = <uint32_t> w.out_vectors[message].iov_len
    place.options = 0
    w.lent[w.out_frames[message]] = <uint8_t> (slot + 1)
    w.out_frames[message] = NO_FRAME_INDEX


cdef int port_kick(worker *w, xdp_port *port) noexcept nogil:
    """Have the kernel send what is in the ring: 0 when it took all, EAGAIN: later, or why it cannot."""
    cdef uint32_t before, left = xdp_unseen(&port.transmit)
    while left:
        if not xdp_sleeps(&port.transmit):
            return EAGAIN                # the driver is at it
        if sendto(port.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 and not port_tries_again(w):
            port.blocked = w.now + PORT_PAUSE
            return errno
        before = left
        left = xdp_unseen(&port.transmit)
        if left == before:
            return EAGAIN
    return 0


cdef inline bint port_tries_again(worker *w) noexcept nogil:
    """Whether sending may go on after this errno. Of EBUSY one packet died: the device had no room."""
    if errno == EBUSY:
        drop(w, SEND_FAILED)
    return errno == EBUSY or errno == EAGAIN or errno == ENOBUFS or errno == ENOMEM or errno == EINTR


cdef void port_reclaim(worker *w, xdp_port *port) noexcept nogil:
    """Take back the frames that were sent."""
    cdef uint32_t k, frame, count = xdp_waiting(&port.completed)
    for k in range(count):
        frame = <uint32_t> (xdp_address(&port.completed, k)[0] // FRAME_SIZE)
        w.lent[frame] = 0
        frame_give(w, frame)
    if count:
        xdp_taken(&port.completed, count)


cdef bint xdp_gone(worker *w) noexcept nogil:
    """Whether a port has nothing left of what it was given: until then nothing may overtake it."""
    cdef xdp_port *port
    if w.out_waiting == 0:
        return True
    port = w.ports[w.out_waiting - WAY_PORT]
    if port == NULL or port.closed or port_kick(w, port) != EAGAIN:
        w.out_waiting = 0
    return w.out_waiting == 0


# A port's life with its worker.

cdef void adopt_port(worker *w, xdp_port *port) noexcept nogil:
    """A new port: give it frames, then packets."""
    cdef uint32_t slot = 0
    while slot < PORTS and w.ports[slot] != NULL:
        slot += 1
    if slot == PORTS or not watch(w, port.fd, EPOLL_CTL_ADD, EPOLLIN):
        port_free(port)
        return
    w.ports[slot] = port
    if slot >= w.port_count:
        w.port_count = slot + 1
    port_fill(w, port, slot)
    xdp_sockets_put(port.sockets_fd, port.queue, port.fd)
    descriptor_close(port.sockets_fd)
    port.sockets_fd = -1


cdef void close_ports(worker *w, int device) noexcept nogil:
    """Leave an interface. What waits in a ring is lost, and counted."""
    cdef uint32_t slot
    cdef xdp_port *port
    for slot in range(w.port_count):
        port = w.ports[slot]
        if port == NULL or port.closed or port.device != device:
            continue
        drop(w, OUTER_OVERRUN, xdp_waiting(&port.receive))
        drop(w, SEND_FAILED, xdp_unseen(&port.transmit))
        port_reclaim(w, port)
        count_losses(w, port)
        port_close(port)
        port.closed_at = w.now


cdef void look_after_ports(worker *w) noexcept nogil:
    cdef uint32_t slot
    cdef xdp_port *port
    w.ports_due = w.now + PORT_ROUND
    for slot in range(w.port_count):
        port = w.ports[slot]
        if port == NULL:
            continue
        if not port.closed:
            count_losses(w, port)
            xdp_link_address(w.outer_fd, port.device, port.source)
            port_fill(w, port, slot)
        elif w.now >= port.closed_at + PORT_REST and w.out_count == 0:
            recover_frames(w, slot)
            port_free(port)
            w.ports[slot] = NULL


cdef void count_losses(worker *w, xdp_port *port) noexcept nogil:
    """What the kernel had no frame or no room for since the last time."""
    cdef xdp_statistics found
    cdef socklen_t size = sizeof(found)
    if getsockopt(port.fd, SOL_XDP, XDP_STATISTICS, &found, &size) < 0:
        return
    drop(w, OUTER_OVERRUN, found.rx_dropped + found.rx_ring_full - port.lost)
    port.lost = found.rx_dropped + found.rx_ring_full


cdef void recover_frames(worker *w, uint32_t slot) noexcept nogil:
    """The frames that were in a closed port's rings, or with its driver."""
    cdef uint32_t frame
    for frame in range(1, w.frame_count):
        if w.lent[frame] == slot + 1:
            w.lent[frame] = 0
            frame_give(w, frame)


cdef void free_ports(worker *w) noexcept nogil:
    """At the end of the worker: the ports that it has, and those that it was to get."""
    cdef record *place
    cdef uint32_t slot
    for slot in range(w.port_count):
        if w.ports[slot] != NULL:
            port_free(w.ports[slot])
    place = ring_peek(&w.commands) if w.commands.memory != NULL else NULL
    while place != NULL:
        if place.kind == COMMAND_PORT_OPEN:
            port_free((<xdp_port **> record_body(place))[0])
        ring_drop(&w.commands, place)
        place = ring_peek(&w.commands)
