"""The host's counters, from files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpptp.server.hostcounters import AGE, HostCounters

NETSTAT = (
    "TcpExt: SyncookiesSent InCsumErrors\nTcpExt: 1 2\n"
    "IpExt: InNoRoutes InCsumErrors InECT0Pkts\nIpExt: 3 {} 5\n"
)


@pytest.fixture
def netstat(tmp_path: Path) -> Path:
    path = tmp_path / "netstat"
    path.write_text(NETSTAT.format(4))
    return path


def test_the_checksum_errors_of_ip(netstat: Path) -> None:
    """Not those of TCP."""
    assert HostCounters(netstat).checksum_errors(0.0) == 4


def test_they_are_read_once_a_second(netstat: Path) -> None:
    host = HostCounters(netstat)
    assert host.checksum_errors(100.0) == 4
    netstat.write_text(NETSTAT.format(70))
    assert host.checksum_errors(100.0 + AGE / 2) == 4
    assert host.checksum_errors(100.0 + AGE) == 70


@pytest.mark.parametrize("text", ["", "IpExt: InNoRoutes\nIpExt: 1\n", "IpExt: InCsumErrors\n"])
def test_a_kernel_that_does_not_tell(netstat: Path, text: str) -> None:
    netstat.write_text(text)
    assert HostCounters(netstat).checksum_errors(0.0) is None


def test_no_proc(tmp_path: Path) -> None:
    assert HostCounters(tmp_path / "none").checksum_errors(0.0) is None


def test_this_host() -> None:
    assert HostCounters().checksum_errors(0.0) is not None
