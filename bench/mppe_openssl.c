/* The baseline of bench_mppe.py: MPPE with OpenSSL's RC4 and SHA-1, one packet after the other. Built when
 * the benchmark runs. The low-level functions are used because they are faster than EVP. */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/rc4.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t start_key[16], session_key[16];
    RC4_KEY rc4;
} session;

size_t session_size(void) { return sizeof(session); }

static void change_key(session *s)
{
    uint8_t message[112], digest[20];
    memcpy(message, s->start_key, 16);
    memset(message + 16, 0, 40);
    memcpy(message + 56, s->session_key, 16);
    memset(message + 72, 0xF2, 40);
    SHA1(message, sizeof message, digest);
    RC4_set_key(&s->rc4, 16, digest);
    RC4(&s->rc4, 16, digest, s->session_key);
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
                RC4_set_key(&s->rc4, 16, s->session_key);
            }
            RC4(&s->rc4, lengths[k], in + k * stride + 2, out + k * stride + 2);
        }
}

void start_session(session *s, const uint8_t *start_key, const uint8_t *session_key)
{
    memcpy(s->start_key, start_key, 16);
    memcpy(s->session_key, session_key, 16);
    RC4_set_key(&s->rc4, 16, session_key);
}
