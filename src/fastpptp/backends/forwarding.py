"""The kernel's switches for forwarding: turned on when asked for, and back when no longer.

What was on already is left on at the end: it is somebody else's. IPv6 is switched on for the
whole machine as well, which makes its interfaces deaf to router advertisements unless they
have accept_ra 2; so only where sessions have IPv6.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fastpptp.errors import UnavailableError

SYSCTL = Path("/proc/sys")
IPV4 = "net/ipv4/ip_forward"
IPV6 = "net/ipv6/conf/all/forwarding"

BOOT = "kernel/random/boot_id"
NAMESPACE = Path("/proc/thread-self/ns/net")


class Forwarding:
    """`set` both switches; `restore` those that were turned on here.

    `note` is a file that says so to the next run, should this one not live to restore them.
    UnavailableError: it cannot be written.
    """

    def __init__(self, sysctl: Path = SYSCTL, *, note: Path) -> None:
        self._sysctl = sysctl
        self._note = note
        # Another boot or network namespace has switches of its own, as somebody left them.
        self._where = f"{(sysctl / BOOT).read_text().strip()} {os.readlink(NAMESPACE)}"
        self._ours = self._left_on()

    def set(self, *, ipv4: bool, ipv6: bool) -> None:
        """UnavailableError when the kernel does not let us."""
        for switch, wanted in ((IPV4, ipv4), (IPV6, ipv6)):
            if wanted and not self._is_on(switch):
                ours = [*(other for other in self._ours if other != switch), switch]
                self._write_note(ours)
                self._write(switch, "1")
                self._ours = ours
            elif not wanted and switch in self._ours:
                self._ours.remove(switch)
                self._write(switch, "0")
                self._write_note(self._ours)

    def restore(self) -> None:
        self.set(ipv4=False, ipv6=False)

    def _left_on(self) -> list[str]:
        """The switches that a run turned on that was killed."""
        try:
            where, *switches = self._note.read_text().splitlines()
        except (OSError, ValueError):
            return []
        if where != self._where:
            return []
        return [switch for switch in (IPV4, IPV6) if switch in switches and self._is_on(switch)]

    def _write_note(self, switches: Sequence[str]) -> None:
        """In one step, so that a kill leaves the old one or the new one."""
        if not switches:
            with suppress(FileNotFoundError):
                self._note.unlink()
            return
        part = self._note.with_name(f".{self._note.name}.{os.getpid()}")
        try:
            part.write_text("\n".join([self._where, *switches]) + "\n")
            part.replace(self._note)
        except OSError as error:
            raise UnavailableError(
                f"{self._note} cannot be written: {error.strerror}",
                "The state directory must be writable.",
            ) from None

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
