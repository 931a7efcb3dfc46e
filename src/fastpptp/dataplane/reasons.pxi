# Why a packet was dropped: the enum is the list, and the text of a reason is its name.


cpdef enum DropReason:
    # Outer: what arrived is no enhanced GRE, or none of ours.
    OUTER_TRUNCATED
    OUTER_OVERRUN
    OUTER_BUFFER_FULL
    OUTER_MALFORMED
    GRE_MALFORMED
    GRE_VERSION
    GRE_LENGTH
    UNKNOWN_CALL
    WRONG_ADDRESS
    # Sequence.
    LATE
    DUPLICATE
    REORDER_FULL
    # PPP.
    PPP_MALFORMED
    PUNT_BUDGET
    PUNT_RING_FULL
    # Gate and parking.
    GATE_CLOSED
    CLEARTEXT
    NO_KEYS
    PARK_FULL
    PARK_EXPIRED_FRAME
    # MPPE.
    MPPE_HEADER
    MPPE_COHERENCY
    MPPE_AWAITS_FLUSH
    MPPE_KEY_STEPS
    MPPE_IMPLAUSIBLE
    # Inner packets.
    INNER_MALFORMED
    INNER_SOURCE
    INNER_PEER
    FILTERED
    FILTER_UNJUDGED
    INNER_UNKNOWN
    INNER_TOO_BIG
    INNER_WRITE
    # Sending.
    WINDOW_QUEUE_FULL
    SEND_BACKLOG
    SEND_FAILED
    NO_FRAME
    CALL_CLOSED
    DROP_REASONS


cdef inline void drop(worker *w, int reason, uint64_t count=1) noexcept nogil:
    w.drops[reason] += count


cdef inline void discard(worker *w, call_state *call, int reason) noexcept nogil:
    """A packet that belonged to a call: from the peer."""
    w.drops[reason] += 1
    w.rows[call.handle & 0xFFFF].rx_discards += 1


cdef inline void refuse(worker *w, call_state *call, int reason) noexcept nogil:
    """A packet that belonged to a call: to the peer."""
    w.drops[reason] += 1
    w.rows[call.handle & 0xFFFF].tx_discards += 1


def drop_texts() -> tuple[str, ...]:
    """What `Dataplane.drops` counts, in its order."""
    names = [reason.name.lower().replace("_", " ") for reason in DropReason]
    return tuple(names[:DROP_REASONS])
