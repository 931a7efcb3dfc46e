# The structs that units of the extension share, and what other Cython code may cimport.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

# One direction of one call's MPPE (RFC 3078). Lives in the state arena; no pointers.
cdef struct mppe_state:
    uint8_t start_key[16]     # RFC 3079 start key, zero padded
    uint8_t session_key[16]   # of the last key change, salted, zero padded
    uint8_t key_length        # octets: 8 or 16
    uint8_t salt_length       # octets fixed to D1 26 9E: 3 (40 bits), 1 (56), 0 (128)
    uint8_t stateless
    uint8_t armed             # has keys
    uint8_t i                 # RC4, stateful only
    uint8_t j
    uint16_t coherency        # of the last packet; 4095 before the first
    uint8_t rc4[256]          # stateful only

# One packet for mppe_crypt: apply `changes` key changes to state, initialize the RC4
# tables where `initialize` says so (stateful; stateless always does), then XOR `length`
# octets of key stream from source to target (which may be the same). Jobs of one state
# act as if run in order. `key_after`, if not NULL, takes the 16 octets of the session key
# that this packet used, so that the caller can commit or drop a speculative walk.
cdef struct mppe_job:
    mppe_state *state
    const uint8_t *source
    uint8_t *target
    uint8_t *key_after
    uint32_t length
    uint16_t changes
    uint8_t initialize
    uint8_t reserved


# For other Cython code: the functions of include/fastpptp.h, which says what they do. cimport them,
# and compile with include_dirs=[fastpptp.get_include()].
cdef extern from "fastpptp.h" nogil:
    enum:
        FASTPPTP_ABI
        FASTPPTP_MPPE_HEADER
        FASTPPTP_GRE_HEADER
        FASTPPTP_FLUSH
        FASTPPTP_GRE_ACKNOWLEDGED
        FASTPPTP_GRE_SEQUENCE

    ctypedef enum fastpptp_status:
        FASTPPTP_OK
        FASTPPTP_MALFORMED
        FASTPPTP_LATE
        FASTPPTP_OUT_OF_STEP
        FASTPPTP_NO_KEYS
        FASTPPTP_VERSION
        FASTPPTP_LENGTH
        FASTPPTP_ARGUMENT

    ctypedef struct fastpptp_mppe:
        pass

    ctypedef struct fastpptp_engine:
        pass

    ctypedef struct fastpptp_packet:
        fastpptp_mppe *state
        const uint8_t *source
        uint8_t *target
        uint32_t length
        uint8_t flags
        uint8_t status

    ctypedef struct fastpptp_gre:
        uint8_t *packet
        uint8_t *payload
        uint32_t packet_length
        uint32_t payload_length
        uint32_t headroom
        uint32_t sequence
        uint32_t acknowledged
        uint32_t source_address
        uint32_t target_address
        uint16_t call_id
        uint8_t flags
        uint8_t status

cdef fastpptp_status fastpptp_mppe_init(
    fastpptp_mppe *state, const uint8_t *start_key, uint32_t bits, uint32_t stateless
) noexcept nogil
cdef void fastpptp_mppe_wipe(fastpptp_engine *engine, fastpptp_mppe *state) noexcept nogil
cdef fastpptp_engine *fastpptp_engine_new() noexcept nogil
cdef void fastpptp_engine_free(fastpptp_engine *engine) noexcept nogil
cdef size_t fastpptp_mppe_encrypt(
    fastpptp_engine *engine, fastpptp_packet *packets, size_t count
) noexcept nogil
cdef size_t fastpptp_mppe_decrypt(
    fastpptp_engine *engine, fastpptp_packet *packets, size_t count, uint32_t catch_up
) noexcept nogil
cdef size_t fastpptp_gre_encap(fastpptp_gre *packets, size_t count) noexcept nogil
cdef size_t fastpptp_gre_decap(fastpptp_gre *packets, size_t count) noexcept nogil
cdef size_t fastpptp_gre_decap_ipv4(fastpptp_gre *packets, size_t count) noexcept nogil
