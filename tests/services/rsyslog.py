"""rsyslogd, and what it understood of the messages that it got."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from fastpptp.events.routing import SyslogFormat, SyslogServer, Transport
from tests.hosts import Host
from tests.services.daemons import LOOPBACK, Daemon, free_port, tool

CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="16k")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" sysSock.use="off")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
input(type="imuxsock" socket="{folder}/log" useSysTimeStamp="off" ignoreTimestamp="off")
template(name="fields" type="string" string="{fields}\\n")
action(type="omfile" file="{folder}/messages" template="fields")
"""

FIELDS = ("inputname", "syslogfacility-text", "syslogseverity-text", "timestamp", "hostname",
          "syslogtag", "msg")  # fmt: skip


@dataclass
class Line:
    """What rsyslog understood of a message."""

    input: str
    facility: str
    severity: str
    time: str
    host: str
    tag: str
    text: str


class Rsyslog(Daemon):
    """rsyslogd with a configuration of its own, listening in all three ways."""

    def __init__(self, folder: Path, host: Host | None = None) -> None:
        self.udp, self.tcp = free_port(socket.SOCK_DGRAM), free_port()
        self.file = folder / "messages"
        configuration = folder / "rsyslog.conf"
        fields = "\\t".join(f"%{name}%" for name in FIELDS)
        configuration.write_text(
            CONFIGURATION.format(folder=folder, udp=self.udp, tcp=self.tcp, fields=fields)
        )
        program = tool("rsyslogd", "rsyslog")
        words = (program, "-n", "-f", str(configuration), "-i", str(folder / "pid"))
        super().__init__(folder, *words, host=host)

    def ready(self) -> bool:
        return (self.folder / "log").exists() and self.listens(self.tcp)

    def start(self) -> None:
        (self.folder / "log").unlink(missing_ok=True)
        super().start()

    def lines(self, count: int) -> list[Line]:
        """All that it has written, which must come to so many lines."""
        self.wait(lambda: len(self._written()) >= count, f"has not {count} lines")
        written = self._written()
        assert len(written) == count
        return [Line(*line.split("\t")) for line in written]

    def _written(self) -> list[str]:
        text = self.file.read_bytes().decode() if self.file.exists() else ""
        return text.split("\n")[:-1]

    def spec(
        self,
        transport: Transport,
        format_: SyslogFormat = SyslogFormat.ORIGINAL,
        facility: int = 23,
    ) -> SyslogServer:
        if transport is Transport.UNIX:
            return SyslogServer("it", str(self.folder / "log"), 514, facility, transport, format_)
        port = self.udp if transport is Transport.UDP else self.tcp
        return SyslogServer("it", LOOPBACK, port, facility, transport, format_)
