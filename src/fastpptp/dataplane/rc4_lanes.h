/* RC4 on LANES independent streams at once. Included twice by rc4_avx512.h, for 16 and for 8 lanes,
 * which defines LANES, NAME(), the vector type V and the macros for its intrinsics.
 *
 * RC4 is a chain of dependent loads: with one stream the core waits. Here lane l is a stream of its
 * own, and all lanes take the same step together. The tables form a matrix, cell[row][lane]: row =
 * index into the table, column = lane. All lanes share i, so S[i] is one row: one load, one store.
 * j differs from lane to lane, so S[j] is a gather and a scatter. A step is RC4's own:
 *
 *     i += 1; j += S[i]; swap(S[i], S[j]); output S[S[i] + S[j]]
 *
 * Two things make it fast. First, cells hold their value times 16 (ROW), so that a value, masked, is
 * at once the index of a row's first cell: (value & 0xFF0) | lane. Second, look-ahead: a load cannot
 * pass an older scatter, so row i + AHEAD is loaded before the scatter of step i, and then patched
 * where a lane's j fell into the rows that were loaded early. The order of the statements matters.
 *
 * Streams stand at different i. Each is loaded rotated, so that its next S[i] is in row 0: physical row =
 * logical index - rotation. So j is kept less the rotation, and the output index has to be turned back. A
 * fresh stream, whose first step is at i = 1, has its logical index 0 in row 255.
 */
typedef struct {
    V row[AHEAD]; /* S[i] and what follows, loaded early */
    V j;
} NAME(walk);

/* (x modulo 256 rows) + lane: the cell's place in the matrix */
RC4_INLINE V NAME(place)(V x)
{
    return TERNARY(x, ALL(0xFF0), LANE_NUMBERS, 0xEA);
}

/* The places of row i. */
RC4_INLINE V NAME(places)(uint32_t i)
{
    return ADD(LANE_NUMBERS, ALL(i * ROW));
}

/* Where a lane's j is at `places`, the early copy of that row gets the value that was just stored there. */
RC4_INLINE V NAME(patch)(V row, V place, V places, V stored, MASK active)
{
    return BLEND(active & EQUAL(place, places), row, stored);
}

/* Four steps from row i, a multiple of 4: four octets of each lane, the first lowest. whole: all lanes are
 * active. ends: some lane's stream ends within; left has the octets that each has to go. */
RC4_INLINE V NAME(steps4)(rc4_matrix *m, NAME(walk) *w, uint32_t i, V rotation, V left, MASK active,
                          const int whole, const int ends)
{
    const uint32_t after = (i + 4) & 255;
    const V here = NAME(places)(i), there = NAME(places)(after);
    V word = ZERO;
#pragma GCC unroll 4
    for (uint32_t k = 0; k < 4; k++) {
        V si = w->row[0], place, sj, octet;
        if (ends)
            active = ABOVE(left, ALL(k));
        for (uint32_t d = 0; d + 1 < AHEAD; d++)
            w->row[d] = w->row[d + 1];
        w->row[AHEAD - 1] = LOAD(k + AHEAD < 4 ? m->cell[i + k + AHEAD] : m->cell[after + k + AHEAD - 4]);
        w->j = whole ? ADD(w->j, si) : ADD_WHERE(active, w->j, si);
        place = NAME(place)(w->j);
        sj = whole ? GATHER(m, place) : GATHER_WHERE(si, active, m, place);
#pragma GCC unroll 3
        for (uint32_t d = 0; d < AHEAD; d++) {
            V places = ADD(k + d < 3 ? here : there, ALL(((k + d + 1) & 3) * ROW));
            w->row[d] = NAME(patch)(w->row[d], place, places, si, active);
        }
        if (whole)
            SCATTER(m, place, si);
        else
            SCATTER_WHERE(m, active, place, si);
        STORE(m->cell[i + k], sj); /* in an idle lane sj is si */
        place = NAME(place)(SUB(ADD(si, sj), rotation));
        octet = whole ? GATHER(m, place) : GATHER_WHERE(si, active, m, place);
        word = OR(word, k ? SHL(octet, 8 * k - 4) : SHR(octet, 4));
    }
    return word;
}

/* Key stream for the chunk of 4 * LANES octets of every lane from row i on: out[l] is lane l's. Lanes past
 * their length (left: octets to go, zero or less when done) stand still when exact is set. */
RC4_INLINE void NAME(chunk)(rc4_matrix *m, NAME(walk) *w, uint32_t i, V rotation, V left, int exact,
                            V *out)
{
    MASK active = ABOVE(left, ZERO);
    MASK through = exact ? ABOVE(left, ALL(4 * LANES - 1)) : active;
    uint32_t words = LANES;
    while (!ABOVE(left, ALL(4 * words - 4))) /* no lane gets that far */
        words--;
    if (through == ALL_LANES)
        for (uint32_t k = 0; k < words; k++)
            out[k] = NAME(steps4)(m, w, i + 4 * k, rotation, left, ALL_LANES, 1, 0);
    else if (through == active)
        for (uint32_t k = 0; k < words; k++)
            out[k] = NAME(steps4)(m, w, i + 4 * k, rotation, left, active, 0, 0);
    else
        for (uint32_t k = 0; k < words; k++) {
            out[k] = NAME(steps4)(m, w, i + 4 * k, rotation, left, active, 0, 1);
            left = SUB(left, ALL(4));
        }
    NAME(transpose)(out);
}

/* source XOR key stream -> target for the octets of one chunk that each lane still has. */
RC4_INLINE void NAME(deliver)(const rc4_group *g, uint32_t offset, const V *stream)
{
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) {
        if (g->length[l] <= offset)
            continue;
        OCTETS keep = FIRST_OCTETS(g->length[l] - offset);
        V text = LOAD_OCTETS(keep, g->source[l] + offset);
        STORE_OCTETS(g->target[l] + offset, keep, XOR(text, stream[l]));
    }
}

RC4_INLINE void NAME(prefetch)(const rc4_group *g, uint32_t offset)
{
    for (int l = 0; l < LANES; l++) {
        _mm_prefetch((const char *)g->source[l] + offset, _MM_HINT_T0);
        _mm_prefetch((const char *)g->target[l] + offset, _MM_HINT_T0);
    }
}

/* Encrypt the group's packets from octet `offset` on. Without `exact` a lane whose packet has ended may
 * go on stepping: its table is not wanted any more. Stops where only lanes below `floor` have octets
 * left, and returns the offset reached; g->j then fits the next call, of this width or another. */
static uint32_t NAME(crypt)(rc4_matrix *m, rc4_group *g, uint32_t offset, uint32_t floor, int exact)
{
    V out[LANES], rotation = LOAD(g->rotation), length = LOAD(g->length), left;
    NAME(walk) w = {.j = LOAD(g->j)};
    for (uint32_t k = 0; k < AHEAD; k++)
        w.row[k] = LOAD(m->cell[(offset & 255) + k]);
    left = SUB(length, ALL(offset));
    while (ABOVE(left, ZERO) >> floor) {
        NAME(prefetch)(g, offset + 4 * LANES);
        NAME(chunk)(m, &w, offset & 255, rotation, left, exact, out);
        NAME(deliver)(g, offset, out);
        offset += 4 * LANES;
        left = SUB(length, ALL(offset));
    }
    STORE(g->j, w.j);
    return offset;
}

/* The identity permutation in all lanes, with logical index 1 in row 0. */
RC4_INLINE void NAME(identity)(rc4_matrix *m)
{
    V value = ALL(ROW);
    for (uint32_t i = 0; i < 255; i++, value = ADD(value, ALL(ROW)))
        STORE(m->cell[i], value);
    STORE(m->cell[255], ZERO);
}

/* Octet k of every lane's key, times 16. */
RC4_INLINE void NAME(key_octets)(const rc4_group *g, V *octet)
{
#pragma GCC unroll 4
    for (int word = 0; word < 4; word++) {
        V four = GATHER(g->key, ADD(SHL(LANE_NUMBERS, 2), ALL(word)));
        octet[4 * word] = AND(SHL(four, 4), ALL(0xFF0));
        octet[4 * word + 1] = AND(SHR(four, 4), ALL(0xFF0));
        octet[4 * word + 2] = AND(SHR(four, 12), ALL(0xFF0));
        octet[4 * word + 3] = AND(SHR(four, 20), ALL(0xFF0));
    }
}

/* The key schedule of `groups` matrices in step. Two hide each other's latency, so that they need one row
 * of look-ahead less. Logical index i is in row i - 1, and so j is kept one row less too. */
RC4_INLINE void NAME(schedule_groups)(rc4_matrix *m, const rc4_group *g, const int groups)
{
    const int ahead = KEY_AHEAD + 1 - groups;
    V key[2][16], row[2][KEY_AHEAD], j[2];
    for (int q = 0; q < groups; q++) {
        NAME(identity)(&m[q]);
        NAME(key_octets)(&g[q], key[q]);
        j[q] = ALL(-ROW);
        for (int d = 0; d < ahead; d++)
            row[q][d] = ALL(d * ROW);
    }
    for (uint32_t start = 0; start < 256; start += 16)
#pragma GCC unroll 16
        for (uint32_t k = 0; k < 16; k++)
#pragma GCC unroll 2
            for (int q = 0; q < groups; q++) {
                V si = row[q][0], place, sj;
                for (int d = 0; d + 1 < ahead; d++)
                    row[q][d] = row[q][d + 1];
                row[q][ahead - 1] = LOAD(m[q].cell[start + k + ahead - 1]); /* the last are not used */
                j[q] = ADD(ADD(j[q], key[q][k]), si);
                place = NAME(place)(j[q]);
                sj = GATHER(&m[q], place);
                for (int d = 0; d < ahead; d++)
                    row[q][d] = NAME(patch)(row[q][d], place, NAME(places)(start + k + d), si, ALL_LANES);
                SCATTER(&m[q], place, si);
                STORE(k ? m[q].cell[start + k - 1] : m[q].cell[(start - 1) & 255], sj);
            }
}

static void NAME(schedule)(rc4_matrix *m, const rc4_group *g)
{
    NAME(schedule_groups)(m, g, 1);
}

/* Four rows of every lane from four octets of its table, and back. */
RC4_INLINE void NAME(spread)(uint32_t (*cell)[16], V four)
{
    STORE(cell[0], AND(SHL(four, 4), ALL(0xFF0)));
    STORE(cell[1], AND(SHR(four, 4), ALL(0xFF0)));
    STORE(cell[2], AND(SHR(four, 12), ALL(0xFF0)));
    STORE(cell[3], AND(SHR(four, 20), ALL(0xFF0)));
}

RC4_INLINE V NAME(collect)(uint32_t (*cell)[16])
{
    return OR(OR(SHR(LOAD(cell[0]), 4), SHL(LOAD(cell[1]), 4)),
              OR(SHL(LOAD(cell[2]), 12), SHL(LOAD(cell[3]), 20)));
}

/* Tables at rest are 256 octets. Lane l's is loaded with its octet g->rotation[l] / ROW in row 0; what
 * wraps is taken with a second masked access, which touches octets of the table alone. */
static void NAME(load)(rc4_matrix *m, const rc4_group *g)
{
    V four[LANES];
    for (uint32_t part = 0; part < 256; part += 4 * LANES) {
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) {
            uint32_t at = (g->rotation[l] / ROW + part) & 255, straight = 256 - at;
            OCTETS keep = FIRST_OCTETS(straight);
            four[l] = LOAD_OCTETS(keep, g->table[l] + at);
            if (straight < 4 * LANES)
                four[l] = OR(four[l], LOAD_OCTETS(~keep, g->table[l] - straight));
        }
        NAME(transpose)(four);
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++)
            NAME(spread)(m->cell + part + 4 * k, four[k]);
    }
}

static void NAME(save)(rc4_matrix *m, const rc4_group *g)
{
    V four[LANES];
    for (uint32_t part = 0; part < 256; part += 4 * LANES) {
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++)
            four[k] = NAME(collect)(m->cell + part + 4 * k);
        NAME(transpose)(four);
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) {
            uint32_t at = (g->rotation[l] / ROW + part) & 255, straight = 256 - at;
            OCTETS keep = FIRST_OCTETS(straight);
            STORE_OCTETS(g->table[l] + at, keep, four[l]);
            if (straight < 4 * LANES)
                STORE_OCTETS(g->table[l] - straight, ~keep, four[l]);
        }
    }
}

#undef LANES
#undef NAME
#undef V
#undef MASK
#undef ALL_LANES
#undef OCTETS
#undef INTRINSIC
#undef LOAD
#undef STORE
#undef ZERO
#undef XOR
#undef OR
#undef AND
#undef LANE_NUMBERS
#undef GATHER
#undef GATHER_WHERE
