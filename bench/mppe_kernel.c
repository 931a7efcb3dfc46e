/* The shape of the Linux kernel's MPPE, for bench_ciphers.py: RC4 whose table is of 32-bit words, an octet
 * after the other, one packet after the other; SHA-1 is OpenSSL's, so that only the cipher differs. Built
 * when the benchmark runs; the same calls as mppe_openssl.c. */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t table[256], x, y;
} arc4;

typedef struct {
    uint8_t start_key[16], session_key[16];
    arc4 rc4;
} session;

size_t session_size(void) { return sizeof(session); }

static void arc4_key(arc4 *c, const uint8_t *key)
{
    uint32_t j = 0;
    for (uint32_t i = 0; i < 256; i++)
        c->table[i] = i;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t a = c->table[i];
        j = (j + key[i % 16] + a) & 0xFF;
        c->table[i] = c->table[j];
        c->table[j] = a;
    }
    c->x = c->y = 0;
}

static void arc4_crypt(arc4 *c, size_t length, const uint8_t *in, uint8_t *out)
{
    uint32_t x = c->x, y = c->y;
    while (length--) {
        x = (x + 1) & 0xFF;
        uint32_t a = c->table[x];
        y = (y + a) & 0xFF;
        uint32_t b = c->table[y];
        c->table[x] = b;
        c->table[y] = a;
        *out++ = *in++ ^ (uint8_t) c->table[(a + b) & 0xFF];
    }
    c->x = x;
    c->y = y;
}

static void change_key(session *s)
{
    uint8_t message[112], digest[20];
    memcpy(message, s->start_key, 16);
    memset(message + 16, 0, 40);
    memcpy(message + 56, s->session_key, 16);
    memset(message + 72, 0xF2, 40);
    SHA1(message, sizeof message, digest);
    arc4_key(&s->rc4, digest);
    arc4_crypt(&s->rc4, 16, digest, s->session_key);
}

/* Packet k is of sessions[index[k]]; its text is at k * stride + 2. */
void crypt_batch(session *sessions, const uint32_t *index, const uint8_t *in, uint8_t *out, size_t stride,
                 const uint32_t *lengths, size_t count, int stateless, int repeat)
{
    while (repeat--)
        for (size_t k = 0; k < count; k++) {
            session *s = &sessions[index[k]];
            if (stateless) {
                change_key(s);
                arc4_key(&s->rc4, s->session_key);
            }
            arc4_crypt(&s->rc4, lengths[k], in + k * stride + 2, out + k * stride + 2);
        }
}

void start_session(session *s, const uint8_t *start_key, const uint8_t *session_key)
{
    memcpy(s->start_key, start_key, 16);
    memcpy(s->session_key, session_key, 16);
    arc4_key(&s->rc4, session_key);
}
