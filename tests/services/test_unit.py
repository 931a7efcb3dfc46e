"""The systemd unit under a systemd of its own: an init in namespaces, over a copy of this root.

What systemd shuts (seccomp, mounts, devices, capabilities) is met for real by all that the service
does. Nothing of this machine is changed: what is written goes to memory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cannot import cannot

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
WAIT = 60.0  # seconds

# $1: a directory; $2: the virtual environment; $3: src. All of it ends with its first process.
BOOT = r"""
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1"/up "$1"/work "$1"/root
root=$1/root
mount -t overlay overlay -o lowerdir=/,upperdir="$1"/up,workdir="$1"/work "$root"
mount -t proc proc "$root"/proc
mount -t sysfs sysfs "$root"/sys
mount -t cgroup2 cgroup2 "$root"/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs "$root"/dev
mount -t tmpfs -o mode=755 tmpfs "$root"/run
for device in null zero full random urandom tty; do
    touch "$root"/dev/$device
    mount --bind /dev/$device "$root"/dev/$device
done
mkdir -p "$root"/dev/net "$root"/dev/shm "$root"/opt/venv "$root"/opt/src
mknod -m 666 "$root"/dev/net/tun c 10 200
mount -t tmpfs tmpfs "$root"/dev/shm
mount --bind "$2" "$root"/opt/venv
mount --bind "$3" "$root"/opt/src
chmod 755 "$1" "$1"/up "$root" "$root"/opt
# This environment's scripts name the place where it was made.
cat >"$root"/opt/fastpptp <<'X'
#!/bin/sh
PYTHONPATH=/opt/src exec /opt/venv/bin/python -m fastpptp "$@"
X
chmod 755 "$root"/opt/fastpptp
printf '[Unit]\nWants=dbus.service\n' >"$root"/etc/systemd/system/test.target
mkdir -p "$root"/old
cd "$root"
pivot_root . old
umount -l /old
ip link set lo up
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=test.target --show-status=no >/dev/null 2>&1
"""

# What install-unit does, for the script above.
INSTALL = """
from pathlib import Path
from fastpptp.cli import unit
unit.executable = lambda: ["/opt/fastpptp"]
unit.install_unit.main([], standalone_mode=False)
"""

# The unit with an impatient watchdog, and with a headend whose event loop SIGUSR1 hangs.
HANGING = """
mkdir -p /etc/systemd/system/fastpptp.service.d
cat >/etc/systemd/system/fastpptp.service.d/test.conf <<X
[Service]
Environment=PYTHONPATH=/opt/src
WatchdogSec=2
ExecStart=
ExecStart=/opt/venv/bin/python /opt/hanging serve
X
cat >/opt/hanging <<X
import signal, time
from fastpptp.cli import main
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
main()
X
"""


class Machine:
    """One booted systemd; `init` is its process 1 as this system numbers it."""

    def __init__(self, init: int) -> None:
        self.init = init

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "-t", str(self.init), "-m", "-p", "-n", "-u", "-i", "-C"]
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*inside, "env", "-i", path, "PYTHONPATH=/opt/src", *words],
            capture_output=True, text=True, check=False, timeout=WAIT,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def said(self, *words: str) -> str:
        return self.run(*words).stdout

    def show(self, name: str) -> str:
        return self.said("systemctl", "show", "fastpptp", "-p", name, "--value").strip()

    def wait(self, condition: Callable[[], bool], complaint: str) -> None:
        end = time.monotonic() + WAIT
        while not condition():
            if time.monotonic() > end:
                status = self.run(
                    "systemctl", "status", "-l", "--no-pager", "fastpptp", check=False
                )
                raise AssertionError(f"the service {complaint}:\n{status.stdout}")
            time.sleep(0.1)


def missing() -> str:
    if os.geteuid() != 0:
        return "a systemd of its own needs root"
    for program in ("nsenter", "unshare", "dbus-daemon", "systemd-sysusers"):
        if shutil.which(program) is None:
            return f"{program} is missing"
    return "" if SYSTEMD.exists() else "systemd is missing (Debian: systemd, dbus)"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if reason := missing():
        cannot(reason)
    command = ["unshare", "-m", "-p", "-f", "-C", "-n", "-u", "-i", "--kill-child", "bash", "-ec"]
    arguments = ["boot", str(tmp_path), sys.prefix, str(REPOSITORY / "src")]
    with subprocess.Popen([*command, BOOT, *arguments], stdin=subprocess.DEVNULL) as process:
        try:
            yield booted(process)
        finally:
            process.kill()


def booted(process: subprocess.Popen[bytes]) -> Machine:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            made = Machine(int(children.read_text()))
            if made.run("systemctl", "is-active", "dbus", check=False).returncode == 0:
                return made
        time.sleep(0.1)
    raise AssertionError("systemd did not boot")


def test_the_service(machine: Machine) -> None:
    fastpptp = "/opt/fastpptp"
    machine.run("/opt/venv/bin/python", "-c", INSTALL)
    machine.run(fastpptp, "init")
    machine.run("systemctl", "start", "fastpptp")  # it waits for READY=1
    machine.run(fastpptp, "sessions")

    # Its helpers live under the same rules, and none has died.
    events = machine.said(fastpptp, "events", "--class", "SYSTEM")
    assert "SYSTEM/100" in events
    assert "SYSTEM/131" not in events
    pid = machine.show("MainPID")
    (child,) = machine.said("sh", "-c", f"cat /proc/{pid}/task/*/children").split()
    assert "fastpptp.recorder" in machine.said("cat", f"/proc/{child}/cmdline")
    assert "Seccomp:\t2" in machine.said("cat", f"/proc/{pid}/status")

    # The kernel's switches, nftables, port 67: what it needs is open.
    machine.run(fastpptp, "system", "set", "--forwarding", "yes", "--nat", "yes")
    machine.wait(lambda: "masquerade" in machine.said("nft", "list", "ruleset"), "no NAT")
    assert machine.said("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
    machine.run(fastpptp, "dhcp", "set", "--servers", "198.51.100.9")
    machine.run(fastpptp, "assignment", "set", "--dhcp", "yes")
    machine.wait(lambda: ":0043 " in machine.said("cat", "/proc/net/udp"), "no port 67")

    # A reload well and not; the bad one fails and changes nothing.
    machine.run("systemctl", "reload", "fastpptp")
    assert machine.show("StatusText").startswith("Follows revision ")
    machine.run("sh", "-c", "echo workers = 99 >/etc/fastpptp/fastpptp.toml")
    assert machine.run("systemctl", "reload", "fastpptp", check=False).returncode == 1
    machine.run("rm", "/etc/fastpptp/fastpptp.toml")
    assert "CONFIG/102" in machine.said(fastpptp, "events", "--class", "CONFIG")
    assert (machine.show("ActiveState"), machine.show("MainPID")) == ("active", pid)

    # Killed, it comes again; stopped, it leaves nothing.
    machine.run("kill", "-9", pid)
    machine.wait(lambda: machine.show("NRestarts") == "1", "is not restarted")
    machine.wait(lambda: machine.show("ActiveState") == "active", "does not come again")
    machine.run("systemctl", "stop", "fastpptp")
    assert machine.show("Result") == "success"
    assert machine.said("nft", "list", "ruleset") == ""
    assert machine.said("cat", "/proc/sys/net/ipv4/ip_forward") == "0\n"
    machine.run(fastpptp, "uninstall-unit")
    assert machine.run("systemctl", "cat", "fastpptp", check=False).returncode != 0


def test_a_headend_that_hangs_is_restarted(machine: Machine) -> None:
    machine.run("/opt/venv/bin/python", "-c", INSTALL)
    machine.run("/opt/fastpptp", "init")
    machine.run("sh", "-c", HANGING)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "fastpptp")
    pid, heard = machine.show("MainPID"), set()

    def lives() -> bool:
        heard.add(machine.show("WatchdogTimestampMonotonic"))
        return len(heard) > 4  # and so for longer than the watchdog waits

    machine.wait(lives, "does not say that it lives")
    assert machine.show("MainPID") == pid
    machine.run("kill", "-USR1", pid)
    machine.wait(lambda: machine.show("Result") == "watchdog", "may hang")
    machine.wait(lambda: machine.show("ActiveState") == "active", "does not come again")
    assert (machine.show("NRestarts"), machine.show("MainPID") != pid) == ("1", True)
    machine.run("/opt/fastpptp", "sessions")
