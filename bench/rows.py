"""A bench row, a bench run, and how they are kept.

A row is a figure with its unit; where it is compared, the name of the baseline that was
measured in the same run and the ratio to it; where the project set itself a target, that.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass
class Row:
    """`figure` in `unit`; `ratio` = figure / the baseline's figure.

    More is better, unless `less_is_better`: times and octets.
    """

    section: str
    name: str
    figure: float
    unit: str
    baseline: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
    samples: list[float] = field(default_factory=list)
    less_is_better: bool = False

    def against(self, target: str, met: bool) -> Row:
        """The same row, beside what the project set itself."""
        self.target, self.met = target, met
        return self


@dataclass
class Run:
    """All rows of one run, and the machine it ran on."""

    machine: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Run:
        data = json.loads(path.read_text())
        return cls(data["machine"], [Row(**row) for row in data["rows"]], data.get("notes", {}))


def machine() -> dict[str, str]:
    """Processor, kernel, compiler, date: what a reader needs to place the figures."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    flags = re.search(r"flags\s*: (.*)", info)
    isa = [
        f for f in ("avx2", "avx512f", "avx512vbmi", "sha_ni") if flags and f in flags[1].split()
    ]
    compiler = subprocess.run(
        ["cc", "--version"], capture_output=True, text=True, check=False
    ).stdout
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": f"{model[1] if model else '?'} ({', '.join(isa)})",
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "compiler": compiler.splitlines()[0] if compiler else "?",
        "python": platform.python_version(),
    }


def paired(candidates: dict[str, Callable[[], float]], runs: int = 5) -> dict[str, list[float]]:
    """Run the candidates in turn, A B C A B C ..., so that drift hits all alike."""
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, measure in candidates.items():
            samples[name].append(measure())
    return samples


def ratio_of(samples: Sequence[float], baseline: Sequence[float]) -> float:
    """Median of the pairwise ratios."""
    return statistics.median(a / b for a, b in zip(samples, baseline, strict=True))


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this process on one core, for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
