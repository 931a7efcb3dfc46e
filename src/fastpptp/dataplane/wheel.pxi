# Timers: a wheel of 1 ms slots, each a list of calls. A call is in it at most once, at the earliest
# of its deadlines; one that was put off is found not due and goes back in. Deadlines beyond the
# wheel's horizon are looked at when it is reached.

cdef enum:
    WHEEL_SLOTS = 16384
    WHEEL_WORDS = 256            # WHEEL_SLOTS / 64


cdef inline void wheel_unlink(worker *w, call_state *call) noexcept nogil:
    cdef uint32_t slot = call.wheel_due & (WHEEL_SLOTS - 1)
    if call.wheel_previous:
        w.calls[call.wheel_previous].wheel_next = call.wheel_next
    else:
        w.wheel[slot] = call.wheel_next
        if call.wheel_next == 0:
            w.wheel_used[slot >> 6] &= ~(<uint64_t> 1 << (slot & 63))
    if call.wheel_next:
        w.calls[call.wheel_next].wheel_previous = call.wheel_previous
    call.wheel_due = NEVER
    call.wheel_next = 0
    call.wheel_previous = 0


cdef void schedule(worker *w, call_state *call, uint64_t due) noexcept nogil:
    """See that call_timers runs for this call at `due` or before."""
    cdef uint32_t slot, call_id = call.handle & 0xFFFF
    if due == NEVER:
        return
    if due <= w.wheel_now:
        due = w.wheel_now + 1
    if due - w.wheel_now >= WHEEL_SLOTS:
        due = w.wheel_now + WHEEL_SLOTS - 1
    if call.wheel_due != NEVER:
        if call.wheel_due <= due:
            return
        wheel_unlink(w, call)
    slot = due & (WHEEL_SLOTS - 1)
    call.wheel_due = due
    call.wheel_next = w.wheel[slot]
    if call.wheel_next:
        w.calls[call.wheel_next].wheel_previous = call_id
    w.wheel[slot] = call_id
    w.wheel_used[slot >> 6] |= <uint64_t> 1 << (slot & 63)


cdef int64_t wheel_wait(worker *w) noexcept nogil:
    """Milliseconds from the wheel's time to its next call, at most its horizon."""
    cdef uint32_t k, ahead = 0, slot
    cdef uint64_t word
    while ahead < WHEEL_SLOTS:
        slot = (w.wheel_now + 1 + ahead) & (WHEEL_SLOTS - 1)
        word = w.wheel_used[slot >> 6] >> (slot & 63)
        if word:
            for k in range(<uint32_t> 64):
                if word >> k & 1:
                    return ahead + k + 1
        ahead += 64 - (slot & 63)
    return WHEEL_SLOTS


cdef void wheel_advance(worker *w, uint64_t now) noexcept nogil:
    """Run the timers of every call that is due."""
    cdef uint64_t step
    cdef call_state *call
    if now - w.wheel_now > WHEEL_SLOTS:
        w.wheel_now = now - WHEEL_SLOTS
    while w.wheel_now < now:
        step = <uint64_t> wheel_wait(w)
        if w.wheel_now + step > now:
            w.wheel_now = now
            return
        w.wheel_now += step
        while w.wheel[w.wheel_now & (WHEEL_SLOTS - 1)]:
            call = &w.calls[w.wheel[w.wheel_now & (WHEEL_SLOTS - 1)]]
            wheel_unlink(w, call)
            call_timers(w, call)


cdef inline uint64_t earlier(uint64_t a, uint64_t b) noexcept nogil:
    return b if a == NEVER or (b != NEVER and b < a) else a


cdef void call_timers(worker *w, call_state *call) noexcept nogil:
    """Whatever is due for this call; then its next deadline."""
    if call.ack_due != NEVER and call.ack_due <= w.now:
        call_row(w, call).ack_timeouts += 1
        send_zlb(w, call)
    if call.window_due != NEVER and call.window_due <= w.now:
        reopen_window(w, call)
    if call.hold_due != NEVER and call.hold_due <= w.now:
        hold_timer(w, call)
        if w.ready_count > READY_FULL:
            deliver(w)
    if call.park_due != NEVER and call.park_due <= w.now:
        expire_parked(w, call)
    if call.echo_due != NEVER and call.echo_due <= w.now:
        echo_timer(w, call)
    if call.idle_due != NEVER and call.idle_due <= w.now:
        idle_timer(w, call)
    if call.advertise_due != NEVER and call.advertise_due <= w.now:
        advertise(w, call)
    schedule_next(w, call)


cdef void schedule_next(worker *w, call_state *call) noexcept nogil:
    cdef uint64_t due = earlier(call.ack_due, call.window_due)
    due = earlier(earlier(due, call.hold_due), call.park_due)
    due = earlier(earlier(due, call.echo_due), call.idle_due)
    schedule(w, call, earlier(due, call.advertise_due))


cdef void idle_timer(worker *w, call_state *call) noexcept nogil:
    """No data for the Idle Timeout: tell, once for each such period."""
    cdef uint64_t last = call_row(w, call).last_data
    call.idle_due = last + call.idle_timeout
    if call.idle_due <= w.now:
        call.idle_due = w.now + call.idle_timeout
        raise_event(w, call.handle & 0xFFFF, EVENT_IDLE)
