# The loop of a worker: both directions of its calls, inline, on one core.


cdef uint32_t worker_turn(worker *w, uint64_t now) noexcept nogil:
    """Everything there is to do now, a batch of each kind; returns how much it was."""
    cdef uint32_t work, gives
    w.now = now
    flush_out(w)
    work = run_commands(w)
    gives = w.give_count
    if pass_detained(w):
        work += outer_receive(w)
        work += xdp_receive(w)
    if w.give_count:
        finish_gives(w, gives)
    wheel_advance(w, now)
    deliver(w)
    if not w.out_stalled:
        backlog_serve(w)
    work += side_receive(w)
    work += inner_receive(w)
    acknowledge_listed(w)
    flush_out(w)
    notify(w)
    return work


cdef inline uint64_t clock_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <uint64_t> t.tv_sec * 1000000000 + <uint64_t> t.tv_nsec


cdef void worker_run(worker *w) noexcept nogil:
    """Until told to stop: drain; when there is nothing, spin for a while; then sleep."""
    cdef uint64_t now = clock_ns(), busy = now
    while not load32(&w.stop, __ATOMIC_ACQUIRE):
        now = clock_ns()
        if worker_turn(w, now // 1000000):
            busy = now
        elif mppe_walk_ahead(w.engine):
            continue             # keys for what will come
        elif now - busy < <uint64_t> w.spin_microseconds * 1000:
            sched_yield()
        else:
            worker_sleep(w)


cdef void worker_sleep(worker *w) noexcept nogil:
    """Wait for a packet, a command, or the next timer."""
    cdef epoll_event events[5]
    cdef uint64_t count
    cdef int64_t wait = wheel_wait(w)
    if w.out_waiting or w.blocked or w.give_count or w.detained != NO_FRAME_INDEX:
        wait = 1                 # nothing tells when the device or another worker has got on
    worker_watch_output(w)
    store32(&w.sleeping, 1, __ATOMIC_SEQ_CST)
    if w.blocked or not ring_waits(&w.commands):
        epoll_wait(w.epoll_fd, events, 5, <int> wait)
    store32(&w.sleeping, 0, __ATOMIC_SEQ_CST)
    read(w.wake_fd, &count, 8)


cdef void worker_watch_output(worker *w) noexcept nogil:
    """While packets wait for an outer socket, its readiness wakes us."""
    if w.out_stalled == w.watches_output:
        return
    w.watches_output = w.out_stalled
    watch(w, w.outer_fd, EPOLL_CTL_MOD, EPOLLIN | (EPOLLOUT if w.out_stalled == STALLED_RAW else 0))
    if w.packet_fd >= 0:
        watch(w, w.packet_fd, EPOLL_CTL_MOD, EPOLLOUT if w.out_stalled == STALLED_PACKET else 0)


cdef bint watch(worker *w, int fd, int operation, uint32_t events) noexcept nogil:
    cdef epoll_event event
    event.events = events
    event.data.u32 = <uint32_t> fd
    return epoll_ctl(w.epoll_fd, operation, fd, &event) == 0
