"""bench/codecs.py under pyperf, in fresh processes: `python -m bench.pyperf_codecs --help`."""

from __future__ import annotations

import pyperf

from bench.codecs import PACKETS, codecs


def main() -> None:
    runner = pyperf.Runner(program_args=("-m", "bench.pyperf_codecs"))
    for name, (ours, others) in codecs().items():
        runner.bench_time_func(name, ours, inner_loops=PACKETS)
        for other, codec in others.items():
            runner.bench_time_func(f"{name} | {other}", codec, inner_loops=PACKETS)


if __name__ == "__main__":
    main()
