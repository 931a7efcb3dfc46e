"""The kernel's switches for forwarding: turned on when asked for, and back when no longer.

What was on already is left on at the end: it is somebody else's. IPv6 is switched on for the
whole machine as well, which makes its interfaces deaf to router advertisements unless they
have accept_ra 2; so only where sessions have IPv6.
"""

from __future__ import annotations

from pathlib import Path

from fastpptp.errors import UnavailableError

SYSCTL = Path("/proc/sys")
IPV4 = "net/ipv4/ip_forward"
IPV6 = "net/ipv6/conf/all/forwarding"


class Forwarding:
    """`set` both switches; `restore` those that were turned on here."""

    def __init__(self, sysctl: Path = SYSCTL) -> None:
        self._sysctl = sysctl
        self._ours: set[str] = set()

    def set(self, *, ipv4: bool, ipv6: bool) -> None:
        """UnavailableError when the kernel does not let us."""
        for switch, wanted in ((IPV4, ipv4), (IPV6, ipv6)):
            if wanted and not self._is_on(switch):
                self._write(switch, "1")
                self._ours.add(switch)
            elif not wanted and switch in self._ours:
                self._ours.discard(switch)
                self._write(switch, "0")

    def restore(self) -> None:
        self.set(ipv4=False, ipv6=False)

    def _is_on(self, switch: str) -> bool:
        try:
            return (self._sysctl / switch).read_text().strip() == "1"
        except OSError:  # without IPv6 there is no such switch; writing says so
            return False

    def _write(self, switch: str, value: str) -> None:
        path = self._sysctl / switch
        try:
            path.write_text(f"{value}\n")
        except OSError as error:
            raise UnavailableError(
                f"{path} cannot be set to {value}: {error.strerror}",
                f"Set it yourself: sysctl -w {switch.replace('/', '.')}={value}",
            ) from None
