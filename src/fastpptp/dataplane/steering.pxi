# Which TUN queue a packet goes to: that of the worker that owns its call. The kernel looks the inner
# destination up in a longest-prefix map, kept beside the workers' own route tables, by a program of
# ours. Without CAP_BPF, or on what is no TUN, there is none, and packets that a worker reads for
# another go through the side door (owner.pxi).

cdef extern from *:
    """
    #include <linux/if_tun.h>
    #include <sys/ioctl.h>

    struct steering_key {
        uint32_t length;
        uint8_t prefix[16];
    };

    static int steering_map_new(unsigned int entries)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_LPM_TRIE;
        attr.key_size = sizeof(struct steering_key);
        attr.value_size = 4;
        attr.max_entries = entries;
        attr.map_flags = BPF_F_NO_PREALLOC;
        return bpf_call(BPF_MAP_CREATE, &attr);
    }

    static int steering_map_put(int map, const uint8_t *prefix, uint32_t length, uint32_t call_id)
    {
        struct steering_key key = {length, {0}};
        union bpf_attr attr;
        memcpy(key.prefix, prefix, 16);
        memset(&attr, 0, sizeof attr);
        attr.map_fd = map;
        attr.key = (uint64_t)(uintptr_t)&key;
        attr.value = (uint64_t)(uintptr_t)&call_id;
        return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
    }

    static int steering_map_drop(int map, const uint8_t *prefix, uint32_t length)
    {
        struct steering_key key = {length, {0}};
        union bpf_attr attr;
        memcpy(key.prefix, prefix, 16);
        memset(&attr, 0, sizeof attr);
        attr.map_fd = map;
        attr.key = (uint64_t)(uintptr_t)&key;
        return bpf_call(BPF_MAP_DELETE_ELEM, &attr);
    }

    /* The key is built on the stack: length 128, then the address, IPv4 as ::ffff:a.b.c.d. What is found
       is a Call-ID, whose owner the other map tells. */
    static int steering_program_new(int map, int owners)
    {
        struct bpf_insn code[] = {
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
            INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -20, 128),
            INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -16, 0),
            INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -12, 0),
            INSN(BPF_ST | BPF_MEM | BPF_H, 10, 0, -8, 0),
            INSN(BPF_ST | BPF_MEM | BPF_H, 10, 0, -6, -1),
            INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
            INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 4),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
            INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4, 6),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 16),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -4),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 4),
            INSN(BPF_JMP | BPF_JA, 0, 0, 3, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 24),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -16),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 16),
            INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -20),
            INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
            INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 6, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 0xFFFF),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, owners),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 0, 0, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_B, 0, 1, 0, 0),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        return bpf_program_new(BPF_PROG_TYPE_SOCKET_FILTER, code, sizeof code / sizeof code[0]);
    }

    static int steering_attach(int tun, int program)
    {
        return ioctl(tun, TUNSETSTEERINGEBPF, &program);
    }
    """
    int steering_map_new(unsigned int entries) nogil
    int steering_map_put(int map, const uint8_t *prefix, uint32_t length, uint32_t call_id) nogil
    int steering_map_drop(int map, const uint8_t *prefix, uint32_t length) nogil
    int steering_program_new(int map, int owners) nogil
    int steering_attach(int tun, int program) nogil


cdef int steering_open(int tun, int owners) noexcept nogil:
    """Attach the program to a TUN (any of its queues). `owners` is the map of owner.pxi, or -1. Returns
    the map of prefixes, or -1."""
    cdef int map = steering_map_new(ROUTE_LIMIT)
    cdef int program = steering_program_new(map, owners) if map >= 0 else -1
    cdef int attached = steering_attach(tun, program) if program >= 0 else -1
    descriptor_close(program)
    if attached < 0:
        descriptor_close(map)
        return -1
    return map
