"""The MPPE engine on one core, beside OpenSSL's RC4 and the kernel's shape of it.

bench_mppe.py is the harness: same keys, packets and batches on both sides, which must give the
same octets, in turn. Its rows that leave out AVX-512 are run where there is AVX-512 to leave out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

from bench import bench_mppe
from bench.rows import Row, pinned
from fastpptp import _core

OPENSSL = "MPPE on one core against OpenSSL's RC4 and SHA-1"
KERNEL = "MPPE on one core against RC4 in the kernel's shape"
AGAINST_KERNEL = (
    "stateless, 1,400 B, 64 sessions",
    "stateless, 1,400 B, one session",
    "stateful, 1,400 B, 64 sessions",
    "stateful, 1,400 B, one session",
    "stateless, 64 B, 64 sessions",
)


def as_row(section: str, baseline: str, case: bench_mppe.Row, library: ctypes.CDLL,
           runs: int) -> Row:  # fmt: skip
    found = bench_mppe.measure(case, library, runs)
    row = Row(section, case.name, found["gbit_per_second"], "Gbit/s", baseline, found["ratio"])
    if section == OPENSSL and case.target is not None:
        row.target = f">= {case.target}x" + (f", beyond {case.beyond}x" if case.beyond else "")
        row.met = found["ratio"] >= case.target
    return row


def run(quick: bool = False) -> Iterator[Row]:
    runs = 5 if quick else 31
    level = _core.cpu_level()
    cases = [c for c in bench_mppe.ROWS if c.level == "auto" or level == "avx512"]
    try:
        with pinned(max(os.sched_getaffinity(0))), bench_mppe.openssl() as openssl:
            for case in cases:
                yield as_row(OPENSSL, "OpenSSL", case, openssl, runs)
            with bench_mppe.kernel_shaped() as kernel:
                for case in cases:
                    if case.name in AGAINST_KERNEL:
                        yield as_row(KERNEL, "kernel-shaped RC4", case, kernel, runs)
    finally:
        _core.set_cpu_level("auto")
