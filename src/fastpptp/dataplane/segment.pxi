# Super-packets from the inner port (virtio 1.2, 5.1.6.2): one TCP or UDP packet of up to 64 KiB that
# the kernel left for us to cut, with only the pseudo-header in its checksum field.

cdef enum:
    VNET_NEEDS_CHECKSUM = 1
    VNET_GSO_NONE = 0
    VNET_GSO_TCPV4 = 1
    VNET_GSO_TCPV6 = 4
    VNET_GSO_UDP = 5
    VNET_GSO_ECN = 0x80
    TCP_FIN = 0x01
    TCP_PSH = 0x08
    TCP_ACK = 0x10
    TCP_CWR = 0x80


# All octets native; the header is not aligned, so it is copied.
cdef struct vnet_header:
    uint8_t flags
    uint8_t gso_type
    uint16_t header_length
    uint16_t gso_size
    uint16_t checksum_start
    uint16_t checksum_offset


cdef struct super_packet:
    uint8_t *ip
    uint32_t length
    uint32_t transport           # offset of TCP or UDP
    uint32_t headers             # octets of all headers
    uint32_t size                # payload octets of each segment but the last
    uint8_t tcp
    uint8_t version


cdef void transmit_offloaded(worker *w, inner_packet *p) noexcept nogil:
    """A packet behind its virtio header; what its frame did not hold was spilled. Takes the frame."""
    cdef vnet_header vnet
    cdef uint8_t *ip = inner_ip(w, p)
    cdef uint8_t *whole = w.inner.spill + FRAME_SIZE - FRAME_ROOM
    memcpy(&vnet, p.vnet, VNET_HEADER)
    if vnet.gso_type & ~VNET_GSO_ECN != VNET_GSO_NONE:
        memcpy(whole, ip, p.length if p.length < FRAME_ROOM else FRAME_ROOM)
        frame_give(w, p.frame)
        cut(w, whole, p, &vnet)
    elif p.length > FRAME_ROOM:
        memcpy(whole, ip, FRAME_ROOM)
        if vnet.flags & VNET_NEEDS_CHECKSUM:
            complete_checksum(whole, p.length, &vnet)
        transmit_long(w, p, whole)
    else:
        if vnet.flags & VNET_NEEDS_CHECKSUM:
            complete_checksum(ip, p.length, &vnet)
        transmit_owned(w, p)


cdef void transmit_long(worker *w, inner_packet *p, uint8_t *whole) noexcept nogil:
    """A packet that no call carries: it is cut or answered. Takes the frame."""
    if owned(w, p.handle):
        transmit_to(w, call_find(w, p.handle), p.frame, whole, p.length)
    else:
        drop(w, INNER_TOO_BIG)       # a side door takes frames only
        frame_give(w, p.frame)


cdef void complete_checksum(uint8_t *ip, uint32_t length, vnet_header *vnet) noexcept nogil:
    """The field holds the pseudo-header's sum already."""
    cdef uint32_t start = vnet.checksum_start
    if start + vnet.checksum_offset + 2 > length:
        return
    checksum_put(ip + start + vnet.checksum_offset, sum_add(ip + start, length - start, 0))


cdef bint super_parse(super_packet *s, vnet_header *vnet) noexcept nogil:
    """Lengths first; False for what we did not ask the kernel to send."""
    cdef uint8_t kind = vnet.gso_type & ~VNET_GSO_ECN & 0xFF
    s.tcp = kind == VNET_GSO_TCPV4 or kind == VNET_GSO_TCPV6
    s.size = vnet.gso_size
    s.transport = IPV6_HEADER if s.version == 6 else (s.ip[0] & 15) * 4
    if not (s.tcp or kind == VNET_GSO_UDP) or s.size == 0 or vnet.checksum_start != s.transport:
        return False
    if s.length < s.transport + 20:
        return False
    s.headers = s.transport + ((s.ip[s.transport + 12] >> 4) * 4 if s.tcp else 8)
    return s.headers < s.length and s.headers + s.size <= FRAME_ROOM


cdef void cut(worker *w, uint8_t *ip, inner_packet *p, vnet_header *vnet) noexcept nogil:
    """Send a super-packet as its segments."""
    cdef super_packet s
    cdef inner_packet piece
    cdef call_state *call = NULL
    cdef uint32_t at, part, count
    s.ip = ip
    s.length = p.length
    s.version = p.version
    if not super_parse(&s, vnet):
        drop(w, INNER_MALFORMED)
        return
    if owned(w, p.handle):
        call = call_find(w, p.handle)
        count = (s.length - s.headers + s.size - 1) // s.size
        if not may_transmit(w, call, ip, s.length, count, s.length + (count - 1) * s.headers):
            return
    piece.handle = p.handle
    at = s.headers
    while at < s.length:
        part = s.size if s.length - at > s.size else s.length - at
        piece.frame = frame_take(w)
        if piece.frame == NO_FRAME_INDEX:
            drop(w, NO_FRAME)
            return
        piece.length = s.headers + part
        cut_one(&s, inner_ip(w, &piece), at, part)
        if call == NULL:
            transmit_owned(w, &piece)
        else:
            transmit_permitted(w, call, piece.frame, inner_ip(w, &piece), piece.length)
        at += part


cdef void cut_one(super_packet *s, uint8_t *piece, uint32_t at, uint32_t part) noexcept nogil:
    """Write the segment whose payload begins at `at`: lengths, identification, sequence, flags, checksums."""
    cdef uint32_t length = s.headers + part
    cdef uint32_t number = (at - s.headers) // s.size
    cdef uint8_t *transport = piece + s.transport
    cdef uint64_t total
    memcpy(piece, s.ip, s.headers)
    total = sum_copy(piece + s.headers, s.ip + at, part)
    if s.version == 4:
        put16(piece + 2, length)
        put16(piece + 4, get16(s.ip + 4) + number)
        ip_checksum(piece)
    else:
        put16(piece + 4, length - IPV6_HEADER)
    if s.tcp:
        put32(transport + 4, get32(transport + 4) + at - s.headers)
        if at + part < s.length:
            transport[13] &= ~(TCP_FIN | TCP_PSH) & 0xFF
        if number:
            transport[13] &= ~TCP_CWR & 0xFF
        transport_checksum(piece, s, length, 16, total)
    else:
        put16(transport + 4, 8 + part)
        transport_checksum(piece, s, length, 6, total)


cdef inline void transport_checksum(
    uint8_t *ip, super_packet *s, uint32_t length, uint32_t offset, uint64_t total
) noexcept nogil:
    """The checksum of one segment; `total` is its payload's sum."""
    cdef uint32_t protocol = PROTOCOL_TCP if s.tcp else PROTOCOL_UDP
    cdef uint8_t *field = ip + s.transport + offset
    field[0] = 0
    field[1] = 0
    total += pseudo_sum(ip, length - s.transport, protocol)
    checksum_put(field, sum_words(ip + s.transport, s.headers - s.transport, total))
    if not s.tcp and field[0] == 0 and field[1] == 0:
        put16(field, 0xFFFF)
