"""Counters of this host that tell what a session has met."""

from __future__ import annotations

from pathlib import Path

NETSTAT = Path("/proc/net/netstat")

# They are looked at for each call; the file has a hundred numbers. Seconds.
AGE = 1.0


class HostCounters:
    """IpExt InCsumErrors, at most AGE old: packets dropped for a wrong IP checksum (a NAT's fault).

    It is that of the network namespace this process is in.
    """

    def __init__(self, netstat: Path = NETSTAT) -> None:
        self._netstat = netstat
        self._read_at: float | None = None
        self._value: int | None = None

    def checksum_errors(self, now: float) -> int | None:
        """None: the kernel does not tell."""
        if self._read_at is None or now - self._read_at >= AGE:
            self._read_at, self._value = now, _checksum_errors(self._netstat)
        return self._value


def _checksum_errors(netstat: Path) -> int | None:
    try:
        lines = netstat.read_text().splitlines()
    except OSError:
        return None
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        if names.startswith("IpExt:"):
            found = dict(zip(names.split(), values.split(), strict=False)).get("InCsumErrors", "")
            return int(found) if found.isdigit() else None
    return None
