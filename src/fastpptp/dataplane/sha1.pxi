# SHA-1 as MPPE uses it, and nothing else: the digest of GetNewKeyFromSHA() (RFC 3079 3.4),
#
#     SHA1(start key | 40 x 00 | session key | 40 x F2),    keys of 8 or 16 octets,
#
# a message of 96 or 112 octets that fills exactly two blocks once padded. A job is the 32 octets
# start key | session key (each zero padded to 16); the result is the first 16 octets of the digest,
# of which a key of 8 octets uses the first half. This unit is the portable twin of the kernels in
# sha1_x86.h, and the function that picks between them.

cdef extern from "sha1_x86.h" nogil:
    void sha1_x16_keys(const uint8_t *keys, uint32_t wide, uint8_t *digest)
    void sha1_x8_keys(const uint8_t *keys, uint32_t wide, uint8_t *digest)
    void sha1_ni_block(uint32_t *h, const uint8_t *block)


cdef extern from *:
    """
    #if defined(__x86_64__)
    #define CPU_HAS(feature) (!!__builtin_cpu_supports(feature))
    #else
    #define CPU_HAS(feature) 0
    #endif
    #define CPU_HAS_SHA_NI (CPU_HAS("sha") && CPU_HAS("sse4.1"))
    #define CPU_HAS_AVX2 (CPU_HAS("avx2") && CPU_HAS("bmi2"))
    #define CPU_HAS_AVX512 (CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512vl") && \\
                            CPU_HAS("avx512dq") && CPU_HAS("bmi2"))
    """
    bint CPU_HAS_SHA_NI, CPU_HAS_AVX2, CPU_HAS_AVX512


# What the kernels may use: what the CPU has, or less where set_cpu_level() says so.
cdef struct cpu_features:
    bint sha_ni
    bint avx2
    bint avx512


cdef cpu_features cpu


cdef enum:
    CPU_PORTABLE = 0
    CPU_SSE = 1
    CPU_AVX2 = 2
    CPU_AVX512 = 3


cdef void cpu_allow(int level) noexcept nogil:
    cpu.sha_ni = level >= CPU_SSE and CPU_HAS_SHA_NI
    cpu.avx2 = level >= CPU_AVX2 and CPU_HAS_AVX2
    cpu.avx512 = level >= CPU_AVX512 and CPU_HAS_AVX512


cpu_allow(CPU_AVX512)


cdef inline uint32_t rotate_left(uint32_t x, int n) noexcept nogil:
    return (x << n) | (x >> (32 - n))


cdef inline uint32_t load_be32(const uint8_t *p) noexcept nogil:
    return (<uint32_t> p[0] << 24) | (<uint32_t> p[1] << 16) | (<uint32_t> p[2] << 8) | p[3]


cdef inline void store_be32(uint8_t *p, uint32_t x) noexcept nogil:
    p[0] = <uint8_t> (x >> 24)
    p[1] = <uint8_t> (x >> 16)
    p[2] = <uint8_t> (x >> 8)
    p[3] = <uint8_t> x


cdef inline uint32_t sha1_mix(uint32_t b, uint32_t c, uint32_t d, int t) noexcept nogil:
    if t < 20:
        return ((b & c) | (~b & d)) + <uint32_t> 0x5A827999
    if t < 40:
        return (b ^ c ^ d) + <uint32_t> 0x6ED9EBA1
    if t < 60:
        return ((b & c) | (b & d) | (c & d)) + <uint32_t> 0x8F1BBCDC
    return (b ^ c ^ d) + <uint32_t> 0xCA62C1D6


cdef void sha1_block(uint32_t *h, const uint8_t *block) noexcept nogil:
    """One application of the compression function (FIPS 180-4, 6.1.2)."""
    cdef uint32_t w[80]
    cdef uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], x
    cdef int t
    for t in range(16):
        w[t] = load_be32(block + 4 * t)
    for t in range(16, 80):
        w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)
    for t in range(80):
        x = rotate_left(a, 5) + sha1_mix(b, c, d, t) + e + w[t]
        e = d
        d = c
        c = rotate_left(b, 30)
        b = a
        a = x
    h[0] += a
    h[1] += b
    h[2] += c
    h[3] += d
    h[4] += e


cdef void sha1_message(const uint8_t *keys, int key_length, uint8_t *message) noexcept nogil:
    """The two padded blocks (128 octets) of one job."""
    cdef int end = 2 * key_length + 80
    memset(message, 0, 128)
    memcpy(message, keys, key_length)
    memcpy(message + key_length + 40, keys + 16, key_length)
    memset(message + 2 * key_length + 40, 0xF2, 40)
    message[end] = 0x80
    message[126] = <uint8_t> ((8 * end) >> 8)
    message[127] = <uint8_t> (8 * end)


cdef void sha1_keys(const uint8_t *keys, int key_length, uint8_t *digest) noexcept nogil:
    """One job."""
    cdef uint8_t message[128]
    cdef uint32_t h[5]
    cdef int k
    h[0] = 0x67452301
    h[1] = <uint32_t> 0xEFCDAB89
    h[2] = <uint32_t> 0x98BADCFE
    h[3] = 0x10325476
    h[4] = <uint32_t> 0xC3D2E1F0
    sha1_message(keys, key_length, message)
    for k in range(0, 128, 64):
        if cpu.sha_ni:
            sha1_ni_block(h, message + k)
        else:
            sha1_block(h, message + k)
    for k in range(4):
        store_be32(digest + 4 * k, h[k])


cdef void sha1_keys_batch(const uint8_t *keys, uint32_t wide, int count, uint8_t *digest) noexcept nogil:
    """Up to 16 jobs, with room for 16 in both arrays; the bits of `wide` say whose keys have 16 octets."""
    cdef int lane = 0
    if cpu.avx512 and count > 2:
        sha1_x16_keys(keys, wide, digest)
        return
    while cpu.avx2 and count - lane > 3:
        sha1_x8_keys(keys + 32 * lane, wide >> lane, digest + 16 * lane)
        lane += 8
    while lane < count:
        sha1_keys(keys + 32 * lane, 16 if wide >> lane & 1 else 8, digest + 16 * lane)
        lane += 1
