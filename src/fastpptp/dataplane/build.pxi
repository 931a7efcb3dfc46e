# Making and unmaking workers. All memory of the packet path is taken here.

cdef void *memory_take(size_t size) noexcept nogil:
    """Zeroed, page-aligned, touched only where used; NULL when there is none."""
    cdef void *memory = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0
    )
    if memory == MAP_FAILED:
        return NULL
    return memory


cdef void memory_give(void *memory, size_t size) noexcept nogil:
    if memory != NULL:
        munmap(memory, size)


cdef inline void descriptor_close(int fd) noexcept nogil:
    if fd >= 0:
        close(fd)


cdef inline size_t frames_size(uint32_t count) noexcept nogil:
    return <size_t> count * FRAME_SIZE


cdef worker *worker_new(uint32_t frames) noexcept nogil:
    """A worker with its memory, or NULL."""
    cdef worker *w = <worker *> memory_take(sizeof(worker))
    cdef uint32_t k
    if w == NULL:
        return NULL
    w.epoll_fd = w.wake_fd = w.side_fd = w.packet_fd = w.owner_fd = -1
    for k in range(<uint32_t> MAX_WORKERS):
        w.side_out[k] = -1
    w.frame_count = frames
    w.frames = <uint8_t *> memory_take(frames_size(frames))
    w.notes = <frame_note *> memory_take(frames * sizeof(frame_note))
    w.free = <uint32_t *> memory_take(frames * sizeof(uint32_t))
    w.lent = <uint8_t *> memory_take(frames)
    w.commands.memory = <uint8_t *> memory_take(COMMAND_RING)
    w.commands.size = COMMAND_RING
    w.punts.memory = <uint8_t *> memory_take(PUNT_RING)
    w.punts.size = PUNT_RING
    w.logs.memory = <uint8_t *> memory_take(LOG_RING)
    w.logs.size = LOG_RING
    w.traces.memory = <uint8_t *> memory_take(TRACE_RING)
    w.traces.size = TRACE_RING
    w.events = <event_list *> memory_take(sizeof(event_list))
    w.routes.slots = <route *> memory_take(ROUTE_SLOTS * sizeof(route))
    w.inner.spill = <uint8_t *> memory_take(FRAME_SIZE + SPILL)
    w.inner.gro = <gro_table *> memory_take(sizeof(gro_table))
    w.engine = mppe_engine_new()
    if not worker_whole(w):
        worker_free(w)
        return NULL
    # Keys and what users say pass through these: no core file shall hold them.
    madvise(w, sizeof(worker), MADV_DONTDUMP)
    madvise(w.commands.memory, COMMAND_RING, MADV_DONTDUMP)
    madvise(w.traces.memory, TRACE_RING, MADV_DONTDUMP)
    madvise(w.frames, frames_size(frames), MADV_DONTDUMP)
    for k in range(1, frames):
        w.free[k - 1] = frames - k
    w.free_count = frames - 1
    return w


cdef bint worker_whole(worker *w) noexcept nogil:
    return (
        w.frames != NULL and w.notes != NULL and w.free != NULL and w.lent != NULL
        and w.commands.memory != NULL and w.punts.memory != NULL and w.logs.memory != NULL
        and w.traces.memory != NULL
        and w.events != NULL and w.routes.slots != NULL and w.inner.spill != NULL and w.inner.gro != NULL
        and w.engine != NULL
    )


cdef void worker_free(worker *w) noexcept nogil:
    """Wipe and release. The descriptors that the worker made are closed, those it was given are not."""
    cdef uint32_t frames = w.frame_count
    free_ports(w)
    descriptor_close(w.epoll_fd)
    descriptor_close(w.wake_fd)
    descriptor_close(w.side_fd)
    if w.engine != NULL:
        mppe_engine_free(w.engine)
    memory_give(w.frames, frames_size(frames))
    memory_give(w.notes, frames * sizeof(frame_note))
    memory_give(w.free, frames * sizeof(uint32_t))
    memory_give(w.lent, frames)
    memory_give(w.commands.memory, COMMAND_RING)
    memory_give(w.punts.memory, PUNT_RING)
    memory_give(w.logs.memory, LOG_RING)
    memory_give(w.traces.memory, TRACE_RING)
    memory_give(w.events, sizeof(event_list))
    memory_give(w.routes.slots, ROUTE_SLOTS * sizeof(route))
    memory_give(w.inner.spill, FRAME_SIZE + SPILL)
    memory_give(w.inner.gro, sizeof(gro_table))
    memory_give(w, sizeof(worker))


cdef bint worker_open(worker *w) noexcept nogil:
    """Its own descriptors; False and errno when the system has no more."""
    w.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
    w.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    if w.epoll_fd < 0 or w.wake_fd < 0 or not outer_open(w):
        return False
    return (
        watch(w, w.outer_fd, EPOLL_CTL_ADD, EPOLLIN)
        and watch(w, w.inner_fd, EPOLL_CTL_ADD, EPOLLIN)
        and watch(w, w.wake_fd, EPOLL_CTL_ADD, EPOLLIN)
        and watch(w, w.side_fd, EPOLL_CTL_ADD, EPOLLIN)
        and (w.packet_fd < 0 or watch(w, w.packet_fd, EPOLL_CTL_ADD, 0))
    )
