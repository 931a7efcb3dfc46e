# The keys of one direction of one call: armed, strengthened, wiped (RFC 3078 7, RFC 3079).

cdef extern from *:
    """
    /* The compiler may drop a memset() of what is freed next, but not past this. */
    #define KEEP_STORES(p) __asm__ volatile("" : : "r"(p) : "memory")
    """
    void KEEP_STORES(void *memory) nogil


cdef enum:
    MPPE_COHERENCY_START = 4095  # so that the first packet has count 0


# Where a chain of keys stands.
cdef struct mppe_walk:
    uint8_t keys[32]             # start key | session key, each zero padded
    uint8_t key_length
    uint8_t salt_length


cdef void wipe(void *memory, size_t size) noexcept nogil:
    memset(memory, 0, size)
    KEEP_STORES(memory)

cdef inline void fix_strength(uint8_t *key, int salt_length) noexcept nogil:
    """40-bit keys begin with D1 26 9E, 56-bit ones with D1 (RFC 3078 7.3)."""
    if salt_length > 0:
        key[0] = 0xD1
    if salt_length > 1:
        key[1] = 0x26
        key[2] = 0x9E


cdef bint mppe_init(mppe_state *state, const uint8_t *start_key, int bits, bint stateless) noexcept nogil:
    """Arm one direction with a start key (RFC 3079: 8 octets for 40 and 56 bits, 16 for 128). False,
    and nothing armed, for other bits."""
    cdef uint8_t keys[32]
    memset(state, 0, sizeof(mppe_state))
    if bits != 40 and bits != 56 and bits != 128:
        return False
    state.key_length = 16 if bits == 128 else 8
    state.salt_length = 3 if bits == 40 else 1 if bits == 56 else 0
    state.stateless = stateless
    state.coherency = MPPE_COHERENCY_START
    memcpy(state.start_key, start_key, state.key_length)
    # The initial session key is the digest itself: only a change encrypts it (RFC 3079 3.1).
    memcpy(keys, state.start_key, 16)
    memcpy(keys + 16, state.start_key, 16)
    sha1_keys(keys, state.key_length, state.session_key)
    memset(state.session_key + state.key_length, 0, 16 - state.key_length)
    fix_strength(state.session_key, state.salt_length)
    if not stateless:
        table_start(state, state.session_key)
    state.armed = 1
    wipe(keys, sizeof(keys))
    return True


cdef inline void repeat_key(uint8_t *target, const uint8_t *key, int length) noexcept nogil:
    """RC4 takes key octets modulo the length: 8 octets repeated are the same key of 16."""
    memcpy(target, key, 16)
    if length == 8:
        memcpy(target + 8, key, 8)


cdef void table_start(mppe_state *state, const uint8_t *key) noexcept nogil:
    cdef uint8_t repeated[16]
    cdef uint8_t table[RC4_LONE]
    repeat_key(repeated, key, state.key_length)
    rc4_schedule(table, repeated)
    memcpy(state.rc4, table, 256)
    state.i = 0
    state.j = 0
