"""The dataplane. One module made of units, so that everything a packet touches can be inlined.

It imports nothing of fastpptp; only fastpptp.dataplane imports it.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcmp, memcpy, memset

from fastpptp.dataplane.sys cimport *

cdef struct worker
cdef struct filter_set

# MPPE: cipher, hash, engine, and the engine alone for Python.
include "dataplane/rc4.pxi"
include "dataplane/sha1.pxi"
include "dataplane/mppe.pxi"
include "dataplane/batch.pxi"

# What a worker is made of.
include "dataplane/table.pxi"
include "dataplane/pool.pxi"
include "dataplane/ring.pxi"
include "dataplane/route.pxi"
include "dataplane/gro.pxi"
include "dataplane/tun.pxi"
include "dataplane/xdp_port.pxi"
include "dataplane/shard.pxi"
include "dataplane/bpf.pxi"
include "dataplane/reasons.pxi"

# The path of a packet.
include "dataplane/gre.pxi"
include "dataplane/ppp.pxi"
include "dataplane/checksum.pxi"
include "dataplane/inner.pxi"
include "dataplane/filter.pxi"
include "dataplane/trace.pxi"
include "dataplane/seq.pxi"
include "dataplane/crypt.pxi"
include "dataplane/receive.pxi"
include "dataplane/transmit.pxi"
include "dataplane/segment.pxi"
include "dataplane/lcp.pxi"
include "dataplane/icmp.pxi"
include "dataplane/outer_raw.pxi"
include "dataplane/outer_packet.pxi"
include "dataplane/outer_xdp.pxi"

# The loop, and Python.
include "dataplane/wheel.pxi"
include "dataplane/owner.pxi"
include "dataplane/move.pxi"
include "dataplane/command.pxi"
include "dataplane/worker.pxi"
include "dataplane/build.pxi"
include "dataplane/steering.pxi"
include "dataplane/xdp_program.pxi"
include "dataplane/life.pxi"
include "dataplane/xdp_devices.pxi"
include "dataplane/filter_tables.pxi"
include "dataplane/trace_face.pxi"
include "dataplane/face.pxi"

# For callers with buffers of their own.
include "dataplane/gre_batch.pxi"
include "dataplane/capi.pxi"
