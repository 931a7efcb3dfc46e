# Python's face of the dataplane: commands, punts, events, counters.


cdef uint32_t _wire(object address) except? 0:
    """An IPv4Address as it lies in a packet."""
    cdef uint8_t octets[4]
    cdef uint32_t result
    put32(octets, int(address))
    memcpy(&result, octets, 4)
    return result


cdef int _bounded(object name, object value, int64_t low, int64_t high) except? -1:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: {low}..{high} is allowed")
    return 0


cdef void _identifier(uint8_t *target, bytes value) noexcept:
    memset(target, 0, 8)
    if len(value) == 8:
        memcpy(target, <const uint8_t *> value, 8)


cdef class Dataplane(Traces):
    """Every packet of up to 65,535 calls: enhanced GRE on one side, IP packets on the other.

    `outer_fds`: one raw IPPROTO_GRE socket for each worker (or a connected datagram socket that
    delivers IPv4 header and GRE, and takes GRE alone). `tun_fds`: one TUN queue for each worker (or a
    descriptor with one IP packet a read and write), behind a 10-octet virtio header if `vnet_header`.
    `packet_fds`: none, or for each worker an AF_PACKET SOCK_DGRAM socket of protocol 0, by which calls
    with an adjacency send.
    With `xdp` the interfaces that open_xdp() is told receive and send by AF_XDP.
    `udp_offload` says that the kernel takes UDP super-packets too (TUN_F_USO4, Linux 6.2). Both stay
    the caller's, are made non-blocking, and must outlive this object. `inner_mtu` bounds every inner
    packet, 1..1916 octets. `frames` is the number of 2,048-octet packet buffers of each worker.

    Methods may be called from one thread at a time. ValueError: an argument out of range, a Call-ID
    that is not free; OSError: no memory, a bad descriptor. Commands for a handle that has been closed
    are ignored. See fastpptp.ports.Dataplane for what they mean.
    """

    # Commands.

    def open_call(self, handle, spec):
        """Begin a call. Its Call-ID must be free, its generation another than last time."""
        cdef open_body body
        self._ready()
        call_id, generation = handle & 0xFFFF, handle >> 16
        if call_id == 0 or not 0 < generation <= 0xFFFF:
            raise ValueError(f"handle {handle:#x} is malformed")
        if call_id in self._handles or call_id in self._closing:
            raise ValueError(f"Call-ID {call_id} is not free")
        if self._generations.get(call_id) == generation:
            raise ValueError(f"generation {generation} of Call-ID {call_id} is used twice in a row")
        _bounded("peer_call_id", spec.peer_call_id, 0, 0xFFFF)
        _bounded("receive_window", spec.receive_window, 0, 0xFFFF)
        _bounded("peer_window", spec.peer_window, 0, 0xFFFF)
        _bounded("ack_delay", spec.ack_delay, 0, 60000)
        _bounded("ack_timeout", spec.ack_timeout, 1, 600000)
        _bounded("reorder_packets", spec.reorder_packets, 0, REORDER_MAX)
        _bounded("reorder_time", spec.reorder_time, 0, 10000)
        memset(&body, 0, sizeof(body))
        body.local_address = _wire(spec.local_address)
        body.peer_address = _wire(spec.peer_address)
        body.peer_call_id = spec.peer_call_id
        body.receive_window = max(1, spec.receive_window)
        body.peer_window = max(1, spec.peer_window)
        body.limit_window = spec.limit_transmit_to_window
        body.ack_delay = spec.ack_delay
        body.ack_timeout = spec.ack_timeout
        body.reorder_packets = spec.reorder_packets
        body.reorder_time = spec.reorder_time
        self._handles[call_id] = handle
        self._moved.pop(call_id, None)
        self._owners[call_id] = call_id % self._count
        self._owners[CALLS + call_id] = 0
        self._steer_call(call_id, body.local_address)
        self._generations[call_id] = generation
        self._send(handle, COMMAND_OPEN, 0, &body, sizeof(body))

    def close_call(self, handle):
        """End a call: keys wiped, frames dropped; CLOSED follows."""
        if self._handles.get(handle & 0xFFFF) != handle:
            return
        self._change_routes(handle, [])
        self._send(handle, COMMAND_CLOSE)
        self._running.discard(handle)
        self._slot_of.pop(handle, None)
        del self._handles[handle & 0xFFFF]
        self._steer_call(handle & 0xFFFF, 0)
        self._closing.add(handle & 0xFFFF)

    def move_call(self, handle, worker):
        """Have another worker (0..workers - 1) carry this call, with all that is in it and on its way.

        Nothing happens where `movable` is False.
        """
        _bounded("worker", worker, 0, self._count - 1)
        before = self.worker_of(handle)
        if worker == before or not self.movable or self._handles.get(handle & 0xFFFF) != handle:
            return
        self._send(handle, COMMAND_GIVE, worker)
        self._moved[handle & 0xFFFF] = worker
        self._send(handle, COMMAND_TAKE)

    @property
    def movable(self):
        """Whether calls can be moved: with several raw sockets it takes CAP_BPF."""
        return self._count > 1 and all(
            not self._workers[k].outer_named or self._workers[k].outer_follows for k in range(self._count)
        )

    def set_policy(self, handle, policy):
        """Replace a call's policy, and what is routed to it, at once."""
        cdef policy_body body
        if self._handles.get(handle & 0xFFFF) != handle:
            return
        _bounded("mru", policy.mru, 128, 0xFFFF)
        _bounded("mss", policy.mss, 0, 0xFFFF)
        _bounded("echo_interval", policy.echo_interval, 0, (1 << 32) - 1)
        _bounded("idle_timeout", policy.idle_timeout, 0, (1 << 32) - 1)
        memset(&body, 0, sizeof(body))
        body.mru = policy.mru
        body.mss = policy.mss
        body.compression = (
            policy.address_compression * COMPRESS_ADDRESS | policy.protocol_compression * COMPRESS_PROTOCOL
        )
        body.encryption_required = policy.encryption_required
        body.check_source = policy.check_source
        body.client_to_client = policy.client_to_client
        body.echo_interval = policy.echo_interval
        body.echo_failures = max(1, min(255, policy.echo_failures))
        body.idle_timeout = policy.idle_timeout
        body.local_magic = policy.local_magic
        body.routed = len(policy.routes) > 0
        body.inner_address = 0 if policy.peer_address is None else _wire(policy.peer_address)
        body.prefix_length = NO_PREFIX
        if policy.peer_prefix is not None:
            body.prefix_length = policy.peer_prefix.prefixlen
            packed = policy.peer_prefix.network_address.packed
            memcpy(body.prefix, <const uint8_t *> <bytes> packed, 16)
        _identifier(body.peer_identifier, policy.peer_identifier)
        _identifier(body.local_identifier, policy.local_identifier or b"\0\0\0\0\0\0\0\1")
        body.filter = self._slot(handle, policy.filter)
        self._change_routes(handle, self._routes_of(policy))
        self._send(handle, COMMAND_POLICY, 0, &body, sizeof(body))

    def _routes_of(self, policy):
        mapped = b"\0" * 10 + b"\xff\xff"
        routes = []
        if policy.peer_address is not None:
            routes.append((mapped + policy.peer_address.packed, 128))
        for network, length in policy.routes:
            width = network.max_prefixlen
            _bounded("route prefix length", length, 0, width)
            kept = int(network) >> (width - length) << (width - length)
            packed = kept.to_bytes(width // 8, "big")
            routes.append((packed, length) if width == 128 else (mapped + packed, 96 + length))
        if policy.peer_prefix is not None:
            routes.append((policy.peer_prefix.network_address.packed, policy.peer_prefix.prefixlen))
        if len(policy.peer_identifier) == 8:
            routes.append((b"\xfe\x80" + b"\0" * 6 + policy.peer_identifier, 128))
        return routes

    def _change_routes(self, handle, routes):
        """Every worker reads the inner port, so every worker must know whose packet it is."""
        before = self._routes.get(handle, [])
        if self._route_count - len(before) + len(routes) > ROUTE_LIMIT:
            raise ValueError(f"more than {ROUTE_LIMIT} routes")
        for kind, chosen in (
            (COMMAND_ROUTE_REMOVE, [route for route in before if route not in routes]),
            (COMMAND_ROUTE_ADD, [route for route in routes if route not in before]),
        ):
            for prefix, length in chosen:
                self._send_route(kind, handle, prefix, length)
        self._route_count += len(routes) - len(before)
        if routes:
            self._routes[handle] = routes
        else:
            self._routes.pop(handle, None)

    def _send_route(self, uint32_t kind, uint32_t handle, bytes prefix, uint32_t length):
        cdef route_body body
        memcpy(body.prefix, <const uint8_t *> prefix, 16)
        body.length = length
        for k in range(self._count):
            self._push(self._workers[k], kind, handle, 0, &body, sizeof(body))
        if self._steering_fd >= 0:
            self._steer(kind, handle, prefix, length)

    def _steer(self, uint32_t kind, uint32_t handle, bytes prefix, uint32_t length):
        """The same for the TUN's program: the last call to claim a prefix has it."""
        if kind == COMMAND_ROUTE_ADD:
            self._steered[prefix, length] = handle
            steering_map_put(self._steering_fd, prefix, length, handle & 0xFFFF)
        elif self._steered.get((prefix, length)) == handle:
            del self._steered[prefix, length]
            steering_map_drop(self._steering_fd, prefix, length)

    def set_keys(self, handle, direction, bytes start_key, bits, stateless):
        """Arm one direction (0: what we receive, 1: what we send) with its RFC 3079 start key."""
        cdef keys_body body
        if bits not in (40, 56, 128) or len(start_key) != (16 if bits == 128 else 8):
            raise ValueError(f"a start key of {len(start_key)} octets for {bits} bits")
        _bounded("direction", direction, DIRECTION_RECEIVE, DIRECTION_SEND)
        memset(&body, 0, sizeof(body))
        memcpy(body.start_key, <const uint8_t *> start_key, len(start_key))
        body.bits = bits
        body.stateless = bool(stateless)
        self._send(handle, COMMAND_KEYS, direction, &body, sizeof(body))
        memset(&body, 0, sizeof(body))

    def clear_keys(self, handle):
        """Disarm and wipe both directions."""
        self._send(handle, COMMAND_CLEAR_KEYS)

    def open_gate(self, handle, version):
        """Let IP version 4 or 6 pass, both ways."""
        self._gate(handle, COMMAND_OPEN_GATE, version)

    def close_gate(self, handle, version):
        """Stop IP version 4 or 6, both ways."""
        self._gate(handle, COMMAND_CLOSE_GATE, version)

    def _gate(self, handle, uint32_t kind, version):
        if version not in (4, 6):
            raise ValueError(f"IP version {version}")
        self._send(handle, kind, version)

    def own_lcp(self, handle, owned):
        """Let the worker send and answer LCP Echoes and take CCP Reset-Requests."""
        self._send(handle, COMMAND_OWN_LCP, bool(owned))

    def inject(self, handle, bytes frame):
        """Send a control frame of 2..1916 octets, its two-octet protocol field first."""
        _bounded("the length of a control frame", len(frame), 2, FRAME_ROOM - HEADROOM - 4)
        self._send(handle, COMMAND_INJECT, 0, <const uint8_t *> frame, len(frame))

    def set_adjacency(self, handle, adjacency):
        """Send this call's packets to a next hop by the packet socket; None: the kernel finds the way.

        `adjacency` has `device` (interface index), `address` (6 octets) and `mtu` (octets, 68..65535).
        """
        cdef adjacency_body body
        memset(&body, 0, sizeof(body))
        if adjacency is not None:
            _bounded("device", adjacency.device, 1, 0x7FFFFFFF)
            _bounded("mtu", adjacency.mtu, 68, 0xFFFF)
            _bounded("the length of a link address", len(adjacency.address), 6, 6)
            body.device = adjacency.device
            body.mtu = adjacency.mtu
            memcpy(body.address, <const uint8_t *> <bytes> adjacency.address, 6)
        self._send(handle, COMMAND_ADJACENCY, 0, &body, sizeof(body))

    def control_done(self, handle):
        """One punted frame of this call was dealt with."""
        self._send(handle, COMMAND_CONTROL_DONE)

    # What comes back.

    def fileno(self):
        """Readable while punts or events wait."""
        return self._notify_fd

    def read_punts(self, limit=256):
        """At most `limit` control frames, as (handle, frame with a two-octet protocol first)."""
        cdef record *place
        cdef list found = []
        self._ready()
        for k in range(self._count):
            while len(found) < limit:
                place = ring_peek(&self._workers[k].punts)
                if place == NULL:
                    break
                if self._handles.get(place.handle & 0xFFFF) == place.handle:
                    frame = (<uint8_t *> record_body(place))[:place.size - sizeof(record)]
                    found.append((place.handle, frame))
                ring_drop(&self._workers[k].punts, place)
        self._settle()
        return found

    def read_events(self, limit=256):
        """At most `limit` calls with new events, as (handle, CallEvent bits)."""
        cdef event_list *events
        cdef uint32_t call_id, bits
        cdef list found = []
        self._ready()
        for k in range(self._count):
            events = self._workers[k].events
            while len(found) < limit and events_wait(events):
                call_id = events.calls[events.taken & (CALLS - 1)]
                store64(&events.taken, events.taken + 1, __ATOMIC_RELEASE)
                bits = exchange32(&self._event_bits[call_id], 0, __ATOMIC_SEQ_CST)
                if bits & EVENT_CLOSED:
                    self._closing.discard(call_id)
                elif call_id in self._closing:
                    continue
                found.append((int(self._stats[call_id]["handle"]), bits))
        self._settle()
        return found

    cdef int _settle(self) except -1:
        """Clear the descriptor, unless something still waits."""
        cdef uint64_t count
        cdef event_list *events
        read(self._notify_fd, &count, 8)
        count = 1
        for k in range(self._count):
            events = self._workers[k].events
            if ring_waits(&self._workers[k].punts) or events_wait(events):
                write(self._notify_fd, &count, 8)
                return 0
        return 0

    @property
    def stats(self):
        """(65536,) read-only live array of STATS_DTYPE, a row a Call-ID. Times: ms, monotonic clock."""
        return self._stats

    @property
    def drops(self):
        """(workers, len(DROP_TEXTS)) read-only array: dropped packets by worker and reason, live.

        But "outer buffer full" is as of this call.
        """
        self._count_overruns()
        return self._drops[: max(1, self._count), : DROP_REASONS]

    def drop_counts(self):
        """The reasons that have occurred, as {text: packets} over all workers."""
        self._count_overruns()
        totals = self._drops.sum(axis=0)
        return {text: int(count) for text, count in zip(DROP_TEXTS, totals, strict=False) if count}

    def _count_overruns(self):
        for k in range(self._count):
            count_overruns(self._workers[k])

    def stats_fileno(self):
        """The memory file of `stats`: 4 KiB header, drop counters, rows. Others may map it read-only."""
        return self._stats_fd

    @property
    def steered(self):
        """Whether the TUN gives each worker the packets of its own calls."""
        return self._steering_fd >= 0

    @property
    def workers(self):
        """How many workers there are."""
        return self._count
