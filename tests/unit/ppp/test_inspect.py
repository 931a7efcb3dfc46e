"""pppd's one-line form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.ppp.frames import Option, Packet, encode_options
from fastpptp.ppp.inspect import describe, describe_frame, describe_header, header_of

LCP, CCP, IPCP, IPV6CP, PAP, CHAP = 0xC021, 0x80FD, 0x8021, 0x8057, 0xC023, 0xC223
EAP = 0xC227


def configure(*options: Option) -> bytes:
    return Packet(1, 1, encode_options(options)).encode()


@pytest.mark.parametrize(
    ("protocol", "information", "text"),
    [
        (
            LCP,
            configure(
                Option(1, b"\x05\x78"),
                Option(2, bytes(4)),
                Option(3, b"\xc2\x23\x81"),
                Option(5, b"\x12\x34\x56\x78"),
                Option(7),
                Option(8),
            ),
            "[LCP ConfReq id=0x1 <mru 1400> <asyncmap 0x00000000> <auth chap MS-v2> "
            "<magic 0x12345678> <pcomp> <accomp>]",
        ),
        (LCP, configure(Option(3, b"\xc0\x23")), "[LCP ConfReq id=0x1 <auth pap>]"),
        (LCP, configure(Option(3, b"\xc2")), "[LCP ConfReq id=0x1 <auth c2>]"),
        (LCP, configure(Option(1, b"\1")), "[LCP ConfReq id=0x1 <mru 01>]"),
        (LCP, configure(Option(13, b"\6")), "[LCP ConfReq id=0x1 <callback 06>]"),
        (LCP, configure(Option(99, b"\6")), "[LCP ConfReq id=0x1 <99 06>]"),
        (LCP, b"\1\1\0\6\1\1", "[LCP ConfReq id=0x1 0101 (option with a wrong length)]"),
        (LCP, b"\5\2\0\7bye", '[LCP TermReq id=0x2 "bye"]'),
        (LCP, b"\6\2\0\4", "[LCP TermAck id=0x2]"),
        (LCP, b"\x08\2\0\7\x80\x57\1", "[LCP ProtRej id=0x2 proto=8057 01]"),
        (LCP, b"\x08\2\0\5\x80", "[LCP ProtRej id=0x2 80]"),
        (LCP, b"\x09\2\0\x08\0\0\0\1", "[LCP EchoReq id=0x2 magic=0x00000001]"),
        (LCP, b"\x0a\2\0\x09\0\0\0\1\2", "[LCP EchoRep id=0x2 magic=0x00000001 02]"),
        (LCP, b"\x0c\2\0\x0a\0\0\0\1hi", '[LCP Ident id=0x2 magic=0x00000001 "hi"]'),
        (LCP, b"\x09\2\0\5\0", "[LCP EchoReq id=0x2 00]"),
        (LCP, b"\x63\2\0\4", "[LCP code=0x63 id=0x2]"),
        (LCP, b"\0\2\0\4", "[LCP code=0x0 id=0x2]"),
        (LCP, b"\7\2\0\x30" + bytes(44), f"[LCP CodeRej id=0x2 {'00' * 32}...]"),
        (LCP, b"\1", "[LCP 01 (control packet shorter than its header)]"),
        (
            CCP,
            configure(Option(18, b"\1\0\0\x40")),
            "[CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]",
        ),
        (CCP, b"\x0e\1\0\4", "[CCP ResetReq id=0x1]"),
        (
            IPCP,
            configure(Option(3, b"\x0a\0\0\1"), Option(129, b"\x0a\0\0\2")),
            "[IPCP ConfReq id=0x1 <addr 10.0.0.1> <ms-dns1 10.0.0.2>]",
        ),
        (
            IPV6CP,
            configure(Option(1, b"\0\0\0\0\0\0\0\1")),
            "[IPV6CP ConfReq id=0x1 <addr 0000:0000:0000:0001>]",
        ),
        (PAP, b"\1\1\0\x0e\4user\4pass", '[PAP AuthReq id=0x1 user="user" password=<hidden>]'),
        (PAP, b"\2\1\0\7\2hi", '[PAP AuthAck id=0x1 "hi"]'),
        (PAP, b"\3\1\0\4", '[PAP AuthNak id=0x1 ""]'),
        (CHAP, b"\1\1\0\x08\2abn", '[CHAP Challenge id=0x1 <6162> name="n"]'),
        (CHAP, b"\2\1\0\4", "[CHAP Response id=0x1 <0 octets>]"),
        (CHAP, b'\3\1\0\x09S="\\\x01', '[CHAP Success id=0x1 "S=\\x22\\x5c\\x01"]'),
        (CHAP, b"\7\1\0\7abc", "[CHAP ChangePassword3 id=0x1 <3 octets>]"),
        (CHAP, b"\7\1\0\x30abc", "[CHAP 07010030 (control packet with a wrong length)]"),
        (
            PAP,
            b"\1\1\0\x0d\4user\4pas",
            "[PAP AuthReq id=0x1 (a length field runs past the packet)]",
        ),
        (EAP, b"\1\1\0\5\1", '[EAP Request id=0x1 Identity ""]'),
        (EAP, b"\2\1\0\x09\1user", '[EAP Response id=0x1 Identity "user"]'),
        (EAP, b"\2\1\0\x09\6pass", "[EAP Response id=0x1 type=6 <4 octets>]"),
        (EAP, b"\3\1\0\4", "[EAP Success id=0x1]"),
        (
            LCP,
            b"\x08\1\0\x10\xc0\x23\1\1\0\x0a\2ab\2xy",
            "[LCP ProtRej id=0x1 proto=c023 0101000a]",
        ),
        (0x1234, b"\1\1\0\5a", "[proto=0x1234 code=0x1 id=0x1 61]"),
    ],
)
def test_lines(protocol, information, text) -> None:
    assert describe(protocol, information) == text


@given(
    st.sampled_from([LCP, CCP, IPCP, IPV6CP, PAP, CHAP, 0x21, 0x9999]),
    st.binary(max_size=80),
    st.integers(0, 20),
)
def test_any_octets(protocol, data, code) -> None:
    for information in (data, Packet(code, 1, data).encode()):
        text = describe(protocol, information)
        assert text.startswith("[")
        assert text.isprintable()


@pytest.mark.parametrize(
    ("frame", "header", "octets"),
    [
        ("c021010100041234", "[LCP ConfReq id=0x1 len=4]", "c02101010004"),
        ("ff03c02101010004", "[LCP ConfReq id=0x1 len=4]", "ff03c02101010004"),
        ("c22301050009", "[c2230105 (control packet with a wrong length)]", "c22301050009"),
        ("2145000014", "[21450000 (control packet with a wrong length)]", "2145000014"),
        ("12350107000561", "[proto=0x1235 code=0x1 id=0x7 len=5]", "123501070005"),
        ("c0", "[c0 (frame with a malformed protocol field)]", "c0"),
    ],
)
def test_headers(frame: str, header: str, octets: str) -> None:
    assert describe_header(bytes.fromhex(frame)) == header
    assert header_of(bytes.fromhex(frame)).hex() == octets


def test_frames() -> None:
    assert describe_frame(bytes.fromhex("ff03c02109010008000000ff")) == (
        "[LCP EchoReq id=0x1 magic=0x000000ff]"
    )
    assert describe_frame(b"\xc0") == "[c0 (frame with a malformed protocol field)]"
