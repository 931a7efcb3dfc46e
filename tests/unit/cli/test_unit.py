"""fastpptp install-unit: what is written, that systemd takes it, and that it can be undone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fastpptp.cli import unit
from fastpptp.errors import UnavailableError
from tests.cannot import cannot

# The sum of what is left open, of 10. What ours leaves open it needs: the host's network,
# CAP_NET_ADMIN, AF_PACKET and AF_NETLINK sockets, /dev/net/tun.
MOST_EXPOSURE = 3.0


def fastpptp(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastpptp", *words], capture_output=True, text=True, check=False
    )


@pytest.fixture
def analyze() -> Callable[..., str]:
    """`systemd-analyze`, which must succeed; what it says."""
    if shutil.which("systemd-analyze") is None:
        cannot("systemd-analyze is missing (Debian: systemd)")

    def run(*words: str) -> str:
        done = subprocess.run(
            ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What install-unit writes, below a root of its own."""
    (tmp_path / "opt").mkdir()
    program = tmp_path / "opt" / "fastpptp"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(unit, "executable", lambda: [str(program)])
    monkeypatch.setattr(unit, "check_reachable", lambda program: None)
    unit.write(tmp_path)
    return tmp_path


def test_systemd_takes_it(installed: Path, analyze: Callable[..., str]) -> None:
    said = analyze("verify", "--man=no", str(installed / "etc/systemd/system/fastpptp.service"))
    assert "fastpptp.service" not in said, said


def test_little_is_left_open(installed: Path, analyze: Callable[..., str]) -> None:
    said = analyze(
        "security", "--offline=true", f"--threshold={int(MOST_EXPOSURE * 10)}", "--no-pager",
        str(installed / "etc/systemd/system/fastpptp.service"),
    )  # fmt: skip
    found = re.search(r"Overall exposure level for fastpptp.service: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= MOST_EXPOSURE


def test_what_is_written_is_taken_away(installed: Path) -> None:
    written = sorted(str(path) for path in (installed / "etc").rglob("*") if path.is_file())
    assert len(written) == len(unit.FILES) == 4
    text = (installed / "etc/systemd/system/fastpptp.service").read_text()
    assert f"ExecStart={installed}/opt/fastpptp serve\n" in text
    assert "@" not in text.replace("modprobe@tun", "").replace("@system-service", "").replace(
        "@resources @privileged", ""
    )
    done = fastpptp("uninstall-unit", "--root", str(installed))
    assert done.returncode == 0
    assert sorted(done.stdout.replace("Removed: ", "").splitlines()) == written
    assert not [path for path in (installed / "etc").rglob("*") if path.is_file()]
    assert fastpptp("uninstall-unit", "--root", str(installed)).stdout == "Nothing was installed.\n"


def test_somebody_elses_unit_stays(installed: Path) -> None:
    path = installed / "etc/systemd/system/fastpptp.service"
    path.write_text("[Unit]\n")
    with pytest.raises(UnavailableError, match="is not from install-unit"):
        unit.write(installed)
    assert path.read_text() == "[Unit]\n"


def test_a_program_that_the_service_could_not_reach(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="the service may not look into /home"):
        unit.check_reachable("/home/alice/.venv/bin/fastpptp")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(UnavailableError, match="is closed to the service's user") as caught:
        unit.check_reachable(str(closed / "fastpptp"))
    assert "make install" in caught.value.remedy


def test_words_of_a_command_line() -> None:
    assert unit.quoted("/opt/a b/100%/$x") == '"/opt/a b/100%%/$$x"'
    assert unit.quoted("/opt/fastpptp/bin/fastpptp") == "/opt/fastpptp/bin/fastpptp"


@pytest.mark.parametrize(("goal", "says"), [("install", ""), ("uninstall", "--undo ")])
def test_make_calls_the_installer(goal: str, says: str) -> None:
    repository = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", goal, "PREFIX=/srv/vpn"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == f"ci/install {says}/srv/vpn"
    assert os.access(repository / "ci" / "install", os.X_OK)
