"""A lab guest that stays up and runs commands one after another.

The guest's script polls a directory that it shares with the host; a command is a file
put there whole (rename), its output and status come back the same way.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.hosts import Host

LAB = Path(__file__).parent / "lab"
CACHE = Path(
    os.environ.get("LAB_DIR")
    or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fastpptp-lab"
)

LOOP = """
. /lab/lib/pptp-client.sh
. /lab/lib/pptpd-server.sh
touch /lab/run/{name}.up
while [ ! -e /lab/run/{name}.stop ]; do
    for f in /lab/run/{name}.*.sh; do
        [ -e "$f" ] || continue
        b=${{f%.sh}}
        . "$f" >$b.out 2>&1
        echo $? >$b.tmp
        rm "$f"
        mv $b.tmp $b.done
    done
    sleep 0.05
done
"""


def missing() -> str:
    """Why guests cannot run here, or an empty string."""
    if not (CACHE / "kernel").exists():
        return f"there is no lab guest in {CACHE}: run ci/lab"
    return ""


class GuestError(Exception):
    """The guest did not start, or a command in it did not end in time."""


class Guest:
    """One guest on a tap of `host`. Commands run in one shell, so its variables last."""

    def __init__(self, host: Host, tap: str, cidr: str, share: Path, name: str) -> None:
        self.name = name
        self.share = share
        self._numbers = itertools.count(1)
        script = share / f"{name}.loop"
        script.write_text(LOOP.format(name=name))
        self._log = (share / f"{name}.console").open("w")
        self._process = subprocess.Popen(
            [str(LAB / "guest-run.sh"), "--netns", host.name, "--tap", tap, "--addr", cidr,
             "--share", str(share), "--name", name, "--timeout", "600",
             "--script", str(script)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._wait_for(share / f"{name}.up", 30)

    def _wait_for(self, path: Path, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not path.exists():
            if self._process.poll() is not None:
                raise GuestError(f"guest {self.name} ended: {self.console()}")
            if time.monotonic() > end:
                raise GuestError(f"guest {self.name}: {path.name} did not appear in {timeout} s")
            time.sleep(0.02)

    def console(self) -> str:
        return (self.share / f"{self.name}.console").read_text()[-2000:]

    def run(self, command: str, timeout: float = 60) -> tuple[int, str]:
        """(exit status, output) of shell commands run in the guest."""
        stem = self.share / f"{self.name}.{next(self._numbers)}"
        draft = stem.with_name(stem.name + ".new")
        draft.write_text(command + "\n")
        draft.rename(stem.with_name(stem.name + ".sh"))
        done = stem.with_name(stem.name + ".done")
        self._wait_for(done, timeout)
        output = stem.with_name(stem.name + ".out").read_text(errors="replace")
        return int(done.read_text()), output

    def check(self, command: str, timeout: float = 60) -> str:
        """Output of commands that must succeed."""
        status, output = self.run(command, timeout)
        assert status == 0, f"in guest {self.name}, {command!r} ended with {status}:\n{output}"
        return output

    def kill(self) -> None:
        """End the guest as a power cut would."""
        subprocess.run(["pkill", "-KILL", "-f", f"umid={self.name} "], check=False)
        self._process.wait(20)

    def close(self) -> None:
        (self.share / f"{self.name}.stop").touch()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._log.close()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
