# Traffic filters, Python's side: compiling them, handing them to the workers, reading what they count.


cdef int _compile_addresses(rule *target, object one, bint six) except -1:
    cdef uint64_t words[4]
    width = 16 if six else 4
    for k, octets in enumerate((
        b"".join((address & mask).to_bytes(width, "big") for address, mask in (one.source, one.destination)),
        b"".join(mask.to_bytes(width, "big") for _, mask in (one.source, one.destination)),
    )):
        memcpy(words, <const uint8_t *> <bytes> octets, width * 2)
        for word in range(width // 4):
            target.agree[word][k] = words[word]
    return 0


cdef int _check_rule(object one) except -1:
    _bounded("the IP version of a rule", one.version, 0, 6)
    if one.protocol is not None:
        _bounded("the protocol of a rule", one.protocol, 0, 255)
    for low, high in (one.first, one.second):
        _bounded("a port of a rule", low, 0, high)
        _bounded("a port of a rule", high, low, 65535)
    if one.established and one.protocol != PROTOCOL_TCP:
        raise ValueError("established is of TCP alone")
    if _looks(one) and one.protocol not in (PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ICMPV6):
        raise ValueError(f"protocol {one.protocol} has no ports that can be looked at")
    return 0


cdef bint _looks(object one):
    return (one.first, one.second) != ((0, 65535), (0, 65535))


cdef class CompiledFilter:
    """A filter in the workers' form, and what they count by it. The memory is this object's."""

    cdef traffic_filter *memory
    cdef size_t size
    cdef uint32_t workers
    cdef readonly str name
    cdef readonly object spec
    cdef CompiledFilter before   # the form that this one replaced, until its counts are final
    cdef dict carried            # rule -> counts of forms that are gone

    def __init__(self, str name, object spec, uint32_t workers, uint64_t serial, CompiledFilter before):
        cdef size_t rules = len(spec.rules)
        _bounded(f"the number of rules of filter {name!r}", rules, 0, FILTER_RULES)
        self.name = name
        self.spec = spec
        self.workers = workers
        self.before = before
        self.carried = {}
        for one in spec.rules:
            _check_rule(one)
        self._take(rules)
        self._fill(serial)

    cdef int _take(self, size_t rules) except -1:
        cdef size_t row = ((rules + BESIDE_RULES) * 2 + 7) & ~<size_t> 7      # whole cache lines
        cdef size_t lists = rules * 2 * sizeof(rule)
        cdef size_t head = (sizeof(traffic_filter) + 63) & ~<size_t> 63
        self.size = head + row * 8 * self.workers + lists
        self.memory = <traffic_filter *> memory_take(self.size)
        if self.memory == NULL:
            raise MemoryError(f"no room for filter {self.name!r}")
        self.memory.counts = <uint64_t *> (<uint8_t *> self.memory + head)
        self.memory.row = <uint32_t> row
        self.memory.rules = <uint32_t> rules
        return 0

    cdef int _fill(self, uint64_t serial) except -1:
        cdef uint8_t *at = <uint8_t *> (self.memory.counts + self.memory.row * self.workers)
        cdef rule_list *rules
        self.memory.serial = serial
        self.memory.default_action = self.spec.forward * ACTION_FORWARD | self.spec.log * ACTION_LOG
        self.memory.fragments = self.spec.fragments
        self.memory.source_routing = self.spec.source_routing
        for direction in (INBOUND, OUTBOUND):
            for six in (0, 1):
                rules = &self.memory.lists[direction][six]
                rules.rules = at
                rules.stride = sizeof(rule) if six else sizeof(rule) - 6 * sizeof(uint64_t)
                for number, one in enumerate(self.spec.rules):
                    if one.inbound == (direction == INBOUND) and one.version in (0, 6 if six else 4):
                        self._compile(<rule *> at, number, one, six)
                        at += rules.stride
                        rules.count += 1
        return 0

    cdef int _compile(self, rule *target, uint32_t number, object one, bint six) except -1:
        first, second = one.first, one.second
        target.number = number
        target.protocol = ANY_PROTOCOL if one.protocol is None else one.protocol
        target.first_low, target.first_span = first[0], first[1] - first[0]
        target.second_low, target.second_span = second[0], second[1] - second[0]
        target.established = one.established
        target.action = one.forward * ACTION_FORWARD | one.log * ACTION_LOG
        if one.established:
            target.needs = SEES_TCP_FLAGS
        elif _looks(one):
            target.needs = SEES_ICMP if one.protocol in (PROTOCOL_ICMP, PROTOCOL_ICMPV6) else SEES_PORTS
        return _compile_addresses(target, one, six)

    def counts(self):
        """[packets, octets] of each rule, then by default, then unjudged; over all forms and workers."""
        cdef uint32_t k, worker_index
        keys = [*self.spec.rules, "default", "unjudged"]
        older = dict(self.carried)
        if self.before is not None:
            _add(older, self.before)
        found = []
        for k, key in enumerate(keys):
            packets, octets = older.get(key, (0, 0))
            for worker_index in range(self.workers):
                packets += self.memory.counts[worker_index * self.memory.row + k * 2]
                octets += self.memory.counts[worker_index * self.memory.row + k * 2 + 1]
            found.append((packets, octets))
        return found

    def settle(self):
        """No worker uses the form before this one any more: keep its counts and let it go."""
        if self.before is not None:
            _add(self.carried, self.before)
            self.before = None

    def __dealloc__(self):
        memory_give(self.memory, self.size)


def _add(dict total, CompiledFilter older):
    for key, (packets, octets) in zip([*older.spec.rules, "default", "unjudged"], older.counts()):
        more = total.get(key, (0, 0))
        total[key] = (more[0] + packets, more[1] + octets)


cdef class FilterSet:
    """All filters at one time, by slot; what a worker looks them up in."""

    cdef filter_set *memory
    cdef readonly dict slots     # name -> (slot, CompiledFilter)

    def __cinit__(self):
        self.memory = <filter_set *> memory_take(sizeof(filter_set))
        if self.memory == NULL:
            raise MemoryError("no room for filters")

    def __init__(self, dict slots):
        cdef CompiledFilter compiled
        self.slots = slots
        for slot, compiled in slots.values():
            self.memory.slots[slot] = compiled.memory

    def __dealloc__(self):
        memory_give(self.memory, sizeof(filter_set))


cdef class Filters(XdpShards):
    """The traffic filters of a Dataplane."""

    cdef FilterSet _filters
    cdef list _retired           # (FilterSet, how far each worker's commands must have come)
    cdef dict _slot_of           # handle -> slot
    cdef dict _forms             # serial number -> CompiledFilter, for the log
    cdef uint64_t _serial        # of the last one

    def __cinit__(self):
        self._filters = FilterSet({})
        self._retired = []
        self._slot_of = {}
        self._forms = {}

    def set_filters(self, filters):
        """Replace all traffic filters at once, calls that are up included.

        `filters` maps names to objects as fastpptp.ports.PacketFilter: at most 256 rules each, 2,047
        names at a time. A filter that stays equal goes on counting, and so does each rule of one that
        changes. A call whose filter is not there any more passes nothing until its policy is set anew.
        """
        cdef FilterSet made
        cdef CompiledFilter known
        self._ready()
        self._reclaim()
        slots = {}
        taken = {slot for slot, _ in self._filters.slots.values()} | set(self._slot_of.values())
        free = iter(slot for slot in range(1, FILTER_SLOTS) if slot not in taken)
        for name, spec in filters.items():
            slot, known = self._filters.slots.get(name) or (next(free, None), None)
            if slot is None:
                raise ValueError(f"more than {FILTER_SLOTS - 1} filters")
            if known is None or known.spec != spec:
                self._serial += 1
                known = CompiledFilter(name, spec, self._count, self._serial, known)
            slots[name] = slot, known
        made = FilterSet(slots)
        self._forms |= {known.memory.serial: known for _, known in slots.values()}
        self._use(made)

    cdef int _use(self, FilterSet made) except -1:
        cdef filter_set *memory = made.memory
        for k in range(self._count):
            self._push(self._workers[k], COMMAND_FILTERS, EVERY_CALL, 0, &memory, sizeof(memory))
        self._retired.append((self._filters, [self._workers[k].commands.written for k in range(self._count)]))
        self._filters = made
        return 0

    def _reclaim(self):
        """Let go of sets that every worker has left; what they counted is final then."""
        cdef CompiledFilter compiled
        while self._retired and self._left(self._retired[0][1]):
            self._retired.pop(0)
        if self._retired:
            return
        self._forms = {}
        for _, compiled in self._filters.slots.values():
            compiled.settle()
            self._forms[compiled.memory.serial] = compiled

    def _left(self, list positions):
        for k in range(self._count):
            if load64(&self._workers[k].commands.taken, __ATOMIC_ACQUIRE) < <uint64_t> positions[k]:
                return False
        return True

    def _slot(self, handle, name):
        """The slot of a filter that a call is to have; ValueError for one that is not there."""
        if not name:
            self._slot_of.pop(handle, None)
            return NO_FILTER
        if name not in self._filters.slots:
            raise ValueError(f"there is no filter {name!r}")
        self._slot_of[handle] = self._filters.slots[name][0]
        return self._slot_of[handle]

    def filter_counts(self, name):
        """[(packets, octets)] of a filter's rules in their order, then of its default action, then of
        what it dropped unjudged. KeyError: no such filter.
        """
        self._ready()
        self._reclaim()
        return self._filters.slots[name][1].counts()

    def read_filter_log(self, limit=256):
        """At most `limit` packets that a rule logs, as fastpptp.ports.FilterLog has them.

        A worker tells at most 32 a second; `suppressed` counts those that were left out before.
        """
        cdef record *place
        cdef log_body *body
        cdef list found = []
        self._ready()
        for k in range(self._count):
            while len(found) < limit:
                place = ring_peek(&self._workers[k].logs)
                if place == NULL:
                    break
                body = <log_body *> record_body(place)
                packet = (<uint8_t *> (body + 1))[:place.size - sizeof(record) - sizeof(log_body)]
                name, rule_name = self._named(body.serial, body.rule)
                found.append((
                    int(place.handle), name, rule_name, body.direction == INBOUND, bool(body.forwarded),
                    int(body.length), int(body.suppressed), packet,
                ))
                ring_drop(&self._workers[k].logs, place)
        return found

    def _named(self, serial, number):
        """The filter and the rule of a log record; the default action is the rule None."""
        compiled = self._forms.get(serial)
        if compiled is None:
            return "", None
        rules = compiled.spec.rules
        return compiled.name, rules[number].name if number < len(rules) else None
