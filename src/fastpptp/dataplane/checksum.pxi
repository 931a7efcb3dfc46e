# The Internet checksum (RFC 1071) and its change in place (RFC 1624).


cdef extern from "sum_x86.h" nogil:
    uint64_t sum_avx2(const uint8_t *data, uint32_t length)
    uint64_t sum_copy_avx2(uint8_t *target, const uint8_t *data, uint32_t length)

cdef enum:
    SUM_BLOCK = 64               # octets that the kernels take at a time
    SUM_LONG = 128               # from here on they are worth their call


cdef inline uint64_t sum_add(const uint8_t *data, uint32_t length, uint64_t total) noexcept nogil:
    """Add octets to a running sum of 16-bit words in memory order; `data` starts a word."""
    cdef uint32_t blocks
    if cpu.avx2 and length >= SUM_LONG:
        blocks = length & ~(<uint32_t> (SUM_BLOCK - 1))
        total += sum_avx2(data, blocks)
        data += blocks
        length -= blocks
    return sum_words(data, length, total)


cdef inline uint64_t sum_words(const uint8_t *data, uint32_t length, uint64_t total) noexcept nogil:
    cdef uint32_t k = 0, word
    cdef uint16_t half
    while k + 4 <= length:
        memcpy(&word, data + k, 4)
        total += word
        k += 4
    if k + 2 <= length:
        memcpy(&half, data + k, 2)
        total += half
        k += 2
    if k < length:
        total += data[k]
    return total


cdef inline uint64_t sum_copy(uint8_t *target, const uint8_t *data, uint32_t length) noexcept nogil:
    """Copy octets; returns their sum, as sum_add() has it."""
    cdef uint32_t blocks
    cdef uint64_t total = 0
    if cpu.avx2 and length >= SUM_LONG:
        blocks = length & ~(<uint32_t> (SUM_BLOCK - 1))
        total = sum_copy_avx2(target, data, blocks)
        target += blocks
        data += blocks
        length -= blocks
    memcpy(target, data, length)
    return sum_words(data, length, total)


cdef inline uint16_t sum_fold(uint64_t total) noexcept nogil:
    total = (total & <uint32_t> 0xFFFFFFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return <uint16_t> total


cdef inline void checksum_put(uint8_t *p, uint64_t total) noexcept nogil:
    """Store a checksum, which is in memory order already."""
    cdef uint16_t value = <uint16_t> ~sum_fold(total)
    memcpy(p, &value, 2)


cdef inline void ip_checksum(uint8_t *ip) noexcept nogil:
    ip[10] = 0
    ip[11] = 0
    checksum_put(ip + 10, sum_add(ip, (ip[0] & 15) * 4, 0))


cdef inline uint64_t pseudo_sum(const uint8_t *ip, uint32_t length, uint32_t protocol) noexcept nogil:
    """The pseudo-header of an upper-layer packet of this length (RFC 793 3.1, RFC 8200 8.1)."""
    cdef uint8_t tail[4]
    put16(tail, protocol)
    put16(tail + 2, length)
    if ip[0] >> 4 == 4:
        return sum_add(ip + 12, 8, sum_add(tail, 4, 0))
    return sum_add(ip + 8, 32, sum_add(tail, 4, 0))


cdef inline void checksum_adjust(uint8_t *checksum, uint32_t before, uint32_t after) noexcept nogil:
    """A 16-bit word of the data changed: HC' = ~(~HC + ~m + m')."""
    cdef uint64_t total = (~get16(checksum) & 0xFFFF) + (~before & 0xFFFF) + after
    put16(checksum, <uint16_t> ~sum_fold(total))
