# Which call an inner destination belongs to: longest prefix first, one hash probe for each prefix
# length in use. Each worker has a table of its own, kept by the commands it gets; IPv4 addresses are
# looked up as their IPv4-mapped IPv6 form, whose prefix lengths begin at 96.

cdef enum:
    ROUTE_SLOTS = 1 << 18
    ROUTE_LIMIT = 196608         # three quarters
    ROUTE_AHEAD = 3              # prefix lengths worth fetching for before it is known which it is


cdef struct route:
    uint8_t prefix[16]
    uint32_t handle              # 0 = free
    uint32_t length


cdef struct route_table:
    route *slots
    uint32_t lengths[129]        # routes of each length
    uint8_t order[129]           # the lengths in use, longest first
    uint32_t order_count


cdef inline void route_key(const uint8_t *address, int version, uint8_t *key) noexcept nogil:
    if version == 6:
        memcpy(key, address, 16)
        return
    memset(key, 0, 10)
    key[10] = 0xFF
    key[11] = 0xFF
    memcpy(key + 12, address, 4)


cdef inline void route_mask(uint8_t *key, uint32_t length) noexcept nogil:
    cdef uint32_t whole = length >> 3
    if length & 7:
        key[whole] &= <uint8_t> (0xFF00 >> (length & 7))
        whole += 1
    memset(key + whole, 0, 16 - whole)


cdef inline uint32_t route_hash(const uint8_t *key, uint32_t length) noexcept nogil:
    cdef uint64_t halves[2]
    cdef uint64_t x
    memcpy(halves, key, 16)
    x = (halves[0] ^ (halves[1] * <uint64_t> 0x9E3779B97F4A7C15) ^ length) * <uint64_t> 0xD6E8FEB86659FD93
    x ^= x >> 32
    x *= <uint64_t> 0xD6E8FEB86659FD93
    return <uint32_t> (x >> 40) & (ROUTE_SLOTS - 1)


cdef route *route_probe(route_table *self, const uint8_t *key, uint32_t length) noexcept nogil:
    """The slot of this prefix, or the free one where it belongs."""
    cdef uint32_t at = route_hash(key, length)
    cdef route *slot
    while True:
        slot = &self.slots[at]
        if slot.handle == 0 or (slot.length == length and memcmp(slot.prefix, key, 16) == 0):
            return slot
        at = (at + 1) & (ROUTE_SLOTS - 1)


cdef uint32_t route_find(route_table *self, const uint8_t *address, int version) noexcept nogil:
    """The handle that this address belongs to, or 0."""
    cdef uint8_t key[16]
    cdef uint32_t k
    cdef route *slot
    route_key(address, version, key)
    for k in range(self.order_count):
        if version == 4 and self.order[k] < 96:
            return 0
        route_mask(key, self.order[k])
        slot = route_probe(self, key, self.order[k])
        if slot.handle:
            return slot.handle
    return 0


cdef inline void route_prefetch(route_table *self, const uint8_t *address, int version) noexcept nogil:
    """Fetch where route_find will look first."""
    cdef uint8_t key[16]
    cdef uint32_t k
    route_key(address, version, key)
    for k in range(min(self.order_count, <uint32_t> ROUTE_AHEAD)):
        route_mask(key, self.order[k])
        prefetch(&self.slots[route_hash(key, self.order[k])])


cdef void route_order(route_table *self) noexcept nogil:
    cdef int length = 128
    self.order_count = 0
    while length >= 0:
        if self.lengths[length]:
            self.order[self.order_count] = <uint8_t> length
            self.order_count += 1
        length -= 1


cdef void route_add(
    route_table *self, const uint8_t *prefix, uint32_t length, uint32_t handle
) noexcept nogil:
    """The last call to claim a prefix has it."""
    cdef route *slot = route_probe(self, prefix, length)
    if slot.handle == 0:
        memcpy(slot.prefix, prefix, 16)
        slot.length = length
        self.lengths[length] += 1
        if self.lengths[length] == 1:
            route_order(self)
    slot.handle = handle


cdef void route_remove(
    route_table *self, const uint8_t *prefix, uint32_t length, uint32_t handle
) noexcept nogil:
    cdef route *slot = route_probe(self, prefix, length)
    if slot.handle != handle:
        return
    slot.handle = 0
    self.lengths[length] -= 1
    if self.lengths[length] == 0:
        route_order(self)
    route_close_gap(self, <uint32_t> (slot - self.slots))


cdef void route_close_gap(route_table *self, uint32_t hole) noexcept nogil:
    """Move back what probed past the freed slot, so that a free slot still ends every probe."""
    cdef uint32_t at = hole, home
    cdef route *slot
    while True:
        at = (at + 1) & (ROUTE_SLOTS - 1)
        slot = &self.slots[at]
        if slot.handle == 0:
            return
        home = route_hash(slot.prefix, slot.length)
        if ((at - home) & (ROUTE_SLOTS - 1)) >= ((at - hole) & (ROUTE_SLOTS - 1)):
            self.slots[hole] = slot[0]
            slot.handle = 0
            hole = at
