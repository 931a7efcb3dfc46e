# Which worker has a call: an octet for each Call-ID. All who give packets to workers read it, the
# workers themselves and the kernel's programs: the filter of each raw GRE socket, the TUN's steering.
# At first it is the Call-ID modulo workers; move_call (face.pxi, move.pxi) changes it. It lies in a BPF
# map that is mapped here. Without CAP_BPF it is plain memory: raw sockets then filter by the modulo, and
# calls stay where they are.
#
# Behind the octets is a second one for each Call-ID: the worker, plus one, that gets copies, 0 = none.
# The kernel asks one socket's filter after another. Were there no moment in which both say yes, a packet
# that comes just as its call moves could be nobody's.

cdef extern from *:
    """
    static int owner_map_new(void)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_ARRAY;
        attr.key_size = 4;
        attr.value_size = 2 * 65536;
        attr.max_entries = 1;
        attr.map_flags = BPF_F_MMAPABLE;
        return bpf_call(BPF_MAP_CREATE, &attr);
    }

    /* Enhanced GRE (version 1, 0x880B) for calls of one worker; offsets from the IP header. */
    static int owner_filter_attach(int fd, int map, unsigned int worker)
    {
        struct bpf_insn code[] = {
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
            INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 15),
            INSN(BPF_ALU64 | BPF_LSH | BPF_K, 0, 0, 0, 2),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 7, 0, 0, 0),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 2),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 15, 0x880B),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 0),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 7),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 12, 1),
            INSN(BPF_LD | BPF_IND | BPF_H, 0, 7, 0, 6),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 0xFFFF),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, map),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 0, 0, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_B, 0, 1, 0, 0),
            INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, worker),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, 65536),
            INSN(BPF_LDX | BPF_MEM | BPF_B, 0, 1, 0, 0),
            INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, worker + 1),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0x40000),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        int program = bpf_program_new(BPF_PROG_TYPE_SOCKET_FILTER, code, sizeof code / sizeof code[0]);
        int result;
        if (program < 0)
            return -1;
        result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program);
        close(program);
        return result;
    }
    """
    int owner_map_new() nogil
    int owner_filter_attach(int fd, int map, unsigned int worker) nogil


cdef enum:
    OWNERS_SIZE = 131072         # two octets of each Call-ID


cdef uint8_t *owners_map(int map, uint32_t workers) noexcept nogil:
    """The octets of the map, or of plain memory; NULL when there is none."""
    cdef uint8_t *owners
    cdef void *memory
    cdef uint32_t k
    if map < 0:
        owners = <uint8_t *> memory_take(OWNERS_SIZE)
    else:
        memory = mmap(NULL, OWNERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0)
        owners = NULL if memory == MAP_FAILED else <uint8_t *> memory
    if owners != NULL:
        for k in range(<uint32_t> CALLS):
            owners[k] = <uint8_t> (k % workers)
    return owners


cdef inline uint32_t owner_of(worker *w, uint32_t handle) noexcept nogil:
    return load8(&w.owners[handle & 0xFFFF], __ATOMIC_ACQUIRE)


cdef inline bint owned(worker *w, uint32_t handle) noexcept nogil:
    return owner_of(w, handle) == w.index
