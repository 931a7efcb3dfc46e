"""Micro benchmarks: codecs under pyperf, turns of the dataplane under pytest-benchmark.

Both run in processes of their own and count CPU time. Figures are of one packet in batches of 64.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyperf

from bench.rows import Row

ROOT = Path(__file__).resolve().parents[1]
CODECS = "Codecs in numpy batches, CPU time of a packet"
TURNS = "The dataplane on socket pairs, CPU time of a packet, system calls included"


def child(*words: str) -> None:
    """A module of Python's in its own process; what it has to say is for failures."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]}:\n{done.stdout}{done.stderr}")


def codec_rows(folder: Path, quick: bool) -> Iterator[Row]:
    path = folder / "codecs.json"
    effort = ("-p", "2", "-n", "1") if quick else ("-p", "5", "-n", "3")
    always = ("--quiet", "-w", "1", "--min-time", "0.01", "-o", str(path))
    child("bench.pyperf_codecs", *effort, *always)
    found = {
        bench.get_name(): [value * 1e9 for value in bench.get_values()]
        for bench in pyperf.BenchmarkSuite.load(str(path))
    }
    for name, samples in found.items():
        figure = statistics.median(samples)
        ours, _, other = name.partition(" | ")
        row = Row(CODECS, name, figure, "ns", samples=samples, less_is_better=True)
        if other:
            row.name, row.baseline = f"{ours}: {other}", "ours"
            row.ratio = figure / statistics.median(found[ours])
        yield row


def turn_rows(folder: Path, quick: bool) -> Iterator[Row]:
    path = folder / "turns.json"
    effort = ["-k", "64 or punt or inject or window"] if quick else []
    child("pytest", "-q", "bench/test_micro.py", "--benchmark-timer=time.thread_time",
          f"--benchmark-json={path}", *effort)  # fmt: skip
    found = json.loads(path.read_text())["benchmarks"]
    cost = {b["name"]: b["stats"]["median"] / b["extra_info"]["packets"] * 1e9 for b in found}
    for benchmark in found:
        name, baseline = benchmark["name"], benchmark["extra_info"]["baseline"]
        row = Row(TURNS, name, cost[name], "ns", less_is_better=True)
        if baseline in cost:
            row.baseline = (
                baseline.rpartition(", ")[2] if name.startswith(("GRE", "TUN")) else baseline
            )
            row.ratio = cost[name] / cost[baseline]
        yield row


def run(quick: bool = False) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        yield from codec_rows(Path(name), quick)
        yield from turn_rows(Path(name), quick)
