"""SNMPv3's keys and engine IDs against the RFCs' own examples; snmptrapd judges the messages."""

from __future__ import annotations

import pytest

from fastpptp.events.routing import SnmpAuthentication
from fastpptp.recorder.usm import Moment, UsmUser, engine_id
from fastpptp.usm import localized_key

ENGINE = bytes(11) + b"\2"


def test_a_key_of_sha() -> None:
    """RFC 3414 A.3.2."""
    found = localized_key("maplesyrup", ENGINE, "sha1")
    assert found.hex() == "6695febc9288e36282235fc7151f128497b38f3f"


def test_a_key_of_another_algorithm_is_another() -> None:
    found = localized_key("maplesyrup", ENGINE, "sha256")
    assert len(found) == 32


@pytest.mark.parametrize(
    ("host", "expected"),
    [("vpn1", "80000c040476706e31"), ("h" * 60, "80000c0404" + "68" * 27)],
)
def test_engine_ids(host: str, expected: str) -> None:
    """RFC 3411 section 5: at most 32 octets."""
    assert engine_id(host).hex() == expected
    assert 5 <= len(engine_id(host)) <= 32


def test_no_salt_comes_twice() -> None:
    user = UsmUser(
        "u", SnmpAuthentication.SHA, "auth-password", "priv-password", engine=ENGINE,
        moment=lambda: Moment(1, 1),
    )  # fmt: skip
    made = {user.wrap(b"\xa7\x00") for _ in range(1000)}
    assert len({message[-30:] for message in made}) == len(made) == 1000
