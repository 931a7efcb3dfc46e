"""Events through the trap sink into net-snmp's snmptrapd."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fastpptp.events.log import EventRecord
from fastpptp.events.routing import SnmpAuthentication, SnmpUser, SnmpVersion, TrapDestination
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.traps import TrapSink
from tests.records import HOSTILE, SHOWN, authenticated, of_every_severity, record
from tests.services.daemons import LOOPBACK
from tests.services.snmptrapd import EVENT_STATS, TRAPS, Snmptrapd, Trap


@pytest.fixture
def snmptrapd(tmp_path: Path) -> Iterator[Snmptrapd]:
    with Snmptrapd(tmp_path) as made:
        yield made


def sent(daemon: Snmptrapd, spec: TrapDestination, records: Sequence[EventRecord]) -> list[Trap]:
    clock = iter((100.0, 142.5))
    sink = TrapSink(spec, clock=lambda: next(clock))
    sink.deliver(records)
    sink.close()
    return daemon.traps(len(records))


AUTHENTICATED = {
    f"{EVENT_STATS}.1.1.0": 'STRING: "PPP/8"',
    f"{TRAPS}.1.0": 'STRING: "PPP"',
    f"{TRAPS}.2.0": "INTEGER: 8",
    f"{TRAPS}.3.0": "INTEGER: 5",
    f"{TRAPS}.4.0": 'STRING: "User [pptpuser] Authenticated successfully with PAP"',
    f"{TRAPS}.5.0": "IpAddress: 171.69.89.129",
    f"{TRAPS}.6.0": "INTEGER: 1012",
    f"{TRAPS}.7.0": "INTEGER: 3",
    f"{TRAPS}.8.0": 'STRING: "pptpuser"',
    f"{TRAPS}.9.0": 'STRING: "pptpgroup"',
}
EVENT = authenticated(sequence=1012, repeat=3, group="pptpgroup")


def test_snmpv2c(snmptrapd: Snmptrapd) -> None:
    (trap,) = sent(snmptrapd, snmptrapd.spec(SnmpVersion.V2C), [EVENT])
    assert trap.objects == {
        ".1.3.6.1.2.1.1.3.0": "4250",
        ".1.3.6.1.6.3.1.1.4.1.0": f"OID: {TRAPS}.0.1",
        **AUTHENTICATED,
    }


def test_snmpv1(snmptrapd: Snmptrapd) -> None:
    """RFC 3584 3.2: the enterprise and the specific number of the same notification."""
    (trap,) = sent(snmptrapd, snmptrapd.spec(SnmpVersion.V1), [EVENT])
    assert (trap.kind, trap.enterprise, trap.uptime) == ("6.1", TRAPS, 4250)
    assert trap.objects == AUTHENTICATED


SHA, SHA_256 = SnmpAuthentication.SHA, SnmpAuthentication.SHA_256
SNMP_USERS = [
    SnmpUser("both", SHA_256, "auth password", "priv password"),
    SnmpUser("old", SHA, "auth password", "priv password"),
    SnmpUser("signed", SHA_256, "auth password"),
    SnmpUser("plain"),
]


@pytest.mark.parametrize("user", SNMP_USERS, ids=lambda user: user.name)
def test_snmpv3(snmptrapd: Snmptrapd, user: SnmpUser) -> None:
    spec = replace(snmptrapd.spec(SnmpVersion.V3), user=user)
    (trap,) = sent(snmptrapd, spec, [EVENT])
    assert trap.objects == {
        ".1.3.6.1.2.1.1.3.0": "4250",
        ".1.3.6.1.6.3.1.1.4.1.0": f"OID: {TRAPS}.0.1",
        **AUTHENTICATED,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        SnmpUser("both", SHA_256, "wrong password", "priv password"),
        SnmpUser("both", SHA_256, "auth password", "wrong password"),
        SnmpUser("both", SHA_256, "auth password"),
        SnmpUser("nobody", SHA_256, "auth password", "priv password"),
    ],
)
def test_snmpv3_is_checked(snmptrapd: Snmptrapd, wrong: SnmpUser) -> None:
    """So what comes by is authenticated and encrypted indeed."""
    spec = snmptrapd.spec(SnmpVersion.V3)
    sink = TrapSink(replace(spec, user=wrong))
    sink.deliver([authenticated("wrong")])
    sink.close()
    (trap,) = sent(snmptrapd, replace(spec, user=SNMP_USERS[0]), [EVENT])
    assert trap.objects[f"{TRAPS}.8.0"] == 'STRING: "pptpuser"'


def test_snmpv3_is_not_read_on_its_way() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind((LOOPBACK, 0))
        port = ear.getsockname()[1]
        sink = TrapSink(TrapDestination("it", LOOPBACK, port, SnmpVersion.V3, user=SNMP_USERS[0]))
        sink.deliver([EVENT] * 2)
        sink.close()
        first, second = ear.recv(65_535), ear.recv(65_535)
    assert b"both" in first
    assert b"pptpuser" not in first + second
    assert first[-100:] != second[-100:]


@pytest.mark.parametrize("version", [SnmpVersion.V1, SnmpVersion.V2C])
def test_every_severity(snmptrapd: Snmptrapd, version: SnmpVersion) -> None:
    traps = sent(snmptrapd, snmptrapd.spec(version), of_every_severity())
    assert sorted(int(trap.objects[f"{TRAPS}.3.0"].split()[1]) for trap in traps) == [*range(1, 14)]


def test_what_a_peer_sent_is_one_object(snmptrapd: Snmptrapd) -> None:
    (trap,) = sent(snmptrapd, snmptrapd.spec(SnmpVersion.V2C), [authenticated(HOSTILE)])
    shown = SHOWN.replace("ü", r"\xfc").replace("\\", "\\\\")
    assert trap.objects[f"{TRAPS}.8.0"] == f'STRING: "{shown}"'
    assert len(trap.objects) == 11


def test_what_is_not_known_is_left_out(snmptrapd: Snmptrapd) -> None:
    (trap,) = sent(
        snmptrapd,
        snmptrapd.spec(SnmpVersion.V2C),
        [record("PPTPDBG", 100, peer=None, text="€" * 9000)],
    )
    assert not {f"{TRAPS}.{column}.0" for column in (5, 8, 9)} & trap.objects.keys()
    assert len(trap.objects[f"{TRAPS}.4.0"].replace("\\\\", "\\")) == len('STRING: ""') + 1024


def test_a_wrong_community_is_not_logged(snmptrapd: Snmptrapd) -> None:
    """So the community is really in it, and is the configured one."""
    wrong = TrapSink(replace(snmptrapd.spec(SnmpVersion.V2C), community="public"))
    wrong.deliver([authenticated("wrong")])
    wrong.close()
    (trap,) = sent(snmptrapd, snmptrapd.spec(SnmpVersion.V2C), [EVENT])
    assert trap.objects[f"{TRAPS}.8.0"] == 'STRING: "pptpuser"'


def test_a_manager_that_dies_and_comes_back(snmptrapd: Snmptrapd) -> None:
    sink = TrapSink(snmptrapd.spec(SnmpVersion.V2C))
    sink.deliver([authenticated("one")])
    snmptrapd.traps(1)
    snmptrapd.kill()
    rest = [authenticated("two"), authenticated("three")]
    with pytest.raises(PartlyDeliveredError, match="Connection refused") as caught:
        sink.deliver(rest)
    assert caught.value.done == 0
    snmptrapd.file.unlink()
    snmptrapd.start()
    sink.deliver(rest)
    users = [trap.objects[f"{TRAPS}.8.0"] for trap in snmptrapd.traps(2)]
    assert users == ['STRING: "two"', 'STRING: "three"']
    sink.close()
