# The outer port over a raw GRE socket: recvmmsg, sendmmsg. A connected datagram socket of another
# family does as well, then without addresses; that is how tests and embedders drive it.

cdef extern from *:
    """
    #include <linux/filter.h>
    #include <linux/sock_diag.h>
    #include <sys/socket.h>
    #include <netinet/in.h>

    /* The filter of owner.pxi for those without CAP_BPF: owners by the modulo. */
    static int outer_attach_filter(int fd, unsigned int index, unsigned int workers)
    {
        struct sock_filter code[] = {
            BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
            BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x880B, 0, 7),
            BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 7),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 4),
            BPF_STMT(BPF_LD | BPF_H | BPF_IND, 6),
            BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, 0x40000),
            BPF_STMT(BPF_RET | BPF_K, 0),
        };
        struct sock_fprog program = {sizeof code / sizeof code[0], code};
        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    }

    /* Room for bursts, and fragments instead of a path MTU: the outer DF stays clear. */
    static void outer_tune(int fd, int size)
    {
        int discover = IP_PMTUDISC_DONT;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover);
    }

    /* How many packets its receive buffer had no room for, modulo 2**32. */
    static unsigned int outer_losses(int fd)
    {
        unsigned int found[SK_MEMINFO_VARS] = {0};
        socklen_t size = sizeof found;
        getsockopt(fd, SOL_SOCKET, SO_MEMINFO, found, &size);
        return found[SK_MEMINFO_DROPS];
    }
    """
    int outer_attach_filter(int fd, unsigned int index, unsigned int workers) nogil
    void outer_tune(int fd, int size) nogil
    unsigned int outer_losses(int fd) nogil

cdef enum:
    OUTER_BUFFER = 16 << 20
    REFUSED_TIME = 2             # ms that a device may take for want of room,
    REFUSED_REST = 100           # and ms for which one that took longer gets no second chance

# How a message goes; which socket is full is told as one more.
cdef enum:
    WAY_RAW = 0
    WAY_PACKET = 1
    WAY_PORT = 2                 # and the port's place
    STALLED_RAW = 1
    STALLED_PACKET = 2


cdef bint outer_open(worker *w) noexcept nogil:
    """Look at the descriptor and prepare it; False if it is no socket."""
    cdef int family = 0
    cdef socklen_t size = sizeof(int)
    cdef uint32_t k
    if getsockopt(w.outer_fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0:
        return False
    w.outer_named = family == AF_INET
    if w.outer_named:
        outer_tune(w.outer_fd, OUTER_BUFFER)
        w.outer_follows = w.owner_fd >= 0 and owner_filter_attach(w.outer_fd, w.owner_fd, w.index) == 0
        if not w.outer_follows:
            outer_attach_filter(w.outer_fd, w.index, w.workers)
        w.identification = <uint16_t> w.index
    if w.packet_fd >= 0:
        packet_tune(w.packet_fd, OUTER_BUFFER)
    for k in range(<uint32_t> RX_BATCH):
        w.rx_messages[k].msg_hdr.msg_iov = &w.rx_vectors[k]
        w.rx_messages[k].msg_hdr.msg_iovlen = 1
    for k in range(<uint32_t> OUT_BATCH):
        w.out_messages[k].msg_hdr.msg_iov = &w.out_vectors[k]
        w.out_messages[k].msg_hdr.msg_iovlen = 1
    return True


cdef void count_overruns(worker *w) noexcept nogil:
    """What the raw socket's buffer had no room for since the last time. The control plane's thread asks,
    and it alone writes this counter."""
    cdef uint32_t losses = outer_losses(w.outer_fd)
    drop(w, OUTER_BUFFER_FULL, <uint32_t> (losses - w.losses))
    w.losses = losses


cdef uint32_t outer_receive(worker *w) noexcept nogil:
    """Take one batch in; returns how many packets came."""
    cdef int k, got
    cdef uint32_t frame
    for k in range(RX_BATCH):
        if w.rx_frames[k] == NO_FRAME_INDEX:
            w.rx_frames[k] = frame_take(w)
            if w.rx_frames[k] == NO_FRAME_INDEX:
                w.outer_rest = OUTER_STUCK
                return 0
            w.rx_vectors[k].iov_base = frame_at(w, w.rx_frames[k])
            w.rx_vectors[k].iov_len = FRAME_SIZE
    got = recvmmsg(w.outer_fd, w.rx_messages, RX_BATCH, MSG_DONTWAIT, NULL)
    w.outer_rest = OUTER_MORE if got == RX_BATCH else OUTER_EMPTY
    if got <= 0:
        return 0
    prefetch_calls(w, got)
    # A packet finds all commands carried out that were given before it came.
    run_commands(w)
    for k in range(got):
        frame = w.rx_frames[k]
        w.rx_frames[k] = NO_FRAME_INDEX
        if w.rx_messages[k].msg_hdr.msg_flags & MSG_TRUNC:
            drop(w, OUTER_TRUNCATED)
            frame_give(w, frame)
            continue
        receive_gre(w, frame, frame_at(w, frame), w.rx_messages[k].msg_len, False)
        if w.ready_count > READY_FULL:
            deliver(w)
    deliver(w)
    return got


cdef void prefetch_calls(worker *w, int got) noexcept nogil:
    """Fetch what a batch will touch of its calls all at once: with many calls none of it is cached.

    The packets are not looked at yet, so any Call-ID may stand there; each has its place in the arenas.
    """
    cdef int k
    for k in range(got):
        prefetch_call(w, frame_at(w, w.rx_frames[k]), w.rx_messages[k].msg_len)


cdef inline void prefetch_call(worker *w, const uint8_t *ip, uint32_t length) noexcept nogil:
    cdef uint32_t header = (ip[0] & 15) * 4
    cdef uint32_t call_id
    if length < header + 8:
        return
    call_id = get16(ip + header + 6)
    prefetch_lines(&w.calls[call_id], CACHE_LINE)
    prefetch_lines(<uint8_t *> &w.calls[call_id] + CALL_RECEIVING, CACHE_LINE)
    prefetch_lines(&w.calls[call_id].heard, CACHE_LINE)
    prefetch(&w.rows[call_id])


cdef void outer_push(
    worker *w, call_state *call, uint32_t frame, uint8_t *gre, uint32_t length
) noexcept nogil:
    """Put a GRE packet into the batch; there is room. Takes the frame."""
    cdef uint32_t k = w.out_count
    cdef uint32_t slot = 0
    cdef xdp_port *port
    w.out_count += 1
    w.out_frames[k] = frame
    w.out_vectors[k].iov_base = gre
    w.out_vectors[k].iov_len = length
    trace_staged(w, call, k)
    if not w.outer_named:
        return
    w.out_ways[k] = WAY_RAW
    if length + IP_HEADER > call.hop_mtu:
        outer_address(w, k, call.local_address, call.peer_address)
        return
    port = port_to(w, call, &slot)
    if port != NULL:
        w.out_ways[k] = <uint8_t> (WAY_PORT + slot)
        xdp_push(w, port, call, k)
    elif w.packet_fd >= 0:
        w.out_ways[k] = WAY_PACKET
        packet_push(w, call, k)
    else:
        outer_address(w, k, call.local_address, call.peer_address)


cdef void outer_address(worker *w, uint32_t k, uint32_t source, uint32_t target) noexcept nogil:
    """To the peer, and from the address that its control connection came in on."""
    cdef msghdr *message = &w.out_messages[k].msg_hdr
    cdef cmsghdr *control = <cmsghdr *> w.out_controls[k]
    cdef in_pktinfo *info = <in_pktinfo *> (w.out_controls[k] + CMSG_LEN(0))
    cdef sockaddr_in *name = <sockaddr_in *> &w.out_names[k]
    name.sin_family = <uint16_t> AF_INET
    name.sin_addr.s_addr = target
    message.msg_name = name
    message.msg_namelen = sizeof(sockaddr_in)
    control.cmsg_len = CMSG_LEN(sizeof(in_pktinfo))
    control.cmsg_level = IPPROTO_IP
    control.cmsg_type = IP_PKTINFO
    info.ipi_ifindex = 0
    info.ipi_spec_dst.s_addr = source
    message.msg_control = w.out_controls[k]
    message.msg_controllen = CMSG_SPACE(sizeof(in_pktinfo))


cdef inline uint32_t outer_run(worker *w) noexcept nogil:
    """How many of the next messages go by one socket: packets of a call never overtake each other."""
    cdef uint32_t end = w.out_sent + 1
    while end < w.out_count and w.out_ways[end] == w.out_ways[w.out_sent]:
        end += 1
    return end - w.out_sent


cdef int outer_send(worker *w) noexcept nogil:
    """Send the next messages by their socket; how many it took, or -errno."""
    cdef uint8_t way = w.out_ways[w.out_sent]
    cdef int sent
    if way != w.out_waiting and not xdp_gone(w):
        return -EAGAIN
    if way >= WAY_PORT:
        return xdp_send(w, way - WAY_PORT, outer_run(w))
    sent = sendmmsg(
        w.packet_fd if way == WAY_PACKET else w.outer_fd,
        &w.out_messages[w.out_sent], outer_run(w), MSG_DONTWAIT | MSG_NOSIGNAL,
    )
    return sent if sent >= 0 else -errno


cdef bint worth_waiting(worker *w) noexcept nogil:
    """The device has no room for the next message. One that is full has some soon; one that will not have
    this message, such as a link whose far end takes less, would hold up everybody for ever."""
    if w.out_ways[w.out_sent] != WAY_PACKET:
        return True
    if w.now < w.refusing_until:
        return False
    if w.refused_since == 0:
        w.refused_since = w.now
    if w.now - w.refused_since <= REFUSED_TIME:
        return True
    w.refused_since = 0
    w.refusing_until = w.now + REFUSED_REST
    return False


cdef void outer_flush(worker *w) noexcept nogil:
    """Send the batch. What the socket does not take now stays, octet for octet, for the next time."""
    cdef int sent
    cdef uint32_t k
    w.out_stalled = 0
    if w.out_waiting:
        xdp_gone(w)
    while w.out_sent < w.out_count:
        sent = outer_send(w)
        if sent > 0:
            w.out_sent += sent
            w.refused_since = 0
        elif sent == -EAGAIN or ((sent == -ENOBUFS or sent == -ENOMEM) and worth_waiting(w)):
            w.out_stalled = w.out_ways[w.out_sent] + 1
            return
        elif sent == -EINTR:
            continue
        elif w.out_ways[w.out_sent] != WAY_RAW:
            turn_raw(w, w.out_sent)
        else:
            # Unreachable, forbidden, too big for its path: this one packet, not the batch.
            drop(w, SEND_FAILED)
            w.out_sent += 1
    for k in range(w.out_count):
        frame_give(w, w.out_frames[k])
    w.out_count = 0
    w.out_sent = 0
