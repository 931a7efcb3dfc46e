/* SHA-1 of MPPE's key change for many keys at once: 16 lanes (AVX-512), 8 lanes (AVX2), and one (SHA-NI).
 * The message and the portable twin of these kernels are in sha1.pxi. Lane l's job is the 32 octets at
 * keys + 32 * l, start key | session key, each zero padded; bit l of `wide` says that its keys have 16 octets,
 * not 8. The first 16 octets of the digest go to digest + 16 * l. */
#ifndef FASTPPTP_SHA1_X86_H
#define FASTPPTP_SHA1_X86_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define SHA1_INLINE static inline __attribute__((always_inline))
#define SHA1_INITIAL {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}

#define SHA1_SWAP _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq")
#define NAME(x) sha1_x16_##x
#define LANES 16
#define V __m512i
#define WHERE __mmask16
#define ALL(x) _mm512_set1_epi32((int)(x))
#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xCA)
#define MAJORITY(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xE8)
#define ROTATE(x, n) _mm512_rol_epi32(x, n)
#define SELECT(where, yes, no) _mm512_mask_mov_epi32(no, where, yes)
#define SWAP_ORDER _mm512_broadcast_i32x4(SHA1_SWAP)
#define SWAP(x) _mm512_shuffle_epi8(x, SWAP_ORDER)
#define EVERY(n) \
    _mm512_mullo_epi32(ALL(n), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define GATHER(base, at) _mm512_i32gather_epi32(at, base, 4)
#define LANES_OF(bits) ((__mmask16)(bits))
#define PUT(digest, word, x) _mm512_i32scatter_epi32(digest, ADD(EVERY(4), ALL(word)), x, 4)
#include "sha1_lanes.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2")
#define NAME(x) sha1_x8_##x
#define LANES 8
#define V __m256i
#define WHERE __m256i
#define ALL(x) _mm256_set1_epi32((int)(x))
#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR3(a, b, c) XOR(a, XOR(b, c))
#define CHOOSE(b, c, d) XOR(d, _mm256_and_si256(b, XOR(c, d)))
#define MAJORITY(b, c, d) XOR(_mm256_and_si256(b, XOR(c, d)), _mm256_and_si256(c, d))
#define ROTATE(x, n) _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - (n)))
#define SELECT(where, yes, no) _mm256_blendv_epi8(no, yes, where)
#define SWAP_ORDER _mm256_broadcastsi128_si256(SHA1_SWAP)
#define SWAP(x) _mm256_shuffle_epi8(x, SWAP_ORDER)
#define EVERY(n) _mm256_mullo_epi32(ALL(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define GATHER(base, at) _mm256_i32gather_epi32((const int *)(base), at, 4)
#define LANE_BITS _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128)
#define LANES_OF(bits) _mm256_cmpeq_epi32(_mm256_and_si256(ALL(bits), LANE_BITS), LANE_BITS)
#define PUT(digest, word, x) sha1_x8_put((uint32_t *)(digest) + (word), x)
SHA1_INLINE void sha1_x8_put(uint32_t *digest, __m256i x)
{
    uint32_t word[8] __attribute__((aligned(32)));
    _mm256_store_si256((__m256i *)word, x);
    for (int l = 0; l < 8; l++)
        digest[4 * l] = word[l];
}
#include "sha1_lanes.h"
#undef LANE_BITS
#pragma GCC pop_options

/* The instructions do four rounds each. e is E for the next four; rotated A becomes it (SHA1NEXTE). */
#pragma GCC push_options
#pragma GCC target("sha,sse4.1,ssse3")
#define ROUNDS4(function, w0, w1, w2, w3)                                                              \
    {                                                                                                  \
        __m128i before = abcd;                                                                         \
        abcd = _mm_sha1rnds4_epu32(abcd, e, function);                                                 \
        e = _mm_sha1nexte_epu32(before, w1);                                                           \
        w0 = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);                    \
    }
#define ROUNDS16(f0, f1, f2, f3)                                                                       \
    ROUNDS4(f0, w0, w1, w2, w3) ROUNDS4(f1, w1, w2, w3, w0)                                            \
    ROUNDS4(f2, w2, w3, w0, w1) ROUNDS4(f3, w3, w0, w1, w2)

/* One application of the compression function to a block of 64 octets; h is A..E. */
static void sha1_ni_block(uint32_t *h, const uint8_t *block)
{
    const __m128i swap = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i *text = (const __m128i *)block;
    __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128(text), swap);
    __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128(text + 1), swap);
    __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128(text + 2), swap);
    __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128(text + 3), swap);
    __m128i start = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0x1B), abcd = start;
    __m128i e = _mm_add_epi32(_mm_set_epi32((int)h[4], 0, 0, 0), w0);
    ROUNDS16(0, 0, 0, 0)
    ROUNDS16(0, 1, 1, 1)
    ROUNDS16(1, 1, 2, 2)
    ROUNDS16(2, 2, 2, 3)
    ROUNDS4(3, w0, w1, w2, w3)
    ROUNDS4(3, w1, w2, w3, w0)
    ROUNDS4(3, w2, w3, w0, w1)
    __m128i before = abcd;
    abcd = _mm_sha1rnds4_epu32(abcd, e, 3);
    e = _mm_sha1nexte_epu32(before, _mm_set_epi32((int)h[4], 0, 0, 0));
    abcd = _mm_add_epi32(abcd, start);
    _mm_storeu_si128((__m128i *)h, _mm_shuffle_epi32(abcd, 0x1B));
    h[4] = (uint32_t)_mm_extract_epi32(e, 3);
}
#undef ROUNDS4
#undef ROUNDS16
#pragma GCC pop_options
#undef SHA1_INLINE
#undef SHA1_INITIAL
#undef SHA1_SWAP

#else /* never called: there is no such CPU */
static void sha1_x16_keys(const uint8_t *keys, uint32_t wide, uint8_t *digest) {}
static void sha1_x8_keys(const uint8_t *keys, uint32_t wide, uint8_t *digest) {}
static void sha1_ni_block(uint32_t *h, const uint8_t *block) {}
#endif
#endif
