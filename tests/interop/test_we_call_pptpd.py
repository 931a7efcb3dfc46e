"""Our `dial` calls Debian's pptpd and pppd in a guest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts as test_hosts
from tests.interop.guest import Guest

PPTPD = "192.0.2.21"
INNER = "10.50.0.1"
MS = "refuse-pap refuse-chap refuse-mschap require-mschap-v2"
LAB = "plugin labpptp.so require-mppe-128 mppe-stateful want-mppe-stateful"

# name: (pppd's options, our options, method, encryption)
SETTINGS = {
    "PAP": ("require-pap noccp", ["--methods", "PAP", "--mppe", "none"], "PAP", None),
    "CHAP": ("require-chap noccp", ["--methods", "CHAP", "--mppe", "none"], "CHAP", None),
    "MSCHAPv1": (
        "require-mschap noccp", ["--methods", "MSCHAPv1", "--mppe", "none"], "MSCHAP-V1", None,
    ),
    "MSCHAPv2": (f"{MS} noccp", ["--mppe", "none"], "MSCHAP-V2", None),
    "MSCHAPv2 128 stateless": (f"{MS} require-mppe-128", [], "MSCHAP-V2", "stateless"),
    "MSCHAPv2 128 stateful": (f"{MS} {LAB}", ["--stateful"], "MSCHAP-V2", "stateful"),
    "MSCHAPv2 40": (f"{MS} require-mppe-40", ["--mppe", "40"], "MSCHAP-V2", "40-bit"),
}  # fmt: skip


@pytest.fixture(scope="module")
def pptpd(bridge: test_hosts.Host, share: Path) -> Iterator[Guest]:
    with Guest(bridge, "tap2", f"{PPTPD}/24", share, "pptpd") as made:
        yield made


def dial(
    host: test_hosts.Host,
    *options: str,
    user: str = "alice",
    password: str = "secret",
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    return host.run(
        sys.executable, "-m", "fastpptp", "dial", PPTPD, "--user", user, "--password", password,
        *options, check=False, timeout=timeout,
    )  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_ping(name: str, pptpd: Guest, bridge: test_hosts.Host) -> None:
    theirs, ours, method, encryption = SETTINGS[name]
    pptpd.check(f"start_pptpd {PPTPD} '{theirs}'")
    try:
        pings = " && ".join(f"ping -c 3 -i 0.2 -W 2 -s {size} {INNER}" for size in (56, 1372))
        done = dial(bridge, *ours, "--exec", f"sh -c '{pings}'", "--json")
        assert done.returncode == 0, (
            done.stdout + done.stderr + pptpd.run("cat /tmp/pppd-server.log")[1]
        )
        said = json.loads(done.stdout)
        assert said["method"] == method
        assert said["server_address"] == INNER
        if encryption:
            assert encryption in said["encryption"]
        else:
            assert not said["encryption"]
    finally:
        pptpd.run("stop_pptpd")
    log = pptpd.check("cat /tmp/pppd-server.log")
    assert re.search(r"rcvd \[LCP TermReq", log), "we hang up in order"


# name: (pppd's options, our options, user, password, what we say)
REFUSALS = {
    "wrong password": (f"{MS} require-mppe-128", [], "alice", "wrong", "authentication failed"),
    "unknown user": (f"{MS} require-mppe-128", [], "nobody", "secret", "authentication failed"),
    "encryption required by us only": (f"{MS} noccp", [], "alice", "secret", "encryption"),
    "encryption required by pppd only": (
        f"{MS} require-mppe-128", ["--mppe", "none"], "alice", "secret", "",
    ),
    "protocol not allowed": (
        "require-chap refuse-pap refuse-mschap refuse-mschap-v2 noccp", ["--mppe", "none"],
        "alice", "secret", "terminated by the peer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str, pptpd: Guest, bridge: test_hosts.Host) -> None:
    theirs, ours, user, password, said = REFUSALS[name]
    pptpd.check(f"start_pptpd {PPTPD} '{theirs}'")
    try:
        done = dial(bridge, *ours, "--ping", INNER, user=user, password=password)
    finally:
        pptpd.run("stop_pptpd")
    assert done.returncode != 0
    assert said in (done.stdout + done.stderr).lower()
    assert "Traceback" not in done.stderr


def test_fifty_megabytes_each_way(pptpd: Guest, bridge: test_hosts.Host, tmp_path: Path) -> None:
    """Through poptop's own processes; each digest is compared at the far end."""
    script = (
        "import hashlib, socket, sys\n"
        f"s = socket.create_connection(('{INNER}', 5001), 20)\n"
        "s.settimeout(100)\n"
        "d = bytes(range(256)) * 4096 * 50; s.sendall(d); s.shutdown(1)\n"
        "got = s.makefile().read()\n"
        "if got.split()[0] != hashlib.sha256(d).hexdigest(): sys.exit('sent')\n"
        f"s = socket.create_connection(('{INNER}', 5002), 20)\n"
        "h = hashlib.file_digest(s.makefile('rb'), 'sha256')\n"
        "if h.digest() != hashlib.sha256(d).digest(): sys.exit('received')\n"
    )
    (pptpd.share / "serve.py").write_text(
        "import socket\n"
        "s = socket.create_server(('', 5002))\n"
        "s.accept()[0].sendall(bytes(range(256)) * 4096 * 50)\n"
    )
    path = tmp_path / "send.py"
    path.write_text(script)
    pptpd.check(f"start_pptpd {PPTPD} '{MS} require-mppe-128'")
    try:
        pptpd.check("socat -t 60 TCP-LISTEN:5001,fork,reuseaddr,rcvbuf=16384 SYSTEM:sha256sum &")
        pptpd.check("python3 /lab/run/serve.py &")
        done = dial(bridge, "--exec", f"{sys.executable} {path}", timeout=150)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        pptpd.run("stop_pptpd; pkill socat; true")
