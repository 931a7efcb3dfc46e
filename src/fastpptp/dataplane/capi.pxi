# The C API: include/fastpptp.h says what each function does. Here are those for MPPE, those for GRE
# are in gre_batch.pxi, and the capsule that C imports has them all.
from cpython.pycapsule cimport PyCapsule_New

cdef extern from "fastpptp.h" nogil:
    ctypedef struct fastpptp_api:
        uint32_t abi
        uint32_t size
        fastpptp_status (*mppe_init)(
            fastpptp_mppe *state, const uint8_t *start_key, uint32_t bits, uint32_t stateless
        ) noexcept nogil
        void (*mppe_wipe)(fastpptp_engine *engine, fastpptp_mppe *state) noexcept nogil
        fastpptp_engine *(*engine_new)() noexcept nogil
        void (*engine_free)(fastpptp_engine *engine) noexcept nogil
        size_t (*mppe_encrypt)(
            fastpptp_engine *engine, fastpptp_packet *packets, size_t count
        ) noexcept nogil
        size_t (*mppe_decrypt)(
            fastpptp_engine *engine, fastpptp_packet *packets, size_t count, uint32_t catch_up
        ) noexcept nogil
        size_t (*gre_encap)(fastpptp_gre *packets, size_t count) noexcept nogil
        size_t (*gre_decap)(fastpptp_gre *packets, size_t count) noexcept nogil
        size_t (*gre_decap_ipv4)(fastpptp_gre *packets, size_t count) noexcept nogil

assert sizeof(mppe_state) <= sizeof(fastpptp_mppe)


cdef fastpptp_status fastpptp_mppe_init(
    fastpptp_mppe *state, const uint8_t *start_key, uint32_t bits, uint32_t stateless
) noexcept nogil:
    memset(state, 0, sizeof(fastpptp_mppe))
    if bits > 128 or not mppe_init(<mppe_state *> state, start_key, <int> bits, stateless != 0):
        return FASTPPTP_ARGUMENT
    return FASTPPTP_OK


cdef void fastpptp_mppe_wipe(fastpptp_engine *engine, fastpptp_mppe *state) noexcept nogil:
    if engine != NULL:
        mppe_forget(<mppe_engine *> engine, <mppe_state *> state)
    wipe(state, sizeof(fastpptp_mppe))


cdef fastpptp_engine *fastpptp_engine_new() noexcept nogil:
    return <fastpptp_engine *> mppe_engine_new()


cdef void fastpptp_engine_free(fastpptp_engine *engine) noexcept nogil:
    mppe_engine_free(<mppe_engine *> engine)


cdef fastpptp_status job_make(mppe_job *job, fastpptp_packet *packet) noexcept nogil:
    memset(job, 0, sizeof(mppe_job))
    job.state = <mppe_state *> packet.state
    job.source = packet.source + HEADER
    job.target = packet.target + HEADER
    job.length = packet.length
    if packet.length > 0xFFFF:
        return FASTPPTP_LENGTH
    return FASTPPTP_OK if job.state.armed else FASTPPTP_NO_KEYS


cdef fastpptp_status job_encrypt(mppe_job *job, fastpptp_packet *packet) noexcept nogil:
    cdef fastpptp_status status = job_make(job, packet)
    if status == FASTPPTP_OK:
        seal(job)
        if packet.flags & FASTPPTP_FLUSH:
            packet.target[0] |= FLAG_FLUSHED >> 8
            job.initialize = True
    return status


cdef fastpptp_status job_decrypt(mppe_job *job, fastpptp_packet *packet, uint32_t catch_up) noexcept nogil:
    cdef fastpptp_status status = job_make(job, packet)
    if not 1 <= catch_up <= COUNT:
        return FASTPPTP_ARGUMENT
    # The first four codes are batch.pxi's.
    return status if status != FASTPPTP_OK else <fastpptp_status> unseal(job, catch_up)


cdef size_t jobs_run(
    fastpptp_engine *engine, fastpptp_packet *packets, size_t count, bint decrypt, uint32_t catch_up
) noexcept nogil:
    """Stage what can be done and do it, a window at a time."""
    cdef mppe_job jobs[MPPE_WINDOW]
    cdef fastpptp_status status
    cdef size_t k, good = 0
    cdef uint32_t staged = 0
    for k in range(count):
        if decrypt:
            status = job_decrypt(&jobs[staged], &packets[k], catch_up)
        else:
            status = job_encrypt(&jobs[staged], &packets[k])
        packets[k].status = <uint8_t> status
        staged += status == FASTPPTP_OK
        if staged == MPPE_WINDOW or k + 1 == count:
            mppe_crypt(<mppe_engine *> engine, jobs, staged)
            good += staged
            staged = 0
    return good


cdef size_t fastpptp_mppe_encrypt(
    fastpptp_engine *engine, fastpptp_packet *packets, size_t count
) noexcept nogil:
    return jobs_run(engine, packets, count, False, 0)


cdef size_t fastpptp_mppe_decrypt(
    fastpptp_engine *engine, fastpptp_packet *packets, size_t count, uint32_t catch_up
) noexcept nogil:
    return jobs_run(engine, packets, count, True, catch_up)


cdef fastpptp_api capi
memset(&capi, 0, sizeof(capi))
capi.abi = FASTPPTP_ABI
capi.size = sizeof(fastpptp_api)
capi.mppe_init = fastpptp_mppe_init
capi.mppe_wipe = fastpptp_mppe_wipe
capi.engine_new = fastpptp_engine_new
capi.engine_free = fastpptp_engine_free
capi.mppe_encrypt = fastpptp_mppe_encrypt
capi.mppe_decrypt = fastpptp_mppe_decrypt
capi.gre_encap = fastpptp_gre_encap
capi.gre_decap = fastpptp_gre_decap
capi.gre_decap_ipv4 = fastpptp_gre_decap_ipv4
_C_API = PyCapsule_New(&capi, "fastpptp._core._C_API", NULL)


def capi_layout() -> dict[str, dict[str, int]]:
    """Sizes and offsets as the extension has them. For tests."""
    cdef fastpptp_packet packet
    cdef fastpptp_gre gre
    cdef size_t p = <size_t> &packet, g = <size_t> &gre, a = <size_t> &capi
    return {
        "fastpptp_mppe": {"size": sizeof(fastpptp_mppe)},
        "fastpptp_packet": {
            "size": sizeof(fastpptp_packet),
            "state": <size_t> &packet.state - p,
            "source": <size_t> &packet.source - p,
            "target": <size_t> &packet.target - p,
            "length": <size_t> &packet.length - p,
            "flags": <size_t> &packet.flags - p,
            "status": <size_t> &packet.status - p,
        },
        "fastpptp_gre": {
            "size": sizeof(fastpptp_gre),
            "packet": <size_t> &gre.packet - g,
            "payload": <size_t> &gre.payload - g,
            "packet_length": <size_t> &gre.packet_length - g,
            "payload_length": <size_t> &gre.payload_length - g,
            "headroom": <size_t> &gre.headroom - g,
            "sequence": <size_t> &gre.sequence - g,
            "acknowledged": <size_t> &gre.acknowledged - g,
            "source_address": <size_t> &gre.source_address - g,
            "target_address": <size_t> &gre.target_address - g,
            "call_id": <size_t> &gre.call_id - g,
            "flags": <size_t> &gre.flags - g,
            "status": <size_t> &gre.status - g,
        },
        "fastpptp_api": {
            "size": capi.size,
            "abi": <size_t> &capi.abi - a,
            "mppe_init": <size_t> &capi.mppe_init - a,
            "mppe_encrypt": <size_t> &capi.mppe_encrypt - a,
            "gre_encap": <size_t> &capi.gre_encap - a,
            "gre_decap_ipv4": <size_t> &capi.gre_decap_ipv4 - a,
        },
    }
