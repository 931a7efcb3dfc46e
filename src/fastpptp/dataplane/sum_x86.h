/* The Internet checksum's sum (RFC 1071) of 32-bit words in memory order, 64 octets a turn (AVX2), alone or while
 * copying. Both take a multiple of 64 octets. Their portable twins are in checksum.pxi. A 64-bit lane holds the sum of
 * 2**32 words, so nothing carries out. */
#ifndef FASTPPTP_SUM_X86_H
#define FASTPPTP_SUM_X86_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2")

static inline __attribute__((always_inline)) __m256i sum_x86_halves(__m256i words)
{
    __m256i low = _mm256_and_si256(words, _mm256_set1_epi64x(0xFFFFFFFF));
    return _mm256_add_epi64(low, _mm256_srli_epi64(words, 32));
}

static inline __attribute__((always_inline)) uint64_t sum_x86_across(__m256i lanes)
{
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
}

static uint64_t sum_avx2(const uint8_t *data, uint32_t length)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    for (const uint8_t *end = data + length; data < end; data += 64) {
        a = _mm256_add_epi64(a, sum_x86_halves(_mm256_loadu_si256((const __m256i *)data)));
        b = _mm256_add_epi64(b, sum_x86_halves(_mm256_loadu_si256((const __m256i *)(data + 32))));
    }
    return sum_x86_across(_mm256_add_epi64(a, b));
}

static uint64_t sum_copy_avx2(uint8_t *target, const uint8_t *data, uint32_t length)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    for (const uint8_t *end = data + length; data < end; data += 64, target += 64) {
        __m256i x = _mm256_loadu_si256((const __m256i *)data);
        __m256i y = _mm256_loadu_si256((const __m256i *)(data + 32));
        _mm256_storeu_si256((__m256i *)target, x);
        _mm256_storeu_si256((__m256i *)(target + 32), y);
        a = _mm256_add_epi64(a, sum_x86_halves(x));
        b = _mm256_add_epi64(b, sum_x86_halves(y));
    }
    return sum_x86_across(_mm256_add_epi64(a, b));
}

#pragma GCC pop_options
#else
/* Never called: cpu.avx2 is false. */
static uint64_t sum_avx2(const uint8_t *data, uint32_t length) { return 0; }
static uint64_t sum_copy_avx2(uint8_t *target, const uint8_t *data, uint32_t length) { return 0; }
#endif
#endif
