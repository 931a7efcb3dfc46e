# MPPE (RFC 3078) for batches of packets: mppe_crypt().
#
# A batch is a list of jobs (see _core.pxd), which act as if run one after the other. They are run
# in three passes over a window of at most 256:
#
#   chains   Each state whose key changes is a chain: its keys follow from each other (7.3), but
#            chains of different states are independent, so they are walked side by side. Each
#            job's key is noted as its chain comes by. A receiver that lost packets walks further.
#   fresh    Stateless packets start RC4 anew, each under the key just noted. So all of them are
#            independent, those of one session too.
#   rounds   Stateful packets go on with their state's table, one packet after the other: the k-th
#            packets of all states are round k, and within a round all are independent.
#
# In the last two, packets are sorted by length, longest first, and cut into groups (rc4.pxi).
from libc.stdlib cimport free


cdef extern from "<stdlib.h>" nogil:
    void *aligned_alloc(size_t alignment, size_t size)


cdef enum:
    MPPE_WINDOW = 256
    MPPE_SLOTS = 512             # of the hash from state to chain
    MPPE_LANES = 32
    NO_JOB = 0xFFFF
    LENGTH_CLASSES = 128         # of 16 octets each


include "mppe_keys.pxi"
include "mppe_ahead.pxi"


# The jobs of one state within a window.
cdef struct mppe_chain:
    mppe_state *state
    mppe_walk walk
    uint16_t head                # the jobs whose key is still to be noted, linked by `next`
    uint16_t tail
    uint32_t steps               # key changes to go before head's key
    uint32_t walked              # in this window
    uint16_t rounds              # stateful jobs so far


# The workspace of one worker. Nothing in it outlives a call but what is there to be reused.
cdef struct mppe_engine:
    rc4_space space
    rc4_group group[2]
    uint8_t digest[MPPE_LANES][16]   # on their way to keys
    uint8_t keys[MPPE_LANES][32]
    mppe_ring ring[AHEAD_RINGS]
    uint8_t spare[64]            # what idle lanes point at
    uint8_t spare_table[256]
    mppe_chain chain[MPPE_WINDOW]
    uint8_t key[MPPE_WINDOW][16]     # of each job; 8 octets repeated
    uint16_t next[MPPE_WINDOW]
    uint16_t round[MPPE_WINDOW]      # 0: fresh
    uint16_t order[MPPE_WINDOW]      # jobs by length, then by round
    uint16_t by_length[MPPE_WINDOW]
    uint16_t active[MPPE_WINDOW]
    mppe_walk *walk[MPPE_WINDOW]     # of the active chains
    uint16_t slot[MPPE_SLOTS]        # chain number + 1
    uint32_t chains
    uint32_t actives                 # chains with jobs whose key is still to be noted
    uint32_t rounds


cdef mppe_engine *mppe_engine_new() noexcept nogil:
    """The workspace of one worker (about 70 KiB), or NULL. One thread at a time."""
    cdef size_t size = (sizeof(mppe_engine) + 4095) & ~(<size_t> 4095)
    cdef mppe_engine *engine = <mppe_engine *> aligned_alloc(4096, size)
    cdef int q, lane
    if engine == NULL:
        return NULL
    memset(engine, 0, size)
    for q in range(2):
        for lane in range(16):
            lane_idle(engine, &engine.group[q], lane)
    if not plan_ready:
        plan_measure(engine)
    return engine


cdef void mppe_engine_free(mppe_engine *engine) noexcept nogil:
    """Wipes the keys in it. NULL is fine."""
    if engine != NULL:
        wipe(engine, sizeof(mppe_engine))
        free(engine)


# Chains.

cdef void walks_digest(mppe_engine *engine, mppe_walk **walk, int count) noexcept nogil:
    """The digests of each walk's keys (RFC 3079 3.4)."""
    cdef uint32_t wide = 0
    cdef int n
    for n in range(count):
        memcpy(engine.keys[n], walk[n].keys, 32)
        wide |= <uint32_t> (walk[n].key_length == 16) << n
    for n in range(0, count, 16):
        sha1_keys_batch(engine.keys[n], wide >> n, min(16, count - n), engine.digest[n])


cdef void digests_crypt(mppe_engine *engine, mppe_walk **walk, int count) noexcept nogil:
    """Each digest encrypted under itself (RFC 3078 7.3)."""
    cdef rc4_group *g
    cdef rc4_shape shape
    cdef int n = 0, lane
    while n < count:
        shape = plan_shape(PLAN_STEP, count - n)
        for lane in range(shape.width):
            g = &engine.group[lane // 16]
            if n == count:
                lane_idle(engine, g, lane % 16)
                continue
            repeat_key(g.key[lane % 16], engine.digest[n], walk[n].key_length)
            g.source[lane % 16] = engine.digest[n]
            g.target[lane % 16] = engine.digest[n]
            g.length[lane % 16] = 16
            n += 1
        rc4_crypt_fresh(&engine.space, engine.group, shape)


cdef void walks_step(mppe_engine *engine, mppe_walk **walk, uint32_t count) noexcept nogil:
    """One key change of each walk."""
    cdef uint32_t taken, n
    while count:
        taken = min(count, <uint32_t> MPPE_LANES)
        walks_digest(engine, walk, taken)
        digests_crypt(engine, walk, taken)
        for n in range(taken):
            memcpy(walk[n].keys + 16, engine.digest[n], walk[n].key_length)
            fix_strength(walk[n].keys + 16, walk[n].salt_length)
        walk += taken
        count -= taken


cdef inline mppe_chain *chain_of(mppe_engine *engine, mppe_state *state) noexcept nogil:
    cdef uint32_t at = <uint32_t> ((<uint64_t> <size_t> state // 16 * 0x9E3779B97F4A7C15ULL) >> 55)
    cdef mppe_chain *chain
    while engine.slot[at]:
        chain = &engine.chain[engine.slot[at] - 1]
        if chain.state == state:
            return chain
        at = (at + 1) & (MPPE_SLOTS - 1)
    chain = &engine.chain[engine.chains]
    engine.chains += 1
    engine.slot[at] = <uint16_t> engine.chains
    chain.state = state
    chain.head = NO_JOB
    chain.rounds = 0
    return chain


cdef void chain_append(mppe_engine *engine, mppe_chain *chain, mppe_job *jobs, uint16_t k) noexcept nogil:
    """Job k wants its key noted."""
    if chain.head == NO_JOB:
        memcpy(chain.walk.keys, chain.state.start_key, 32)
        chain.walk.key_length = chain.state.key_length
        chain.walk.salt_length = chain.state.salt_length
        chain.head = k
        chain.steps = jobs[k].changes
        chain.walked = 0
        engine.active[engine.actives] = <uint16_t> (chain - engine.chain)
        engine.actives += 1
    else:
        engine.next[chain.tail] = k
    chain.tail = k
    engine.next[k] = NO_JOB


cdef bint chain_note(mppe_engine *engine, mppe_chain *chain, mppe_job *jobs) noexcept nogil:
    """Note the chain's key for the jobs that use it; False once the last is served."""
    cdef uint16_t k
    while chain.head != NO_JOB:
        if chain.steps:
            return True
        k = chain.head
        repeat_key(engine.key[k], chain.walk.keys + 16, chain.walk.key_length)
        if jobs[k].key_after != NULL:
            memcpy(jobs[k].key_after, chain.walk.keys + 16, 16)
        chain.head = engine.next[k]
        if chain.head == NO_JOB:
            memcpy(chain.state.session_key, chain.walk.keys + 16, 16)
        else:
            chain.steps = jobs[chain.head].changes
    return False


cdef void chains_note(mppe_engine *engine, mppe_job *jobs) noexcept nogil:
    cdef uint32_t p, kept = 0
    for p in range(engine.actives):
        engine.active[kept] = engine.active[p]
        kept += chain_note(engine, &engine.chain[engine.active[p]], jobs)
    engine.actives = kept


cdef void chains_step(mppe_engine *engine) noexcept nogil:
    """One key change of every active chain."""
    cdef mppe_chain *chain
    cdef uint32_t p
    for p in range(engine.actives):
        chain = &engine.chain[engine.active[p]]
        chain.steps -= 1
        chain.walked += 1
        engine.walk[p] = &chain.walk
    walks_step(engine, engine.walk, engine.actives)


cdef void chains_walk(mppe_engine *engine, mppe_job *jobs) noexcept nogil:
    """All key changes of the window, one of every chain at a time; first those that were walked ahead."""
    cdef uint32_t p
    cdef bint few = engine.actives <= AHEAD_RINGS
    if few:
        for p in range(engine.actives):
            chain_take(engine, &engine.chain[engine.active[p]], jobs)
    chains_note(engine, jobs)
    while engine.actives:
        chains_step(engine)
        chains_note(engine, jobs)
    if few:
        for p in range(engine.chains):
            chain_remember(engine, &engine.chain[p])


cdef void chain_take(mppe_engine *engine, mppe_chain *chain, mppe_job *jobs) noexcept nogil:
    """Go along the keys that are there already."""
    cdef mppe_ring *ring = ring_of(engine.ring, &chain.walk)
    if ring == NULL:
        return
    while ring.count and chain_note(engine, chain, jobs):
        ring_take(ring, chain.walk.keys + 16)
        chain.steps -= 1
        chain.walked += 1


cdef void chain_remember(mppe_engine *engine, mppe_chain *chain) noexcept nogil:
    """Keep a ring for a state that goes through keys quickly."""
    if chain.rounds == 0 and chain.walked >= AHEAD_BUSY and ring_of(engine.ring, &chain.walk) == NULL:
        ring_start(engine.ring, &chain.walk)


cdef bint mppe_walk_ahead(mppe_engine *engine) noexcept nogil:
    """For idle moments: one more key for each busy state. False when there is nothing to do."""
    cdef mppe_ring *grown[AHEAD_RINGS]
    cdef uint32_t k, count = 0
    for k in range(<uint32_t> AHEAD_RINGS):
        if ring_has_room(&engine.ring[k]):
            grown[count] = &engine.ring[k]
            engine.walk[count] = &engine.ring[k].walk
            count += 1
    walks_step(engine, engine.walk, count)
    for k in range(count):
        ring_put(grown[k])
    return count != 0


cdef void mppe_forget(mppe_engine *engine, const mppe_state *state) noexcept nogil:
    """Wipe what was walked ahead for a state that is given up."""
    cdef int k
    for k in range(AHEAD_RINGS):
        if memcmp(engine.ring[k].walk.keys, state.start_key, 16) == 0:
            wipe(&engine.ring[k], sizeof(mppe_ring))


# Packets.

cdef inline void lane_idle(mppe_engine *engine, rc4_group *g, int lane) noexcept nogil:
    g.length[lane] = 0
    g.rotation[lane] = 0
    g.source[lane] = engine.spare
    g.target[lane] = engine.spare
    g.table[lane] = engine.spare_table


cdef inline void lane_fill(
    mppe_engine *engine, rc4_group *g, int lane, mppe_job *job, uint16_t k
) noexcept nogil:
    g.length[lane] = job.length
    g.source[lane] = job.source
    g.target[lane] = job.target
    if engine.round[k]:
        if job.changes or job.initialize:
            table_start(job.state, engine.key[k])
        g.table[lane] = job.state.rc4
        g.rotation[lane] = ROW * <uint32_t> <uint8_t> (job.state.i + 1)
        g.j[lane] = ROW * <uint32_t> job.state.j - g.rotation[lane]
    else:
        memcpy(g.key[lane], engine.key[k], 16)


cdef inline void lane_keep(rc4_group *g, int lane, mppe_state *state, uint32_t length) noexcept nogil:
    state.i = <uint8_t> (state.i + length)
    state.j = <uint8_t> ((g.j[lane] + g.rotation[lane]) // ROW)


cdef void group_crypt(
    mppe_engine *engine, mppe_job *jobs, const uint16_t *which, int lanes, rc4_shape shape
) noexcept nogil:
    """The packets `which`, all fresh or all of one round."""
    cdef rc4_group *g = engine.group
    cdef int lane
    for lane in range(lanes):
        lane_fill(engine, &g[lane // 16], lane % 16, &jobs[which[lane]], which[lane])
    for lane in range(lanes, shape.width):
        lane_idle(engine, &g[lane // 16], lane % 16)
    if engine.round[which[0]] == 0:
        rc4_crypt_fresh(&engine.space, g, shape)
        return
    rc4_crypt_tables(&engine.space, g, shape)
    for lane in range(lanes):
        lane_keep(g, lane, jobs[which[lane]].state, jobs[which[lane]].length)


cdef void groups_crypt(mppe_engine *engine, mppe_job *jobs, uint32_t count) noexcept nogil:
    """The window's packets, which stand in order: fresh ones, then round after round."""
    cdef uint32_t p = 0, end, lanes
    cdef rc4_shape shape
    cdef int plan
    while p < count:
        end = p
        while end < count and engine.round[engine.order[end]] == engine.round[engine.order[p]]:
            end += 1
        while p < end:
            plan = PLAN_TABLES if engine.round[engine.order[p]] else PLAN_FRESH
            plan += jobs[engine.order[p]].length > PLAN_SHORT
            shape = plan_shape(plan, end - p)
            lanes = min(<uint32_t> shape.width, end - p)
            group_crypt(engine, jobs, engine.order + p, lanes, shape)
            p += lanes


# Windows.

cdef void window_collect(mppe_engine *engine, mppe_job *jobs, uint32_t count) noexcept nogil:
    """Link each state's jobs, in order, and number the rounds."""
    cdef mppe_chain *chain
    cdef uint32_t k
    memset(engine.slot, 0, sizeof(engine.slot))
    engine.chains = 0
    engine.actives = 0
    engine.rounds = 0
    for k in range(count):
        chain = chain_of(engine, jobs[k].state)
        if not jobs[k].state.stateless:
            chain.rounds += 1
            engine.rounds = max(engine.rounds, chain.rounds)
        engine.round[k] = chain.rounds
        if jobs[k].state.stateless or jobs[k].changes or jobs[k].initialize or jobs[k].key_after != NULL:
            chain_append(engine, chain, jobs, <uint16_t> k)


cdef inline uint32_t length_class(uint32_t length) noexcept nogil:
    """0 is the longest."""
    return LENGTH_CLASSES - 1 - min(length // 16, <uint32_t> LENGTH_CLASSES - 1)


cdef void sort_by_length(mppe_engine *engine, mppe_job *jobs, uint32_t count) noexcept nogil:
    """Longest first: a counting sort, which keeps the order of equals."""
    cdef uint16_t start[LENGTH_CLASSES + 1]
    cdef uint32_t k, n, classes = LENGTH_CLASSES
    memset(start, 0, sizeof(start))
    for k in range(count):
        start[length_class(jobs[k].length) + 1] += 1
    if start[length_class(jobs[0].length) + 1] == count:
        for k in range(count):
            engine.by_length[k] = <uint16_t> k
        return
    for n in range(classes):
        start[n + 1] += start[n]
    for k in range(count):
        n = length_class(jobs[k].length)
        engine.by_length[start[n]] = <uint16_t> k
        start[n] += 1


cdef void sort_by_round(mppe_engine *engine, uint32_t count) noexcept nogil:
    """The same by round, fresh ones first, so that each round stays longest first."""
    cdef uint16_t start[MPPE_WINDOW + 2]
    cdef uint32_t k, n
    memset(start, 0, (engine.rounds + 2) * sizeof(uint16_t))
    for k in range(count):
        start[engine.round[k] + 1] += 1
    for n in range(engine.rounds):
        start[n + 1] += start[n]
    for k in range(count):
        n = engine.round[engine.by_length[k]]
        engine.order[start[n]] = engine.by_length[k]
        start[n] += 1


cdef void mppe_crypt(mppe_engine *engine, mppe_job *jobs, uint32_t count) noexcept nogil:
    """Run the jobs: the contract is beside mppe_job. A key change of a stateful state initializes its
    tables too (RFC 3078 7.3). No allocation, no limit on count."""
    cdef uint32_t taken
    while count:
        taken = min(count, <uint32_t> MPPE_WINDOW)
        window_collect(engine, jobs, taken)
        chains_walk(engine, jobs)
        sort_by_length(engine, jobs, taken)
        sort_by_round(engine, taken)
        groups_crypt(engine, jobs, taken)
        jobs += taken
        count -= taken


include "mppe_plan.pxi"
