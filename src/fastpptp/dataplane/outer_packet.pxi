# Sending by AF_PACKET where the next hop is known: we write the IPv4 header (RFC 791 3.1), the kernel
# the link's. That saves the route look-up, the copy with checksum, the firewall and the queueing
# discipline of every packet, so it is for whoever owns the host to allow. What is larger than the MTU,
# and all that the device refuses, goes by the raw socket, in its turn.

cdef extern from *:
    """
    /* Past the queueing discipline; a kernel without this goes through it. */
    static void packet_tune(int fd, int size)
    {
        int one = 1;
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    """
    void packet_tune(int fd, int size) nogil

cdef enum:
    TTL = 64
    VERSION_AND_LENGTH = 0x45


cdef void outer_ip(
    uint8_t *ip, uint32_t length, uint32_t identification, uint32_t source, uint32_t target
) noexcept nogil:
    """The IPv4 header of a GRE packet of `length` octets in all. DF stays clear."""
    memset(ip, 0, IP_HEADER)
    ip[0] = VERSION_AND_LENGTH
    put16(ip + 2, length)
    put16(ip + 4, identification)
    ip[8] = TTL
    ip[9] = PROTOCOL_GRE
    memcpy(ip + 12, &source, 4)
    memcpy(ip + 16, &target, 4)
    ip_checksum(ip)


cdef uint8_t *outer_header(worker *w, call_state *call, uint32_t k) noexcept nogil:
    """Give message `k`, GRE so far, its IPv4 header and return that."""
    cdef uint8_t *ip = <uint8_t *> w.out_vectors[k].iov_base - IP_HEADER
    cdef uint32_t length = <uint32_t> w.out_vectors[k].iov_len + IP_HEADER
    # Two workers may send to one peer: their identifications differ (RFC 6864 4.2).
    w.identification += w.workers
    outer_ip(ip, length, w.identification, call.local_address, call.peer_address)
    w.out_vectors[k].iov_base = ip
    w.out_vectors[k].iov_len = length
    return ip


cdef void packet_push(worker *w, call_state *call, uint32_t k) noexcept nogil:
    """Give message `k`, GRE so far, its IPv4 header and its next hop."""
    cdef msghdr *message = &w.out_messages[k].msg_hdr
    cdef sockaddr_ll *name = <sockaddr_ll *> &w.out_names[k]
    outer_header(w, call, k)
    name.sll_family = <uint16_t> AF_PACKET
    put16(<uint8_t *> &name.sll_protocol, ETH_P_IP)
    name.sll_ifindex = call.hop_device
    name.sll_halen = 6
    memcpy(name.sll_addr, call.hop_address, 6)
    message.msg_name = name
    message.msg_namelen = sizeof(sockaddr_ll)
    message.msg_control = NULL
    message.msg_controllen = 0


cdef void turn_raw(worker *w, uint32_t k) noexcept nogil:
    """The device did not take message `k`: the raw socket shall, with the addresses it has already."""
    cdef uint32_t link = 0 if w.out_ways[k] == WAY_PACKET else ETHERNET
    cdef uint8_t *ip = <uint8_t *> w.out_vectors[k].iov_base + link
    cdef uint32_t source, target
    memcpy(&source, ip + 12, 4)
    memcpy(&target, ip + 16, 4)
    w.out_vectors[k].iov_base = ip + IP_HEADER
    w.out_vectors[k].iov_len -= link + IP_HEADER
    w.out_ways[k] = WAY_RAW
    outer_address(w, k, source, target)
