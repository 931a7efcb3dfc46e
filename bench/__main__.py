"""`make bench`: run the benches, write DIR/NAME.json, NAME.md and plots.

Each bench is a module of this package with `run(quick: bool) -> Iterable[Row]`. What it has given
when its time is up, or when it fails, is kept.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType

from bench import report
from bench.rows import Run, machine

# Seconds that each may take.
BENCHES = {
    "bench_ciphers": 60,
    "bench_framing": 90,
    "bench_cores": 60,
    "bench_scale": 90,
    "bench_filters": 60,
    "bench_trace": 60,
    "bench_latency": 120,
    "bench_throughput": 800,
    "bench_guest": 240,
    "bench_workers": 120,
    "bench_store": 120,
    "bench_events": 700,
    "bench_snmp": 300,
    "bench_sessions": 900,
}
RESULTS = Path(__file__).parent / "results"


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """TimeoutError when it takes longer; so all that was begun is cleaned up."""

    def expired(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def measure(name: str, quick: bool, run: Run) -> bool:
    """Add a bench's rows to the run; whether it came to its end."""
    print(f"== {name}", flush=True)
    start, load = time.monotonic(), os.getloadavg()[0]
    try:
        with limit(BENCHES[name]):
            for row in import_module(f"bench.{name}").run(quick=quick):
                run.rows.append(row)
                run.notes[row.section] = f"Load of the machine when this began: {load:.1f}."
    except Exception:
        traceback.print_exc()
        return False
    print(f"   {time.monotonic() - start:.0f} s", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--name", default="latest")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    options = parser.parse_args()
    unknown = set(options.benches) - BENCHES.keys()
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    run = Run(machine())
    wanted = options.benches or list(BENCHES)
    failed = [name for name in wanted if not measure(name, options.quick, run)]
    path = report.write(run, options.out, options.name)
    print(path.read_text())
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
