# The program that an interface runs for each packet before the kernel makes anything of it. It takes
# for a worker what that worker would take in a moment from its raw socket: whole enhanced GRE of one
# of its open calls, to that call's local address. All else goes on into the kernel, fragments too:
# the raw socket gets them put together.

cdef extern from *:
    """
    #include <stddef.h>

    enum {
        XDP_LARGEST = 1792,      /* octets of a packet that a frame holds after the kernel's headroom */
        XDP_SHORTEST = 14 + 20 + 8,
        XDP_TO_PASS = 0x7000,    /* as the offset of a jump: to where packets pass */
    };

    /* By Call-ID: the local address of a call that is open, else 0. */
    static int xdp_addresses_new(unsigned int calls)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_ARRAY;
        attr.key_size = 4;
        attr.value_size = calls * 4;
        attr.max_entries = 1;
        attr.map_flags = BPF_F_MMAPABLE;
        return bpf_call(BPF_MAP_CREATE, &attr);
    }

    static int xdp_sockets_new(unsigned int queues)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_XSKMAP;
        attr.key_size = attr.value_size = 4;
        attr.max_entries = queues;
        return bpf_call(BPF_MAP_CREATE, &attr);
    }

    static int xdp_sockets_put(int map, uint32_t queue, int fd)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_fd = map;
        attr.key = (uint64_t)(uintptr_t)&queue;
        attr.value = (uint64_t)(uintptr_t)&fd;
        return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
    }

    /* Offsets: Ethernet 0, IPv4 14 (without options), GRE 34. */
    static const struct bpf_insn xdp_is_gre[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
        INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct xdp_md, data), 0),
        INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(struct xdp_md, data_end), 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, XDP_SHORTEST),
        INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, XDP_TO_PASS, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, XDP_LARGEST + 1),
        INSN(BPF_JMP | BPF_JLE | BPF_X, 4, 3, XDP_TO_PASS, 0),
        /* Ethernet's type, version and length of IPv4, protocol; neither MF nor an offset. */
        INSN(BPF_LDX | BPF_MEM | BPF_H, 4, 2, 12, 0),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, XDP_TO_PASS, __builtin_bswap16(0x0800)),
        INSN(BPF_LDX | BPF_MEM | BPF_B, 4, 2, 14, 0),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, XDP_TO_PASS, 0x45),
        INSN(BPF_LDX | BPF_MEM | BPF_B, 4, 2, 14 + 9, 0),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, XDP_TO_PASS, 47),
        INSN(BPF_LDX | BPF_MEM | BPF_H, 4, 2, 14 + 6, 0),
        INSN(BPF_JMP | BPF_JSET | BPF_K, 4, 0, XDP_TO_PASS, __builtin_bswap16(0x3FFF)),
        /* GRE: K, version 1, PPP's type. */
        INSN(BPF_LDX | BPF_MEM | BPF_H, 4, 2, 34, 0),
        INSN(BPF_ALU64 | BPF_AND | BPF_K, 4, 0, 0, __builtin_bswap16(0x2007)),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, XDP_TO_PASS, __builtin_bswap16(0x2001)),
        INSN(BPF_LDX | BPF_MEM | BPF_H, 4, 2, 34 + 2, 0),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, XDP_TO_PASS, __builtin_bswap16(0x880B)),
        /* Its destination, and its Call-ID. */
        INSN(BPF_LDX | BPF_MEM | BPF_W, 7, 2, 14 + 16, 0),
        INSN(BPF_LDX | BPF_MEM | BPF_H, 8, 2, 34 + 6, 0),
        INSN(BPF_ALU | BPF_END | BPF_TO_BE, 8, 0, 0, 16),
    };

    static unsigned int xdp_append(
        struct bpf_insn *code, unsigned int at, const struct bpf_insn *part, unsigned int count
    )
    {
        memcpy(code + at, part, count * sizeof *part);
        return at + count;
    }
    #define XDP_APPEND(part) count = xdp_append(code, count, part, sizeof part / sizeof part[0])

    /* Queue q is worker q % workers's. `owners` is the map of owner.pxi, of which one worker has none. */
    static int xdp_program_new(int addresses, int owners, int sockets, unsigned int workers)
    {
        const struct bpf_insn is_open[] = {
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, addresses),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 8, 0, 0),
            INSN(BPF_ALU64 | BPF_LSH | BPF_K, 4, 0, 0, 2),
            INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 4, 0, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 0, 0),
            INSN(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, XDP_TO_PASS, 0),
            INSN(BPF_JMP | BPF_JNE | BPF_X, 4, 7, XDP_TO_PASS, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct xdp_md, rx_queue_index), 0),
        };
        const struct bpf_insn is_owners[] = {
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, owners),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_X, 1, 8, 0, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_B, 5, 1, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
            INSN(BPF_ALU64 | BPF_MOD | BPF_K, 4, 0, 0, workers),
            INSN(BPF_JMP | BPF_JNE | BPF_X, 4, 5, XDP_TO_PASS, 0),
        };
        const struct bpf_insn redirect[] = {
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, sockets),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS),
            INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        struct bpf_insn code[64];
        unsigned int count = 0;
        XDP_APPEND(xdp_is_gre);
        XDP_APPEND(is_open);
        if (workers > 1)
            XDP_APPEND(is_owners);
        XDP_APPEND(redirect);
        for (unsigned int k = 0; k < count; k++)
            if (code[k].off == XDP_TO_PASS)
                code[k].off = count - 2 - k - 1;
        return bpf_program_new(BPF_PROG_TYPE_XDP, code, count);
    }

    /* The program is there as long as this descriptor, so it goes with the process (Linux 5.9). */
    static int xdp_attach(int program, int device, unsigned int mode)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.link_create.prog_fd = program;
        attr.link_create.target_ifindex = device;
        attr.link_create.attach_type = BPF_XDP;
        attr.link_create.flags = mode;
        return bpf_call(BPF_LINK_CREATE, &attr);
    }
    """
    unsigned int XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
    int xdp_addresses_new(unsigned int calls) nogil
    int xdp_sockets_new(unsigned int queues) nogil
    int xdp_sockets_put(int map, uint32_t queue, int fd) nogil
    int xdp_program_new(int addresses, int owners, int sockets, unsigned int workers) nogil
    int xdp_attach(int program, int device, unsigned int mode) nogil
