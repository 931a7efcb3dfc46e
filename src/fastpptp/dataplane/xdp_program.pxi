# The program that an interface runs for each packet before the kernel makes anything of it. It takes
# for a worker what that worker would take in a moment from its raw socket: whole enhanced GRE of one
# of its open calls, to that call's local address. All else goes on into the kernel, fragments too:
# the raw socket gets them put together.

cdef extern from *:
    """
    #include <stddef.h>

    /* What the program knows of a Call-ID. */
    struct xdp_call {
        uint32_t worker;         /* its index + 1; 0: not open */
        uint32_t local_address;
    };

    enum {
        XDP_LARGEST = 1792,      /* octets of a packet that a frame holds after the kernel's headroom */
        XDP_SHORTEST = 14 + 20 + 8,
        XDP_TO_PASS = 0x7000,    /* as the offset of a jump: to where packets pass */
    };

    static int xdp_calls_new(unsigned int calls)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_ARRAY;
        attr.key_size = 4;
        attr.value_size = sizeof(struct xdp_call);
        attr.max_entries = calls;
        attr.map_flags = BPF_F_MMAPABLE;
        return steering_bpf(BPF_MAP_CREATE, &attr);
    }

    static int xdp_sockets_new(unsigned int queues)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_type = BPF_MAP_TYPE_XSKMAP;
        attr.key_size = attr.value_size = 4;
        attr.max_entries = queues;
        return steering_bpf(BPF_MAP_CREATE, &attr);
    }

    static int xdp_sockets_put(int map, uint32_t queue, int fd)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_fd = map;
        attr.key = (uint64_t)(uintptr_t)&queue;
        attr.value = (uint64_t)(uintptr_t)&fd;
        return steering_bpf(BPF_MAP_UPDATE_ELEM, &attr);
    }

    /* Offsets: Ethernet 0, IPv4 14 (without options), GRE 34. Queue q belongs to worker q % workers. */
    static int xdp_program_new(int calls, int sockets, unsigned int workers)
    {
        struct bpf_insn code[] = {
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
            /* The call is open, and this is its address. */
            INSN(BPF_LDX | BPF_MEM | BPF_W, 7, 2, 14 + 16, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_H, 4, 2, 34 + 6, 0),
            INSN(BPF_ALU | BPF_END | BPF_TO_BE, 4, 0, 0, 16),
            INSN(BPF_STX | BPF_MEM | BPF_W, 10, 4, -4, 0),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, calls),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
            INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
            INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, XDP_TO_PASS, 0),
            INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 0, offsetof(struct xdp_call, local_address), 0),
            INSN(BPF_JMP | BPF_JNE | BPF_X, 4, 7, XDP_TO_PASS, 0),
            /* It came on a queue of its worker's. */
            INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 0, offsetof(struct xdp_call, worker), 0),
            INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct xdp_md, rx_queue_index), 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
            INSN(BPF_ALU64 | BPF_MOD | BPF_K, 4, 0, 0, workers),
            INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, 1),
            INSN(BPF_JMP | BPF_JNE | BPF_X, 4, 5, XDP_TO_PASS, 0),
            INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, sockets),
            INSN(0, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS),
            INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
            INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
            INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        };
        const int count = sizeof code / sizeof code[0];
        union bpf_attr attr;
        for (int k = 0; k < count; k++)
            if (code[k].off == XDP_TO_PASS)
                code[k].off = count - 2 - k - 1;
        memset(&attr, 0, sizeof attr);
        attr.prog_type = BPF_PROG_TYPE_XDP;
        attr.insns = (uint64_t)(uintptr_t)code;
        attr.insn_cnt = count;
        attr.license = (uint64_t)(uintptr_t)"Apache-2.0";
        return steering_bpf(BPF_PROG_LOAD, &attr);
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
        return steering_bpf(BPF_LINK_CREATE, &attr);
    }
    """
    struct xdp_call:
        uint32_t worker
        uint32_t local_address
    unsigned int XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
    int xdp_calls_new(unsigned int calls) nogil
    int xdp_sockets_new(unsigned int queues) nogil
    int xdp_sockets_put(int map, uint32_t queue, int fd) nogil
    int xdp_program_new(int calls, int sockets, unsigned int workers) nogil
    int xdp_attach(int program, int device, unsigned int mode) nogil
