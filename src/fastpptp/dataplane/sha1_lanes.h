/* SHA-1 of LANES messages of MPPE. Included by sha1_x86.h once for each width, which defines LANES, NAME(),
 * the vector type V and the operations. Word t of all lanes' messages is one vector. */
SHA1_INLINE void NAME(block)(V *h, V *w)
{
    V a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
#pragma GCC unroll 80
    for (int t = 0; t < 80; t++) {
        V f = t < 20 ? CHOOSE(b, c, d) : t < 40 || t >= 60 ? XOR3(b, c, d) : MAJORITY(b, c, d);
        V k = ALL(t < 20 ? 0x5A827999 : t < 40 ? 0x6ED9EBA1 : t < 60 ? 0x8F1BBCDC : 0xCA62C1D6), x;
        if (t >= 16)
            w[t & 15] = ROTATE(XOR(XOR3(w[(t - 3) & 15], w[(t - 8) & 15], w[(t - 14) & 15]), w[t & 15]), 1);
        x = ADD(ADD(ROTATE(a, 5), f), ADD(ADD(e, k), w[t & 15]));
        e = d;
        d = c;
        c = ROTATE(b, 30);
        b = a;
        a = x;
    }
    h[0] = ADD(h[0], a);
    h[1] = ADD(h[1], b);
    h[2] = ADD(h[2], c);
    h[3] = ADD(h[3], d);
    h[4] = ADD(h[4], e);
}

/* The padded message, word by word. Keys of 16 octets: start 0-3, zeros 4-13, session 14-17, F2 18-27, end
 * at 28. Keys of 8: start 0-1, zeros 2-11, session 12-13, F2 14-23, end at 24. */
static void NAME(keys)(const uint8_t *keys, uint32_t wide_lanes, uint8_t *digest)
{
    const uint32_t initial[5] = SHA1_INITIAL;
    const WHERE wide = LANES_OF(wide_lanes);
    const V zero = ALL(0), pad = ALL(0xF2F2F2F2), end = ALL(0x80000000);
    V key[8], h[5], w[16];
    for (int k = 0; k < 8; k++)
        key[k] = SWAP(GATHER(keys, ADD(EVERY(8), ALL(k))));
    for (int k = 0; k < 5; k++)
        h[k] = ALL(initial[k]);
    for (int k = 0; k < 4; k++)
        w[k] = key[k];
    for (int k = 4; k < 12; k++)
        w[k] = zero;
    w[12] = SELECT(wide, zero, key[4]);
    w[13] = SELECT(wide, zero, key[5]);
    w[14] = SELECT(wide, key[4], pad);
    w[15] = SELECT(wide, key[5], pad);
    NAME(block)(h, w);
    w[0] = SELECT(wide, key[6], pad);
    w[1] = SELECT(wide, key[7], pad);
    for (int k = 2; k < 8; k++)
        w[k] = pad;
    w[8] = SELECT(wide, pad, end);
    for (int k = 9; k < 12; k++)
        w[k] = SELECT(wide, pad, zero);
    w[12] = SELECT(wide, end, zero);
    w[13] = w[14] = zero;
    w[15] = SELECT(wide, ALL(112 * 8), ALL(96 * 8));
    NAME(block)(h, w);
    for (int k = 0; k < 4; k++)
        PUT(digest, k, SWAP(h[k]));
}

#undef NAME
#undef LANES
#undef V
#undef WHERE
#undef ALL
#undef ADD
#undef XOR
#undef XOR3
#undef CHOOSE
#undef MAJORITY
#undef ROTATE
#undef SELECT
#undef SWAP_ORDER
#undef SWAP
#undef EVERY
#undef GATHER
#undef LANES_OF
#undef PUT
