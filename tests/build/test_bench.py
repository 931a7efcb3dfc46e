"""The benches start, and what they write can be read again. No figure is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as benches
from bench import report
from bench.rows import Row, Run

ROOT = Path(__file__).resolve().parents[2]


def command(*words: str) -> str:
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_quick_run_is_written_and_compared(tmp_path: Path) -> None:
    for module in ("pyperf", "pytest_benchmark", "matplotlib"):
        pytest.importorskip(module, reason=f"{module} is not here: pip install .[bench]")
    words = ("--quick", "--out", str(tmp_path), "--name", "smoke", "bench_framing")
    command(sys.executable, "-m", "bench", *words)
    run = Run.load(tmp_path / "smoke.json")
    text = (tmp_path / "smoke.md").read_text()
    assert run.machine["processor"] in text
    assert len({row.section for row in run.rows}) == 2
    assert all(row.figure > 0 for row in run.rows)
    assert all(row.name in text for row in run.rows)
    same = str(tmp_path / "smoke.json")
    compared = command(sys.executable, "bench/compare", same, same)
    assert compared.count("1.000") >= len(run.rows)


def test_a_bench_that_fails_keeps_what_it_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        @staticmethod
        def run(quick: bool) -> object:
            yield Row("s", "first", 1.0, "ns")
            raise TimeoutError("not done")

    monkeypatch.setattr(benches, "import_module", lambda name: Module)
    run = Run({})
    assert not benches.measure("bench_scale", True, run)
    assert [row.name for row in run.rows] == ["first"]


def test_the_reference_stands_beside_encrypted_throughput(tmp_path: Path) -> None:
    run = Run({"processor": "p"})
    run.rows = [
        Row("end to end", "MPPE-128 stateless, 1 flow", 400, "Mbit/s", "the relay", 0.9),
        Row("end to end", "no encryption, 1 flow", 9000, "Mbit/s"),
        Row("sessions", "concurrent sessions", 15000, "sessions", target=">= 15,000", met=True),
    ]
    text = report.markdown(run, [])
    assert "15,000 sessions, 400 Mbit/s." in text
    assert "| 3005, 3015 | 100 | 150x | 4 | 100x |" in text
    assert "0.90x the relay" in text
    run.save(tmp_path / "run.json")
    assert Run.load(tmp_path / "run.json") == run
