# What the dataplane asks of the C library and the kernel.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "<sys/types.h>" nogil:
    ctypedef Py_ssize_t ssize_t


cdef extern from "<errno.h>" nogil:
    int errno
    int EAGAIN, EINTR, ENOBUFS, ENOMEM


cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID
    int clock_gettime(int clock, timespec *now)


cdef extern from "<sched.h>" nogil:
    int sched_yield()


cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *buffer, size_t size)
    ssize_t write(int fd, const void *buffer, size_t size)
    int close(int fd)
    int usleep(unsigned int microseconds)


cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t readv(int fd, const iovec *vector, int count)
    ssize_t writev(int fd, const iovec *vector, int count)


cdef extern from "<sys/mman.h>" nogil:
    int PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE
    int MADV_DONTDUMP
    void *MAP_FAILED
    void *mmap(void *address, size_t size, int protection, int flags, int fd, int64_t offset)
    int munmap(void *address, size_t size)
    int madvise(void *address, size_t size, int advice)


cdef extern from "<sys/epoll.h>" nogil:
    union epoll_data:
        uint32_t u32
    struct epoll_event:
        uint32_t events
        epoll_data data
    int EPOLLIN, EPOLLOUT, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int count, int milliseconds)


cdef extern from "<sys/eventfd.h>" nogil:
    int EFD_NONBLOCK, EFD_CLOEXEC
    int eventfd(unsigned int value, int flags)


cdef extern from "<sys/socket.h>" nogil:
    int AF_INET, AF_PACKET, AF_UNIX, SOCK_DGRAM, SOL_SOCKET, SO_DOMAIN
    int MSG_DONTWAIT, MSG_TRUNC, MSG_NOSIGNAL
    ctypedef unsigned int socklen_t
    struct msghdr:
        void *msg_name
        socklen_t msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    size_t CMSG_LEN(size_t size)
    size_t CMSG_SPACE(size_t size)
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, timespec *timeout)
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    int getsockopt(int fd, int level, int option, void *value, socklen_t *size)


cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_IP, IP_PKTINFO
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct in_pktinfo:
        int ipi_ifindex
        in_addr ipi_spec_dst
        in_addr ipi_addr


cdef extern from "<linux/if_ether.h>" nogil:
    int ETH_P_IP


cdef extern from "<linux/if_packet.h>" nogil:
    struct sockaddr_ll:
        uint16_t sll_family
        uint16_t sll_protocol
        int sll_ifindex
        uint8_t sll_halen
        uint8_t sll_addr[8]


cdef extern from *:
    # The compiler's atomics; indexes and bits that two threads share go through these.
    int __ATOMIC_ACQUIRE
    int __ATOMIC_RELEASE
    int __ATOMIC_SEQ_CST
    uint64_t load64 "__atomic_load_n"(uint64_t *target, int order) nogil
    void store64 "__atomic_store_n"(uint64_t *target, uint64_t value, int order) nogil
    uint8_t load8 "__atomic_load_n"(uint8_t *target, int order) nogil
    void store8 "__atomic_store_n"(uint8_t *target, uint8_t value, int order) nogil
    uint32_t load32 "__atomic_load_n"(uint32_t *target, int order) nogil
    void store32 "__atomic_store_n"(uint32_t *target, uint32_t value, int order) nogil
    uint32_t exchange32 "__atomic_exchange_n"(uint32_t *target, uint32_t value, int order) nogil
    uint32_t fetch_or32 "__atomic_fetch_or"(uint32_t *target, uint32_t bits, int order) nogil
