"""The MPPE engine on one core, beside OpenSSL's RC4 and the kernel's shape of it.

bench_mppe.py is the harness: same keys, packets and batches on both sides, which must give the
same octets, in turn. Its rows that leave out AVX-512 are run where there is AVX-512 to leave out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace

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


def plain_name(case: bench_mppe.Row) -> str:
    return case.name.removeprefix("no AVX-512: ")


def cases(level: str) -> list[bench_mppe.Row]:
    """All rows, or those without AVX-512 and what has no such twin."""
    if level == "avx512":
        return bench_mppe.ROWS
    twins = {plain_name(c) for c in bench_mppe.ROWS if c.level == level}
    return [
        c if c.level == level else replace(c, target=None, beyond=None)
        for c in bench_mppe.ROWS
        if c.level == level or (c.level == "auto" and c.name not in twins)
    ]


def as_row(section: str, baseline: str, case: bench_mppe.Row, library: ctypes.CDLL,
           runs: int) -> Row:  # fmt: skip
    found = bench_mppe.measure(case, library, runs)
    row = Row(section, case.name, found["gbit_per_second"], "Gbit/s", baseline, found["ratio"])
    if section == OPENSSL and case.target is not None:
        row.target = f">= {case.target}x" + (f", beyond {case.beyond}x" if case.beyond else "")
        row.met = found["ratio"] >= case.target
    if section == OPENSSL and case.level == "auto" and _core.cpu_level() != "avx512":
        row.note = "no AVX-512 here"
    return row


def run(quick: bool = False) -> Iterator[Row]:
    runs = 5 if quick else 31
    chosen = cases(_core.cpu_level())
    try:
        with pinned(max(os.sched_getaffinity(0))), bench_mppe.openssl() as openssl:
            for case in chosen:
                yield as_row(OPENSSL, "OpenSSL", case, openssl, runs)
            with bench_mppe.kernel_shaped() as kernel:
                for case in chosen:
                    if plain_name(case) in AGAINST_KERNEL:
                        yield as_row(KERNEL, "kernel-shaped RC4", case, kernel, runs)
    finally:
        _core.set_cpu_level("auto")
