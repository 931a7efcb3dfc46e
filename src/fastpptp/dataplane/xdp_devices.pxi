# Interfaces whose GRE comes by AF_XDP: the program on each, and a port for each of its queues.


cdef enum:
    DEVICE_QUEUES = 256


cdef class XdpDevice:
    """Our program on an interface, with a port a queue. It goes when this is closed, or the process dies."""

    cdef readonly int device     # interface index
    cdef readonly uint32_t queues
    cdef readonly bint native    # the driver runs the program, else the kernel does, behind the driver
    cdef readonly bint zero_copy
    cdef int _program
    cdef int _link
    cdef int _sockets
    cdef xdp_port *_ports[256]   # DEVICE_QUEUES; NULL where a worker has it

    def __cinit__(self):
        self._program = self._link = self._sockets = -1

    def __init__(self, Shards shards, int addresses, int device):
        cdef uint32_t sending = 0
        cdef int control = shards._workers[0].outer_fd
        self.device = device
        if not xdp_namespace_is(control):
            raise OSError(EINVAL, "the raw sockets are in another network namespace")
        if xdp_queues(control, device, &self.queues, &sending) < 0:
            raise OSError(ENODEV, f"there is no interface {device}")
        if self.queues > DEVICE_QUEUES or self.queues > PORTS * shards._count:
            raise OSError(EOPNOTSUPP, f"{self.queues} queues are too many")
        self._attach(addresses, shards._owner_fd, shards._count)
        for queue in range(self.queues):
            self._open_port(shards._workers[queue % shards._count], queue, queue < sending)
        self.zero_copy = self._ports[0].zero_copy

    cdef int _attach(self, int addresses, int owners, uint32_t workers) except -1:
        self._sockets = xdp_sockets_new(self.queues)
        if self._sockets < 0:
            raise _refused("no map of AF_XDP sockets")
        self._program = xdp_program_new(addresses, owners, self._sockets, workers)
        if self._program < 0:
            raise _refused("the kernel takes no XDP program")
        self._link = xdp_attach(self._program, self.device, XDP_FLAGS_DRV_MODE)
        self.native = self._link >= 0
        if self._link < 0 and errno != EBUSY and errno != EEXIST:
            self._link = xdp_attach(self._program, self.device, XDP_FLAGS_SKB_MODE)
        if self._link < 0:
            busy = errno == EBUSY or errno == EEXIST
            raise _refused(
                "another XDP program is on the interface" if busy
                else "the interface takes no XDP program"
            )
        return 0

    cdef int _open_port(self, worker *w, uint32_t queue, bint sends) except -1:
        cdef xdp_port *port = port_new(w.frames, frames_size(w.frame_count), self.device, queue, sends)
        if port == NULL:
            raise _refused(f"no AF_XDP socket on queue {queue}")
        self._ports[queue] = port
        port.sockets_fd = dup(self._sockets)
        if port.sockets_fd < 0 or xdp_link_address(w.outer_fd, self.device, port.source) < 0:
            raise _refused(f"queue {queue}")
        return 0

    def close(self):
        """Take the program away, and the ports that no worker has."""
        cdef uint32_t queue
        descriptor_close(self._link)
        descriptor_close(self._program)
        descriptor_close(self._sockets)
        self._program = self._link = self._sockets = -1
        for queue in range(DEVICE_QUEUES):
            if self._ports[queue] != NULL:
                port_free(self._ports[queue])
                self._ports[queue] = NULL

    def __dealloc__(self):
        self.close()

    def fileno(self):
        """The program's descriptor."""
        return self._program


def _refused(what):
    return OSError(errno, f"{what} ({_os.strerror(errno)})")


cdef class XdpShards(Shards):
    """Shards that may have interfaces, with `xdp=True`."""

    cdef uint32_t *_addresses    # of the open calls, by Call-ID: a map of the programs'
    cdef int _addresses_fd
    cdef dict _devices           # interface index -> XdpDevice

    def __cinit__(self):
        self._addresses_fd = -1
        self._devices = {}

    def __init__(self, outer_fds, tun_fds, *, bint xdp=False, **options):
        super().__init__(outer_fds, tun_fds, **options)
        if xdp:
            try:
                self._make_addresses()
            except BaseException:
                self.close()
                raise

    def _make_addresses(self):
        cdef void *memory
        self._addresses_fd = xdp_addresses_new(CALLS)
        if self._addresses_fd < 0 or (self._count > 1 and self._owner_fd < 0):
            raise _refused("no BPF map for AF_XDP; it needs CAP_BPF, CAP_NET_ADMIN and Linux 5.9")
        memory = mmap(NULL, CALLS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, self._addresses_fd, 0)
        if memory == MAP_FAILED:
            raise _refused("no room for the addresses of calls")
        self._addresses = <uint32_t *> memory

    cdef void _steer_call(self, uint32_t call_id, uint32_t local_address) noexcept:
        """Tell the programs where this call must arrive; 0: it is not open."""
        if self._addresses != NULL:
            store32(&self._addresses[call_id], local_address, __ATOMIC_RELEASE)

    def prepare_xdp(self, int device):
        """Attach the program to an interface and open its sockets, for open_xdp(). From any thread.

        OSError says what is in the way. It may block while the driver is reset.
        """
        self._ready()
        if self._addresses == NULL:
            raise ValueError("the dataplane was made without xdp=True")
        return XdpDevice(self, self._addresses_fd, device)

    def open_xdp(self, device):
        """Take and send the calls' GRE on an interface by AF_XDP: its index, or what was prepared.

        What cannot go this way still goes by the other sockets.
        """
        cdef XdpDevice made
        cdef uint32_t queue
        index = device.device if isinstance(device, XdpDevice) else device
        self._ready()
        if index in self._devices:
            raise ValueError(f"interface {index} is open already")
        made = device if isinstance(device, XdpDevice) else self.prepare_xdp(device)
        self._devices[made.device] = made
        for queue in range(made.queues):
            self._push(
                self._workers[queue % self._count], COMMAND_PORT_OPEN, EVERY_CALL, 0,
                &made._ports[queue], sizeof(made._ports[queue]),
            )
            made._ports[queue] = NULL
        return made

    def close_xdp(self, int device):
        """Leave an interface; its GRE comes by the raw socket again."""
        self._ready()
        self._devices.pop(device).close()
        for k in range(self._count):
            self._push(self._workers[k], COMMAND_PORT_CLOSE, EVERY_CALL, device, NULL, 0)

    @property
    def xdp_devices(self):
        """The interfaces that are open: {index: XdpDevice}."""
        return dict(self._devices)

    def close(self):
        """Stop, wipe every key, release everything. Views of `stats` stay readable."""
        self.stop()
        for made in self._devices.values():
            made.close()
        self._devices = {}
        super().close()
        memory_give(self._addresses, CALLS * 4)
        self._addresses = NULL
        descriptor_close(self._addresses_fd)
        self._addresses_fd = -1

    def __dealloc__(self):
        memory_give(self._addresses, CALLS * 4)
        descriptor_close(self._addresses_fd)
