"""Our headend as a process on a test host, driven through its command line alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.hosts import Host

INNER = "172.16.1.1"

CONFIGURATION = """
[base_group]
pptp_authentication_protocols = {protocols}
pptp_encryption = {encryption}
idle_timeout = 0

[users.alice]
password = "secret12"

[users.bob]
password = "secret34"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.250"

[system]
server_address = "172.16.1.1"
echo_interval = 1
"""


class Headend:
    """`fastpptp serve` on `host`. It is ready, or it has failed, when `__enter__` returns.

    `config` is its bootstrap file; `wrap` stands before its command.
    """

    def __init__(
        self,
        host: Host,
        state: Path,
        *listen: str,
        workers: int = 1,
        outer: str = "auto",
        profile: str = "default",
        options: Sequence[str] = (),
        config: Path | None = None,
        wrap: Sequence[str] = (),
    ) -> None:
        self.host = host
        self.state = state
        self.log = state / "console.log"
        self._listen = [word for address in listen for word in ("--listen", address)]
        self._options = ["--workers", str(workers), "--outer", outer, *options]
        self._profile = profile
        self._config = [] if config is None else ["--config", str(config)]
        self._wrap = wrap
        self.process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        places = ["--state-dir", str(self.state), *self._config]
        return [sys.executable, "-m", "fastpptp", *words, *places]

    def cli(self, *words: str, timeout: float = 30) -> str:
        """What a command of ours prints; it must succeed."""
        done = self.host.run(*self.command(*words), timeout=timeout, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.cli(*words, "--json"))

    def __enter__(self) -> Headend:
        self.cli("init", "--profile", self._profile)
        self.start()
        return self

    def start(self) -> None:
        words = self.command("serve", *self._listen, *self._options)
        self.process = self.host.start(*self._wrap, *words, log=self.log)
        self.wait(lambda: (self.state / "admin.sock").exists(), "did not come up")

    def wait(self, condition: Any, complaint: str, timeout: float = 20) -> None:
        """Until `condition()` holds; the headend must not end before it does."""
        end = time.monotonic() + timeout
        while not condition():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"the headend {complaint}:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> int:
        """End it as an operator would; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if kind is not None:
            print(self.log.read_text()[-8000:])

    def configure(self, protocols: list[str], encryption: list[str]) -> None:
        """Users alice and bob in the base group, which allows these."""
        text = CONFIGURATION.format(
            protocols=json.dumps(protocols), encryption=json.dumps(encryption)
        )
        self.import_configuration(text)

    def import_configuration(self, text: str) -> None:
        """Replace its whole configuration."""
        path = self.state / "wanted.toml"
        path.write_text(text)
        self.cli("config", "import", str(path), "--yes")

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("sessions")
        return found

    def wait_for_sessions(self, count: int, timeout: float = 20) -> None:
        self.wait(lambda: len(self.sessions()) == count, f"does not have {count} sessions", timeout)

    def last_event(self) -> int:
        """The sequence number of the newest event."""
        return max((event["sequence"] for event in self.json("events")), default=0)

    def texts_since(self, sequence: int) -> list[str]:
        """Events after `sequence` as `CLASS/number text`."""
        return [
            f"{event['class']}/{event['number']} {event['text']}"
            for event in self.json("events")
            if event["sequence"] > sequence
        ]
