# Traces, Python's side: which calls, and what was copied of their packets.


cdef class Traces(Filters):
    """The traces of a Dataplane."""

    cdef set _running            # handles whose trace is on, as far as commands have said
    cdef dict _unended           # handle -> how many TRACE_ENDED are still to be read

    def __cinit__(self):
        self._running = set()
        self._unended = {}

    def trace(self, handle, kinds, snap=FRAME_SIZE, rate=0):
        """Copy a call's packets from now on, for read_trace(): `kinds` is bits of fastpptp.ports.Trace.

        Of each packet at most `snap` octets (64..2048) are kept, and at most `rate` packets a second
        (0: all). Called again it changes a trace that runs; with no kinds it ends it, and so does
        close_call(). The last record of each trace is Trace.ENDED.
        """
        cdef trace_order order
        _bounded("kinds", int(kinds), 0, TRACE_ALL)
        _bounded("snap", snap, TRACE_LEAST, FRAME_SIZE)
        _bounded("rate", rate, 0, 0xFFFF)
        order.snap = snap
        order.rate = rate
        if self._handles.get(handle & 0xFFFF) != handle:
            return
        if not kinds:
            self._running.discard(handle)
        elif handle not in self._running:
            self._running.add(handle)
            self._unended[handle] = self._unended.get(handle, 0) + 1
        self._send(handle, COMMAND_TRACE, int(kinds), &order, sizeof(order))

    def read_trace(self, limit=256):
        """At most `limit` records, oldest first, as fastpptp.ports.TraceRecord has them.

        Each worker keeps up to 4 MiB; packets that come while that is full are lost and counted.
        """
        cdef worker *w
        cdef record *place
        cdef list found = []
        self._ready()
        while len(found) < limit:
            w = self._oldest_trace()
            if w == NULL:
                break
            place = ring_peek(&w.traces)
            if place.handle in self._unended:
                found.append(self._trace_record(place))
                if place.kind == TRACE_ENDED:
                    self._trace_ended(place.handle)
            ring_drop(&w.traces, place)
        return found

    cdef worker *_oldest_trace(self):
        """The worker that has the oldest record, or NULL."""
        cdef worker *oldest = NULL
        cdef record *place
        cdef uint64_t stamp, least = 0
        cdef uint32_t k
        for k in range(self._count):
            place = ring_peek(&self._workers[k].traces)
            if place != NULL:
                stamp = (<trace_body *> record_body(place)).stamp
                if oldest == NULL or stamp < least:
                    oldest, least = self._workers[k], stamp
        return oldest

    cdef _trace_record(self, record *place):
        cdef trace_body *body = <trace_body *> record_body(place)
        packet = (<uint8_t *> (body + 1))[:place.size - sizeof(record) - sizeof(trace_body)]
        return (
            int(place.handle), int(place.kind), int(body.stamp), int(body.length), int(body.suppressed),
            int(body.lost_outer), int(body.lost_inner), packet,
        )

    def _trace_ended(self, handle):
        self._unended[handle] -= 1
        if not self._unended[handle]:
            del self._unended[handle]
