# Enhanced GRE (RFC 2637 4.1): version 1, key present, protocol 0x880B.

cdef enum:
    GRE_KEY = 0x20
    GRE_SEQUENCE = 0x10
    GRE_ACKNOWLEDGE = 0x80       # in the second octet
    GRE_REFUSED = 0xC0           # checksum and routing: never in enhanced GRE
    GRE_PROTOCOL = 0x880B
    GRE_LARGEST = 16
    IP_HEADER = 20
    PROTOCOL_GRE = 47


cdef struct gre_packet:
    uint32_t source              # as on the wire
    uint32_t destination
    uint32_t sequence
    uint32_t acknowledged
    uint16_t call_id
    uint16_t length
    uint8_t has_sequence
    uint8_t has_acknowledged
    const uint8_t *payload


cdef inline uint16_t get16(const uint8_t *p) noexcept nogil:
    return <uint16_t> ((p[0] << 8) | p[1])


cdef inline uint32_t get32(const uint8_t *p) noexcept nogil:
    return (<uint32_t> p[0] << 24) | (<uint32_t> p[1] << 16) | (<uint32_t> p[2] << 8) | p[3]


cdef inline void put16(uint8_t *p, uint32_t x) noexcept nogil:
    p[0] = <uint8_t> (x >> 8)
    p[1] = <uint8_t> x


cdef inline void put32(uint8_t *p, uint32_t x) noexcept nogil:
    p[0] = <uint8_t> (x >> 24)
    p[1] = <uint8_t> (x >> 16)
    p[2] = <uint8_t> (x >> 8)
    p[3] = <uint8_t> x


cdef int gre_parse(const uint8_t *packet, uint32_t length, gre_packet *out) noexcept nogil:
    """Read an IPv4 packet that should hold enhanced GRE; returns -1, or the DropReason."""
    cdef uint32_t header, total
    if length < IP_HEADER or packet[0] >> 4 != 4:
        return OUTER_MALFORMED
    header = (packet[0] & 15) * 4
    total = get16(packet + 2)
    if header < IP_HEADER or total > length or total < header + 8 or packet[9] != PROTOCOL_GRE:
        return OUTER_MALFORMED
    memcpy(&out.source, packet + 12, 4)
    memcpy(&out.destination, packet + 16, 4)
    return gre_parse_header(packet + header, total - header, out)


cdef int gre_parse_header(const uint8_t *gre, uint32_t length, gre_packet *out) noexcept nogil:
    """The GRE header; `length` is at least 8. Payload length is the key's: the IP packet may be padded."""
    cdef uint32_t header = 8
    if gre[1] & 7 != 1 or get16(gre + 2) != GRE_PROTOCOL:
        return GRE_VERSION
    if gre[0] & (GRE_KEY | GRE_REFUSED) != GRE_KEY:
        return GRE_MALFORMED
    out.sequence = out.acknowledged = 0
    out.length = get16(gre + 4)
    out.call_id = get16(gre + 6)
    out.has_sequence = gre[0] & GRE_SEQUENCE != 0
    out.has_acknowledged = gre[1] & GRE_ACKNOWLEDGE != 0
    if length < header + 4 * (out.has_sequence + out.has_acknowledged):
        return GRE_MALFORMED
    if out.has_sequence:
        out.sequence = get32(gre + header)
        header += 4
    if out.has_acknowledged:
        out.acknowledged = get32(gre + header)
        header += 4
    if out.length > length - header or (out.length and not out.has_sequence):
        return GRE_LENGTH
    out.payload = gre + header
    return -1


cdef uint8_t *gre_build(call_state *call, uint8_t *payload, uint32_t length) noexcept nogil:
    """Write a header in front of a payload (NULL end: a ZLB, length 0); returns its first octet.

    Takes the next sequence number if there is a payload, and tells the peer what we have got.
    """
    cdef uint8_t *p = payload
    cdef uint8_t acknowledge = 0
    if call.rx_started:
        p -= 4
        put32(p, call.rx_next - 1)
        call.rx_acked = call.rx_next
        call.ack_due = NEVER
        acknowledge = GRE_ACKNOWLEDGE
    if length:
        p -= 4
        put32(p, call.tx_next)
        call.tx_next += 1
    p -= 8
    p[0] = GRE_KEY | (GRE_SEQUENCE if length else 0)
    p[1] = 1 | acknowledge
    put16(p + 2, GRE_PROTOCOL)
    put16(p + 4, length)
    put16(p + 6, call.peer_call_id)
    return p
