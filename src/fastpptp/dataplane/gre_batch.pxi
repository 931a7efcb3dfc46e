# Enhanced GRE for callers with buffers of their own: batches in C (include/fastpptp.h) and in numpy
# arrays (_core.pyi), which say everything that a caller needs.

cdef fastpptp_status gre_status(int reason) noexcept nogil:
    """What gre_parse() found wrong, in the words of the header file; -1 is nothing."""
    if reason == -1:
        return FASTPPTP_OK
    if reason == GRE_VERSION:
        return FASTPPTP_VERSION
    return FASTPPTP_LENGTH if reason == GRE_LENGTH else FASTPPTP_MALFORMED


cdef fastpptp_status gre_encap_one(fastpptp_gre *packet, call_state *call) noexcept nogil:
    """`call` is scratch: as much of a call as gre_build() looks at."""
    cdef uint8_t payload = 0
    cdef uint8_t *end = packet.payload
    packet.flags &= FASTPPTP_GRE_ACKNOWLEDGED
    if packet.payload_length > 0xFFFF:
        return FASTPPTP_LENGTH
    payload = packet.payload_length != 0
    if packet.headroom < 8 + 4 * payload + 4 * packet.flags:
        return FASTPPTP_LENGTH
    call.rx_started = packet.flags
    call.rx_next = packet.acknowledged + 1
    call.tx_next = packet.sequence
    call.peer_call_id = packet.call_id
    packet.packet = gre_build(call, end, packet.payload_length)
    packet.packet_length = <uint32_t> (end - packet.packet) + packet.payload_length
    if payload:
        packet.flags |= FASTPPTP_GRE_SEQUENCE
    return FASTPPTP_OK


cdef size_t fastpptp_gre_encap(fastpptp_gre *packets, size_t count) noexcept nogil:
    cdef call_state scratch
    cdef size_t k, good = 0
    for k in range(count):
        packets[k].status = <uint8_t> gre_encap_one(&packets[k], &scratch)
        good += packets[k].status == FASTPPTP_OK
    return good


cdef fastpptp_status gre_decap_one(fastpptp_gre *packet, bint ipv4) noexcept nogil:
    cdef gre_packet found
    cdef int reason = OUTER_MALFORMED
    found.source = found.destination = 0
    if ipv4:
        reason = gre_parse(packet.packet, packet.packet_length, &found)
    elif packet.packet_length >= 8:
        reason = gre_parse_header(packet.packet, packet.packet_length, &found)
    if reason != -1:
        return gre_status(reason)
    packet.payload = <uint8_t *> found.payload
    packet.payload_length = found.length
    packet.sequence = found.sequence
    packet.acknowledged = found.acknowledged
    packet.source_address = found.source
    packet.target_address = found.destination
    packet.call_id = found.call_id
    packet.flags = (FASTPPTP_GRE_ACKNOWLEDGED * found.has_acknowledged
                    | FASTPPTP_GRE_SEQUENCE * found.has_sequence)
    return FASTPPTP_OK


cdef size_t gre_decap_all(fastpptp_gre *packets, size_t count, bint ipv4) noexcept nogil:
    cdef size_t k, good = 0
    for k in range(count):
        packets[k].status = <uint8_t> gre_decap_one(&packets[k], ipv4)
        good += packets[k].status == FASTPPTP_OK
    return good


cdef size_t fastpptp_gre_decap(fastpptp_gre *packets, size_t count) noexcept nogil:
    return gre_decap_all(packets, count, False)


cdef size_t fastpptp_gre_decap_ipv4(fastpptp_gre *packets, size_t count) noexcept nogil:
    return gre_decap_all(packets, count, True)


# For numpy.

GRE_ACKNOWLEDGED = FASTPPTP_GRE_ACKNOWLEDGED
GRE_SEQUENCED = FASTPPTP_GRE_SEQUENCE
GRE_OK = FASTPPTP_OK
GRE_BAD = FASTPPTP_MALFORMED
GRE_BAD_VERSION = FASTPPTP_VERSION
GRE_BAD_LENGTH = FASTPPTP_LENGTH

# Where a packet, then its payload, lies in its row, and what its header says.
cdef packed struct gre_row:
    uint32_t start
    uint32_t length
    uint32_t sequence
    uint32_t acknowledged
    uint8_t source[4]
    uint8_t target[4]
    uint16_t call_id
    uint8_t flags
    uint8_t status
    uint32_t reserved

GRE_HEADER = np.dtype([
    ("start", np.uint32),
    ("length", np.uint32),
    ("sequence", np.uint32),
    ("acknowledged", np.uint32),
    ("source", np.uint8, 4),
    ("target", np.uint8, 4),
    ("call_id", np.uint16),
    ("flags", np.uint8),
    ("status", np.uint8),
    ("reserved", np.uint32),
])
assert GRE_HEADER.itemsize == sizeof(gre_row)


cdef const uint8_t[:, ::1] gre_rows(headers, Py_ssize_t rows, Py_ssize_t width, uint32_t room):
    """The headers as octets, once it is certain that every packet lies in its row."""
    if not isinstance(headers, np.ndarray) or headers.dtype != GRE_HEADER or headers.ndim != 1:
        raise TypeError("headers must be a one-dimensional array of GRE_HEADER")
    if not headers.flags.c_contiguous or not headers.flags.writeable:
        raise ValueError("headers must be contiguous and writable")
    cdef uint8_t[:, ::1] octets = headers.view(np.uint8).reshape(len(headers), sizeof(gre_row))
    cdef gre_row *row
    cdef Py_ssize_t k
    if rows < octets.shape[0]:
        raise ValueError(f"{octets.shape[0]} headers, but {rows} packets")
    for k in range(octets.shape[0]):
        row = <gre_row *> &octets[k, 0]
        if row.start < room or <size_t> row.start + row.length > <size_t> width:
            raise ValueError(f"packet {k}: {row.length} octets from {row.start} do not fit a row of {width}")
        if row.length > 0xFFFF:
            raise ValueError(f"packet {k} has {row.length} octets; 65535 is the most")
    return octets


def gre_encap_batch(headers, uint8_t[:, ::1] packets not None):
    cdef const uint8_t[:, ::1] octets = gre_rows(headers, packets.shape[0], packets.shape[1], GRE_LARGEST)
    cdef gre_row *row
    cdef fastpptp_gre packet
    cdef call_state scratch
    cdef Py_ssize_t k
    with nogil:
        for k in range(octets.shape[0]):
            row = <gre_row *> &octets[k, 0]
            packet.payload = &packets[k, 0] + row.start
            packet.payload_length = row.length
            packet.headroom = row.start
            packet.sequence = row.sequence
            packet.acknowledged = row.acknowledged
            packet.call_id = row.call_id
            packet.flags = row.flags
            row.status = <uint8_t> gre_encap_one(&packet, &scratch)
            row.flags = packet.flags
            row.start = <uint32_t> (packet.packet - &packets[k, 0])
            row.length = packet.packet_length


def gre_decap_batch(headers, const uint8_t[:, ::1] packets not None, bint ipv4=False):
    cdef const uint8_t[:, ::1] octets = gre_rows(headers, packets.shape[0], packets.shape[1], 0)
    cdef gre_row *row
    cdef fastpptp_gre packet
    cdef Py_ssize_t k, good = 0
    with nogil:
        for k in range(octets.shape[0]):
            row = <gre_row *> &octets[k, 0]
            packet.packet = <uint8_t *> &packets[k, 0] + row.start
            packet.packet_length = row.length
            row.status = <uint8_t> gre_decap_one(&packet, ipv4)
            if row.status != FASTPPTP_OK:
                continue
            row.start = <uint32_t> (packet.payload - &packets[k, 0])
            row.length = packet.payload_length
            row.sequence = packet.sequence
            row.acknowledged = packet.acknowledged
            memcpy(row.source, &packet.source_address, 4)
            memcpy(row.target, &packet.target_address, 4)
            row.call_id = packet.call_id
            row.flags = packet.flags
            good += 1
    return good
