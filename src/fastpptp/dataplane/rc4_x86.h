/* RC4 for one to four streams at a time in general registers, on x86-64 with AVX2. Callers check the CPU
 * first (cpu_allow() in sha1.pxi). Their portable twin, which the tests hold against them, is rc4.pxi.
 *
 * RC4 computes next to nothing. What it costs is five accesses an octet to a small table, of which each may
 * meet a cell that was stored a moment ago. So how a core orders its memory accesses decides, and:
 *
 *   Cells have 32 bits. A cache keeps words; Zen takes 2.5 cycles to store part of one, and one for a whole.
 *
 *   The streams take turns, one step each. The core guesses that a load is not of a cell that an older
 *   store, whose address it does not know yet, will write; if it is, all younger work is done again. The
 *   load at risk is the next S[i], which waits for nothing, while the store to S[j] waits for j. With the
 *   other streams' steps in between, that store has long been done.
 *
 *   A lone stream has nothing in between. There S[i] is loaded only once the j of LAG steps before is known:
 *   the load's address has that j's bits 8 to 15 added, which are zero.
 *
 *   Key schedules do the same, whose steps are so short that the others' do not hide a store: LAG counts the
 *   steps of all streams. Without that the guesses fail often, and Zen 4 takes 18 cycles a step for 2.2.
 *
 *   The step itself is in assembler: seven instructions. Compilers keep the address of S[j] in a register
 *   of its own, which makes them ten, and with four streams then run out of registers. */
#ifndef FASTPPTP_RC4_X86_H
#define FASTPPTP_RC4_X86_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RC4_WIDEST = 4, RC4_BLOCK = 16 }; /* side by side at most; octets that a kernel takes at a time */

/* A stream in work: the next step is at index i. */
typedef struct {
    uint32_t *table;
    const uint8_t *source;
    uint8_t *target;
    uint32_t length;
    uint32_t i;
    uint32_t j;
    uint32_t lane;
} rc4_stream;

#if defined(__x86_64__) && defined(__OPTIMIZE__)
#define RC4_X86 1
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,bmi2")

#define RC4_APART static __attribute__((noinline)) /* all registers are its own */

enum { LAG = 4 }; /* a power of 2 */

/* a = S[i], for the i that is k cells after `at`. */
#define S_OF_I(a, at, k) __asm__ volatile("movl %c2(%1), %k0" : "=r"(a) : "r"(at), "i"(4 * (k)) : "memory")
/* The same, but not before j is known, of which `zero` was made. Every store to the stack counts here, so that
 * what the compiler must keep is few registers, any of them. */
#define S_OF_I_LATE(a, at, k, zero) \
    __asm__ volatile("movl %c3(%1,%2), %k0" : "=r"(a) : "r"(at), "r"(zero), "i"(4 * (k)) : "memory")
#define ZERO_OF(zero, j, eight) __asm__ volatile("shrx %2, %1, %0" : "=r"(zero) : "r"(j), "r"(eight))
/* Modulo 256: the bits above stay zero. */
#define ADD_OCTET(x, y) __asm__ volatile("addb %b1, %b0" : "+r"(x) : "r"(y) : "cc")
#define ADD_OCTET_OF(x, p, k) __asm__ volatile("addb %c2(%1), %b0" : "+r"(x) : "r"(p), "i"(k) : "cc", "memory")
/* b = S[j]; S[j] = a; S[i] = b. The table is `offset` octets after `table`. */
#define SWAP(a, b, table, offset, j, at, k)                                                          \
    __asm__ volatile("movl %c4(%2,%3,4), %k0\n\tmovl %k1, %c4(%2,%3,4)\n\tmovl %k0, %c6(%5)"           \
                     : "=&r"(b)                                                                        \
                     : "r"(a), "r"(table), "r"(j), "i"(offset), "r"(at), "i"(4 * (k))                  \
                     : "memory")
/* Octet k of the key stream = S[x]. */
#define OCTET(octets, k, table, offset, x)                                                           \
    __asm__ volatile("vpinsrb %4, %c3(%1,%2,4), %0, %0"                                                \
                     : "+x"(octets)                                                                    \
                     : "r"(table), "r"(x), "i"(offset), "i"(k)                                         \
                     : "memory")

#define EIGHT(DO, from)                                                                              \
    DO((from) + 0) DO((from) + 1) DO((from) + 2) DO((from) + 3)                                        \
    DO((from) + 4) DO((from) + 5) DO((from) + 6) DO((from) + 7)

#define STREAMS 1
#define NAME(x) rc4_s1_##x
#define EACH(DO, k) DO(0, k)
#define TABLE(l) table##l
#define OFFSET(l) 0
#include "rc4_streams.h"

#define STREAMS 2
#define NAME(x) rc4_s2_##x
#define EACH(DO, k) DO(0, k) DO(1, k)
#define TABLE(l) table##l
#define OFFSET(l) 0
#include "rc4_streams.h"

#define STREAMS 3
#define NAME(x) rc4_s3_##x
#define EACH(DO, k) DO(0, k) DO(1, k) DO(2, k)
#define TABLE(l) table##l
#define OFFSET(l) 0
#include "rc4_streams.h"

/* Four tables lie one after the other, which saves three registers. */
#define STREAMS 4
#define NAME(x) rc4_s4_##x
#define EACH(DO, k) DO(0, k) DO(1, k) DO(2, k) DO(3, k)
#define TABLE(l) table0
#define OFFSET(l) (1024 * (l))
#include "rc4_streams.h"

#undef S_OF_I
#undef S_OF_I_LATE
#undef ZERO_OF
#undef ADD_OCTET
#undef ADD_OCTET_OF
#undef SWAP
#undef OCTET
#undef EIGHT
#undef RC4_APART

/* `blocks` times RC4_BLOCK octets of each stream. Four streams have consecutive tables. i is a multiple of
 * RC4_BLOCK, or stays below 256 - RC4_BLOCK. */
static void rc4_x86_blocks(rc4_stream *s, int streams, uint32_t blocks)
{
    if (streams == 4)
        rc4_s4_blocks(s, blocks);
    else if (streams == 3)
        rc4_s3_blocks(s, blocks);
    else if (streams == 2)
        rc4_s2_blocks(s, blocks);
    else
        rc4_s1_blocks(s, blocks);
}

/* The first RC4_BLOCK - 1 octets of each of fresh streams, which takes i to where blocks do not cross the end. */
static void rc4_x86_first(rc4_stream *s, int streams)
{
    if (streams == 4)
        rc4_s4_first(s);
    else if (streams == 3)
        rc4_s3_first(s);
    else if (streams == 2)
        rc4_s2_first(s);
    else
        rc4_s1_first(s);
}

/* The key schedule of `streams` tables. */
static void rc4_x86_schedules(uint32_t (*table)[256], const uint8_t (*key)[16], int streams)
{
    if (streams == 4)
        rc4_s4_schedule(table, key);
    else if (streams == 3)
        rc4_s3_schedule(table, key);
    else if (streams == 2)
        rc4_s2_schedule(table, key);
    else
        rc4_s1_schedule(table, key);
}

/* A table at rest has 256 octets. */
static void rc4_x86_widen(const uint8_t *table, uint32_t *wide)
{
    for (int k = 0; k < 256; k += 8)
        _mm256_storeu_si256((__m256i *)(wide + k),
                            _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(table + k))));
}

static void rc4_x86_narrow(const uint32_t *wide, uint8_t *table)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* packing is by halves */
    for (int k = 0; k < 256; k += 32) {
        const __m256i *w = (const __m256i *)(wide + k);
        __m256i low = _mm256_packus_epi32(_mm256_loadu_si256(w), _mm256_loadu_si256(w + 1));
        __m256i high = _mm256_packus_epi32(_mm256_loadu_si256(w + 2), _mm256_loadu_si256(w + 3));
        __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
        _mm256_storeu_si256((__m256i *)(table + k), packed);
    }
}
#pragma GCC pop_options

#else /* never called: there is no such CPU, or no optimizer, which the assembler's constants need */
#define RC4_X86 0
static void rc4_x86_blocks(rc4_stream *s, int streams, uint32_t blocks) {}
static void rc4_x86_first(rc4_stream *s, int streams) {}
static void rc4_x86_schedules(uint32_t (*table)[256], const uint8_t (*key)[16], int streams) {}
static void rc4_x86_widen(const uint8_t *table, uint32_t *wide) {}
static void rc4_x86_narrow(const uint32_t *wide, uint8_t *table) {}
#endif
#endif
