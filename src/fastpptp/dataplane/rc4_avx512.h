/* RC4 kernels of 16 and 8 lanes for AVX-512. How they work is told in rc4_lanes.h; their portable twin,
 * which the tests hold against them, is rc4.pxi. Callers check the CPU first (cpu_allow() in sha1.pxi). */
#ifndef FASTPPTP_RC4_AVX512_H
#define FASTPPTP_RC4_AVX512_H

#include <stdint.h>

enum { ROW = 16, AHEAD = 2, KEY_AHEAD = 3 }; /* cells in a row; rows of look-ahead: key stream, key schedule */

/* The tables of 16 streams: row = index, column = lane, cells hold value * ROW. Loads that look ahead may
 * reach into the rows past the end. */
typedef struct {
    uint32_t cell[256 + KEY_AHEAD][16];
} __attribute__((aligned(64))) rc4_matrix;

/* A group of packets, one a lane. Lanes without one have length 0 and valid pointers. */
typedef struct {
    uint32_t length[16];
    uint32_t rotation[16]; /* logical index in row 0, times ROW */
    uint32_t j[16];        /* physical row of S[j], times ROW */
    uint8_t key[16][16];   /* of 8 octets: twice */
    const uint8_t *source[16];
    uint8_t *target[16];
    uint8_t *table[16];    /* at rest, 256 octets; stateful only */
} __attribute__((aligned(64))) rc4_group;

#if defined(__x86_64__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,bmi2,tune=sapphirerapids")
#define RC4_INLINE static inline __attribute__((always_inline))

RC4_INLINE void rc4_x16_transpose(__m512i *r)
{
    __m512i t[16];
#pragma GCC unroll 8
    for (int k = 0; k < 16; k += 2) {
        t[k] = _mm512_unpacklo_epi32(r[k], r[k + 1]);
        t[k + 1] = _mm512_unpackhi_epi32(r[k], r[k + 1]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 16; k += 4) {
        r[k] = _mm512_unpacklo_epi64(t[k], t[k + 2]);
        r[k + 1] = _mm512_unpackhi_epi64(t[k], t[k + 2]);
        r[k + 2] = _mm512_unpacklo_epi64(t[k + 1], t[k + 3]);
        r[k + 3] = _mm512_unpackhi_epi64(t[k + 1], t[k + 3]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        t[k] = _mm512_shuffle_i32x4(r[k], r[k + 4], 0x88);
        t[k + 4] = _mm512_shuffle_i32x4(r[k], r[k + 4], 0xDD);
        t[k + 8] = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0x88);
        t[k + 12] = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0xDD);
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        r[k] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0x88);
        r[k + 8] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0xDD);
    }
}

RC4_INLINE void rc4_x8_transpose(__m256i *r)
{
    __m256i t[8];
#pragma GCC unroll 4
    for (int k = 0; k < 8; k += 2) {
        t[k] = _mm256_unpacklo_epi32(r[k], r[k + 1]);
        t[k + 1] = _mm256_unpackhi_epi32(r[k], r[k + 1]);
    }
#pragma GCC unroll 2
    for (int k = 0; k < 8; k += 4) {
        r[k] = _mm256_unpacklo_epi64(t[k], t[k + 2]);
        r[k + 1] = _mm256_unpackhi_epi64(t[k], t[k + 2]);
        r[k + 2] = _mm256_unpacklo_epi64(t[k + 1], t[k + 3]);
        r[k + 3] = _mm256_unpackhi_epi64(t[k + 1], t[k + 3]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        t[k] = _mm256_permute2x128_si256(r[k], r[k + 4], 0x20);
        t[k + 4] = _mm256_permute2x128_si256(r[k], r[k + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++)
        r[k] = t[k];
}

/* What the template calls the instructions; INTRINSIC() is of the width being made. */
#define ALL(x) INTRINSIC(set1_epi32)((int)(x))
#define ADD(a, b) INTRINSIC(add_epi32)(a, b)
#define ADD_WHERE(mask, a, b) INTRINSIC(mask_add_epi32)(a, mask, a, b)
#define SUB(a, b) INTRINSIC(sub_epi32)(a, b)
#define SHL(x, n) INTRINSIC(slli_epi32)(x, n)
#define SHR(x, n) INTRINSIC(srli_epi32)(x, n)
#define TERNARY(a, b, c, table) INTRINSIC(ternarylogic_epi32)(a, b, c, table)
#define EQUAL(a, b) INTRINSIC(cmpeq_epi32_mask)(a, b)
#define ABOVE(a, b) INTRINSIC(cmpgt_epi32_mask)(a, b)
#define BLEND(mask, a, b) INTRINSIC(mask_mov_epi32)(a, mask, b)
#define SCATTER(base, at, x) INTRINSIC(i32scatter_epi32)(base, at, x, 4)
#define SCATTER_WHERE(base, mask, at, x) INTRINSIC(mask_i32scatter_epi32)(base, mask, at, x, 4)
#define LOAD_OCTETS(mask, p) INTRINSIC(maskz_loadu_epi8)(mask, p)
#define STORE_OCTETS(p, mask, x) INTRINSIC(mask_storeu_epi8)(p, mask, x)
#define FIRST_OCTETS(n) ((n) >= 4 * LANES ? (OCTETS)~0ull : (OCTETS)_bzhi_u64(~0ull, n))

#define LANES 16
#define NAME(x) rc4_x16_##x
#define V __m512i
#define MASK __mmask16
#define ALL_LANES 0xFFFF
#define OCTETS __mmask64
#define INTRINSIC(x) _mm512_##x
#define LOAD(p) _mm512_load_si512(p)
#define STORE(p, x) _mm512_store_si512(p, x)
#define ZERO _mm512_setzero_si512()
#define XOR(a, b) _mm512_xor_si512(a, b)
#define OR(a, b) _mm512_or_si512(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define LANE_NUMBERS _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define GATHER(base, at) _mm512_i32gather_epi32(at, base, 4)
#define GATHER_WHERE(other, mask, base, at) _mm512_mask_i32gather_epi32(other, mask, at, base, 4)
#include "rc4_lanes.h"

static void rc4_x32_schedule(rc4_matrix *m, const rc4_group *g)
{
    rc4_x16_schedule_groups(m, g, 2);
}

#define LANES 8
#define NAME(x) rc4_x8_##x
#define V __m256i
#define MASK __mmask8
#define ALL_LANES 0xFF
#define OCTETS __mmask32
#define INTRINSIC(x) _mm256_##x
#define LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define STORE(p, x) _mm256_store_si256((__m256i *)(p), x)
#define ZERO _mm256_setzero_si256()
#define XOR(a, b) _mm256_xor_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define LANE_NUMBERS _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
#define GATHER(base, at) _mm256_i32gather_epi32((const int *)(base), at, 4)
#define GATHER_WHERE(other, mask, base, at) _mm256_mmask_i32gather_epi32(other, mask, at, base, 4)
#include "rc4_lanes.h"

#undef ALL
#undef ADD
#undef ADD_WHERE
#undef SUB
#undef SHL
#undef SHR
#undef TERNARY
#undef EQUAL
#undef ABOVE
#undef BLEND
#undef SCATTER
#undef SCATTER_WHERE
#undef LOAD_OCTETS
#undef STORE_OCTETS
#undef FIRST_OCTETS
#undef RC4_INLINE
#pragma GCC pop_options

#else /* never called: there is no such CPU */
static uint32_t rc4_x16_crypt(rc4_matrix *m, rc4_group *g, uint32_t offset, uint32_t floor, int exact)
{
    return offset;
}
static uint32_t rc4_x8_crypt(rc4_matrix *m, rc4_group *g, uint32_t offset, uint32_t floor, int exact)
{
    return offset;
}
static void rc4_x32_schedule(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x16_schedule(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x8_schedule(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x16_load(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x8_load(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x16_save(rc4_matrix *m, const rc4_group *g) {}
static void rc4_x8_save(rc4_matrix *m, const rc4_group *g) {}
#endif
#endif
