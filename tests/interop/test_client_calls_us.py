"""Debian's pptp-linux, pppd and the kernel's MPPE dial our headend."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts as test_hosts
from tests.headend import INNER, Headend
from tests.interop.guest import Guest

SERVER = "192.0.2.1"
NO_MPPE: list[str] = []
MPPE = ["Required", "128-bit"]
STATEFUL = "plugin labpptp.so require-mppe-128 mppe-stateful want-mppe-stateful"

# name: (server's protocols, server's encryption, pppd's options, what pppd logs)
SETTINGS = {
    "PAP": (["PAP"], NO_MPPE, "noccp", "PAP authentication succeeded"),
    "CHAP": (["CHAP"], NO_MPPE, "noccp", "CHAP authentication succeeded"),
    "MSCHAPv1": (["MSCHAPv1"], NO_MPPE, "noccp", "CHAP authentication succeeded"),
    "MSCHAPv2": (["MSCHAPv2"], NO_MPPE, "noccp", "CHAP authentication succeeded"),
    "MSCHAPv1 128 stateless": (
        ["MSCHAPv1"], MPPE, "require-mppe-128",
        "MPPE 128-bit stateless",
    ),
    "MSCHAPv2 128 stateless": (
        ["MSCHAPv2"], [*MPPE, "Require Stateless"],
        "require-mppe-128", "MPPE 128-bit stateless",
    ),
    "MSCHAPv2 128 stateful": (
        ["MSCHAPv2"], MPPE, STATEFUL, "MPPE 128-bit stateful",
    ),
    "MSCHAPv2 40": (
        ["MSCHAPv2"], ["Required", "40-bit"], "require-mppe-40", "MPPE 40-bit stateless",
    ),
}  # fmt: skip


def dial(client: Guest, options: str, user: str = "alice", password: str = "secret12") -> int:
    status, _ = client.run(f"pptp_up {SERVER} '{options}' {user} {password}", timeout=40)
    return status


@pytest.fixture(autouse=True)
def ended(client: Guest, headend: Headend) -> Iterator[None]:
    """No test leaves a call to the next one."""
    yield
    client.run("pptp_down", timeout=20)
    headend.cli("logout", "--all")
    headend.wait_for_sessions(0)


def hang_up(client: Guest, headend: Headend) -> None:
    client.run("pptp_down", timeout=20)
    headend.wait_for_sessions(0)


@pytest.mark.parametrize("name", SETTINGS)
def test_ping(name: str, client: Guest, headend: Headend) -> None:
    protocols, encryption, options, logged = SETTINGS[name]
    headend.configure(protocols, encryption)
    seen = headend.last_event()
    assert dial(client, options) == 0, client.run("cat /tmp/client.log /tmp/client.out")[1]
    assert logged in client.check("cat /tmp/client.log")
    client.check(f"ping -c 3 -i 0.2 -W 2 {INNER}")
    client.check(f"ping -c 3 -i 0.2 -W 2 -s 1372 {INNER}")
    session = headend.sessions()[0]
    assert session["user"] == "alice"
    hang_up(client, headend)
    texts = headend.texts_since(seen)
    for text in ("PPTP/47", "PPTP/42", "PPP/8", "AUTH/22", "AUTH/28", "PPTP/35", "PPTP/34"):
        assert any(line.startswith(text) for line in texts), (text, texts)


def test_a_client_that_rejects_ccp_is_told_of(client: Guest, headend: Headend) -> None:
    """It could be encrypted, and is not."""
    headend.configure(["MSCHAPv2"], ["128-bit"])
    seen = headend.last_event()
    assert dial(client, "noccp") == 0, client.run("cat /tmp/client.log /tmp/client.out")[1]
    client.check(f"ping -c 1 -W 2 {INNER}")
    told = [text for text in headend.texts_since(seen) if text.startswith("PPP/132")]
    assert [text.partition("\n")[0] for text in told] == [
        "PPP/132 User [alice] is not encrypted: the peer rejects CCP"
    ]


@pytest.mark.parametrize("name", ["MSCHAPv2 128 stateless", "MSCHAPv2 128 stateful"])
def test_fifty_megabytes_each_way(
    name: str, client: Guest, headend: Headend, bridge: test_hosts.Host, share: Path, tmp_path: Path
) -> None:
    protocols, encryption, options, _ = SETTINGS[name]
    headend.configure(protocols, encryption)
    options = options.replace("plugin labpptp.so", "")
    status, log = client.run(f"kpptp_up {SERVER} '{options}' alice secret12", timeout=40)
    assert status == 0, log + client.run("cat /tmp/client.log")[1]
    octets = bytes(range(256)) * 4096 * 50
    (tmp_path / "sent").write_bytes(octets)
    digest = hashlib.sha256(octets).hexdigest()

    sender = bridge.start(
        "socat", "-u", f"FILE:{tmp_path}/sent", f"TCP-LISTEN:5001,bind={INNER},reuseaddr"
    )
    got = client.check(
        f"socat -u TCP:{INNER}:5001,retry=20,interval=0.1 - | sha256sum", timeout=120
    )
    assert got.splitlines()[-1].split()[0] == digest, got
    sender.wait(10)

    receiver = bridge.start(
        "socat", "-u", f"TCP-LISTEN:5002,bind={INNER},reuseaddr", f"CREATE:{tmp_path}/got"
    )
    client.check(
        "python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096 * 50)'"
        f" | socat -u - TCP:{INNER}:5002,retry=20,interval=0.1",
        timeout=120,
    )
    receiver.wait(20)
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == digest
    hang_up(client, headend)


# name: (user, password, protocols, encryption, pppd's options, event, in pppd's log)
REFUSALS = {
    "wrong password": (
        "alice", "wrong", ["MSCHAPv2"], MPPE, "require-mppe-128",
        "PPP/9", "E=691",
    ),
    "unknown user": (
        "nobody", "secret12", ["MSCHAPv2"], MPPE, "require-mppe-128",
        "AUTH/5", "E=691",
    ),
    "wrong password, PAP": (
        "alice", "wrong", ["PAP"], NO_MPPE, "noccp", "PPP/9", "PAP authentication failed",
    ),
    "encryption required by us only": (
        "alice", "secret12", ["MSCHAPv2"], MPPE, "noccp",
        "PPP/6", "terminated",
    ),
    "encryption required by the client only": (
        "alice", "secret12", ["MSCHAPv2"], NO_MPPE, "require-mppe-128",
        "AUTH/22", "MPPE required",
    ),
    "protocol not allowed": (
        "alice", "secret12", ["MSCHAPv2"], NO_MPPE,
        "noccp refuse-mschap-v2 refuse-mschap refuse-chap", "PPP/12", "terminated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str, client: Guest, headend: Headend) -> None:
    user, password, protocols, encryption, options, event, logged = REFUSALS[name]
    headend.configure(protocols, encryption)
    seen = headend.last_event()
    assert dial(client, options, user, password) != 0
    hang_up(client, headend)
    texts = headend.texts_since(seen)
    assert any(line.startswith(event) for line in texts), texts
    assert logged in client.check("cat /tmp/client.log")


def test_two_guests_at_once(
    client: Guest, headend: Headend, bridge: test_hosts.Host, share: Path
) -> None:
    protocols, encryption, options, _ = SETTINGS["MSCHAPv2 128 stateless"]
    headend.configure(protocols, encryption)
    with Guest(bridge, "tap2", "192.0.2.12/24", share, "second") as second:
        assert dial(client, options) == 0
        assert dial(second, options, "bob", "secret34") == 0
        assert {s["user"] for s in headend.sessions()} == {"alice", "bob"}
        for guest in (client, second):
            guest.check(f"ping -c 5 -i 0.2 -W 2 {INNER}")
        addresses = {s["user"]: s["address"] for s in headend.sessions()}
        bridge.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        for guest, other in ((client, "bob"), (second, "alice")):
            guest.check(f"ip route add {addresses[other]} dev ppp0")
        client.check(f"ping -c 3 -i 0.2 -W 2 {addresses['bob']}")
        second.run("pptp_down", timeout=20)
        headend.wait_for_sessions(1)
    hang_up(client, headend)


def test_logout_from_our_side(client: Guest, headend: Headend) -> None:
    protocols, encryption, options, _ = SETTINGS["MSCHAPv2 128 stateless"]
    headend.configure(protocols, encryption)
    assert dial(client, options) == 0
    headend.cli("logout", str(headend.sessions()[0]["id"]))
    headend.wait_for_sessions(0)
    client.check(
        "for n in $(seq 100); do kill -0 $client || break; sleep 0.1; done; ! kill -0 $client"
    )
    assert "LCP TermReq" in client.check("cat /tmp/client.log")


def test_killed_client(headend: Headend, bridge: test_hosts.Host, share: Path) -> None:
    protocols, encryption, options, _ = SETTINGS["MSCHAPv2 128 stateless"]
    headend.configure(protocols, encryption)
    seen = headend.last_event()
    with Guest(bridge, "tap2", "192.0.2.12/24", share, "doomed") as doomed:
        assert dial(doomed, options, "bob", "secret34") == 0
        doomed.kill()
    headend.wait_for_sessions(0, timeout=60)
    assert any(line.startswith("AUTH/28") for line in headend.texts_since(seen))
