from __future__ import annotations

import pytest

from fastpptp.cli.dial import _ping_result, link_config
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkRole
from tests.unit.cli.conftest import Installation

PING = """PING 172.16.1.1 (172.16.1.1) 56(84) bytes of data.
64 bytes from 172.16.1.1: icmp_seq=1 ttl=64 time=0.116 ms

--- 172.16.1.1 ping statistics ---
3 packets transmitted, 2 received, 33% packet loss, time 407ms
rtt min/avg/max/mdev = 0.116/0.158/0.182/0.030 ms
"""


@pytest.mark.parametrize(
    ("mppe", "enabled", "required", "bits"),
    [
        ("128", True, True, {128}),
        ("40", True, True, {40}),
        ("required", True, True, {40, 56, 128}),
        ("optional", True, False, {40, 56, 128}),
        ("none", False, False, {128}),
    ],
)
def test_encryption(mppe: str, enabled: bool, required: bool, bits: set[int]) -> None:
    config = link_config(
        "secret12", user="alice", mppe=mppe, stateful=True, methods=(AuthMethod.PAP,), mru=1300
    )
    policy = config.mppe
    assert (policy.enabled, policy.required, policy.bits) == (enabled, required, bits)
    assert policy.ask_stateful
    assert (config.role, config.mru, config.offload) == (LinkRole.PEER, 1300, True)
    assert "secret12" not in repr(config)


def test_what_ping_says() -> None:
    assert _ping_result(PING) == {
        "sent": 3, "received": 2, "min": 0.116, "avg": 0.158, "max": 0.182,
    }  # fmt: skip
    assert _ping_result("ping: unknown host") == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--methods", "MSCHAPv3"), "'MSCHAPv3' is not valid (any of PAP, CHAP"),
        (("--route", "10.0.0.1/8"), "'10.0.0.1/8' is not valid (10.0.0.1/8 has host bits set)"),
        (("--mppe", "64"), "'64' is not one of"),
        (("--password", "x", "--password-file", "-"), "Give one of --password"),
    ],
)
def test_wrong_options(empty: Installation, words: tuple[str, ...], said: str) -> None:
    text = empty.failed(2, "dial", "192.0.2.1", "--user", "alice", *words)
    assert said in " ".join(text.split())


def test_a_name_that_nobody_knows(empty: Installation) -> None:
    text = empty.failed(
        3, "dial", "no-such-host.invalid", "--user", "alice", "--password", "secret12"
    )
    assert text.startswith("fastpptp: no-such-host.invalid is not known: ")
