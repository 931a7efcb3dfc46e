"""The MPPE engine against OpenSSL's RC4 and SHA-1, through one harness: ratios.

Both sides get the same keys and packets, in the same batches, and must give the same octets.
They run in turn, pinned to one core; each figure is the median of the paired ratios.

    python -m bench.bench_mppe [--runs 31] [--cpu 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.native import library
from fastpptp import _core

STRIDE = 1536
IMIX = (64,) * 7 + (576,) * 4 + (1400,)
SECONDS = 0.004  # of CPU time, of one side in one run


@dataclass(frozen=True)
class Row:
    name: str
    stateless: bool
    sessions: int
    lengths: tuple[int, ...]
    packets: int
    target: float | None
    beyond: float | None = None
    level: str = "auto"


def row(
    name: str, mode: str, sessions: int, length: int, *goals: float, level: str = "auto"
) -> Row:
    target, beyond = (*goals, None, None)[:2]
    return Row(name, mode == "stateless", sessions, (length,), 64, target, beyond, level)


ROWS = [
    row("stateless, 1,400 B, 64 sessions", "stateless", 64, 1400, 5.0, 6.0),
    row("stateless, 64 B, 64 sessions", "stateless", 64, 64, 6.0, 7.0),
    row("stateful, 1,400 B, 64 sessions", "stateful", 64, 1400, 4.5, 5.8),
    Row("stateful, 1,400 B, 16 sessions", False, 16, (1400,), 16, 4.5, 5.8),
    row("stateful, 64 B, 64 sessions", "stateful", 64, 64),
    row("stateless, 1,400 B, one session", "stateless", 1, 1400, 3.5, 4.0),
    row("stateful, 1,400 B, one session", "stateful", 1, 1400, 1.9, 2.3),
    Row("stateless, IMIX, 64 sessions, batches of 64", True, 64, IMIX, 64, None),
    Row("stateless, IMIX, 64 sessions, batches of 256", True, 64, IMIX, 256, 4.5, 6.0),
    Row("stateless, 1,400 B, 4 sessions", True, 4, (1400,), 64, None),
    row("no AVX-512: stateless, 1,400 B, 64 sessions", "stateless", 64, 1400, 2.4, level="avx2"),
    row("no AVX-512: stateless, 1,400 B, one session", "stateless", 1, 1400, 1.9, level="avx2"),
    row("no AVX-512: stateful, 1,400 B, 64 sessions", "stateful", 64, 1400, 2.4, level="avx2"),
    row("no AVX-512: stateful, 1,400 B, one session", "stateful", 1, 1400, 1.9, level="avx2"),
    row("no AVX-512: stateless, 64 B, 64 sessions", "stateless", 64, 64, 1.8, level="avx2"),
    row("no AVX-512: stateless, 64 B, one session", "stateless", 1, 64, 1.4, level="avx2"),
    row("no AVX-512: stateful, 64 B, 64 sessions", "stateful", 64, 64, 1.8, level="avx2"),
    row("no AVX-512: stateful, 64 B, one session", "stateful", 1, 64, 1.4, level="avx2"),
]


def openssl() -> AbstractContextManager[ctypes.CDLL]:
    return library("mppe_openssl.c", "-O3")


def kernel_shaped() -> AbstractContextManager[ctypes.CDLL]:
    return library("mppe_kernel.c", "-O2")


class Bout:
    """One row's batch, ready to run on either side."""

    def __init__(self, row: Row, baseline: ctypes.CDLL) -> None:
        rng = np.random.default_rng(1)
        self.row, self.baseline = row, baseline
        keys = rng.integers(0, 256, (row.sessions, 16), np.uint8)
        self.states = _core.mppe_states(keys, 128, row.stateless)
        self.index = (np.arange(row.packets) % row.sessions).astype(np.uint32)
        pattern = np.resize(np.array(row.lengths, np.uint32), row.packets)
        self.lengths = rng.permutation(pattern) if len(row.lengths) > 1 else pattern
        self.packets = rng.integers(0, 256, (row.packets, STRIDE), np.uint8)
        self.ours, self.theirs = np.zeros_like(self.packets), np.zeros_like(self.packets)
        self.changes = np.full(row.packets, row.stateless, np.uint16)
        baseline.session_size.restype = ctypes.c_size_t
        size = baseline.session_size()
        self.sessions = (ctypes.c_uint8 * (size * row.sessions))()
        for n in range(row.sessions):
            at = ctypes.c_void_p(ctypes.addressof(self.sessions) + n * size)
            session_key = self.states["session_key"][n].tobytes()
            baseline.start_session(at, keys[n].tobytes(), session_key)
        self.engine = _core.Mppe()

    def run_ours(self, repeat: int) -> None:
        self.engine.crypt_batch(
            self.states,
            self.index,
            self.packets,
            self.lengths,
            self.ours,
            self.changes,
            repeat=repeat,
        )

    def run_theirs(self, repeat: int) -> None:
        def at(array: np.ndarray[Any, Any]) -> ctypes.c_void_p:
            return ctypes.c_void_p(array.ctypes.data)

        self.baseline.crypt_batch(
            self.sessions, at(self.index), at(self.packets), at(self.theirs),
            ctypes.c_size_t(STRIDE), at(self.lengths), ctypes.c_size_t(self.row.packets),
            int(self.row.stateless), repeat,
        )  # fmt: skip

    def check(self) -> None:
        for _ in range(3):
            self.run_ours(1)
            self.run_theirs(1)
            if not np.array_equal(self.ours, self.theirs):
                sys.exit(f"{self.row.name}: the two sides differ")


def timed(run: Any, repeat: int) -> float:
    start = time.thread_time()
    run(repeat)
    return time.thread_time() - start


def measure(row: Row, baseline: ctypes.CDLL, runs: int) -> dict[str, Any]:
    _core.set_cpu_level(row.level)
    bout = Bout(row, baseline)
    bout.check()
    repeat = max(1, int(SECONDS / max(1e-9, timed(bout.run_theirs, 1))))
    pairs = [(timed(bout.run_ours, repeat), timed(bout.run_theirs, repeat)) for _ in range(runs)]
    packet = 1e9 / (repeat * row.packets)
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return {
        "name": row.name,
        "ratio": round(ratio, 3),
        "target": row.target,
        "beyond": row.beyond,
        "ns_per_packet": round(packet * statistics.median(ours for ours, _ in pairs), 1),
        "openssl_ns_per_packet": round(
            packet * statistics.median(theirs for _, theirs in pairs), 1
        ),
        "gbit_per_second": round(
            8 * float(bout.lengths.mean()) / (packet * statistics.median(o for o, _ in pairs)), 2
        ),
    }


def report(results: list[dict[str, Any]]) -> None:
    print(
        f"{'':48} {'ratio':>6} {'target':>6} {'beyond':>6} {'ns':>7} {'OpenSSL':>8} {'Gbit/s':>7}"
    )
    for r in results:
        goals = f"{r['target'] or '':>6} {r['beyond'] or '':>6}"
        times = f"{r['ns_per_packet']:7.0f} {r['openssl_ns_per_packet']:8.0f}"
        print(f"{r['name']:48} {r['ratio']:6.2f} {goals} {times} {r['gbit_per_second']:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.cpu})
    with openssl() as baseline:
        rows = [r for r in ROWS if options.only in r.name]
        results = [measure(r, baseline, options.runs) for r in rows]
    report(results)
    if options.json:
        machine = {
            "machine": platform.processor() or platform.machine(),
            "kernel": platform.release(),
        }
        options.json.write_text(
            json.dumps({**machine, "runs": options.runs, "rows": results}, indent=1)
        )


if __name__ == "__main__":
    main()
