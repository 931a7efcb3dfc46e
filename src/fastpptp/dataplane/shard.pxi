# What one worker owns. Nothing in it is shared, but for the rings' far ends and the arenas, of which
# each worker touches only its own calls.

cdef enum:
    MAX_WORKERS = 64
    RX_BATCH = 64                # packets of one recvmmsg
    READY_MAX = 512              # with what they release
    READY_FULL = 352             # READY_MAX - RX_BATCH - the largest reorder hold, and some
    REORDER_MAX = 64
    OUT_BATCH = 512
    OUT_CONTROL = 64             # of which data leaves free: control frames and acknowledgements
    BACKLOG = 65536
    ACK_LIST = 1024
    CONTROL_SPACE = 64

cdef enum:
    PACKET_NEW
    PACKET_DROPPED
    PACKET_KEPT
    PACKET_ENCRYPTED
    PACKET_INNER

cdef enum:
    EVENT_FIRST_GRE = 1
    EVENT_PEER_SILENT = 2
    EVENT_IDLE = 4
    EVENT_RESYNC_FAILED = 8
    EVENT_PARK_EXPIRED = 16
    EVENT_CLOSED = 32
    EVENT_NEVER_DECRYPTED = 64
    EVENT_CLEARTEXT = 128
    EVENT_THROTTLED = 256
    EVENT_UNACKNOWLEDGED = 512

cdef enum:
    FLOW_LOCAL = 1
    FLOW_PEER = 2


# A payload on its way in. `data` is the PPP frame, then what is inside it.
cdef struct packet:
    call_state *call
    const uint8_t *data
    uint8_t *inner
    uint32_t frame
    uint32_t plain_frame         # where MPPE decrypts to: the ciphertext stays for another try
    uint32_t length
    uint32_t inner_length
    uint32_t sequence
    uint32_t gap                 # numbers given up in front of it
    uint16_t header              # MPPE's
    uint8_t state
    uint8_t unproven             # its sequence number is not believed yet


cdef struct mppe_snapshot:
    mppe_state key
    uint32_t handle
    uint32_t sequence


# A call that was given away, and in how many full batches at most all has come that came before.
cdef struct give:
    uint32_t handle
    uint32_t turns
    uint64_t copies              # until when copies come, ms; 0: it is not known yet that all has come


cdef union outer_name:
    sockaddr_in internet
    sockaddr_ll link


# A message of the batch that belongs to a traced call.
cdef struct trace_mark:
    uint32_t handle
    uint32_t message


cdef struct worker:
    uint32_t index
    uint32_t workers
    uint32_t inner_mtu
    int outer_fd
    int packet_fd                # sends to next hops that are known; -1 = none
    int inner_fd
    int epoll_fd
    int wake_fd
    int notify_fd
    int owner_fd                 # the map of owners, -1 = they are in this process's memory only
    int side_fd                  # what other workers have for us
    int side_out[64]             # MAX_WORKERS: the other workers' side doors
    uint8_t outer_follows        # its filter knows the owners
    uint8_t outer_named          # a raw socket: destinations and sources are given with each packet
    uint8_t vnet_header
    uint8_t notify
    uint8_t out_stalled          # which socket is full, 0 = none
    uint8_t out_waiting          # the way whose port has not taken all that it was given, 0 = none
    uint64_t refused_since       # since when a device has no room for the next message, 0 = it has
    uint64_t refusing_until
    uint16_t identification      # of the last IPv4 header that we wrote
    uint8_t watches_output
    uint32_t sleeping
    uint32_t stop
    uint32_t spin_microseconds
    uint8_t blocked              # the next command cannot be carried out yet
    uint64_t now                 # ms
    # Arenas.
    call_state *calls
    call_stats *rows
    uint64_t *drops
    uint32_t *event_bits
    uint8_t *owners              # of every Call-ID: the index of a worker
    # Frames.
    uint8_t *frames
    frame_note *notes
    uint32_t *free
    uint32_t free_count
    uint32_t frame_count
    # Receiving.
    uint32_t rx_frames[64]       # RX_BATCH
    iovec rx_vectors[64]
    mmsghdr rx_messages[64]
    xdp_port *ports[64]          # PORTS; NULL = free
    uint32_t port_count          # places in use, with what is free between them
    uint64_t ports_due           # when their losses are looked at again, ms
    uint8_t *lent                # by frame: place + 1 of the port whose rings or driver have it
    packet ready[512]            # READY_MAX
    uint32_t ready_count
    # MPPE.
    mppe_engine *engine
    mppe_job jobs[1024]          # READY_MAX + OUT_BATCH
    uint32_t job_count
    mppe_snapshot snapshots[512]
    uint32_t snapshot_count
    mppe_state trial
    # Sending.
    uint32_t out_frames[512]     # OUT_BATCH
    iovec out_vectors[512]
    outer_name out_names[512]
    uint8_t out_ways[512]        # WAY_RAW, WAY_PACKET, WAY_PORT + the port's place
    uint8_t out_controls[512][64]
    mmsghdr out_messages[512]
    uint32_t out_count
    uint32_t out_sent
    uint32_t trace_count
    trace_mark trace_marks[512]  # OUT_BATCH
    uint32_t acks[1024]          # ACK_LIST: handles of calls with something to acknowledge
    uint32_t ack_count
    uint32_t backlog[65536]      # BACKLOG: handles of calls with packets behind a full socket
    uint32_t backlog_first
    uint32_t backlog_count
    # Timers.
    uint32_t wheel[16384]        # WHEEL_SLOTS
    uint64_t wheel_used[256]
    uint64_t wheel_now
    budget icmp                  # too-big messages
    budget sources[1024]         # SOURCES: punted frames by peer address
    # Traffic filters.
    filter_set *filters
    budget logging
    uint32_t log_suppressed
    # Moves.
    give gives[64]               # GIVES
    uint32_t give_count
    uint32_t detained            # frames for which a side door has no room
    uint32_t detained_last
    uint8_t outer_rest           # what the turn left in the outer sockets
    uint64_t give_due            # the next one is not put off beyond, ms
    # Python.
    uint32_t losses              # of the raw socket's buffer, as last asked
    ring commands
    ring punts
    ring logs
    ring traces
    event_list *events
    route_table routes
    inner_port inner
