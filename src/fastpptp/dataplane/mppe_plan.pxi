# Which width (rc4.pxi) suits how many streams: measured on this CPU, when the first engine is made.
#
# The time that each width takes for a full group is measured for each kind of work; from these the
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
    PLAN_REPEATS = 7
    WIDTHS = 6

cdef int *WIDTH = [1, 2, 3, 8, 16, 32]
cdef uint8_t plan[PLANS][PLAN_STREAMS + 1]   # the width to take first, for so many streams
cdef bint plan_ready = False


cdef inline uint32_t plan_width(int kind, uint32_t streams) noexcept nogil:
    return plan[kind][min(streams, <uint32_t> PLAN_STREAMS)]


cdef bint plan_allows(int kind, int width) noexcept nogil:
    return width < 8 or (cpu.avx512 and (width < 32 or kind < PLAN_TABLES))


cdef double plan_seconds() noexcept nogil:
    cdef plan_clock now
    plan_gettime(PLAN_CLOCK, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef void plan_run(mppe_engine *engine, int kind, int width) noexcept nogil:
    if kind == PLAN_STEP:
        sha1_keys_batch(engine.keys[0], 0xFFFF, min(width, 16), engine.digest[0])
        if width == 32:
            sha1_keys_batch(engine.keys[16], 0xFFFF, 16, engine.digest[16])
        rc4_crypt_fresh(&engine.space, engine.step, width)
    elif kind < PLAN_TABLES:
        rc4_crypt_fresh(&engine.space, engine.group, width)
    else:
        rc4_crypt_tables(&engine.space, engine.group, width)


cdef double plan_time(mppe_engine *engine, int kind, int width) noexcept nogil:
    """The least time of a few runs."""
    cdef double best = INFINITY, start
    cdef int n
    for n in range(PLAN_REPEATS):
        start = plan_seconds()
        plan_run(engine, kind, width)
        best = min(best, plan_seconds() - start)
    return best


cdef void plan_cut(int kind, const double *cost) noexcept nogil:
    """The cheapest cut of n streams: the best first group, and the cheapest cut of what it leaves."""
    cdef double best[PLAN_STREAMS + 1]
    cdef double total
    cdef int n, w
    best[0] = 0
    for n in range(1, PLAN_STREAMS + 1):
        best[n] = INFINITY
        for w in range(WIDTHS):
            total = cost[w] + best[max(0, n - WIDTH[w])]
            if total <= best[n] * 1.001:     # between equals the widest goes first: it takes the longest
                best[n] = min(total, best[n])
                plan[kind][n] = <uint8_t> WIDTH[w]


cdef void plan_measure(mppe_engine *engine) noexcept nogil:
    """A few milliseconds. The engine must be idle; its lanes are lent a text and tables."""
    cdef uint8_t text[1024]
    cdef uint8_t table[16][RC4_LONE]
    cdef double cost[WIDTHS]
    cdef int kind, w, lane
    global plan_ready
    memset(text, 0, sizeof(text))
    for lane in range(16):
        memset(engine.keys[lane], 16 * lane + 1, 32)
        memset(engine.group[0].key[lane], 8 * lane + 3, 16)
        rc4_schedule(table[lane], engine.group[0].key[lane])
    for kind in range(PLANS):
        for lane in range(32):
            engine.group[lane // 16].length[lane % 16] = 64 if kind in (PLAN_FRESH, PLAN_TABLES) else 1024
            engine.group[lane // 16].source[lane % 16] = text
            engine.group[lane // 16].target[lane % 16] = text
            engine.group[lane // 16].table[lane % 16] = table[lane % 16]
        for w in range(WIDTHS):
            cost[w] = plan_time(engine, kind, WIDTH[w]) if plan_allows(kind, WIDTH[w]) else INFINITY
        plan_cut(kind, cost)
    for lane in range(32):
        lane_idle(engine, &engine.group[lane // 16], lane % 16)
    plan_ready = True


cdef void plan_forget() noexcept nogil:
    """The next engine measures again."""
    global plan_ready
    plan_ready = False


cdef void plan_force(int width) noexcept nogil:
    """Groups of this width only."""
    global plan_ready
    cdef int kind, n
    for kind in range(PLANS):
        for n in range(PLAN_STREAMS + 1):
            plan[kind][n] = <uint8_t> (16 if width == 32 and kind >= PLAN_TABLES else width)
    plan_ready = True
