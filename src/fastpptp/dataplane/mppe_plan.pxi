# Which shape (rc4.pxi) suits how many streams: measured on this CPU, when the first engine is made.
#
# The time that each shape takes for a full group is measured for each kind of work; from these the
# cheapest way to cut n streams into groups follows.
from libc.math cimport INFINITY


cdef extern from "<time.h>" nogil:
    struct plan_clock "timespec":
        long tv_sec
        long tv_nsec
    int PLAN_CLOCK "CLOCK_MONOTONIC"
    int plan_gettime "clock_gettime"(int clock, plan_clock *now)


cdef enum:
    PLAN_STEP = 0                # key changes
    PLAN_FRESH = 1               # short packets; + 1: long ones
    PLAN_TABLES = 3
    PLANS = 5
    PLAN_SHORT = 256             # octets
    PLAN_STREAMS = 32
    PLAN_REPEATS = 15
    SHAPES = 10

cdef double PLAN_MARGIN = 1.02               # RC4_STREAMS must win clearly where others are as good
cdef int *PLAN_LENGTH = [16, 64, 1024, 64, 1024]
cdef rc4_shape[SHAPES] SHAPE
SHAPE[:] = [
    rc4_shape(RC4_PORTABLE, 1),
    rc4_shape(RC4_PORTABLE, 2),
    rc4_shape(RC4_PORTABLE, 3),
    rc4_shape(RC4_STREAMS, 1),
    rc4_shape(RC4_STREAMS, 2),
    rc4_shape(RC4_STREAMS, 3),
    rc4_shape(RC4_STREAMS, 4),
    rc4_shape(RC4_LANES, 8),
    rc4_shape(RC4_LANES, 16),
    rc4_shape(RC4_LANES, 32),
]
cdef uint8_t plan[PLANS][PLAN_STREAMS + 1]   # the shape to take first, for so many streams
cdef bint plan_ready = False


cdef inline rc4_shape plan_shape(int kind, uint32_t streams) noexcept nogil:
    return SHAPE[plan[kind][min(streams, <uint32_t> PLAN_STREAMS)]]


cdef bint plan_allows(int kind, rc4_shape shape) noexcept nogil:
    if shape.kernel == RC4_LANES:
        return cpu.avx512 and (shape.width < 32 or kind < PLAN_TABLES)
    return shape.kernel == RC4_PORTABLE or (RC4_X86 and cpu.avx2)


cdef double plan_seconds() noexcept nogil:
    cdef plan_clock now
    plan_gettime(PLAN_CLOCK, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef double plan_time(mppe_engine *engine, int kind, rc4_shape shape) noexcept nogil:
    """The lower quartile of a few runs: how long one takes is a matter of luck with the keys, each has
    others, and of what else this machine does."""
    cdef double time[PLAN_REPEATS]
    cdef double start, taken
    cdef int n, k, lane
    for n in range(PLAN_REPEATS):
        for lane in range(shape.width):
            engine.group[lane // 16].key[lane % 16][0] += 1
        start = plan_seconds()
        if kind < PLAN_TABLES:
            rc4_crypt_fresh(&engine.space, engine.group, shape)
        else:
            rc4_crypt_tables(&engine.space, engine.group, shape)
        taken = plan_seconds() - start
        k = n
        while k and time[k - 1] > taken:
            time[k] = time[k - 1]
            k -= 1
        time[k] = taken
    return time[PLAN_REPEATS // 4]


cdef void plan_cut(int kind, const double *cost) noexcept nogil:
    """The cheapest cut of n streams: the best first group, and the cheapest cut of what it leaves."""
    cdef double best[PLAN_STREAMS + 1]
    cdef double total
    cdef int n, k
    best[0] = 0
    for n in range(1, PLAN_STREAMS + 1):
        best[n] = INFINITY
        for k in range(SHAPES):
            total = cost[k] + best[max(0, n - SHAPE[k].width)]
            if total <= best[n] * 1.001:     # between equals the widest goes first: it takes the longest
                best[n] = min(total, best[n])
                plan[kind][n] = <uint8_t> k


cdef void plan_measure(mppe_engine *engine) noexcept nogil:
    """A few milliseconds. The engine must be idle; its lanes are lent a text and tables."""
    cdef uint8_t text[1024]
    cdef uint8_t table[16][RC4_LONE]
    cdef double cost[SHAPES]
    cdef int kind, k, lane
    cdef rc4_group *g
    global plan_ready
    memset(text, 0, sizeof(text))
    for lane in range(16):
        memset(engine.group[1].key[lane], 16 * lane + 1, 16)
        memset(engine.group[0].key[lane], 8 * lane + 3, 16)
        rc4_schedule(table[lane], engine.group[0].key[lane])
    for kind in range(PLANS):
        for lane in range(32):
            g = &engine.group[lane // 16]
            g.length[lane % 16] = PLAN_LENGTH[kind]
            g.source[lane % 16] = text
            g.target[lane % 16] = text
            g.table[lane % 16] = table[lane % 16]
        for k in range(SHAPES):
            cost[k] = plan_time(engine, kind, SHAPE[k]) if plan_allows(kind, SHAPE[k]) else INFINITY
            if SHAPE[k].kernel == RC4_STREAMS:
                cost[k] *= PLAN_MARGIN
        plan_cut(kind, cost)
    for lane in range(32):
        lane_idle(engine, &engine.group[lane // 16], lane % 16)
    plan_ready = True


cdef void plan_forget() noexcept nogil:
    """The next engine measures again."""
    global plan_ready
    plan_ready = False


cdef void plan_force(int k) noexcept nogil:
    """Groups of this shape only."""
    global plan_ready
    cdef int kind, n
    for kind in range(PLANS):
        for n in range(PLAN_STREAMS + 1):
            plan[kind][n] = <uint8_t> (k - 1 if SHAPE[k].width == 32 and kind >= PLAN_TABLES else k)
    plan_ready = True
