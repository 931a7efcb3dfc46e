"""A real MS-CHAPv2 login (shared captures): what Windows and pppd send is read as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from fastpptp.ppp.auth import packets
from fastpptp.ppp.auth.packets import ChapCode
from fastpptp.ppp.auth.schemes import scheme_of
from fastpptp.ppp.auth.types import AuthMethod, MsChapV2Credential
from fastpptp.ppp.frames import Packet, decode_packet

CHAP = b"\xc2\x23"
V2 = scheme_of(AuthMethod.MSCHAP_V2)


def frames(capture: bytes) -> Iterator[bytes]:
    """The packets of a capture file in the classic format."""
    order: Literal["little", "big"] = "little" if capture[0] == 0xD4 else "big"
    at = 24
    while at < len(capture):
        size = int.from_bytes(capture[at + 8 : at + 12], order)
        yield capture[at + 16 : at + 16 + size]
        at += 16 + size


@pytest.fixture(scope="module")
def login(captures: Path) -> dict[int, Packet]:
    """The CHAP packets of the capture by their code."""
    found: dict[int, Packet] = {}
    for octets in frames((captures / "chapcrack_sample.dump.pcap").read_bytes()):
        # Behind LCP's option, which also names the protocol, comes the algorithm.
        at = octets.find(CHAP) + len(CHAP)
        if at >= len(CHAP) and octets[at] in tuple(ChapCode):
            found.setdefault(octets[at], decode_packet(octets[at:]))
    return found


def test_the_login_is_read(login: dict[int, Packet]) -> None:
    challenge, server = packets.decode_value(login[ChapCode.CHALLENGE].data)
    value, name = packets.decode_value(login[ChapCode.RESPONSE].data)
    assert (len(challenge), server, name) == (16, "pptpd", "moxie")
    V2.check_challenge(challenge)
    credential = V2.credential(login[ChapCode.RESPONSE].identifier, challenge, value)
    assert isinstance(credential, MsChapV2Credential)
    assert len(credential.nt_response) == 24
    assert login[ChapCode.SUCCESS].data.startswith(b"S=")
    assert login[ChapCode.SUCCESS].data.endswith(b" M=Access granted")
