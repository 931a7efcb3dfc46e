# What an inner packet must be, and the one thing that is changed in it: the MSS of a TCP SYN.

cdef enum:
    IPV6_HEADER = 40
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    PROTOCOL_ICMP = 1
    PROTOCOL_ICMPV6 = 58
    NO_PREFIX = 255
    TCP_SYN = 2
    TCP_OPTION_END = 0
    TCP_OPTION_NOP = 1
    TCP_OPTION_MSS = 2


cdef bint inner_valid(int protocol, const uint8_t *ip, uint32_t *length) noexcept nogil:
    """Whether this is one whole IP packet of the protocol's version; padding is cut off."""
    cdef uint32_t header, total
    if protocol == PPP_IP:
        if length[0] < IP_HEADER or ip[0] >> 4 != 4:
            return False
        header = (ip[0] & 15) * 4
        total = get16(ip + 2)
        if header < IP_HEADER or total < header or total > length[0]:
            return False
        length[0] = total
        return sum_fold(sum_add(ip, header, 0)) == 0xFFFF
    if protocol != PPP_IPV6 or length[0] < IPV6_HEADER or ip[0] >> 4 != 6:
        return False
    total = IPV6_HEADER + get16(ip + 4)
    if total > length[0]:
        return False
    length[0] = total
    return True


cdef bint source_allowed(worker *w, call_state *call, const uint8_t *ip) noexcept nogil:
    """The peer may send from what it was assigned, and from the networks behind it."""
    if not call.check_source:
        return True
    if ip[0] >> 4 == 4:
        return memcmp(ip + 12, &call.inner_address, 4) == 0 or (
            call.routed and route_find(&w.routes, ip + 12, 4) == call.handle
        )
    return (
        prefix_covers(call, ip + 8)
        or (call.routed and route_find(&w.routes, ip + 8, 6) == call.handle)
        or link_local(ip + 8, call.peer_identifier)
        or (sum_add(ip + 8, 16, 0) == 0 and ip[6] == PROTOCOL_ICMPV6)
    )


cdef inline bint prefix_covers(call_state *call, const uint8_t *address) noexcept nogil:
    cdef uint32_t whole = call.prefix_length >> 3
    if call.prefix_length == NO_PREFIX or memcmp(address, call.prefix, whole):
        return False
    return not call.prefix_length & 7 or not (
        (address[whole] ^ call.prefix[whole]) & <uint8_t> (0xFF00 >> (call.prefix_length & 7))
    )


cdef inline bint link_local(const uint8_t *address, const uint8_t *identifier) noexcept nogil:
    """fe80::/64 with this interface identifier (RFC 5072 5)."""
    return (
        get32(address) == <uint32_t> 0xFE800000
        and get32(address + 4) == 0
        and memcmp(address + 8, identifier, 8) == 0
    )


cdef inline bint destination_allowed(worker *w, call_state *call, const uint8_t *ip) noexcept nogil:
    """Without client to client, the inside may be reached but no other call."""
    cdef uint32_t other
    if call.client_to_client:
        return True
    other = route_find(&w.routes, ip + (16 if ip[0] >> 4 == 4 else 24), ip[0] >> 4)
    return other == 0 or other == call.handle


cdef uint32_t tcp_offset(const uint8_t *ip, uint32_t length) noexcept nogil:
    """Where a whole TCP header begins, or 0: another protocol, a later fragment, too short."""
    cdef uint32_t header = IPV6_HEADER
    cdef uint8_t protocol = ip[6]
    if ip[0] >> 4 == 4:
        if get16(ip + 6) & 0x1FFF:
            return 0
        header = (ip[0] & 15) * 4
        protocol = ip[9]
    if protocol != PROTOCOL_TCP or length < header + 20:
        return 0
    return 0 if length < header + (ip[header + 12] >> 4) * 4 else header


cdef void clamp_mss(worker *w, call_state *call, uint8_t *ip, uint32_t length) noexcept nogil:
    """No TCP segment of this connection shall need a packet larger than the call carries."""
    cdef uint32_t at = tcp_offset(ip, length), end, limit = call.mss
    if at == 0 or not ip[at + 13] & TCP_SYN:
        return
    if limit == 0:
        limit = call_mtu(w, call) - (at + 20)
    end = at + (ip[at + 12] >> 4) * 4
    clamp_option(ip + at, 20, end - at, limit)


cdef void clamp_option(uint8_t *tcp, uint32_t k, uint32_t end, uint32_t limit) noexcept nogil:
    cdef uint32_t mss
    while k < end and tcp[k] != TCP_OPTION_END:
        if tcp[k] == TCP_OPTION_NOP:
            k += 1
            continue
        if k + 2 > end or tcp[k + 1] < 2 or k + tcp[k + 1] > end:
            return
        if tcp[k] == TCP_OPTION_MSS and tcp[k + 1] == 4:
            mss = get16(tcp + k + 2)
            if mss > limit:
                put16(tcp + k + 2, limit)
                if k & 1:
                    # The value lies across two words of the sum.
                    mss = (mss >> 8 | mss << 8) & 0xFFFF
                    limit = (limit >> 8 | limit << 8) & 0xFFFF
                checksum_adjust(tcp + 16, mss, limit)
            return
        k += tcp[k + 1]
