# PPP framing inside GRE (RFC 1661 2, RFC 1662 3.1 without flags and FCS). Both compressions are
# understood whether or not they were negotiated, because peers disagree about when they begin.

cdef enum:
    PPP_IP = 0x0021
    PPP_IPV6 = 0x0057
    PPP_COMPRESSED = 0x00FD      # MPPE (RFC 3078 2)
    PPP_LCP = 0xC021
    PPP_CCP = 0x80FD
    PPP_ADDRESS = 0xFF
    PPP_CONTROL = 0x03


cdef inline int ppp_parse(const uint8_t **data, uint32_t *length) noexcept nogil:
    """Step over the framing; returns the protocol, or -1 when there is none."""
    cdef const uint8_t *p = data[0]
    cdef uint32_t left = length[0]
    if left >= 2 and p[0] == PPP_ADDRESS and p[1] == PPP_CONTROL:
        p += 2
        left -= 2
    return ppp_protocol(data, length, p, left)


cdef inline int ppp_protocol(
    const uint8_t **data, uint32_t *length, const uint8_t *p, uint32_t left
) noexcept nogil:
    """The protocol field: its last octet is the odd one (RFC 1661 2)."""
    if left >= 1 and p[0] & 1:
        data[0] = p + 1
        length[0] = left - 1
        return p[0]
    if left >= 2 and p[1] & 1:
        data[0] = p + 2
        length[0] = left - 2
        return get16(p)
    return -1


cdef inline uint8_t *ppp_build(call_state *call, uint8_t *p, uint32_t protocol) noexcept nogil:
    """Write the framing of a data packet in front of `p`; returns its first octet."""
    p -= 1
    p[0] = <uint8_t> protocol
    if not call.compression & COMPRESS_PROTOCOL:
        p -= 1
        p[0] = <uint8_t> (protocol >> 8)
    if not call.compression & COMPRESS_ADDRESS:
        p -= 2
        p[0] = PPP_ADDRESS
        p[1] = PPP_CONTROL
    return p
