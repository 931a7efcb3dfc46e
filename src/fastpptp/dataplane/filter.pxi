# Traffic filters: which inner packets a call may exchange with the inside. A filter is an ordered list
# of rules, of which the first that matches decides, and a default action. It is compiled once into
# read-only memory that all workers share (filter_tables.pxi); a call refers to it by its slot.
#
# Fragments. No state is kept, and yet no datagram that a filter drops can be put together from pieces
# that it let pass. All that rules look at lies in the first fragment, which is judged as the whole
# datagram would be, and dropped when it is too short for a rule that would have to look further
# (RFC 1858 3). A fragment that begins at octet 8 could replace what was looked at while a host puts the
# pieces together; it is dropped whatever its protocol (RFC 1858 4, RFC 3128). In IPv6 the transport
# header must follow the Fragment header at once, for else it could lie beyond that octet. A later
# fragment has no ports: a rule that looks at them lets it pass by its addresses if it forwards, and if
# it drops leaves the fragment in doubt, which only a rule that forwards can lift, not the default action.

cdef enum:
    INBOUND = 0                  # from the peer
    OUTBOUND = 1
    FILTER_RULES = 256
    FILTER_SLOTS = 2048
    NO_FILTER = 0                # no slot
    ANY_PROTOCOL = 256
    ACTION_FORWARD = 1
    ACTION_LOG = 2

# What decides where no rule does, numbered behind the rules.
cdef enum:
    BY_DEFAULT = 0
    UNJUDGED = 1
    BESIDE_RULES = 2

cdef enum:
    WHOLE
    FIRST_FRAGMENT
    LATER_FRAGMENT

cdef enum:
    SEES_PORTS = 4               # octets of the transport header
    SEES_ICMP = 2
    SEES_TCP_FLAGS = 14
    TCP_RST = 4

cdef enum:
    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT = 44
    DESTINATION_OPTIONS = 60
    OPTION_LSRR = 131
    OPTION_SSRR = 137

cdef enum:
    LOG_RING = 1 << 16
    LOG_BURST = 32               # packets of one worker, and as many again each second
    LOG_OCTETS = 96              # of the packet's start


cdef struct rule:
    uint16_t protocol
    uint16_t number              # its place in the filter, where it counts
    uint16_t first_low           # source port or ICMP type: at most `span` above `low`
    uint16_t first_span
    uint16_t second_low          # destination port or ICMP code
    uint16_t second_span
    uint8_t needs                # octets of the transport header that it looks at
    uint8_t established          # TCP with ACK or RST
    uint8_t action
    uint8_t reserved
    uint64_t agree[4][2]         # both addresses and which of their bits must agree; IPv4: the first pair


cdef struct rule_list:
    uint32_t count
    uint32_t stride
    uint8_t *rules


cdef struct traffic_filter:
    uint64_t serial              # of this compiled form
    rule_list lists[2][2]        # [direction][IPv6 or not]
    uint64_t *counts             # packets and octets of each rule; a row for each worker
    uint32_t row                 # uint64s in a row
    uint32_t rules
    uint8_t default_action
    uint8_t fragments            # may pass
    uint8_t source_routing       # may pass


cdef struct filter_set:
    traffic_filter *slots[2048]  # FILTER_SLOTS


# What rules look at in one packet.
cdef struct inner_headers:
    uint64_t addresses[4]        # source and destination as they lie in the packet; IPv4: one word
    uint32_t words
    uint32_t available           # octets of the transport header
    const uint8_t *transport
    uint16_t protocol
    uint8_t fragment
    uint8_t source_routed


cdef struct log_body:
    uint64_t serial
    uint32_t rule
    uint32_t length
    uint32_t suppressed          # that would have been logged since the last one
    uint8_t direction
    uint8_t forwarded


cdef bint source_route_option(const uint8_t *option, uint32_t length) noexcept nogil:
    """RFC 791 3.1. Options that cannot be read may hide one."""
    cdef uint32_t k = 0
    while k < length and option[k] != 0:
        if option[k] == 1:
            k += 1
        elif option[k] == OPTION_LSRR or option[k] == OPTION_SSRR:
            return True
        elif k + 2 > length or option[k + 1] < 2:
            return True
        else:
            k += option[k + 1]
    return False


cdef bint inspect_4(inner_headers *h, const uint8_t *ip, uint32_t length) noexcept nogil:
    cdef uint32_t header = (ip[0] & 15) * 4, place = get16(ip + 6) & 0x3FFF
    if header > length or place & 0x1FFF == 1:
        return False
    memcpy(h.addresses, ip + 12, 8)
    h.words = 1
    h.protocol = ip[9]
    h.transport = ip + header
    h.available = length - header
    if place:
        h.fragment = LATER_FRAGMENT if place & 0x1FFF else FIRST_FRAGMENT
    h.source_routed = header > IP_HEADER and source_route_option(ip + IP_HEADER, header - IP_HEADER)
    return True


cdef inline bint extension(uint32_t protocol) noexcept nogil:
    """An extension header in front of the transport header (RFC 8200 4)."""
    return (
        protocol == HOP_BY_HOP or protocol == ROUTING
        or protocol == DESTINATION_OPTIONS or protocol == FRAGMENT
    )


cdef bint inspect_6(inner_headers *h, const uint8_t *ip, uint32_t length) noexcept nogil:
    cdef uint32_t at = IPV6_HEADER, protocol = ip[6], place
    memcpy(h.addresses, ip + 8, 32)
    h.words = 4
    while extension(protocol):
        if at + 8 > length:
            return False
        if protocol == FRAGMENT:
            place = get16(ip + at + 2)
            h.fragment = LATER_FRAGMENT if place >> 3 else FIRST_FRAGMENT
            if place >> 3 == 1 or (place >> 3 == 0 and extension(ip[at])):
                return False
            protocol = ip[at]
            at += 8
            break
        # Segments left: it goes to another address than the header's.
        h.source_routed |= protocol == ROUTING and ip[at + 3] != 0
        protocol = ip[at]
        at += (ip[at + 1] + 1) * 8
    if at > length:
        return False
    h.protocol = <uint16_t> protocol
    h.transport = ip + at
    h.available = length - at
    return True


cdef inline bint rule_concerns(const rule *r, const inner_headers *h) noexcept nogil:
    """Protocol and addresses."""
    cdef uint32_t k
    if r.protocol != ANY_PROTOCOL and r.protocol != h.protocol:
        return False
    for k in range(h.words):
        if (h.addresses[k] ^ r.agree[k][0]) & r.agree[k][1]:
            return False
    return True


cdef inline bint rule_fits(const rule *r, const inner_headers *h) noexcept nogil:
    """Ports, ICMP type and code, TCP flags; they are there."""
    cdef const uint8_t *t = h.transport
    cdef uint32_t first = t[0], second = t[1]
    if r.needs != SEES_ICMP:
        first = get16(t)
        second = get16(t + 2)
    return (
        first - r.first_low <= r.first_span
        and second - r.second_low <= r.second_span
        and not (r.established and not t[13] & (TCP_ACK | TCP_RST))
    )


cdef uint32_t judge(
    const traffic_filter *f, const inner_headers *h, uint32_t direction, uint32_t *action
) noexcept nogil:
    """The number of what decides."""
    cdef const rule_list *rules = &f.lists[direction][h.words == 4]
    cdef const uint8_t *at = rules.rules
    cdef const rule *r
    cdef bint doubt = False
    cdef uint32_t k
    for k in range(rules.count):
        r = <const rule *> at
        at += rules.stride
        if not rule_concerns(r, h):
            continue
        if r.needs and h.fragment == LATER_FRAGMENT:
            if not r.action & ACTION_FORWARD:
                doubt = True
                continue
        elif r.needs > h.available:
            return f.rules + UNJUDGED
        elif r.needs and not rule_fits(r, h):
            continue
        action[0] = r.action
        return r.number
    if doubt and f.default_action & ACTION_FORWARD:
        return f.rules + UNJUDGED
    action[0] = f.default_action
    return f.rules + BY_DEFAULT


cdef uint32_t inspect_and_judge(
    const traffic_filter *f, const uint8_t *ip, uint32_t length, uint32_t direction, uint32_t *action
) noexcept nogil:
    """UNJUDGED, and so dropped: what cannot be read or is not wanted whatever the rules say."""
    cdef inner_headers h
    h.fragment = WHOLE
    h.source_routed = 0
    if not (inspect_6(&h, ip, length) if ip[0] >> 4 == 6 else inspect_4(&h, ip, length)):
        return f.rules + UNJUDGED
    if h.source_routed and not f.source_routing or h.fragment != WHOLE and not f.fragments:
        return f.rules + UNJUDGED
    return judge(f, &h, direction, action)


cdef bint filter_passes(
    worker *w, call_state *call, const uint8_t *ip, uint32_t length, uint32_t direction,
    uint32_t packets, uint32_t octets
) noexcept nogil:
    """Whether the call's filter forwards this packet, which stands for `packets` of `octets` in all.

    It counts, and logs where the rule says so. Where the slot is empty nothing passes: its filter is
    gone and the call has not been told what holds instead, or the call came from another worker
    before the set of filters did.
    """
    cdef traffic_filter *f = w.filters.slots[call.filter] if w.filters != NULL else NULL
    cdef uint32_t number, action = 0
    cdef uint64_t *counts
    cdef int reason = FILTERED
    if f != NULL:
        number = inspect_and_judge(f, ip, length, direction, &action)
        counts = f.counts + w.index * f.row + number * 2
        counts[0] += packets
        counts[1] += octets
        if action & ACTION_LOG:
            filter_log(w, call, f, number, action, direction, ip, length)
        if action & ACTION_FORWARD:
            return True
        if number == f.rules + UNJUDGED:
            reason = FILTER_UNJUDGED
    if direction == INBOUND:
        discard(w, call, reason)
    else:
        refuse(w, call, reason)
    return False


cdef void filter_log(
    worker *w, call_state *call, const traffic_filter *f, uint32_t number, uint32_t action,
    uint32_t direction, const uint8_t *ip, uint32_t length
) noexcept nogil:
    """Tell Python of a packet, or count it as suppressed."""
    cdef uint32_t kept = length if length < LOG_OCTETS else LOG_OCTETS
    cdef uint64_t end = 0
    cdef record *place = NULL
    cdef log_body *body
    if budget_take(&w.logging, w.now, LOG_BURST):
        place = ring_reserve(&w.logs, <uint32_t> sizeof(log_body) + kept, &end)
    if place == NULL:
        w.log_suppressed += 1
        return
    place.handle = call.handle
    body = <log_body *> record_body(place)
    body.serial = f.serial
    body.rule = number
    body.length = length
    body.suppressed = w.log_suppressed
    body.direction = direction
    body.forwarded = action & ACTION_FORWARD
    memcpy(body + 1, ip, kept)
    w.log_suppressed = 0
    ring_publish(&w.logs, end)
    w.notify = True
