"""net-snmp's snmptrapd, and what it understood of the traps that it got."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

from fastpptp.events.routing import SnmpVersion, TrapDestination
from fastpptp.recorder.usm import engine_id
from tests.hosts import Host
from tests.services.daemons import LOOPBACK, Daemon, free_port, tool

EVENT_STATS = ".1.3.6.1.4.1.3076.2.1.2.4"
TRAPS = f"{EVENT_STATS}.100"

# Users of SNMPv3, and the least security that each must have.
USERS = (
    ("both", 'SHA-256 "auth password" AES "priv password"', "priv"),
    ("old", 'SHA "auth password" AES "priv password"', "priv"),
    ("signed", 'SHA-256 "auth password"', "auth"),
    ("plain", "", "noauth"),
)


@dataclass
class Trap:
    """What snmptrapd understood: `generic.specific`, enterprise and uptime of an SNMPv1 trap."""

    kind: str
    enterprise: str
    uptime: int
    objects: dict[str, str]


class Snmptrapd(Daemon):
    """snmptrapd, which takes one community and writes what it understands to a file."""

    def __init__(self, folder: Path, host: Host | None = None) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        self.file = folder / "traps"
        configuration = folder / "snmptrapd.conf"
        configuration.write_text(
            "authCommunity log s3cret\n"
            + "".join(
                f"createUser -e 0x{engine_id().hex()} {name} {words}\nauthUser log {name} {level}\n"
                for name, words, level in USERS
            )
        )
        super().__init__(
            folder, tool("snmptrapd", "snmptrapd"), "-f", "-n", "-C", "-c", str(configuration),
            "-m", "", "-Ont", "-Lf", str(self.file), "-x", str(folder / "agentx"),
            "-p", str(folder / "pid"), "-F", "TRAP %w%q %N uptime %T\\n%V\\n%v\\nEND\\n",
            f"udp:{LOOPBACK}:{self.port}",
            env={"SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder)}, host=host,
        )  # fmt: skip

    def ready(self) -> bool:
        return self.file.exists() and "version" in self.file.read_text()

    def tell(self) -> str:
        return super().tell() + (self.file.read_text() if self.file.exists() else "")

    def spec(self, version: SnmpVersion) -> TrapDestination:
        return TrapDestination("it", LOOPBACK, self.port, version, "s3cret")

    def traps(self, count: int) -> list[Trap]:
        """All traps that it has logged, which must come to so many."""
        self.wait(lambda: self.file.read_text().count("END\n") >= count, f"has not {count} traps")
        read = re.findall(
            r"TRAP (\S+) (\S+) uptime (\d+)\n(.*?)\nEND\n", self.file.read_text(), re.S
        )
        assert len(read) == count
        return [
            Trap(
                kind,
                enterprise,
                int(uptime),
                dict(line.split(" = ", 1) for line in objects.split("\n")),
            )
            for kind, enterprise, uptime, objects in read
        ]
