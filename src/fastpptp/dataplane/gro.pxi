# Coalescing on the way in: packets of one TCP connection (or equal UDP datagrams of one flow) that
# follow each other in a batch are written to the TUN as one super-packet. Their checksums are
# verified first, because the kernel will not look at them again. What cannot be joined goes alone,
# after what came before it in its flow.

cdef enum:
    GRO_FLOWS = 64
    GRO_BUCKETS = 256
    GRO_SEGMENTS = 64
    GRO_OCTETS = 65000
    GRO_VECTORS = 66             # virtio header, first packet, payloads


cdef struct gro_flow:
    uint8_t *head                # the first packet; its headers become the super-packet's
    uint32_t next                # in the bucket: index + 1
    uint32_t transport
    uint32_t headers
    uint32_t size                # payload octets of a segment
    uint32_t total
    uint32_t sequence            # the TCP sequence number that would follow
    uint16_t count               # 0 = written already
    uint16_t identification
    uint8_t closed               # its last segment was short, or pushed
    uint8_t version
    uint8_t protocol
    uint8_t header[10]
    iovec vectors[66]            # GRO_VECTORS


cdef struct gro_table:
    gro_flow flows[64]           # GRO_FLOWS
    uint32_t count
    uint8_t udp                  # the kernel takes UDP super-packets
    uint8_t buckets[256]         # index + 1 of a bucket's first flow


# A packet as a candidate.
cdef struct gro_packet:
    uint8_t *ip
    uint32_t length
    uint32_t transport
    uint32_t headers
    uint32_t payload
    uint8_t version
    uint8_t protocol
    uint8_t joinable


cdef void gro_take(worker *w, uint8_t *ip, uint32_t length) noexcept nogil:
    """Join this packet to its flow, begin one, or write it alone."""
    cdef gro_packet p
    cdef gro_flow *flow
    cdef uint32_t bucket
    p.ip = ip
    p.length = length
    if not gro_parse(w.inner.gro, &p):
        write_alone(w, ip, length)
        return
    bucket = gro_bucket(&p)
    flow = gro_find(w.inner.gro, &p, bucket)
    if flow != NULL and p.joinable and gro_follows(flow, &p):
        gro_join(flow, &p)
        return
    if flow != NULL:
        gro_write(w, flow)
    if not p.joinable:
        write_alone(w, ip, length)
        return
    if flow == NULL:
        flow = gro_new(w, bucket)
    gro_begin(flow, &p)


cdef bint gro_parse(gro_table *self, gro_packet *p) noexcept nogil:
    """Whether this belongs to a flow at all: whole TCP, or UDP, behind plain IP headers."""
    cdef uint8_t *ip = p.ip
    p.version = ip[0] >> 4
    if p.version == 4:
        if ip[0] != 0x45 or get16(ip + 6) & 0x3FFF:
            return False
        p.transport = IP_HEADER
        p.protocol = ip[9]
    else:
        p.transport = IPV6_HEADER
        p.protocol = ip[6]
    if p.protocol == PROTOCOL_TCP:
        return gro_parse_tcp(p)
    return self.udp and p.protocol == PROTOCOL_UDP and gro_parse_udp(p)


cdef bint gro_parse_tcp(gro_packet *p) noexcept nogil:
    cdef uint8_t *tcp = p.ip + p.transport
    if p.length < p.transport + 20:
        return False
    p.headers = p.transport + (tcp[12] >> 4) * 4
    if p.headers < p.transport + 20 or p.headers > p.length:
        return False
    p.payload = p.length - p.headers
    p.joinable = p.payload > 0 and tcp[13] & ~TCP_PSH & 0xFF == TCP_ACK and gro_intact(p)
    return True


cdef bint gro_parse_udp(gro_packet *p) noexcept nogil:
    cdef uint8_t *udp = p.ip + p.transport
    if p.length < p.transport + 8:
        return False
    p.headers = p.transport + 8
    p.payload = p.length - p.headers
    p.joinable = (
        p.payload > 0 and get16(udp + 4) == 8 + p.payload and get16(udp + 6) != 0 and gro_intact(p)
    )
    return True


cdef inline bint gro_intact(gro_packet *p) noexcept nogil:
    cdef uint32_t length = p.length - p.transport
    return sum_fold(sum_add(p.ip + p.transport, length, pseudo_sum(p.ip, length, p.protocol))) == 0xFFFF


cdef inline uint32_t gro_bucket(gro_packet *p) noexcept nogil:
    """A hash of the ports and the addresses' last octets."""
    cdef uint32_t x = get32(p.ip + p.transport) ^ get32(p.ip + p.transport - 4) * <uint32_t> 0x9E3779B1
    if p.version == 4:
        x ^= get32(p.ip + 12)
    return (x * <uint32_t> 0x85EBCA6B) >> 24


cdef inline bint gro_same(gro_flow *flow, gro_packet *p) noexcept nogil:
    """Addresses, ports, protocol. The ports follow the addresses in both versions."""
    if flow.version != p.version or flow.protocol != p.protocol:
        return False
    if p.version == 4:
        return memcmp(flow.head + 12, p.ip + 12, 12) == 0
    return memcmp(flow.head + 8, p.ip + 8, 36) == 0


cdef gro_flow *gro_find(gro_table *self, gro_packet *p, uint32_t bucket) noexcept nogil:
    cdef uint32_t at = self.buckets[bucket]
    while at:
        if gro_same(&self.flows[at - 1], p):
            return &self.flows[at - 1]
        at = self.flows[at - 1].next
    return NULL


cdef gro_flow *gro_new(worker *w, uint32_t bucket) noexcept nogil:
    cdef gro_table *self = w.inner.gro
    cdef gro_flow *flow
    if self.count == GRO_FLOWS:
        gro_flush(w)
    flow = &self.flows[self.count]
    self.count += 1
    flow.next = self.buckets[bucket]
    self.buckets[bucket] = <uint8_t> self.count
    return flow


cdef void gro_begin(gro_flow *flow, gro_packet *p) noexcept nogil:
    flow.head = p.ip
    flow.transport = p.transport
    flow.headers = p.headers
    flow.size = p.payload
    flow.total = p.length
    flow.count = 1
    flow.version = p.version
    flow.protocol = p.protocol
    flow.identification = get16(p.ip + 4)
    flow.closed = False
    flow.vectors[1].iov_base = p.ip
    flow.vectors[1].iov_len = p.length
    if p.protocol == PROTOCOL_TCP:
        flow.sequence = get32(p.ip + p.transport + 4) + p.payload
        flow.closed = p.ip[p.transport + 13] & TCP_PSH != 0


cdef bint gro_follows(gro_flow *flow, gro_packet *p) noexcept nogil:
    """Whether cutting the super-packet would give back exactly this packet."""
    cdef uint8_t *a = flow.head
    cdef uint8_t *b = p.ip
    if flow.count == 0 or flow.closed or flow.count == GRO_SEGMENTS or p.headers != flow.headers:
        return False
    if p.payload > flow.size or flow.total + p.payload > GRO_OCTETS:
        return False
    if p.version == 4:
        # TOS, TTL, DF; and without DF the identification must go on as cutting would make it.
        if a[1] != b[1] or a[8] != b[8] or a[6] != b[6]:
            return False
        if not b[6] & 0x40 and get16(b + 4) != <uint16_t> (flow.identification + flow.count):
            return False
    elif get32(a) != get32(b) or a[7] != b[7]:
        return False
    return p.protocol == PROTOCOL_UDP or gro_tcp_follows(flow, a + p.transport, b + p.transport)


cdef inline bint gro_tcp_follows(gro_flow *flow, uint8_t *a, uint8_t *b) noexcept nogil:
    """Sequence, then acknowledgement, window, options all the same."""
    return (
        get32(b + 4) == flow.sequence
        and memcmp(a + 8, b + 8, 5) == 0
        and memcmp(a + 14, b + 14, 2) == 0
        and memcmp(a + 18, b + 18, flow.headers - flow.transport - 18) == 0
    )


cdef void gro_join(gro_flow *flow, gro_packet *p) noexcept nogil:
    cdef uint8_t *tcp = p.ip + p.transport
    flow.vectors[flow.count + 1].iov_base = p.ip + p.headers
    flow.vectors[flow.count + 1].iov_len = p.payload
    flow.count += 1
    flow.total += p.payload
    flow.closed = p.payload < flow.size
    if p.protocol == PROTOCOL_TCP:
        flow.sequence += p.payload
        if tcp[13] & TCP_PSH:
            flow.head[flow.transport + 13] |= TCP_PSH
            flow.closed = True


cdef void gro_write(worker *w, gro_flow *flow) noexcept nogil:
    """Write a flow as far as it got; it may begin anew."""
    if flow.count == 0:
        return
    memset(flow.header, 0, VNET_HEADER)
    if flow.count > 1:
        gro_finish(flow)
    flow.vectors[0].iov_base = flow.header
    flow.vectors[0].iov_len = VNET_HEADER
    inner_written(w, writev(w.inner_fd, flow.vectors, flow.count + 1))
    flow.count = 0


cdef void gro_finish(gro_flow *flow) noexcept nogil:
    """The headers of a super-packet: lengths, and the pseudo-header's sum as the checksum."""
    cdef vnet_header vnet
    cdef uint8_t *ip = flow.head
    cdef uint32_t length = flow.total - flow.transport
    cdef bint tcp = flow.protocol == PROTOCOL_TCP
    cdef uint16_t total = sum_fold(pseudo_sum(ip, length, flow.protocol))
    vnet.flags = VNET_NEEDS_CHECKSUM
    vnet.gso_type = VNET_GSO_UDP
    if tcp:
        vnet.gso_type = VNET_GSO_TCPV4 if flow.version == 4 else VNET_GSO_TCPV6
    vnet.header_length = <uint16_t> flow.headers
    vnet.gso_size = <uint16_t> flow.size
    vnet.checksum_start = <uint16_t> flow.transport
    vnet.checksum_offset = 16 if tcp else 6
    memcpy(flow.header, &vnet, VNET_HEADER)
    if flow.version == 4:
        put16(ip + 2, flow.total)
        ip_checksum(ip)
    else:
        put16(ip + 4, length)
    if not tcp:
        put16(ip + flow.transport + 4, length)
    memcpy(ip + flow.transport + vnet.checksum_offset, &total, 2)


cdef void gro_flush(worker *w) noexcept nogil:
    cdef gro_table *self = w.inner.gro
    cdef uint32_t k
    if self.count == 0:
        return
    for k in range(self.count):
        gro_write(w, &self.flows[k])
    self.count = 0
    memset(self.buckets, 0, GRO_BUCKETS)


cdef void write_alone(worker *w, uint8_t *ip, uint32_t length) noexcept nogil:
    memset(ip - VNET_HEADER, 0, VNET_HEADER)
    inner_written(w, write(w.inner_fd, ip - VNET_HEADER, length + VNET_HEADER))
