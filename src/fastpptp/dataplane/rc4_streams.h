/* RC4 of STREAMS streams, one step of each in turn. Included by rc4_x86.h once for each number, which says
 * how it works and defines the parts of a step and EACH(DO, k), which does DO(stream, k) for each stream. */

enum { NAME(lag) = (LAG + STREAMS - 1) / STREAMS };

/* S[i] once the j of that many steps of this stream before is known; `zero` are made of the last j. */
#define LATE_S_OF_I(l, at, k, cell) S_OF_I_LATE(a, at, cell, zero##l[(k) & (NAME(lag) - 1)])
#define LATE_NOTE_J(l, k) ZERO_OF(zero##l[(k) & (NAME(lag) - 1)], j##l, eight);
#define ZEROES(l, _) uint64_t zero##l[NAME(lag)] = {0};

#if STREAMS == 1
#define LOAD_S_OF_I(l, at, k) LATE_S_OF_I(l, at, k, k)
#define NOTE_J(l, k) LATE_NOTE_J(l, k)
#else
#define LOAD_S_OF_I(l, at, k) S_OF_I(a, at, k)
#define NOTE_J(l, k)
#endif

#define BEGIN(l, _)                                                                                  \
    uint32_t *const table##l = s[l].table, *at##l = table##l + s[l].i;                                 \
    uint64_t j##l = s[l].j;                                                                            \
    __m128i octets##l;

#define CLEAR(l, _) octets##l = _mm_setzero_si128();

#define STEP(l, k)                                                                                   \
    {                                                                                                  \
        uint64_t a, b;                                                                                 \
        LOAD_S_OF_I(l, at##l, k);                                                                      \
        ADD_OCTET(j##l, a);                                                                            \
        NOTE_J(l, k)                                                                                   \
        SWAP(a, b, TABLE(l), OFFSET(l), j##l, at##l, k);                                               \
        ADD_OCTET(a, b);                                                                               \
        OCTET(octets##l, k, TABLE(l), OFFSET(l), a);                                                   \
    }

#define DELIVER(l, _)                                                                                \
    {                                                                                                  \
        __m128i text = _mm_loadu_si128((const __m128i *)(s[l].source + done));                         \
        _mm_storeu_si128((__m128i *)(s[l].target + done), _mm_xor_si128(text, octets##l));             \
        at##l += RC4_BLOCK;                                                                            \
        if (at##l == s[l].table + 256)                                                                 \
            at##l = s[l].table;                                                                        \
    }

#define END(l, _)                                                                                    \
    s[l].source += done;                                                                               \
    s[l].target += done;                                                                               \
    s[l].length -= (uint32_t)done;                                                                     \
    s[l].i = (uint32_t)(at##l - s[l].table);                                                           \
    s[l].j = (uint32_t)j##l;

#define STEPS(k) EACH(STEP, k)

RC4_APART void NAME(blocks)(rc4_stream *s, uint32_t blocks)
{
    size_t done = 0, length = (size_t)blocks * RC4_BLOCK;
#if STREAMS == 1
    const uint64_t eight = 8;
    EACH(ZEROES, 0)
#endif
    EACH(BEGIN, 0)
    for (; done < length; done += RC4_BLOCK) {
        EACH(CLEAR, 0)
        EIGHT(STEPS, 0)
        EIGHT(STEPS, 8)
        EACH(DELIVER, 0)
    }
    EACH(END, 0)
}

#define DELIVER_FIRST(l, _)                                                                          \
    {                                                                                                  \
        uint64_t low, high; /* they share octet 7 */                                                   \
        memcpy(&low, s[l].source, 8);                                                                  \
        memcpy(&high, s[l].source + 7, 8);                                                             \
        low ^= (uint64_t)_mm_cvtsi128_si64(octets##l);                                                 \
        high ^= (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(octets##l, 7));                             \
        memcpy(s[l].target, &low, 8);                                                                  \
        memcpy(s[l].target + 7, &high, 8);                                                             \
        at##l += done;                                                                                 \
    }

RC4_APART void NAME(first)(rc4_stream *s)
{
    const size_t done = RC4_BLOCK - 1;
#if STREAMS == 1
    const uint64_t eight = 8;
    EACH(ZEROES, 0)
#endif
    EACH(BEGIN, 0)
    EACH(CLEAR, 0)
    EIGHT(STEPS, 0)
    STEPS(8) STEPS(9) STEPS(10) STEPS(11) STEPS(12) STEPS(13) STEPS(14)
    EACH(DELIVER_FIRST, 0)
    EACH(END, 0)
}

/* Here all streams are at the same i, and their tables one after the other. */
#define KEY_BEGIN(l, _) uint64_t j##l = 0;

#define KEY_STEP(l, k)                                                                               \
    {                                                                                                  \
        uint64_t a, b;                                                                                 \
        LATE_S_OF_I(l, at, k, (k) + 256 * (l));                                                        \
        ADD_OCTET_OF(j##l, key, (k) + 16 * (l));                                                       \
        ADD_OCTET(j##l, a);                                                                            \
        LATE_NOTE_J(l, k)                                                                              \
        SWAP(a, b, first, 1024 * (l), j##l, at, (k) + 256 * (l));                                      \
    }

#define KEY_STEPS(k) EACH(KEY_STEP, k)

RC4_APART void NAME(schedule)(uint32_t (*table)[256], const uint8_t (*key)[16])
{
    uint32_t *const first = table[0], *at;
    const uint64_t eight = 8;
    EACH(ZEROES, 0)
    EACH(KEY_BEGIN, 0)
    for (uint32_t l = 0; l < STREAMS; l++)
        for (uint32_t k = 0; k < 256; k++)
            table[l][k] = k;
    for (at = first; at != first + 256; at += 16) {
        EIGHT(KEY_STEPS, 0)
        EIGHT(KEY_STEPS, 8)
    }
}

#undef STREAMS
#undef NAME
#undef EACH
#undef TABLE
#undef OFFSET
#undef LATE_S_OF_I
#undef LATE_NOTE_J
#undef LOAD_S_OF_I
#undef NOTE_J
#undef ZEROES
#undef BEGIN
#undef CLEAR
#undef STEP
#undef DELIVER
#undef DELIVER_FIRST
#undef END
#undef STEPS
#undef KEY_BEGIN
#undef KEY_STEP
#undef KEY_STEPS
