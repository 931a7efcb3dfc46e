# A port: one AF_XDP socket on one queue of an interface. The worker's own frames are its memory (UMEM),
# so a frame wanders between the pool and the port's four rings and is never copied by us. What is
# here knows sockets and rings, not packets.

cdef extern from *:
    """
    #include <errno.h>
    #include <linux/ethtool.h>
    #include <linux/if_link.h>
    #include <linux/if_xdp.h>
    #include <linux/sockios.h>
    #include <net/if.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <unistd.h>

    #ifndef XDP_MAX_TX_SKB_BUDGET
    #define XDP_MAX_TX_SKB_BUDGET 9      /* Linux 6.17 */
    #endif

    /* How many queues an interface has now; one if it does not say. */
    static int xdp_queues(int fd, int device, unsigned int *receiving, unsigned int *sending)
    {
        struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
        struct ifreq request;
        memset(&request, 0, sizeof request);
        *receiving = *sending = 1;
        request.ifr_ifindex = device;
        if (ioctl(fd, SIOCGIFNAME, &request))
            return -1;
        request.ifr_data = (char *)&channels;
        if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
            *receiving = channels.combined_count + channels.rx_count;
            *sending = channels.combined_count + channels.tx_count;
        }
        return 0;
    }

    static inline void errno_set(int error)
    {
        errno = error;
    }

    /* Whether this thread is in the network namespace of a socket; unknown counts as yes. */
    static int xdp_namespace_is(int fd)
    {
        struct stat theirs = {0}, ours = {0};
        int here = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int named[2] = {ioctl(fd, SIOCGSKNS), ioctl(here, SIOCGSKNS)};
        int known = fstat(named[0], &theirs) == 0 && fstat(named[1], &ours) == 0;
        close(named[0]);
        close(named[1]);
        close(here);
        return !known || (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev);
    }

    /* An interface's own link address, in the namespace of any socket. */
    static int xdp_link_address(int fd, int device, unsigned char *address)
    {
        struct ifreq request;
        memset(&request, 0, sizeof request);
        request.ifr_ifindex = device;
        if (ioctl(fd, SIOCGIFNAME, &request) || ioctl(fd, SIOCGIFHWADDR, &request))
            return -1;
        memcpy(address, request.ifr_hwaddr.sa_data, 6);
        return 0;
    }
    """
    int AF_XDP, SOCK_RAW, SOCK_CLOEXEC, SOL_XDP, SO_SNDBUF, SO_SNDBUFFORCE
    int EBUSY, EEXIST, EINVAL, ENXIO, EOPNOTSUPP, ENODEV
    int XDP_UMEM_REG, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING
    int XDP_MMAP_OFFSETS, XDP_STATISTICS, XDP_OPTIONS, XDP_OPTIONS_ZEROCOPY, XDP_MAX_TX_SKB_BUDGET
    int XDP_USE_NEED_WAKEUP, XDP_RING_NEED_WAKEUP, MAP_POPULATE
    int64_t XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING
    int64_t XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING
    struct xdp_umem_reg:
        uint64_t addr
        uint64_t len
        uint32_t chunk_size
    struct xdp_ring_offset:
        uint64_t producer
        uint64_t consumer
        uint64_t desc
        uint64_t flags
    struct xdp_mmap_offsets:
        xdp_ring_offset rx
        xdp_ring_offset tx
        xdp_ring_offset fr
        xdp_ring_offset cr
    struct xdp_statistics:
        uint64_t rx_dropped
        uint64_t rx_ring_full
    struct xdp_options:
        uint32_t flags
    struct xdp_desc:
        uint64_t addr
        uint32_t len
        uint32_t options
    struct sockaddr_xdp:
        uint16_t sxdp_family
        uint16_t sxdp_flags
        uint32_t sxdp_ifindex
        uint32_t sxdp_queue_id
    struct sockaddr:
        pass
    int dup(int fd) nogil
    int socket(int domain, int kind, int protocol) nogil
    int bind(int fd, const sockaddr *address, socklen_t size) nogil
    int setsockopt(int fd, int level, int option, const void *value, socklen_t size) nogil
    ssize_t sendto(
        int fd, const void *data, size_t size, int flags, const sockaddr *address, socklen_t length
    ) nogil
    ssize_t recvfrom(int fd, void *data, size_t size, int flags, sockaddr *address, void *length) nogil
    int xdp_queues(int fd, int device, unsigned int *receiving, unsigned int *sending) nogil
    int xdp_namespace_is(int fd) nogil
    int xdp_link_address(int fd, int device, uint8_t *address) nogil
    void errno_set(int error) nogil

cdef enum:
    PORTS = 64                   # of one worker
    PORT_RECEIVES = 4096         # entries of the rings for receiving
    PORT_SENDS = 1024            # and for sending
    PORT_SEND_BUFFER = 8 << 20   # what the kernel's copies may take
    BIND_TRIES = 100             # the kernel lets go of a queue some time after its socket was closed
    BIND_PAUSE = 10000           # us


# One end of a ring is ours; `ours` is our index. Indexes only grow, modulo 2**32.
cdef struct xdp_ring:
    uint32_t *producer
    uint32_t *consumer
    uint32_t *flags
    void *entries                # xdp_desc, or uint64_t of addresses
    uint32_t ours
    uint32_t mask
    void *memory
    size_t size


cdef struct xdp_port:
    int fd
    int device                   # interface index
    int sockets_fd               # the program's map, until the port is in it
    uint32_t queue
    uint8_t source[6]            # the interface's link address
    uint8_t sends
    uint8_t zero_copy
    uint8_t closed
    uint32_t filled              # frames that are the kernel's to receive into
    uint64_t blocked             # no sending before, ms
    uint64_t closed_at
    uint64_t lost                # packets that the kernel had counted as lost
    xdp_ring receive
    xdp_ring fill
    xdp_ring transmit
    xdp_ring completed


cdef inline uint32_t xdp_waiting(xdp_ring *ring) noexcept nogil:
    """How many entries the kernel has put into a ring of its making."""
    return load32(ring.producer, __ATOMIC_ACQUIRE) - ring.ours


cdef inline void xdp_taken(xdp_ring *ring, uint32_t count) noexcept nogil:
    ring.ours += count
    store32(ring.consumer, ring.ours, __ATOMIC_RELEASE)


cdef inline uint32_t xdp_unseen(xdp_ring *ring) noexcept nogil:
    """How many entries of ours the kernel has not taken yet."""
    return ring.ours - load32(ring.consumer, __ATOMIC_ACQUIRE)


cdef inline uint32_t xdp_room(xdp_ring *ring) noexcept nogil:
    return ring.mask + 1 - xdp_unseen(ring)


cdef inline void xdp_given(xdp_ring *ring, uint32_t count) noexcept nogil:
    ring.ours += count
    store32(ring.producer, ring.ours, __ATOMIC_RELEASE)


cdef inline bint xdp_sleeps(xdp_ring *ring) noexcept nogil:
    """Whether the kernel wants a system call before it looks at this ring."""
    return load32(ring.flags, __ATOMIC_ACQUIRE) & XDP_RING_NEED_WAKEUP != 0


cdef inline xdp_desc *xdp_packet(xdp_ring *ring, uint32_t k) noexcept nogil:
    return &(<xdp_desc *> ring.entries)[(ring.ours + k) & ring.mask]


cdef inline uint64_t *xdp_address(xdp_ring *ring, uint32_t k) noexcept nogil:
    return &(<uint64_t *> ring.entries)[(ring.ours + k) & ring.mask]


cdef bint xdp_map(
    xdp_ring *ring, int fd, int64_t page, const xdp_ring_offset *at, uint32_t entries, size_t entry
) noexcept nogil:
    cdef uint8_t *memory
    ring.size = at.desc + entries * entry
    ring.memory = mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page)
    if ring.memory == MAP_FAILED:
        ring.memory = NULL
        return False
    memory = <uint8_t *> ring.memory
    ring.producer = <uint32_t *> (memory + at.producer)
    ring.consumer = <uint32_t *> (memory + at.consumer)
    ring.flags = <uint32_t *> (memory + at.flags)
    ring.entries = memory + at.desc
    ring.mask = entries - 1
    return True


cdef inline bint port_option(xdp_port *port, int option, int value) noexcept nogil:
    return setsockopt(port.fd, SOL_XDP, option, &value, sizeof(int)) == 0


cdef bint port_map(xdp_port *port, void *frames, size_t size) noexcept nogil:
    """Lend the frames to the socket, and make and map its rings."""
    cdef xdp_umem_reg memory
    cdef xdp_mmap_offsets at
    cdef socklen_t length = sizeof(at)
    memset(&memory, 0, sizeof(memory))
    memory.addr = <uint64_t> <size_t> frames
    memory.len = size
    memory.chunk_size = FRAME_SIZE
    if (
        setsockopt(port.fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) < 0
        or not port_option(port, XDP_UMEM_FILL_RING, PORT_RECEIVES)
        or not port_option(port, XDP_UMEM_COMPLETION_RING, PORT_SENDS)
        or not port_option(port, XDP_RX_RING, PORT_RECEIVES)
        or not port_option(port, XDP_TX_RING, PORT_SENDS)
        or getsockopt(port.fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) < 0
    ):
        return False
    return (
        xdp_map(&port.receive, port.fd, XDP_PGOFF_RX_RING, &at.rx, PORT_RECEIVES, sizeof(xdp_desc))
        and xdp_map(&port.transmit, port.fd, XDP_PGOFF_TX_RING, &at.tx, PORT_SENDS, sizeof(xdp_desc))
        and xdp_map(&port.fill, port.fd, XDP_UMEM_PGOFF_FILL_RING, &at.fr, PORT_RECEIVES, 8)
        and xdp_map(&port.completed, port.fd, XDP_UMEM_PGOFF_COMPLETION_RING, &at.cr, PORT_SENDS, 8)
    )


cdef bint port_bind(xdp_port *port) noexcept nogil:
    """To its queue; zero copy if the driver can."""
    cdef sockaddr_xdp name
    cdef xdp_options options
    cdef socklen_t size = sizeof(options)
    cdef int tries = 0
    memset(&name, 0, sizeof(name))
    name.sxdp_family = <uint16_t> AF_XDP
    name.sxdp_flags = <uint16_t> XDP_USE_NEED_WAKEUP
    name.sxdp_ifindex = port.device
    name.sxdp_queue_id = port.queue
    while bind(port.fd, <sockaddr *> &name, sizeof(name)) < 0:
        tries += 1
        if errno != EBUSY or tries == BIND_TRIES:
            return False
        usleep(BIND_PAUSE)
    if getsockopt(port.fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0:
        port.zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY != 0
    return True


cdef void send_room(int fd, int size) noexcept nogil:
    """What may wait in a socket, octets of the kernel's memory; beyond the host's limit where we may."""
    if setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(int)) < 0:
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int))


cdef void port_tune(xdp_port *port) noexcept nogil:
    """Room for bursts; a kernel without the budget sends 32 packets a system call."""
    send_room(port.fd, PORT_SEND_BUFFER)
    port_option(port, XDP_MAX_TX_SKB_BUDGET, PORT_SENDS)


cdef xdp_port *port_new(
    void *frames, size_t size, int device, uint32_t queue, bint sends
) noexcept nogil:
    """A port with no frames yet; NULL and errno when the system refuses."""
    cdef xdp_port *port = <xdp_port *> memory_take(sizeof(xdp_port))
    if port == NULL:
        return NULL
    port.device = device
    port.queue = queue
    port.sends = sends
    port.sockets_fd = -1
    port.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)
    if (
        port.fd < 0
        or not port_map(port, frames, size)
        or not port_bind(port)
    ):
        port_free(port)
        return NULL
    port_tune(port)
    return port


cdef void xdp_unmap(xdp_ring *ring) noexcept nogil:
    memory_give(ring.memory, ring.size)
    ring.memory = NULL


cdef void port_close(xdp_port *port) noexcept nogil:
    """Give its queue back: a ring that is mapped would hold the socket."""
    xdp_unmap(&port.receive)
    xdp_unmap(&port.fill)
    xdp_unmap(&port.transmit)
    xdp_unmap(&port.completed)
    descriptor_close(port.fd)
    descriptor_close(port.sockets_fd)
    port.fd = port.sockets_fd = -1
    port.closed = True


cdef void port_free(xdp_port *port) noexcept nogil:
    """Whatever there is of it; `errno` stays as it is."""
    cdef int error = errno
    port_close(port)
    memory_give(port, sizeof(xdp_port))
    errno_set(error)
