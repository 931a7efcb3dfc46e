"""The benches start, and what they write can be read again. No figure is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as benches
from bench import bench_events, report
from bench.event_log import fill
from bench.rows import Row, Run
from tests import hosts
from tests.cannot import cannot

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
@pytest.mark.netns
@pytest.mark.parametrize(
    "name", ["bench_cores", "bench_latency", "bench_throughput", "bench_trace"]
)
def test_benches_on_test_hosts_run(name: str, tmp_path: Path) -> None:
    if reason := hosts.missing():
        cannot(reason)
    pytest.importorskip("matplotlib", reason="matplotlib is not here: pip install .[bench]")
    command(sys.executable, "-m", "bench", "--quick", "--out", str(tmp_path), "--name", "q", name)
    rows = Run.load(tmp_path / "q.json").rows
    assert rows
    assert all(row.figure > 0 or row.baseline.startswith("added to") for row in rows)


def test_pages_and_costs_of_the_event_log(tmp_path: Path) -> None:
    fill(tmp_path / "events.db", 300)
    rows = [*bench_events.pages(tmp_path / "events.db", 300, 1), *bench_events.costs(tmp_path, 300)]
    assert all(row.figure > 0 for row in rows)
    assert [row.name for row in rows if row.target] == [
        f"the slowest page of 300 events, {len(bench_events.QUERIES)} filters"
    ]


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


def test_rows_stand_beside_their_targets_and_say_why_they_fall_short() -> None:
    run = Run({"processor": "p"})
    run.rows = [
        Row("cores", "raw, up", 3.0, "x", "ours", 3.0).against(">= 2x", True),
        Row("cores", "raw, down", 1.0, "x", "ours", 1.0).against(">= 2x", False),
        Row("cores", "xdp, down", 1.5, "x", "ours", 1.5).against(">= 2x", False),
    ]
    notes = "Introduction.\n\n## cores\n\nHow.\n\n## raw, *\n\nThe cipher\nbounds it.\n"
    text = report.markdown(run, [], report.read_notes(notes))
    assert "1 of 3 met" in text
    assert "| cores | raw, up | 3 x | 3.00x ours | >= 2x | met |" in text
    assert "*raw, down*: The cipher\nbounds it." in text
    assert "*xdp, down*: nothing is written about it yet." in text
    assert "\nHow.\n" in text
    assert "Introduction" not in text


def test_the_reference_stands_beside_encrypted_throughput(tmp_path: Path) -> None:
    run = Run({"processor": "p"})
    run.rows = [
        Row("end to end", "MPPE-128 stateless, 1 flow", 400, "Mbit/s", "the relay", 0.9),
        Row("end to end", "no encryption, 1 flow", 9000, "Mbit/s"),
        Row("sessions", "concurrent sessions", 15000, "sessions", target=">= 15,000", met=True),
    ]
    text = report.markdown(run, [], {})
    assert "15,000 sessions, 400 Mbit/s." in text
    assert "| 3005, 3015 | 100 | 150x | 4 | 100x |" in text
    assert "0.90x the relay" in text
    run.save(tmp_path / "run.json")
    assert Run.load(tmp_path / "run.json") == run
