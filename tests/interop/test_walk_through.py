"""docs/operator-guide.md, typed step by step, with the lab's client dialling in.

What the product showed stands there in a paragraph that names its screen in italics. A block of
`sh` is typed; a block of `text` begins with a command, and the lines below it stand in
what the command prints, in this order, one below the other but where `...` leaves some out; `…`
stands for anything. At the end the test prints both, section by section.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import hosts as test_hosts
from tests.headend import Headend
from tests.interop.guest import Guest

GUIDE = Path(__file__).parents[2] / "docs" / "operator-guide.md"
OUTSIDE, INSIDE_HOST = "192.0.2.1", "172.16.1.2"
ROUTER, PC = "198.51.100.130", "198.51.100.129"

# What the client does when its section is reached: pppd's options, and what pppd logs.
DIALS = {
    "The client connects, without encryption": (
        "noccp refuse-chap refuse-mschap refuse-mschap-v2", "PAP authentication succeeded",
    ),
    "The client connects, with encryption": (
        "require-mppe-128", "MPPE 128-bit stateless compression enabled",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A fenced block of the guide or a paragraph on the product's screen, under its section."""

    section: str
    kind: str
    lines: tuple[str, ...]


def blocks() -> Iterator[Block]:
    section, kind, lines = "", "", []
    for line in GUIDE.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("```"):
            if kind:
                yield Block(section, kind, tuple(lines))
            kind, lines = ("" if kind else line[3:] or "picture"), []
        elif kind or lines or line.startswith("*"):
            lines.append(line)
            if not kind and not line:
                yield Block(section, "screen", tuple(lines))
                lines = []


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def missing_line(expected: list[str], printed: list[str]) -> str | None:
    """The first expected line that does not stand where it should."""
    at, anywhere = 0, True
    for line in expected:
        if line == "...":
            anywhere = True
            continue
        pattern = re.compile(re.escape(line).replace("…", ".*"))
        places = range(at, len(printed)) if anywhere else range(at, min(at + 1, len(printed)))
        found = next((k for k in places if pattern.fullmatch(printed[k])), None)
        if found is None:
            return line
        at, anywhere = found + 1, False
    return None


class Walk:
    """The reference network, and the guide's commands on its headend."""

    def __init__(self, network: test_hosts.Hosts, state: Path) -> None:
        self.router, self.vpn, inside = (network.add(n) for n in ("router", "hq", "inside"))
        network.tap(self.router, "tap1", f"{ROUTER}/24")
        network.join(self.router, "192.0.2.2/24", self.vpn, f"{OUTSIDE}/24")
        network.join(self.vpn, "172.16.1.1/24", inside, f"{INSIDE_HOST}/24")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.vpn.route("198.51.100.0/24", "via", "192.0.2.2")
        self.headend = Headend(self.vpn, state, OUTSIDE)
        self.told: list[str] = []

    def type(self, line: str) -> str:
        """What a command of the guide prints."""
        program, *words = shlex.split(line)
        assert program == "fastpptp"
        if words[0] == "serve":
            self.headend.start()
            return ""
        done = self.vpn.run(*self.headend.command(*words), check=False)
        assert done.returncode == 0 or words[0] == "doctor", f"{line}: {done.stderr}"
        return done.stdout

    def take(self, block: Block) -> None:
        if block.kind == "sh":
            for line in block.lines:
                self.type(line)
        elif block.kind == "text":
            self.compare(block)
        elif block.kind == "screen":
            self.told.append(f"  reference  {' '.join(block.lines)}")

    def compare(self, block: Block) -> None:
        command, *rest = block.lines
        printed = squeezed(self.type(command.removeprefix("$ ")))
        expected = squeezed("\n".join(rest))
        wrong = missing_line(expected, printed)
        assert wrong is None, "\n".join([f"{block.section}: {command}: no line {wrong}", *printed])
        self.told += [f"  here       {command}", *(f"             {line}" for line in expected)]

    def dial(self, pc: Guest, section: str) -> None:
        options, logged = DIALS[section]
        status, _ = pc.run(f"pptp_up {OUTSIDE} '{options}' pptpuser cisco123", timeout=40)
        assert status == 0, pc.run("cat /tmp/client.log /tmp/client.out")[1]
        pc.check("ip route add 172.16.1.0/24 dev ppp0")
        pc.check(f"ping -c 3 -i 0.2 -W 2 {INSIDE_HOST}")
        log = pc.check("cat /tmp/client.log")
        for line in (logged, "local  IP address 172.16.1.10", f"remote IP address {OUTSIDE}"):
            assert line in log

    def hang_up(self, pc: Guest) -> None:
        pc.run("pptp_down", timeout=20)
        self.headend.wait_for_sessions(0)


@pytest.fixture
def walk(network: test_hosts.Hosts, tmp_path: Path) -> Iterator[Walk]:
    made = Walk(network, tmp_path / "state")
    yield made
    if made.headend.process is not None and made.headend.process.poll() is None:
        made.headend.stop()


def test_the_guide(walk: Walk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sections: list[str] = []
    share = tmp_path / "share"
    share.mkdir()
    with Guest(walk.router, "tap1", f"{PC}/24", share, "pc") as pc:
        # The reference's server address is the one that is dialled: its route is pinned first.
        pc.check(f"ip route add {OUTSIDE}/32 via {ROUTER}")
        for block in blocks():
            if block.section not in sections:
                sections.append(block.section)
                walk.told.append(block.section)
                if sections[-2:-1] and sections[-2] in DIALS:
                    walk.hang_up(pc)
                if block.section in DIALS:
                    walk.dial(pc, block.section)
            walk.take(block)
        walk.hang_up(pc)
    assert set(DIALS) <= set(sections)
    assert [s for s in sections if s.startswith("Step ")][-1].startswith("Step 10:")
    with capsys.disabled():
        print("", *walk.told, sep="\n")
