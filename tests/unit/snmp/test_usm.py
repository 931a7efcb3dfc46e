"""SNMPv3: keys by the RFC's own example, and what is not answered but with a Report.

That net-snmp is answered, and what it makes of the Reports: tests/services/test_snmp.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from fastpptp import ber
from fastpptp.snmp.agent import Access
from fastpptp.snmp.notices import Failure
from fastpptp.snmp.usm import TIME_WINDOW, User, Wrong
from fastpptp.usm import localized_key
from tests.unit.snmp.support import ENGINE, Site
from tests.unit.snmp.test_agent import UP_TIME

PASSWORDS = ("authentic1", "private12")
REPORTABLE, PRIVATE, AUTHENTICATED = 4, 2, 1
SALT = b"saltsalt"


def test_the_key_of_the_rfc() -> None:
    """RFC 3414 A.3.2."""
    engine = bytes.fromhex("000000000000000000000002")
    assert (
        localized_key("maplesyrup", engine, "sha1").hex()
        == "6695febc9288e36282235fc7151f128497b38f3f"
    )


def site(privacy: str = PASSWORDS[1]) -> Site:
    return Site(access=Access(user=User("operator", PASSWORDS[0], privacy)))


def sequence(*parts: bytes) -> bytes:
    return ber.tagged(ber.SEQUENCE, b"".join(parts))


def message(**changes: Any) -> bytes:
    """A request for sysUpTime as RFC 3412 and 3414 have it, but for `changes`."""
    told: dict[str, Any] = {
        "flags": REPORTABLE | PRIVATE | AUTHENTICATED, "engine": ENGINE, "boots": 7, "time": 0,
        "user": b"operator", "context_engine": ENGINE, "context": b"", "model": 3,
        "passwords": PASSWORDS, "salt": SALT,
    } | changes  # fmt: skip
    pdu = ber.tagged(
        0xA0,
        ber.integer(1) + ber.integer(0) + ber.integer(0)
        + sequence(sequence(ber.object_identifier(UP_TIME), b"\x05\x00")),
    )  # fmt: skip
    scoped = sequence(
        ber.octet_string(told["context_engine"]), ber.octet_string(told["context"]), pdu
    )
    authentication, privacy = (
        localized_key(password, ENGINE, "sha1") for password in told["passwords"]
    )
    if told["flags"] & PRIVATE:
        vector = told["boots"].to_bytes(4) + told["time"].to_bytes(4) + SALT
        cipher = AES.new(privacy[:16], AES.MODE_CFB, iv=vector, segment_size=128)
        scoped = ber.octet_string(cipher.encrypt(scoped + bytes(-len(scoped) % 16))[: len(scoped)])
    head = sequence(
        ber.integer(5), ber.integer(65507), ber.octet_string(bytes((told["flags"],))),
        ber.integer(told["model"]),
    )  # fmt: skip

    def whole(digest: bytes) -> bytes:
        security = sequence(
            ber.octet_string(told["engine"]), ber.integer(told["boots"]), ber.integer(told["time"]),
            ber.octet_string(told["user"]), ber.octet_string(digest),
            ber.octet_string(told["salt"]),
        )  # fmt: skip
        return sequence(ber.integer(3), head, ber.octet_string(security), scoped)

    if not told["flags"] & AUTHENTICATED:
        return whole(b"")
    return whole(hmac.new(authentication, whole(bytes(12)), hashlib.sha1).digest()[:12])


def reported(answer: bytes | None) -> Wrong | None:
    """What a Report counts."""
    assert answer is not None
    found = [wrong for wrong in Wrong if ber.object_identifier(wrong.counter) in answer]
    return found[0] if found else None


def test_an_answer_is_encrypted() -> None:
    asked = site()
    answer = asked.ask(message())
    assert reported(answer) is None
    assert answer is not None
    assert ber.object_identifier(UP_TIME) not in answer
    assert asked.told == []


def test_a_user_without_a_privacy_password() -> None:
    asked = site(privacy="")
    answer = asked.ask(message(flags=REPORTABLE | AUTHENTICATED))
    assert answer is not None
    assert ber.object_identifier(UP_TIME) in answer


@pytest.mark.parametrize(
    ("changes", "wrong", "told"),
    [
        ({"engine": b"", "flags": REPORTABLE}, Wrong.ENGINE, False),
        ({"boots": 6}, Wrong.TIME_WINDOW, False),
        ({"time": TIME_WINDOW + 1}, Wrong.TIME_WINDOW, False),
        ({"user": b"nobody"}, Wrong.USER, True),
        ({"flags": REPORTABLE | AUTHENTICATED}, Wrong.SECURITY_LEVEL, True),
        ({"flags": REPORTABLE}, Wrong.SECURITY_LEVEL, True),
        ({"passwords": ("authentic2", "private12")}, Wrong.DIGEST, True),
        ({"passwords": ("authentic1", "private13")}, Wrong.DECRYPTION, True),
        ({"salt": b"short"}, Wrong.DECRYPTION, True),
        ({"context": b"other"}, Wrong.CONTEXT, True),
        ({"context_engine": b"other"}, Wrong.CONTEXT_ENGINE, True),
    ],
)
def test_what_is_reported(changes: dict[str, Any], wrong: Wrong, told: bool) -> None:
    asked = site()
    assert reported(asked.ask(message(**changes))) is wrong
    assert asked.failures() == ([Failure.USER] if told else [])
    flags = changes.get("flags", REPORTABLE | PRIVATE | AUTHENTICATED) & ~REPORTABLE
    assert asked.ask(message(**{**changes, "flags": flags})) is None


def test_a_request_grows_too_old() -> None:
    asked, request = site(), message()
    asked.now += TIME_WINDOW
    assert reported(asked.ask(request)) is None
    asked.now += 1
    assert reported(asked.ask(request)) is Wrong.TIME_WINDOW


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda: message(model=2),
        lambda: message(flags=REPORTABLE | PRIVATE),
        lambda: message() + b"\x00",
        lambda: message()[:-1],
    ],
)
def test_what_is_malformed(spoiled: Callable[[], bytes]) -> None:
    asked = site()
    assert asked.ask(spoiled()) is None
    assert asked.failures() == [Failure.MALFORMED]


GOOD = message()
SITE = site()  # its keys take a while


@given(st.data())
def test_octets_changed(data: st.DataObject) -> None:
    """None of them is answered with a value: all are authenticated."""
    wrong = bytearray(GOOD)
    place = data.draw(st.integers(0, len(wrong) - 1))
    wrong[place] ^= data.draw(st.integers(1, 255))
    answer = SITE.ask(bytes(wrong))
    assert answer is None or reported(answer) is not None
