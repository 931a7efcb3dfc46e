# Packets of our own making for the inner side and for IPv6 peers: too-big messages, fragments,
# router advertisements.

cdef enum:
    ICMP_BURST = 64              # too-big messages of one worker, and as many again each second
    ICMP_QUOTE = 28              # octets of the packet's start in an ICMP message (RFC 792)
    ICMPV6_SMALLEST_MTU = 1280
    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134
    ADVERTISE_INTERVAL = 600000  # RFC 4861 6.2.1, MaxRtrAdvInterval
    ROUTER_LIFETIME = 1800


cdef void too_big(
    worker *w, call_state *call, uint32_t frame, uint8_t *ip, uint32_t length
) noexcept nogil:
    """Larger than the call carries: say so where the sender asked for it, else cut. Takes the frame."""
    if ip[0] >> 4 == 4 and not ip[6] & 0x40:
        fragment(w, call, ip, length)
    else:
        refuse(w, call, INNER_TOO_BIG)
        if budget_take(&w.icmp, w.now, ICMP_BURST):
            if ip[0] >> 4 == 4:
                fragmentation_needed(w, call, ip)
            else:
                packet_too_big(w, call, ip, length)
    frame_give(w, frame)


cdef void fragmentation_needed(worker *w, call_state *call, const uint8_t *packet) noexcept nogil:
    """RFC 1191 4. It comes from the address the packet went to: that one is routed to us, ours is not."""
    cdef uint32_t frame = frame_take(w), quoted = (packet[0] & 15) * 4 + 8
    cdef uint8_t *ip
    if frame == NO_FRAME_INDEX:
        return
    ip = frame_at(w, frame) + HEADROOM
    memset(ip, 0, ICMP_QUOTE)
    ip[0] = 0x45
    put16(ip + 2, ICMP_QUOTE + quoted)
    ip[8] = 64
    ip[9] = PROTOCOL_ICMP
    memcpy(ip + 12, packet + 16, 4)
    memcpy(ip + 16, packet + 12, 4)
    ip_checksum(ip)
    ip[20] = 3
    ip[21] = 4
    put16(ip + 26, call_mtu(w, call))
    memcpy(ip + ICMP_QUOTE, packet, quoted)
    checksum_put(ip + 22, sum_add(ip + 20, 8 + quoted, 0))
    inner_write(w, ip, ICMP_QUOTE + quoted)
    inner_flush(w)
    frame_give(w, frame)


cdef void packet_too_big(worker *w, call_state *call, const uint8_t *packet, uint32_t length) noexcept nogil:
    """RFC 4443 3.2, with as much of the packet as 1,280 octets hold."""
    cdef uint32_t frame = frame_take(w)
    cdef uint8_t *ip
    if frame == NO_FRAME_INDEX:
        return
    if length > ICMPV6_SMALLEST_MTU - IPV6_HEADER - 8:
        length = ICMPV6_SMALLEST_MTU - IPV6_HEADER - 8
    ip = frame_at(w, frame) + HEADROOM
    ipv6_header(ip, packet + 24, packet + 8, 8 + length, 64)
    memset(ip + 40, 0, 8)
    ip[40] = 2
    put32(ip + 44, call_mtu(w, call))
    memcpy(ip + 48, packet, length)
    checksum_put(ip + 42, sum_add(ip + 40, 8 + length, pseudo_sum(ip, 8 + length, PROTOCOL_ICMPV6)))
    inner_write(w, ip, 48 + length)
    inner_flush(w)
    frame_give(w, frame)


cdef void ipv6_header(
    uint8_t *ip, const uint8_t *source, const uint8_t *destination, uint32_t length, uint8_t hops
) noexcept nogil:
    memset(ip, 0, 8)
    ip[0] = 0x60
    put16(ip + 4, length)
    ip[6] = PROTOCOL_ICMPV6
    ip[7] = hops
    memcpy(ip + 8, source, 16)
    memcpy(ip + 24, destination, 16)


cdef void fragment(worker *w, call_state *call, const uint8_t *ip, uint32_t length) noexcept nogil:
    """RFC 791 3.2. Options go into every fragment: the few that should not are not worth the code."""
    cdef uint32_t header = (ip[0] & 15) * 4
    cdef uint32_t step = (call_mtu(w, call) - header) & ~(<uint32_t> 7)
    cdef uint32_t at = header, part, frame, offset
    cdef uint8_t *piece
    while at < length:
        part = step if length - at > step else length - at
        frame = frame_take(w)
        if frame == NO_FRAME_INDEX:
            refuse(w, call, NO_FRAME)
            return
        piece = frame_at(w, frame) + HEADROOM
        memcpy(piece, ip, header)
        memcpy(piece + header, ip + at, part)
        offset = get16(ip + 6) + ((at - header) >> 3)
        put16(piece + 6, offset | 0x2000 if at + part < length else offset)
        put16(piece + 2, header + part)
        ip_checksum(piece)
        transmit_data(w, call, frame, piece, header + part)
        at += part


cdef bint router_solicited(call_state *call, const uint8_t *ip, uint32_t length) noexcept nogil:
    """RFC 4861 6.1.1."""
    return (
        call.prefix_length <= 64
        and ip[6] == PROTOCOL_ICMPV6
        and ip[7] == 255
        and length >= IPV6_HEADER + 8
        and ip[40] == ROUTER_SOLICITATION
    )


cdef void advertise(worker *w, call_state *call) noexcept nogil:
    """A Router Advertisement with the call's prefix (RFC 4861 4.2), and the next in its time."""
    cdef uint32_t frame
    cdef uint8_t *ip
    call.advertise_due = NEVER
    if call.prefix_length > 64 or not call.gates & GATE_6 or (call_armed(call) and not call.send_key.armed):
        return
    frame = frame_take(w)
    if frame == NO_FRAME_INDEX:
        refuse(w, call, NO_FRAME)
        return
    ip = frame_at(w, frame) + HEADROOM
    advertisement(w, call, ip)
    transmit_data(w, call, frame, ip, IPV6_HEADER + 56)
    call.advertise_due = w.now + ADVERTISE_INTERVAL
    schedule(w, call, call.advertise_due)


cdef void advertisement(worker *w, call_state *call, uint8_t *ip) noexcept nogil:
    cdef uint8_t source[16]
    cdef uint8_t all_nodes[16]
    memset(source, 0, 16)
    memset(all_nodes, 0, 16)
    put16(source, 0xFE80)
    memcpy(source + 8, call.local_identifier, 8)
    put16(all_nodes, 0xFF02)
    all_nodes[15] = 1
    ipv6_header(ip, source, all_nodes, 56, 255)
    memset(ip + 40, 0, 56)
    ip[40] = ROUTER_ADVERTISEMENT
    ip[44] = 64
    put16(ip + 46, ROUTER_LIFETIME)
    ip[56] = 5                   # option: MTU (RFC 4861 4.6.4)
    ip[57] = 1
    put32(ip + 60, call_mtu(w, call))
    ip[64] = 3                   # option: Prefix Information (4.6.2), for autoconfiguration, not on link
    ip[65] = 4
    ip[66] = call.prefix_length
    ip[67] = 0x40
    put32(ip + 68, 86400)
    put32(ip + 72, 14400)
    memcpy(ip + 80, call.prefix, 16)
    checksum_put(ip + 42, sum_add(ip + 40, 56, pseudo_sum(ip, 56, PROTOCOL_ICMPV6)))
