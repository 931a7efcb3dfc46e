# The two arenas, indexed by our Call-ID: `state` (what a worker needs of a call, with its keys) and
# `stats` (what others may read). Sized once for every Call-ID, sparse, never remapped, no pointers.

cdef extern from *:
    """
    /* The empty statement keeps a function that does nothing but this from being left out as pure. */
    static inline void prefetch(const void *place)
    {
        __builtin_prefetch(place);
        __asm__ volatile("");
    }
    """
    void prefetch(const void *place) nogil

cdef enum:
    CALLS = 65536
    ARENA_VERSION = 3
    ARENA_MAGIC = 0x46505450     # "FPTP"
    ARENA_HEADER = 4096
    NEVER = 0                    # a deadline that is not set

cdef enum:
    GATE_4 = 1
    GATE_6 = 2

cdef enum:
    COMPRESS_ADDRESS = 1         # FF 03 (RFC 1661 6.6)
    COMPRESS_PROTOCOL = 2        # a protocol field of one octet (6.5)


cdef struct arena_header:
    uint32_t magic
    uint32_t version
    uint32_t calls
    uint32_t record


# So many at once, and as many again each second.
cdef struct budget:
    uint32_t refilled            # ms, modulo 2**32
    uint32_t tokens


# One row of Dataplane.stats; STATS_DTYPE spells it for numpy. What data packets count is its first
# cache line.
cdef struct call_stats:
    uint32_t handle
    uint32_t flow                # bit 0: a queue of ours is full, bit 1: the peer's window is
    uint64_t last_data           # ms of the monotonic clock
    uint64_t rx_packets          # data packets and their octets as inner IP
    uint64_t rx_octets
    uint64_t tx_packets
    uint64_t tx_octets
    uint64_t rx_discards
    uint64_t tx_discards
    uint64_t rx_zlb
    uint64_t tx_zlb
    uint64_t ack_timeouts        # expiries of the acknowledgement delay, each of which sent a ZLB
    uint64_t window_reopens
    uint64_t out_of_window       # too late, or twice
    uint64_t out_of_sequence     # not the next one
    uint64_t lost                # sequence numbers given up
    uint64_t control_received
    uint64_t control_sent
    uint64_t mppe_resets_received
    uint64_t mppe_resets_sent
    uint64_t opened
    uint64_t window_held         # packets that had to wait for the peer's window
    uint64_t window_silent       # re-openings of it without an acknowledgement since the one before
    uint64_t cleartext           # data that came in the clear, and was dropped, once there were keys
    uint64_t strays              # of this call, but from another address, or to another of ours
    uint64_t stray_source        # where the last of them came from, as a number
    uint64_t reserved[7]


# In cache lines. A packet in either direction touches `both ways`, and those of its direction: one
# when sending, two when receiving, with the key up to its RC4 table, which only stateful keys have.
cdef struct call_state:
    # Both ways.
    uint32_t handle              # generation << 16 | Call-ID; 0 = free
    uint32_t local_address       # as on the wire
    uint32_t peer_address
    uint32_t hop_device          # the next hop to the peer: interface,
    uint16_t hop_mtu             # the largest IPv4 packet it takes, 0 = the kernel finds the way,
    uint8_t hop_address[6]       # link address
    uint16_t peer_call_id
    uint16_t mru
    uint16_t mss
    uint8_t gates
    uint8_t compression          # COMPRESS_*: what the framing of data leaves out
    uint8_t traced               # TRACE_*, 0 = nobody looks
    uint8_t encryption_required
    uint8_t limit_window
    uint8_t rx_started
    uint32_t rx_next             # one above the highest delivered
    uint32_t rx_acked            # the value of rx_next that our last acknowledgement told
    uint32_t tx_next
    uint32_t tx_acked            # one above the highest acknowledged by the peer
    uint16_t ack_delay
    uint16_t filter              # its slot in the worker's filters, 0 = none
    uint64_t ack_due             # this and all that is `due`: a deadline, ms
    # Sending.
    uint32_t queued              # behind the peer's window
    uint16_t window              # what we allow ourselves now, <= peer_window
    uint8_t flush_pending
    uint8_t flush_changes_key    # FLUSHED changes the key (Linux), or only restarts RC4 (RFC 3078 8.2)
    uint64_t window_due
    uint64_t flushed             # ms of our last FLUSHED packet
    mppe_state send_key
    # Receiving.
    uint32_t mppe_sequence       # GRE sequence number of the last packet that decrypted
    uint16_t batch_snapshot
    uint8_t batch_mode           # how this batch treats the call's encrypted packets
    uint8_t out_of_step          # stateful: drop until FLUSHED
    uint64_t decrypted           # ms of the last packet that decrypted
    uint32_t rx_gap              # numbers given up for the packet about to be delivered
    uint32_t implausible         # in a row
    mppe_state receive_key
    uint64_t heard               # ms of the last packet from the peer
    uint64_t wheel_due           # when the wheel will look at this call; 0 = it will not
    uint64_t hold_due
    uint32_t held                # ahead of sequence, sorted
    uint32_t parked
    uint32_t inner_address       # as on the wire, 0 = none
    uint16_t control_pending     # punted and not answered
    uint16_t receive_window
    uint32_t wheel_next          # neighbours in the wheel's slot, by Call-ID
    uint32_t wheel_previous
    uint32_t ack_timeout
    uint16_t window_filled       # packets acknowledged since the window last grew
    uint16_t peer_window
    uint8_t first_gre            # the peer's first GRE came
    uint8_t ack_listed           # waits in worker.acks
    uint8_t check_source
    uint8_t client_to_client
    uint8_t routed               # has routes beside its own address
    uint8_t lcp_owned
    uint8_t echoes_unanswered
    uint8_t passage              # how far a move is
    # Frames that outlive their batch.
    uint32_t parked_last
    uint32_t queued_last
    uint16_t held_count
    uint16_t parked_count
    uint16_t queued_count
    uint16_t reorder_packets
    uint16_t reorder_time
    # Timers.
    uint64_t park_due
    uint64_t echo_due
    uint64_t idle_due
    uint64_t advertise_due
    uint32_t echo_interval
    uint32_t idle_timeout
    # LCP, punts, IPv6.
    uint32_t local_magic
    uint8_t echo_failures
    uint8_t echo_identifier
    uint8_t prefix_length        # 255 = no prefix
    budget punts
    uint8_t prefix[16]
    uint8_t peer_identifier[8]
    uint8_t local_identifier[8]
    # MPPE out of step.
    uint64_t step_refilled
    uint64_t reset_due           # no Reset-Request before
    uint64_t resync_due          # no RESYNC_FAILED before
    uint32_t step_tokens         # key changes that catching up may still cost
    uint8_t flush_proven         # the peer itself has shown which way it takes FLUSHED
    uint8_t reset_identifier
    uint8_t resets_unanswered
    # A move to another worker.
    uint64_t moved               # ms when
    uint32_t early               # what came before the old worker was done
    uint32_t early_last
    uint8_t moved_from
    uint8_t backlogged           # waits in worker.backlog
    # What is traced (trace.pxi).
    uint16_t trace_snap          # octets kept of a packet
    uint16_t trace_rate          # packets a second at most, 0 = all
    uint32_t trace_suppressed
    uint32_t trace_lost_outer
    uint32_t trace_lost_inner
    budget trace_budget
    # Signs of faults of the field: looked at when packets wait or are dropped, and with echoes.
    uint8_t cleartext            # packets since cleartext_since
    uint8_t throttled            # told
    uint8_t unacknowledged       # rounds of echo_timer without an acknowledgement
    uint64_t cleartext_since     # ms
    uint64_t throttle_since      # ms: the beginning of the period that is measured,
    uint64_t waiting_since       # since when packets wait for the peer's window, 0 = none do,
    uint32_t waiting_time        # ms that they did in this period before that,
    uint32_t throttle_mark       # tx_next when it began
    uint32_t window_mark         # tx_acked when the window was last re-opened
    uint32_t echo_sent           # tx_next and tx_acked when acknowledgements were last looked at
    uint32_t echo_acked
    uint8_t reserved[20]         # to a whole cache line


cdef enum:
    CACHE_LINE = 64
    CALL_SENDING = 128           # octets from the beginning: both ways, sending
    CALL_RECEIVING = 384         # where receiving begins
    KEY_HEAD = 40                # of an mppe_state: all but the RC4 table


cdef inline void prefetch_lines(const void *place, size_t size) noexcept nogil:
    """Ask for the cache lines of `size` octets from the beginning of one."""
    cdef size_t at = 0
    while at < size:
        prefetch(<const uint8_t *> place + at)
        at += CACHE_LINE


cdef inline call_state *call_find(worker *w, uint32_t handle) noexcept nogil:
    """The call of this life of the Call-ID, or NULL."""
    cdef call_state *call = &w.calls[handle & 0xFFFF]
    return call if call.handle == handle and handle != 0 else NULL


cdef inline call_stats *call_row(worker *w, call_state *call) noexcept nogil:
    return &w.rows[call.handle & 0xFFFF]


cdef inline bint call_armed(call_state *call) noexcept nogil:
    return call.encryption_required or call.receive_key.armed or call.send_key.armed


cdef inline uint32_t call_mtu(worker *w, call_state *call) noexcept nogil:
    """The largest inner packet: the MRU, less MPPE's header and protocol field (RFC 3078 3)."""
    cdef uint32_t mtu = call.mru
    if call_armed(call):
        mtu -= 4
    return mtu if mtu < w.inner_mtu else w.inner_mtu
