# cython: language_level=3
"""One end of an encrypted GRE tunnel, in Cython; the twin of ../c/endpoint.c.

The loop runs without the GIL on memory of its own; the descriptors are the caller's.
"""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from fastpptp._core cimport (
    FASTPPTP_GRE_ACKNOWLEDGED,
    FASTPPTP_GRE_HEADER,
    FASTPPTP_MPPE_HEADER,
    FASTPPTP_OK,
    fastpptp_engine,
    fastpptp_engine_free,
    fastpptp_engine_new,
    fastpptp_gre,
    fastpptp_gre_decap_ipv4,
    fastpptp_gre_encap,
    fastpptp_mppe,
    fastpptp_mppe_decrypt,
    fastpptp_mppe_encrypt,
    fastpptp_mppe_init,
    fastpptp_mppe_wipe,
    fastpptp_packet,
)

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int POLLIN, POLLNVAL
    int poll(pollfd *descriptors, unsigned long count, int milliseconds)

cdef extern from "<sys/socket.h>" nogil:
    int MSG_DONTWAIT, MSG_NOSIGNAL
    Py_ssize_t recv(int fd, void *buffer, size_t size, int flags)
    Py_ssize_t send(int fd, const void *buffer, size_t size, int flags)

cdef enum:
    BATCH = 64
    ROW = 2048
    CATCH_UP = 256
    PPP = FASTPPTP_GRE_HEADER           # where FF 03 00 FD stands in a packet to be sent,
    MPPE = PPP + 4                      # the MPPE header,
    TEXT = MPPE + FASTPPTP_MPPE_HEADER  # the encrypted protocol field 00 21,
    IP = TEXT + 2                       # and the IPv4 packet

cdef const uint8_t *ENCRYPTED = b"\xff\x03\x00\xfd"
cdef const uint8_t *IPV4 = b"\x00\x21"


cdef struct tunnel:
    fastpptp_engine *engine
    fastpptp_mppe send
    fastpptp_mppe receive
    int outer
    int inner
    uint16_t call_id
    uint16_t peer_call_id
    uint32_t next                # to send
    uint32_t expected            # one above the last received
    bint heard
    size_t sent
    size_t received
    size_t dropped
    fastpptp_packet packets[BATCH]
    fastpptp_gre gres[BATCH]
    uint8_t rows[BATCH][ROW]
    Py_ssize_t sizes[BATCH]


cdef int take(tunnel *t, int fd, size_t offset) noexcept nogil:
    """Take what waits, each packet at `offset` of a row; -1: the other side is gone."""
    cdef int count = 0
    while count < BATCH:
        t.sizes[count] = recv(fd, t.rows[count] + offset, ROW - offset, MSG_DONTWAIT)
        if t.sizes[count] <= 0:
            return -1 if t.sizes[count] == 0 and count == 0 else count
        count += 1
    return count


cdef bint outward(tunnel *t) noexcept nogil:
    cdef int k, count = take(t, t.inner, IP)
    if count < 0:
        return False
    memset(t.packets, 0, sizeof(t.packets))
    memset(t.gres, 0, sizeof(t.gres))
    for k in range(count):
        memcpy(t.rows[k] + PPP, ENCRYPTED, 4)
        memcpy(t.rows[k] + TEXT, IPV4, 2)
        t.packets[k].state = &t.send
        t.packets[k].source = t.packets[k].target = t.rows[k] + MPPE
        t.packets[k].length = <uint32_t> t.sizes[k] + 2
        t.gres[k].payload = t.rows[k] + PPP
        t.gres[k].payload_length = <uint32_t> t.sizes[k] + IP - PPP
        t.gres[k].headroom = PPP
        t.gres[k].call_id = t.peer_call_id
        t.gres[k].sequence = t.next + <uint32_t> k
        t.gres[k].acknowledged = t.expected - 1
        t.gres[k].flags = FASTPPTP_GRE_ACKNOWLEDGED if t.heard else 0
    t.next += <uint32_t> count
    fastpptp_mppe_encrypt(t.engine, t.packets, count)
    fastpptp_gre_encap(t.gres, count)
    for k in range(count):
        if send(t.outer, t.gres[k].packet, t.gres[k].packet_length, MSG_NOSIGNAL) >= 0:
            t.sent += 1
        else:
            t.dropped += 1
    return True


cdef bint is_ours(tunnel *t, fastpptp_gre *gre) noexcept nogil:
    """Whether a packet is the tunnel's, and not behind what was received: then it may move the keys."""
    if gre.status != FASTPPTP_OK or gre.call_id != t.call_id or gre.payload_length < IP - PPP:
        return False
    if memcmp(gre.payload, ENCRYPTED, 4) or (t.heard and <int32_t> (gre.sequence - t.expected) < 0):
        return False
    t.expected = gre.sequence + 1
    t.heard = True
    return True


cdef bint inward(tunnel *t) noexcept nogil:
    cdef int k, ours = 0, count = take(t, t.outer, 0)
    cdef uint8_t *text
    if count < 0:
        return False
    memset(t.packets, 0, sizeof(t.packets))
    memset(t.gres, 0, sizeof(t.gres))
    for k in range(count):
        t.gres[k].packet = t.rows[k]
        t.gres[k].packet_length = <uint32_t> t.sizes[k]
    fastpptp_gre_decap_ipv4(t.gres, count)
    for k in range(count):
        if is_ours(t, &t.gres[k]):
            t.packets[ours].state = &t.receive
            t.packets[ours].source = t.packets[ours].target = t.gres[k].payload + 4
            t.packets[ours].length = t.gres[k].payload_length - (TEXT - PPP)
            ours += 1
    t.dropped += count - ours
    fastpptp_mppe_decrypt(t.engine, t.packets, ours, CATCH_UP)
    for k in range(ours):
        text = t.packets[k].target + FASTPPTP_MPPE_HEADER
        if (t.packets[k].status == FASTPPTP_OK and memcmp(text, IPV4, 2) == 0
                and send(t.inner, text + 2, t.packets[k].length - 2, MSG_NOSIGNAL) >= 0):
            t.received += 1
        else:
            t.dropped += 1
    return True


cdef void loop(tunnel *t) noexcept nogil:
    cdef pollfd ready[2]
    ready[0].fd = t.outer
    ready[1].fd = t.inner
    ready[0].events = ready[1].events = POLLIN
    while poll(ready, 2, -1) > 0 and not (ready[0].revents | ready[1].revents) & POLLNVAL:
        if (ready[0].revents and not inward(t)) or (ready[1].revents and not outward(t)):
            return


def serve(int outer, int inner, int call_id, int peer_call_id,
          const uint8_t[::1] send_key not None, const uint8_t[::1] receive_key not None):
    """Carry packets until `inner` ends or a signal comes; returns (sent, received, dropped).

    `outer` gives enhanced GRE with its IPv4 header and takes it without, as a connected raw socket
    does; `inner` has an IPv4 packet in each read and write. Keys: 16 octets, 128-bit stateless.
    """
    cdef tunnel *t
    if len(send_key) != 16 or len(receive_key) != 16:
        raise ValueError("a start key has 16 octets")
    t = <tunnel *> calloc(1, sizeof(tunnel))
    if t == NULL:
        raise MemoryError
    try:
        t.engine = fastpptp_engine_new()
        if t.engine == NULL:
            raise MemoryError
        t.outer, t.inner, t.call_id, t.peer_call_id = outer, inner, call_id, peer_call_id
        fastpptp_mppe_init(&t.send, &send_key[0], 128, True)
        fastpptp_mppe_init(&t.receive, &receive_key[0], 128, True)
        with nogil:
            loop(t)
        return t.sent, t.received, t.dropped
    finally:
        fastpptp_mppe_wipe(t.engine, &t.send)
        fastpptp_mppe_wipe(t.engine, &t.receive)
        fastpptp_engine_free(t.engine)
        free(t)
