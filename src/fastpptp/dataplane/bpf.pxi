# The bpf(2) system call. Programs are assembled where they belong, so that neither clang nor libbpf is
# needed. What may not be had without CAP_BPF answers -1.

cdef extern from *:
    """
    #include <linux/bpf.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>

    #define INSN(c, d, s, o, i) {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}

    static int bpf_call(int command, union bpf_attr *attr)
    {
        return syscall(SYS_bpf, command, attr, sizeof *attr);
    }

    static int bpf_program_new(unsigned int type, const struct bpf_insn *code, unsigned int count)
    {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.prog_type = type;
        attr.insns = (uint64_t)(uintptr_t)code;
        attr.insn_cnt = count;
        attr.license = (uint64_t)(uintptr_t)"Apache-2.0";
        return bpf_call(BPF_PROG_LOAD, &attr);
    }
    """
