/* fastpptp for C and C++: MPPE (RFC 3078) and enhanced GRE (RFC 2637 4.1) for batches of packets.
 *
 * Include <Python.h> first, compile with -I$(python -c 'import fastpptp; print(fastpptp.get_include())'),
 * and call fastpptp_import() once, with the GIL; nothing is linked. No other function here needs the
 * GIL, allocates (but engine_new), blocks, or keeps a pointer after it has returned.
 *
 * All memory is the caller's. An engine serves one thread at a time; so does a state, and whoever
 * uses one state on several engines calls mppe_wipe for each. Set what is named `reserved` to zero.
 * Lengths are octets; numbers are in the CPU's order but where it says "as on the wire".
 *
 * FASTPPTP_ABI changes when something here changes its meaning or its place. What is added goes where
 * `reserved` is now.
 */
#ifndef FASTPPTP_H
#define FASTPPTP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FASTPPTP_ABI 1u
#define FASTPPTP_MPPE_HEADER 2u   /* octets of an MPPE header: flags, coherency count */
#define FASTPPTP_GRE_HEADER 16u   /* octets of the longest enhanced GRE header */
#define FASTPPTP_MPPE_SIZE 320u   /* octets of a state */

/* What became of a packet, or of a call. */
typedef enum fastpptp_status {
    FASTPPTP_OK = 0,
    FASTPPTP_MALFORMED = 1,    /* not MPPE, or compressed; not GRE, or not IPv4 */
    FASTPPTP_LATE = 2,         /* MPPE: behind what was received, or further ahead than catch_up */
    FASTPPTP_OUT_OF_STEP = 3,  /* stateful MPPE: a packet was lost; only a FLUSHED one helps (RFC 3078 8.2) */
    FASTPPTP_NO_KEYS = 4,      /* the state was not initialized, or was wiped */
    FASTPPTP_VERSION = 5,      /* GRE, but not version 1 with protocol 0x880B */
    FASTPPTP_LENGTH = 6,       /* a length that does not fit its packet, its room, or 16 bits */
    FASTPPTP_ARGUMENT = 7      /* a value that is not allowed */
} fastpptp_status;

/* One direction of one session's MPPE. Opaque, no pointers: it may be moved between batches. */
typedef struct fastpptp_mppe {
    uint64_t opaque[FASTPPTP_MPPE_SIZE / 8];
} fastpptp_mppe;

/* The workspace of one thread, about 70 KiB. */
typedef struct fastpptp_engine fastpptp_engine;

/* In fastpptp_packet.flags, to encrypt: answer a CCP Reset-Request (stateful, RFC 3078 8.2). */
#define FASTPPTP_FLUSH 1u

/* One packet of one state. `source` and `target` each point at two octets for the MPPE header, which
 * `length` octets of text follow; they may be equal, and must not overlap otherwise. Encrypting
 * writes header and ciphertext at target; decrypting writes the text at target + 2, no header. */
typedef struct fastpptp_packet {
    fastpptp_mppe *state;
    const uint8_t *source;
    uint8_t *target;
    uint32_t length;
    uint8_t flags;
    uint8_t status;            /* out: fastpptp_status. What is not OK has changed nothing */
    uint8_t reserved[10];
} fastpptp_packet;

/* In fastpptp_gre.flags. */
#define FASTPPTP_GRE_ACKNOWLEDGED 1u   /* `acknowledged` is there */
#define FASTPPTP_GRE_SEQUENCE 2u       /* out: `sequence` is there: always with a payload */

/* One enhanced GRE packet. A payload of length 0 is an acknowledgement alone. */
typedef struct fastpptp_gre {
    uint8_t *packet;           /* decap: in; encap: out, the header's first octet */
    uint8_t *payload;          /* encap: in; decap: out, inside packet */
    uint32_t packet_length;    /* decap: in; encap: out */
    uint32_t payload_length;   /* encap: in; decap: out */
    uint32_t headroom;         /* encap: in, octets that may be written in front of payload */
    uint32_t sequence;
    uint32_t acknowledged;
    uint32_t source_address;   /* decap_ipv4: out, as on the wire */
    uint32_t target_address;
    uint16_t call_id;          /* encap: the peer's; decap: ours */
    uint8_t flags;
    uint8_t status;            /* out: fastpptp_status */
    uint8_t reserved[16];
} fastpptp_gre;

/* The functions. Those for batches take packets in order, set each one's status, and return how many
 * are OK. */
typedef struct fastpptp_api {
    uint32_t abi;
    uint32_t size;             /* octets of this struct in the extension: not less than here */

    /* Arm a state with an RFC 3079 start key: 16 octets for 128 bits, 8 for 40 and 56.
     * FASTPPTP_ARGUMENT: other bits; the state is then without keys. */
    fastpptp_status (*mppe_init)(fastpptp_mppe *state, const uint8_t *start_key, uint32_t bits,
                                 uint32_t stateless);
    /* Wipe a state, and what the engine, if not NULL, knows of its keys. */
    void (*mppe_wipe)(fastpptp_engine *engine, fastpptp_mppe *state);
    /* NULL: no memory. Freeing wipes, and NULL is fine. */
    fastpptp_engine *(*engine_new)(void);
    void (*engine_free)(fastpptp_engine *engine);
    size_t (*mppe_encrypt)(fastpptp_engine *engine, fastpptp_packet *packets, size_t count);
    /* A stateless state walks over up to catch_up (1 to 4095) lost packets. MPPE has no integrity: a
     * forged header moves the state, so check the sender first. */
    size_t (*mppe_decrypt)(fastpptp_engine *engine, fastpptp_packet *packets, size_t count,
                           uint32_t catch_up);
    /* Write a header in front of each payload. */
    size_t (*gre_encap)(fastpptp_gre *packets, size_t count);
    /* Read GRE packets; decap_ipv4: with their IPv4 headers, as a raw socket delivers them. */
    size_t (*gre_decap)(fastpptp_gre *packets, size_t count);
    size_t (*gre_decap_ipv4)(fastpptp_gre *packets, size_t count);

    void (*reserved[7])(void);
} fastpptp_api;

/* The layouts that the ABI number stands for, on LP64. */
#ifdef __cplusplus
#define FASTPPTP_LAYOUT(condition) static_assert(condition, #condition)
#else
#define FASTPPTP_LAYOUT(condition) _Static_assert(condition, #condition)
#endif
FASTPPTP_LAYOUT(sizeof(fastpptp_mppe) == FASTPPTP_MPPE_SIZE);
FASTPPTP_LAYOUT(sizeof(fastpptp_packet) == 40);
FASTPPTP_LAYOUT(offsetof(fastpptp_packet, length) == 24);
FASTPPTP_LAYOUT(offsetof(fastpptp_packet, status) == 29);
FASTPPTP_LAYOUT(sizeof(fastpptp_gre) == 64);
FASTPPTP_LAYOUT(offsetof(fastpptp_gre, sequence) == 28);
FASTPPTP_LAYOUT(offsetof(fastpptp_gre, call_id) == 44);
FASTPPTP_LAYOUT(offsetof(fastpptp_gre, status) == 47);
FASTPPTP_LAYOUT(sizeof(fastpptp_api) == 136);
FASTPPTP_LAYOUT(offsetof(fastpptp_api, gre_decap_ipv4) == 72);

#ifdef Py_PYTHON_H
/* The functions, or NULL and ImportError: no extension, or one that this header does not fit. */
static inline const fastpptp_api *fastpptp_import(void)
{
    const fastpptp_api *api;
    PyObject *module = PyImport_ImportModule("fastpptp._core");
    if (module == NULL)
        return NULL;
    Py_DECREF(module);
    api = (const fastpptp_api *)PyCapsule_Import("fastpptp._core._C_API", 0);
    if (api == NULL)
        return NULL;
    if (api->abi != FASTPPTP_ABI || api->size < sizeof(fastpptp_api)) {
        PyErr_Format(PyExc_ImportError,
                     "fastpptp has ABI %u with %u octets, this was compiled for ABI %u with %u",
                     api->abi, api->size, FASTPPTP_ABI, (unsigned)sizeof(fastpptp_api));
        return NULL;
    }
    return api;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
